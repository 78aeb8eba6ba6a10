/** A private sshd on a free port of 127.0.0.1, started by whoever runs this, with a client key that it lets in. */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createConnection, createServer } from 'node:net';
import * as path from 'node:path';

export interface PrivateSshd {
  readonly port: number;
  /** The sshd_config(5) that it runs with. */
  readonly config: string;
  /** The client's private key; the public one is in `<key>.pub`. */
  readonly key: string;
  /** Options of ssh(1) that scp and sftp take too. */
  readonly clientOptions: readonly string[];
  readonly log: () => string;
  stop(): Promise<void>;
}

export interface PrivateSshdOptions {
  /** An empty folder for keys, configuration and log. */
  readonly folder: string;
  /** Lines of sshd_config(5). */
  readonly lines: readonly string[];
  /** sshd, or a symlink to it: before OpenSSH 9.8 its name is the PAM service. */
  readonly program?: string;
  /** Where it listens; a free port is sought on 127.0.0.1. */
  readonly address?: string;
  /** Words that a command starts with to run where it shall be. */
  readonly within?: readonly string[];
}

/** Resolves when sshd listens. Throws with its log where it does not. */
export async function startPrivateSshd(options: PrivateSshdOptions): Promise<PrivateSshd> {
  const { folder, lines, program = sshdProgram(), address = '127.0.0.1', within = [] } = options;
  const [hostKey, key, log, config] = ['host', 'client', 'log', 'config'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const file of [hostKey, key]) makeKey(file);
  // Root's sshd wants it for its privilege separation.
  if (process.getuid?.() === 0) fs.mkdirSync('/run/sshd', { recursive: true });
  const port = await freePort();
  const base = [`Port ${String(port)}`, `ListenAddress ${address}`, `HostKey ${hostKey}`, 'PidFile none', 'LogLevel VERBOSE'];
  fs.writeFileSync(config, [...base, ...lines, ''].join('\n'));
  const words = ['-D', '-f', config, '-E', log];
  const child =
    within.length === 0
      ? spawn(program, words, { stdio: 'ignore' })
      : spawn('/usr/bin/env', [...within, program, ...words], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await gone;
  };
  try {
    await untilListening(port, address, log);
  } catch (error) {
    await stop();
    throw error;
  }
  const hosts = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
  const clientOptions = [
    '-F',
    'none',
    '-i',
    key,
    '-o',
    'IdentitiesOnly=yes',
    ...hosts,
    '-o',
    'LogLevel=ERROR',
    '-o',
    `Port=${String(port)}`,
  ];
  return { port, config, key, clientOptions, log: () => fs.readFileSync(log, 'utf8'), stop };
}

/** sshd must be called by its absolute path, and is seldom on an ordinary user's PATH. */
function sshdProgram(): string {
  const found = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/sbin/sshd', '/usr/bin/sshd'].find((file) => fs.existsSync(file));
  if (found === undefined) throw new Error('there is no sshd; install openssh-server');
  return found;
}

function makeKey(file: string): void {
  const { status, stderr } = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'notp', '-f', file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ssh-keygen: ${stderr}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}

async function untilListening(port: number, address: string, log: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await canConnect(port, address)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`sshd does not listen:\n${fs.readFileSync(log, 'utf8')}`);
}

function canConnect(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
