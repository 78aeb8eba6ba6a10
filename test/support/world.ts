/**
 * A throw-away world for tests with real users: an installed copy of the built program that everybody can read,
 * folders, users, and the service's state, all of it undone at the end.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { randomBytes } from 'node:crypto';
import { builtPackage } from './built-package.ts';
import { atEnd } from './cleanup.ts';
import { haveHost, makeForAll } from './host-lock.ts';
import { ROOT, run, type Ran, type RunOptions, type Terminal } from './process.ts';

export interface TestUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface Needs {
  readonly root?: boolean;
  readonly programs?: readonly string[];
  /** The gate keeps users' own state only where there is no service. */
  readonly withoutService?: boolean;
}

/** Why a test that needs these cannot run here, or false. In CI nothing may skip: there it throws. */
export function lacks({ root = false, programs = [], withoutService = false }: Needs): string | false {
  if (withoutService) haveHost('without the service user');
  const missing = programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`], { env: { PATH: SBIN_PATH } }).status !== 0);
  const reasons = [
    ...(root && process.getuid?.() !== 0 ? ['needs root'] : []),
    ...(withoutService && serviceEntry() !== '' ? ['needs a machine without the system user notp'] : []),
    ...missing.map((program) => `needs ${program}`),
  ];
  if (reasons.length === 0) return false;
  if (process.env['CI'] === 'true') throw new Error(`nothing may skip in CI: ${reasons.join(', ')}`);
  return reasons.join(', ');
}

export const SBIN_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A folder that is removed when the test file ends; 0755, so that every user gets in. */
export function scratchFolder(name: string): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `notp-${name}-`));
  fs.chmodSync(folder, 0o755);
  atEnd(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/**
 * Installs the executable of the package where everybody can run it, and gives the path of `notp`. It is one file for all tests, with a name
 * in each folder: a test that changes its program uses installTree().
 */
export function installNotp(folder: string): string {
  fs.mkdirSync(path.join(folder, 'bin'));
  const [built, notp] = [builtNotp(), path.join(folder, 'bin/notp')];
  try {
    fs.linkSync(built, notp);
  } catch {
    // Scratch folders may be on another disk.
    fs.copyFileSync(built, notp, fs.constants.COPYFILE_FICLONE);
  }
  fs.symlinkSync('notp', path.join(folder, 'bin/notp-enroll'));
  return notp;
}

/** The executable of the package, for whoever runs the tests: what is no test's subject it does in half the time that the sources take. */
export function builtNotp(): string {
  return path.join(builtPackage(), 'notp');
}

/** Installs what runs from a tree, bin/notp with the bundle and Node.js, where everybody can read it, and gives the path of `notp`. */
export function installTree(folder: string): string {
  fs.mkdirSync(path.join(folder, 'bin'));
  fs.mkdirSync(path.join(folder, 'dist'));
  fs.mkdirSync(path.join(folder, 'node_modules/.bin'), { recursive: true });
  fs.copyFileSync(path.join(ROOT, 'bin/notp'), path.join(folder, 'bin/notp'));
  fs.symlinkSync('notp', path.join(folder, 'bin/notp-enroll'));
  fs.copyFileSync(path.join(ROOT, 'dist/notp.cjs'), path.join(folder, 'dist/notp.cjs'));
  fs.copyFileSync(process.execPath, path.join(folder, 'node_modules/.bin/node'), fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(path.join(folder, 'node_modules/.bin/node'), 0o755);
  return path.join(folder, 'bin/notp');
}

/** A throw-away user with a home and a shell, gone when the test file ends. */
export function addUser(shell = '/bin/bash'): TestUser {
  const name = `notp-t${randomBytes(4).toString('hex')}`;
  must(['useradd', '--create-home', '--shell', shell, name]);
  atEnd(() => {
    endProcessesOf(uid);
    must(['userdel', '--remove', '--force', name]);
  });
  const [, , uid = NaN, gid = NaN] = must(['getent', 'passwd', name]).split(':').map(Number);
  // A user without a password entry of any kind cannot log in by key on some systems ("!" counts as locked).
  must(['usermod', '--password', '*', name]);
  return { name, uid, gid, home: `/home/${name}` };
}

/** Another name of `user`, with the same uid, home and keys. */
export function addSecondName({ uid, gid, home }: TestUser): string {
  const name = `notp-t${randomBytes(4).toString('hex')}`;
  must(['useradd', '--non-unique', '--uid', String(uid), '--gid', String(gid), '--home-dir', home, '--no-create-home', name]);
  atEnd(() => {
    must(['userdel', '--force', name]);
  });
  return name;
}

/** The service's system user: made where it is not there, and then removed at the end. */
export function serviceUser(): TestUser {
  haveHost('with the service user');
  makeForAll(
    () => {
      if (serviceEntry() !== '') return false;
      must([
        'useradd',
        '--system',
        '--user-group',
        '--home-dir',
        '/nonexistent',
        '--no-create-home',
        '--shell',
        '/usr/sbin/nologin',
        'notp',
      ]);
      return true;
    },
    // By force: a process may still be ending.
    ['userdel', '--force', 'notp'],
  );
  const [, , uid = NaN, gid = NaN] = serviceEntry().split(':').map(Number);
  return { name: 'notp', uid, gid, home: '/nonexistent' };
}

/** The passwd entry of the service's user; empty where there is none. */
function serviceEntry(): string {
  return spawnSync('getent', ['passwd', 'notp'], { encoding: 'utf8' }).stdout;
}

/** Writes a root-owned configuration into `folder`, with state, key and log of the service in it too. `more` is TOML: top-level lines first. */
export function writeConfig(
  folder: string,
  { top = '', store, tables = '' }: { top?: string; store?: string; tables?: string } = {},
): string {
  const file = path.join(folder, 'notp.toml');
  const own = `host_key = "${folder}/etc/host.key"\n`;
  const places = `[store]\n${store ?? `url = "sqlite:${folder}/var/state.db"`}\n[audit]\nfile = "${folder}/log/audit.log"\njournal = false\n`;
  fs.writeFileSync(file, `${top}\n${own}${places}${tables}`, { mode: 0o644 });
  return file;
}

/** Runs `notp` as `user`, with a clean environment. */
export async function runAs(user: TestUser, command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return await run(['setpriv', `--reuid=${String(user.uid)}`, `--regid=${String(user.gid)}`, '--init-groups', ...command], {
    cwd: user.home,
    clearEnvironment: true,
    ...options,
    environment: { PATH: SBIN_PATH, HOME: user.home, USER: user.name, ...options.environment },
  });
}

/** What `notp enroll --json` prints. */
export interface Enrolled {
  readonly id: string;
  readonly secret: string;
  readonly uri: string;
  readonly file: string;
  readonly recovery: readonly string[];
}

/** The code of `secret` (base32) at `now` plus `offsetSeconds`, by oathtool. */
export function oathCode(
  secret: string,
  { offsetSeconds = 0, options = [] }: { offsetSeconds?: number; options?: readonly string[] } = {},
): string {
  const at = Math.floor(Date.now() / 1000) + offsetSeconds;
  return must(['oathtool', '--totp', ...options, '--now', `@${String(at)}`, '-b', secret]).trim();
}

/** Waits for the URI of a new secret on `terminal`, and gives the secret (base32). */
export async function secretShown(terminal: Terminal): Promise<string> {
  const [, uri = ''] = await terminal.expect(/URI: (otpauth:\S+)\r?\n/);
  return new URL(uri).searchParams.get('secret') ?? '';
}

const STEP_MS = 30_000;

/** The step of a TOTP code of 30 seconds now: T in RFC 6238. */
export function stepNow(): number {
  return Math.floor(Date.now() / STEP_MS);
}

/** Waits where the current 30-second step is nearly over, so that a code stays right for `seconds`. */
export async function untilFreshStep(seconds = 8): Promise<void> {
  const left = STEP_MS - (Date.now() % STEP_MS);
  if (left < seconds * 1000) await new Promise((resolve) => setTimeout(resolve, left + 100));
}

/** Runs a command that must succeed, and gives its stdout. */
export function must(command: readonly string[]): string {
  const [file = '', ...words] = command;
  const { status, stdout, stderr } = spawnSync(file, words, { encoding: 'utf8', env: { PATH: SBIN_PATH } });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return stdout;
}

/** Ends what still runs as a throw-away user, by pid: nothing else can belong to it. */
function endProcessesOf(uid: number): void {
  for (const entry of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stats = fs.statSync(`/proc/${entry}`, { throwIfNoEntry: false });
    if (stats?.uid === uid) {
      try {
        process.kill(Number(entry), 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }
}

/**
 * The program from its sources, for tests that run it as root or as whoever runs the tests: what these processes
 * cover counts, even after they have become somebody else. With NOTP_TESTS=bundled it is the bundle, which starts in
 * half the time (test/run).
 */
export const SOURCE_NOTP: readonly string[] = [
  process.execPath,
  path.join(ROOT, process.env['NOTP_TESTS'] === 'bundled' ? 'dist/notp.cjs' : 'src/main.ts'),
];
const coverageFolder = process.env['NODE_V8_COVERAGE'];
if (coverageFolder !== undefined) fs.chmodSync(coverageFolder, 0o1777);

/** For a program from its sources in an environment of its own: where its coverage goes, and the code that was compiled before. */
export function nodeVariables({ covered = true } = {}): NodeJS.ProcessEnv {
  const names = [...(covered ? ['NODE_V8_COVERAGE'] : []), 'NODE_COMPILE_CACHE'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}
