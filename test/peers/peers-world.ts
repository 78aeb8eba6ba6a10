/** One person whom notp, pam_google_authenticator and pam_oath know by the same secret, and whom each of them asks, by the same clock. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { codeLine, pamService, pamWorld, PERMITTED, type PamWorld } from '../doors/pam-world.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, installTree, lacks, must, type Enrolled, type TestUser } from '../support/world.ts';
import { standingClock } from '../support/clock.ts';
import { crowdOf, type Waiting } from './crowd.ts';

/** The modules of PAM that are asked. */
export type Asked = 'notp' | 'google' | 'oath';
export const ALL: readonly Asked[] = ['notp', 'google', 'oath'];

/** A module of PAM is no program; a shell finds it by its path all the same. */
const PAM_OATH = '/usr/lib/$(uname -m)-linux-gnu/security/pam_oath.so';
const PROGRAMS = ['google-authenticator', PAM_OATH, 'pamtester', 'oathtool', 'faketime', 'python3', 'strace', 'unshare', 'mkfifo', 'mount'];
/** Why the modules cannot be measured here, or false. */
export const NEEDS = lacks({ root: true, programs: PROGRAMS });

const DAY_SECONDS = 86_400;
const STEP_SECONDS = 30;
const TIMEOUT_MS = 120_000;

interface Who {
  readonly user?: string;
  readonly rhost?: string;
}

export interface PeersWorld {
  readonly pam: PamWorld;
  readonly user: TestUser;
  readonly enrolled: Enrolled;
  /** The words that start notp. */
  readonly command: readonly string[];
  /** What each of them keeps of the person. */
  readonly files: Readonly<Record<Asked, string>>;
  /** The variables by which a program has the clock of this world. */
  readonly environment: Readonly<Record<string, string>>;
  /** How each of them is asked in a stack. */
  readonly lines: Readonly<Record<Asked, string>>;
  /** The same for notp with another configuration. */
  readonly notpLine: (config: string) => string;
  /** Moves the clock. */
  wait(seconds: number): void;
  /** Another day: no code of before is near, and every budget is full. The modules forget everything but the secret. */
  nextDay(): void;
  /** The modules forget everything but the secret. */
  reset(): void;
  /** The code so many seconds from now, by oathtool; of another secret where one is given. */
  code(offsetSeconds?: number, secret?: string): string;
  /** A code that is none of the near ones. */
  wrongCode(): string;
  /** The words of a login at one of the modules, or at another PAM service. */
  login(asked: string, who?: Who): string[];
  /** A login that types `answer`. */
  ask(asked: string, answer: string, who?: Who): Promise<Ran>;
  /** Whether that login gets in. */
  lets(asked: string, answer: string, who?: Who): Promise<boolean>;
  /** So many logins, each of which has been asked for its code (or ended before), and waits. */
  crowd(asked: string, size: number): Promise<readonly Waiting[]>;
}

/** Eight digits each, as google-authenticator makes them. */
export const SCRATCH_CODES = ['10293847', '56473829'] as const;

/** `prepare` has the user before anything of theirs is there. */
export async function peersWorld(name: string, prepare: (user: TestUser) => void = () => undefined): Promise<PeersWorld> {
  const pam = await pamWorld(name);
  const user = addUser();
  prepare(user);
  const program = path.resolve(installTree(pam.folder), '../../dist/notp.cjs');
  const enrolled = await pam.enroll(user);
  const { environment, move, now } = standingClock(path.join(pam.folder, 'clock'));
  // Not by its shell script, for that becomes another program.
  const command = [process.execPath, program];
  const files = { notp: enrolled.file, google: path.join(user.home, '.google_authenticator'), oath: path.join(pam.folder, 'oath/users') };
  const code: PeersWorld['code'] = (offsetSeconds = 0, secret = enrolled.secret) =>
    must(['oathtool', '--totp', '--now', `@${String(now() + offsetSeconds)}`, '-b', secret]).trim();
  const reset = (): void => {
    writeFiles(files, user, enrolled.secret);
  };
  reset();
  const { lines, notpLine } = stackLines({ environment, command, files, config: pam.config });
  return {
    ...{ pam, user, enrolled, command, files, environment, lines, notpLine, code, reset, wait: move },
    ...logins(user, environment, lines),
    nextDay: () => {
      move(DAY_SECONDS);
      reset();
    },
    wrongCode: () => {
      const near = [-2, -1, 0, 1, 2].map((steps) => code(steps * STEP_SECONDS));
      return ['111111', '222222', '333333', '444444', '555555', '666666'].find((each) => !near.includes(each)) ?? '';
    },
  };
}

function stackLines({
  environment,
  command,
  files,
  config,
}: Pick<PeersWorld, 'environment' | 'command' | 'files'> & { config: string }): Pick<PeersWorld, 'lines' | 'notpLine'> {
  const variables = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
  const notpLine = (file: string): string => codeLine(['/usr/bin/env', ...variables, ...command, 'pam', '--config', file].join(' '));
  const lines = {
    notp: notpLine(config),
    google: 'auth required pam_google_authenticator.so',
    oath: `auth required pam_oath.so usersfile=${files.oath} window=3`,
  };
  return { lines, notpLine };
}

function logins(
  user: TestUser,
  environment: PeersWorld['environment'],
  lines: PeersWorld['lines'],
): Pick<PeersWorld, 'login' | 'ask' | 'lets' | 'crowd'> {
  const services = new Map<string, string>(ALL.map((asked) => [asked, stack(lines[asked])]));
  const login: PeersWorld['login'] = (asked, who = {}) => {
    const items = who.rhost === undefined ? [] : ['-I', `rhost=${who.rhost}`];
    return ['pamtester', ...items, services.get(asked) ?? asked, who.user ?? user.name, 'authenticate'];
  };
  const ask: PeersWorld['ask'] = async (asked, answer, who) =>
    await run(login(asked, who), { environment, input: `${answer}\n`, timeoutMs: TIMEOUT_MS });
  return {
    ...{ login, ask },
    lets: async (asked, answer, who) => (await ask(asked, answer, who)).code === 0,
    crowd: async (asked, size) => await crowdOf(login(asked), environment, size),
  };
}

/** A PAM service of `line`. */
export function stack(line: string): string {
  return pamService([line, ...PERMITTED]);
}

/** What google-authenticator would have written with its own advice taken (`-t -d -w 3 -r 3 -R 30`), and a users file of pam_oath. */
function writeFiles(files: PeersWorld['files'], user: TestUser, secret: string): void {
  const folder = path.dirname(files.oath);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { mode: 0o700 });
  const hex = /^Hex secret: (\w+)$/m.exec(must(['oathtool', '--totp', '-v', '-b', secret]))?.[1] ?? '';
  fs.writeFileSync(files.oath, `HOTP/T30/6 ${user.name} - ${hex}\n`, { mode: 0o600 });
  // With ~ what a failed google-authenticator leaves behind, which then is in its own way.
  for (const file of [files.google, `${files.google}~`]) fs.rmSync(file, { force: true });
  const lines = [secret, '" RATE_LIMIT 3 30', '" WINDOW_SIZE 3', '" DISALLOW_REUSE', '" TOTP_AUTH', ...SCRATCH_CODES];
  fs.writeFileSync(files.google, `${lines.join('\n')}\n`, { mode: 0o400 });
  fs.chownSync(files.google, user.uid, user.gid);
}

/** Measures one after the other: the cells of a row. */
export async function atEach(measure: (asked: Asked) => Promise<string>): Promise<Record<Asked, string>> {
  return { notp: await measure('notp'), google: await measure('google'), oath: await measure('oath') };
}
