/**
 * Where it is measured: a booted container with the package, and a user whose HOTP secret notp, pam_google_authenticator and pam_oath all
 * know. So each of them accepts a new code as often as it is asked, and writes its state for it.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { codeAt, toBase32 } from '../../src/otp/code.ts';
import { bootWithout, debIn, PACKAGE_NEEDS } from '../packaging/package-world.ts';
import { builtPackage } from '../support/built-package.ts';
import { addContainerUser, sshCommand } from '../support/container-ssh.ts';
import type { Container, InsideOptions } from '../support/container.ts';
import { ROOT, type Ran } from '../support/process.ts';
import { must, scratchFolder, type TestUser } from '../support/world.ts';
import { APART, GOOGLE_FILE, OATH_FILE, PORTS, setUpDoors, type Door } from './doors.ts';
import { addPeople, filesOf } from './files.ts';

export const BENCH_NEEDS = {
  ...PACKAGE_NEEDS,
  programs: [...PACKAGE_NEEDS.programs, 'pamtester', 'google-authenticator', 'valgrind', 'fincore'],
} as const;

export interface ClientOptions extends InsideOptions {
  /** Whether it cannot see that systemd is the init of the host. */
  readonly apart?: boolean;
}

export interface Host {
  readonly container: Container;
  readonly alice: TestUser;
  /** Many users with the same secret, who have not logged in yet, and one more. */
  readonly others: readonly TestUser[];
  readonly victim: TestUser;
  /** The next code of alice for whoever counts codes: a module of PAM, or a configuration of notp. */
  code(asked: string): string;
  /** The first code of each of the others. */
  readonly firstCode: string;
  /** The command that logs alice in at this door. */
  loginAt(door: Door): string[];
  /** Runs client.py, and gives what it printed. */
  client<T>(words: readonly string[], options?: ClientOptions): Promise<T>;
  /** The instructions that `command` takes. */
  instructions(command: readonly string[], options?: ClientOptions): Promise<number>;
  /** A configuration with a state of its own in which alice is enrolled, and whose database `change` changes; gives the file. */
  another(name: string, change: (database: string, hostKey: Uint8Array) => Promise<void>): Promise<string>;
}

const OTHERS = 200;
export const CLIENT = '/srv/client.py';
/** A folder on the disk of the machine, with Node.js and the executable, and where it is in the container; all else is in memory there. */
export const DISK = path.join(ROOT, 'dist/bench');
export const ON_DISK = '/mnt';
const USERS_FILE = '/root/users.oath';
/** pam_google_authenticator takes 0 for no counter. */
const FIRST = 1;

export async function bootBench(): Promise<Host> {
  fillDisk();
  const container = await bootPackage('bench', [`--bind=${DISK}:${ON_DISK}`]);
  await container.must(['mount', '--bind', `${ON_DISK}/notp`, '/usr/bin/notp']);
  const alice = await addContainerUser(container, 'alice');
  const [victim, ...others] = addPeople(container, 1 + OTHERS) as [TestUser, ...TestUser[]];
  const secret = randomBytes(20);
  writeSecret(container, secret, [alice, victim, ...others]);
  await container.must(['notp', 'import', '--from', 'pam-oath', '--file', USERS_FILE], { timeoutMs: 300_000 });
  await setUpDoors(container);

  const counters = new Map<string, number>();
  const codeOf = (counter: number): string => codeAt(secret, counter, { algorithm: 'SHA1', digits: 6 });
  return {
    ...{ container, alice, victim, others, firstCode: codeOf(FIRST) },
    code: (asked) => {
      const counter = counters.get(asked) ?? FIRST;
      counters.set(asked, counter + 1);
      return codeOf(counter);
    },
    loginAt: (door) => [...sshCommand(alice, ['-tt', '-p', String(PORTS[door])]), 'echo this is the shell'],
    client: async <T>(words: readonly string[], options?: ClientOptions) =>
      JSON.parse((await runInside(container, ['python3', CLIENT, ...words], options)).stdout) as T,
    instructions: async (command, options) => {
      const counting = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', ...command];
      return Number(/Collected : (\d+)/.exec((await runInside(container, counting, options)).stderr)?.[1]);
    },
    another: async (name, change) => await anotherState(container, { name, alice, change }),
  };
}

/** Boots a host with the package and a host key; `options` are as for bootContainer(). */
export async function bootPackage(name: string, options: readonly string[] = []): Promise<Container> {
  const client = path.join(import.meta.dirname, 'client.py');
  const container = await bootWithout(name, { 'notp.deb': debIn(builtPackage()), 'client.py': client }, options);
  await container.must(['dpkg', '--install', '/srv/notp.deb'], { timeoutMs: 120_000 });
  await container.must(['notp', 'host-key', 'init']);
  return container;
}

function fillDisk(): void {
  fs.rmSync(DISK, { recursive: true, force: true });
  fs.mkdirSync(DISK, { recursive: true });
  const files = { node: process.execPath, notp: path.join(builtPackage(), 'notp') };
  for (const [name, from] of Object.entries(files)) {
    fs.copyFileSync(from, path.join(DISK, name));
    must(['sync', path.join(DISK, name)]);
  }
}

/** For each module, and as the file that notp imports. */
function writeSecret(container: Container, secret: Buffer, people: readonly TestUser[]): void {
  const { write } = filesOf(container);
  const tokens = people.map(({ name }) => `HOTP ${name} - ${secret.toString('hex')} ${String(FIRST)}\n`).join('');
  write(USERS_FILE, tokens, 0o600);
  write(OATH_FILE, tokens, 0o600);
  write(GOOGLE_FILE, `${toBase32(secret)}\n" HOTP_COUNTER ${String(FIRST)}\n" WINDOW_SIZE 17\n`, 0o400);
}

async function runInside(container: Container, words: readonly string[], { apart = false, ...options }: ClientOptions = {}): Promise<Ran> {
  const variables = Object.entries(options.environment ?? {}).map(([name, value]) => `--setenv=${name}=${value ?? ''}`);
  const unit = ['systemd-run', '--quiet', '--pipe', '--wait', ...APART.map((line) => `--property=${line}`), ...variables];
  const ran = await container.run([...(apart ? unit : []), ...words], { timeoutMs: 600_000, ...options });
  if (ran.code !== 0) throw new Error(`${words.join(' ')}: ${ran.stdout}${ran.stderr}`);
  return ran;
}

interface Another {
  readonly name: string;
  readonly alice: TestUser;
  readonly change: (database: string, hostKey: Uint8Array) => Promise<void>;
}

async function anotherState(container: Container, { name, alice, change }: Another): Promise<string> {
  const { outside, write } = filesOf(container);
  const folder = `/srv/${name}`;
  const config = `${folder}/notp.toml`;
  const top = `secrets = "${alice.home}/${name}"\nhost_key = "${folder}/etc/host.key"\n`;
  const tables = `[store]\nurl = "sqlite:${folder}/var/state.db"\n[audit]\nfile = "${folder}/log/audit.log"\njournal = false\n`;
  write(config, top + tables);
  await container.must(['notp', 'host-key', 'init', '--config', config]);
  const words = ['import', '--from', 'pam-oath', '--file', USERS_FILE, '--user', alice.name];
  await container.must(['notp', ...words, '--config', config]);
  // SQLite does not find its way into the root of a container.
  const [there, here] = [outside(`${folder}/var/state.db`), path.join(scratchFolder('bench'), 'state.db')];
  fs.copyFileSync(there, here);
  await change(here, fs.readFileSync(outside(`${folder}/etc/host.key`)));
  fs.writeFileSync(there, fs.readFileSync(here));
  return config;
}

export async function judgePid({ container }: Host): Promise<string> {
  return (await container.must(['systemctl', 'show', '--property=MainPID', '--value', 'notp@judge.service'])).trim();
}
