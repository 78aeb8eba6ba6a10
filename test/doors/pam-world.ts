/** The PAM door's surroundings: the service's state in a scratch folder, enrolments made by root, and stacks in /etc/pam.d. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { atEnd } from '../support/cleanup.ts';
import { run, type Ran, type RunOptions } from '../support/process.ts';
import { startSshd, type Sshd, type Whereabouts } from '../support/sshd.ts';
import {
  builtNotp,
  must,
  nodeVariables,
  oathCode,
  scratchFolder,
  serviceUser,
  SOURCE_NOTP,
  writeConfig,
  type Enrolled,
  type TestUser,
} from '../support/world.ts';

export const PASSPHRASE = 'correct horse';

/** The fields of an audit record that these tests look at. */
export interface Recorded {
  readonly event: string;
  readonly result: string;
  readonly user: string;
  readonly door: string;
  readonly ref: string;
  readonly reason?: string;
  readonly method?: string;
  readonly detail?: string;
  readonly service?: string;
  readonly tty?: string;
  readonly uid?: number;
}

export interface PamOptions {
  /** Variables besides PAM_TYPE=auth, PAM_SERVICE=sudo and PAM_USER. */
  readonly environment?: NodeJS.ProcessEnv;
  readonly words?: readonly string[];
  readonly config?: string;
  /** The words that start notp, where it is not to run from its sources. */
  readonly program?: readonly string[];
  readonly timeoutMs?: number;
}

export interface PamWorld {
  readonly folder: string;
  readonly config: string;
  readonly service: TestUser;
  /** Enrols `user` as root, host-sealed where `words` do not say otherwise. What was there is replaced. */
  enroll(user: TestUser, words?: readonly string[]): Promise<Enrolled>;
  enrollWithPassphrase(user: TestUser): Promise<Enrolled>;
  /** Runs `notp pam` as pam_exec runs it: as root, with nothing but PAM's variables, and `proof` on stdin. */
  pam(name: string, proof: string | Uint8Array, options?: PamOptions): Promise<Ran>;
  records(): Recorded[];
  /** The record whose reference `output` shows. */
  recordIn(output: string): Recorded;
  lastRecord(): Recorded;
}

export async function pamWorld(
  name: string,
  settings: Parameters<typeof writeConfig>[1] & {
    hostKey?: Uint8Array;
    prepare?: (world: Pick<PamWorld, 'config' | 'service'>) => Promise<void>;
  } = {},
): Promise<PamWorld> {
  const folder = scratchFolder(name);
  const service = serviceUser();
  const config = writeConfig(folder, settings);
  const passphraseFile = `${folder}/passphrase`;
  fs.writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
  if (settings.hostKey !== undefined) {
    fs.mkdirSync(`${folder}/etc`);
    fs.writeFileSync(`${folder}/etc/host.key`, settings.hostKey, { mode: 0o400 });
    fs.chownSync(`${folder}/etc/host.key`, service.uid, service.gid);
  }
  await settings.prepare?.({ config, service });
  await succeed([builtNotp(), 'host-key', 'init', '--config', config]);
  const enroll = async (user: TestUser, words: readonly string[] = []): Promise<Enrolled> => {
    const basic = ['enroll', '--config', config, '--user', user.name, '--no-confirm', '--json', '--replace'];
    const program = words.length === 0 ? [builtNotp()] : SOURCE_NOTP;
    return JSON.parse(await succeed([...program, ...basic, ...words])) as Enrolled;
  };
  const records = (): Recorded[] =>
    fs
      .readFileSync(`${folder}/log/audit.log`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Recorded);
  return {
    folder,
    config,
    service,
    enroll,
    enrollWithPassphrase: async (user) => await enroll(user, ['--seal', 'passphrase', '--passphrase-file', passphraseFile]),
    pam: async (user, proof, { environment, words = [], config: other = config, program = SOURCE_NOTP, timeoutMs } = {}) =>
      await run([...program, 'pam', '--config', other, ...words], {
        clearEnvironment: true,
        environment: {
          // Of a process that is killed while it writes it, the coverage would be broken.
          ...nodeVariables({ covered: timeoutMs === undefined }),
          PAM_TYPE: 'auth',
          PAM_SERVICE: 'sudo',
          PAM_USER: user,
          ...environment,
        },
        cwd: '/',
        input: proof,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    records,
    recordIn: (output) => {
      const ref = /\(ref ([0-9a-f]{8})\)/.exec(output)?.[1];
      const found = records().filter((record) => record.ref === ref);
      if (found.length !== 1 || found[0] === undefined) throw new Error(`${String(found.length)} records for: ${output}`);
      return found[0];
    },
    lastRecord: () => {
      const last = records().at(-1);
      if (last === undefined) throw new Error('no record');
      return last;
    },
  };
}

/** A stack in /etc/pam.d under a name of its own, until the test file ends. Gives the name. */
export function pamService(lines: readonly string[]): string {
  const name = `notp-t${randomBytes(4).toString('hex')}`;
  const file = `/etc/pam.d/${name}`;
  fs.writeFileSync(file, [...lines, ''].join('\n'));
  atEnd(() => {
    fs.rmSync(file, { force: true });
  });
  return name;
}

/** sshd with a PAM service of its own, of `lines` and what permits the rest; `methods` as in AuthenticationMethods of sshd_config(5). */
export async function startPamSshd(
  folder: string,
  lines: readonly string[],
  methods: string,
  whereabouts: Whereabouts = {},
): Promise<Sshd> {
  const service = pamService([...lines, ...PERMITTED]);
  const program = `${folder}/${service}`;
  fs.symlinkSync('/usr/sbin/sshd', program);
  const authentication = ['UsePAM yes', 'KbdInteractiveAuthentication yes', 'PasswordAuthentication no', 'MaxAuthTries 20'];
  return await startSshd(folder, [...authentication, `AuthenticationMethods ${methods}`, ...newerLines(service)], program, whereabouts);
}

/** Newer versions do not take the PAM service from the program's name, and punish the many failures of one address. */
export function newerLines(service: string): string[] {
  const { stderr } = spawnSync('ssh', ['-V'], { encoding: 'utf8' });
  const [, major = '0', minor = '0'] = /OpenSSH_(\d+)\.(\d+)/.exec(stderr) ?? [];
  const version = Number(major) * 100 + Number(minor);
  return version >= 908 ? [`PAMServiceName ${service}`, 'PerSourcePenalties no'] : [];
}

/** The line by which PAM calls `checker` with the answer to its prompt. */
export function codeLine(checker: string): string {
  return `auth requisite pam_exec.so quiet expose_authtok stdout ${checker}`;
}

/** The lines besides `auth` that a login needs. */
export const PERMITTED = ['account required pam_permit.so', 'session required pam_permit.so'];

/** A code that is none of `secret` for minutes around now. */
export function wrongCode(secret: string): string {
  const near = Array.from({ length: 21 }, (_, i) => oathCode(secret, { offsetSeconds: (i - 10) * 30 }));
  const wrong = ['000000', '111111', '222222'].concat(Array.from({ length: 30 }, (_, i) => String(345_600 + i)));
  const found = wrong.find((code) => !near.includes(code));
  if (found === undefined) throw new Error('no wrong code');
  return found;
}

/** Does `check` with all of `items` at the same time: most of a refusal is waiting. */
export async function each<T>(items: readonly T[], check: (item: T) => Promise<unknown>): Promise<void> {
  await Promise.all(items.map(check));
}

/** Runs a command that must succeed, and gives its stdout. */
export async function succeed(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(' ')}: ${String(code)} ${stderr}`);
  return stdout;
}

/** Everything about each file below `folder` that changes when somebody writes there. */
export function traceOf(folder: string): string {
  return must(['find', folder, '-printf', '%p %i %y %M %U:%G %n %s %T@ %C@ %l\n']);
}
