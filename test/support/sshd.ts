/** A private sshd on a high port of 127.0.0.1, and the real OpenSSH client for it. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createConnection, createServer } from 'node:net';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';
import { run, runInTerminal, sleep, type Ran, type RunOptions, type Terminal } from './process.ts';
import { must, type TestUser } from './world.ts';

export interface Sshd {
  readonly port: number;
  readonly log: () => string;
  /** The words of an `ssh` command for `user`, with options before the host. */
  command(user: TestUser, options?: readonly string[]): string[];
  /** The same options for scp, sftp and rsync's -e. */
  options(): string[];
  ssh(user: TestUser, words?: readonly string[], options?: RunOptions & { sshOptions?: readonly string[] }): Promise<Ran>;
  sshInTerminal(user: TestUser, words?: readonly string[], sshOptions?: readonly string[]): Terminal;
  /** The client's key file; its public half is what authorize() puts in place. */
  readonly key: string;
  authorize(user: TestUser, prefix?: string): void;
  stop(): Promise<void>;
}

/** Starts sshd with `lines` of configuration. `program` may be a symlink to sshd, whose name is the PAM service then. Stopped when the test file ends. */
export async function startSshd(folder: string, lines: readonly string[], program = '/usr/sbin/sshd'): Promise<Sshd> {
  const home = fs.mkdtempSync(path.join(folder, 'sshd-'));
  fs.chmodSync(home, 0o755);
  fs.mkdirSync('/run/sshd', { recursive: true });
  const [hostKey, key, log] = [path.join(home, 'host'), path.join(home, 'client'), path.join(home, 'log')];
  for (const file of [hostKey, key]) must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file]);
  const port = await freePort();
  const config = path.join(home, 'config');
  const base = [
    `Port ${String(port)}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    'PidFile none',
    'LogLevel VERBOSE',
    'MaxStartups 200',
  ];
  fs.writeFileSync(config, [...base, ...lines, ''].join('\n'));
  const child = spawn(program, ['-D', '-f', config, '-E', log], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.kill()) await gone;
  };
  atEnd(stop);
  await untilListening(port, () => fs.readFileSync(log, 'utf8'));
  const options = (): string[] => [
    ...['-F', 'none', '-i', key, '-o', 'IdentitiesOnly=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
    ...['-o', 'LogLevel=ERROR', '-o', `Port=${String(port)}`],
  ];
  const command = (user: TestUser, more: readonly string[] = []): string[] => ['ssh', ...options(), ...more, `${user.name}@127.0.0.1`];
  return {
    port,
    key,
    log: () => fs.readFileSync(log, 'utf8'),
    command,
    options,
    ssh: async (user, words = [], more = {}) => await run([...command(user, more.sshOptions), ...words], more),
    sshInTerminal: (user, words = [], sshOptions = ['-t']) => runInTerminal([...command(user, sshOptions), ...words]),
    authorize: (user, prefix = '') => {
      const ssh = path.join(user.home, '.ssh');
      fs.mkdirSync(ssh, { recursive: true, mode: 0o700 });
      fs.writeFileSync(path.join(ssh, 'authorized_keys'), `${prefix}${fs.readFileSync(`${key}.pub`, 'utf8')}`, { mode: 0o600 });
      for (const file of [ssh, path.join(ssh, 'authorized_keys')]) fs.chownSync(file, user.uid, user.gid);
    },
    stop,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function untilListening(port: number, log: () => string): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await canConnect(port)) return;
    await sleep(50);
  }
  throw new Error(`sshd does not listen:\n${log()}`);
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
