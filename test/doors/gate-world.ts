/** What the tests of the gate share: a real sshd that forces it, people enrolled for it, and their audit logs. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sleep, type Terminal } from '../support/process.ts';
import { startSshd, type Sshd } from '../support/sshd.ts';
import { addUser, installNotp, lacks, oathCode, runAs, scratchFolder, type Enrolled, type TestUser } from '../support/world.ts';

export const PASSPHRASE = 'correct horse';
export const NEEDS = lacks({ root: true, withoutService: true, programs: ['sshd', 'ssh', 'oathtool', 'python3', 'setpriv'] });
/** What docs/gate.md recommends, so that no file of the user is read before the gate. */
export const RECOMMENDED_SETENV =
  'SetEnv SHLVL=1 ZDOTDIR=/etc/notp/empty XDG_CONFIG_HOME=/etc/notp/empty XDG_DATA_HOME=/etc/notp/empty LD_PRELOAD= LD_LIBRARY_PATH= LD_AUDIT= NODE_OPTIONS= NODE_V8_COVERAGE= BASH_ENV= ENV= SHELLOPTS=';
/** For `ssh`, `scp` and `sftp`: hand over the code in LC_NOTP. */
export const SEND_CODE: readonly string[] = ['-o', 'SendEnv=LC_NOTP'];

export interface Place {
  readonly folder: string;
  readonly notp: string;
}

export interface Person {
  readonly user: TestUser;
  readonly enrolled: Enrolled;
  /** A line that holds passphrase and an unspent recovery code: right at any time. */
  readonly line: () => string;
  /** The same as the variable that the gate reads. */
  readonly variable: () => { LC_NOTP: string };
}

export interface AuditLine {
  readonly event: string;
  readonly result: string;
  readonly reason?: string;
  readonly method?: string;
  readonly detail?: string;
  readonly user: string;
  readonly context: string;
  readonly door: string;
  readonly ref: string;
  readonly seq?: number;
  readonly prev?: string;
}

export function place(name: string): Place {
  const folder = scratchFolder(name);
  return { folder, notp: installNotp(folder) };
}

/** An sshd that forces the gate. `words` follow `notp gate`. */
export async function gateSshd(
  { folder, notp }: Place,
  {
    lines = [],
    words = '',
    program,
    exposed = true,
  }: { lines?: readonly string[]; words?: string; program?: string; exposed?: boolean } = {},
): Promise<Sshd> {
  const own = [
    `ForceCommand ${notp} gate ${words}`,
    'AcceptEnv LANG LC_*',
    `ExposeAuthInfo ${exposed ? 'yes' : 'no'}`,
    'UsePAM no',
    ...lines,
  ];
  return await (program === undefined ? startSshd(folder, own) : startSshd(folder, own, program));
}

/** Enrols `user`, again where they are: with a new secret, a full budget and unspent recovery codes. */
export async function enrol({ notp }: Place, user: TestUser): Promise<Person> {
  const words = ['enroll', '--no-confirm', '--json', '--replace', '--recovery', '32', '--passphrase-file', '-'];
  const { code, stdout, stderr } = await runAs(user, [notp, ...words], { input: `${PASSPHRASE}\n` });
  if (code !== 0) throw new Error(stderr);
  const enrolled = JSON.parse(stdout) as Enrolled;
  const unspent = [...enrolled.recovery];
  const line = (): string => {
    const recovery = unspent.pop();
    if (recovery === undefined) throw new Error('no recovery code is left');
    return `${PASSPHRASE} ${recovery}`;
  };
  return { user, enrolled, line, variable: () => ({ LC_NOTP: line() }) };
}

/** A new user with a key for each of `sshds`, enrolled. */
export async function newPerson(where: Place, sshds: readonly Sshd[], shell?: string): Promise<Person> {
  const user = addUser(shell);
  authorizeAll(user, sshds);
  return await enrol(where, user);
}

/** Puts the client keys of all `sshds` into the user's authorized_keys. */
export function authorizeAll(user: TestUser, sshds: readonly Sshd[]): void {
  sshds[0]?.authorize(user);
  for (const { key } of sshds.slice(1)) {
    fs.appendFileSync(path.join(user.home, '.ssh/authorized_keys'), fs.readFileSync(`${key}.pub`));
  }
}

/** A code of now plus `offsetSeconds`, with the passphrase before it. */
export function codeLine({ enrolled }: Person, offsetSeconds = 0): string {
  return `${PASSPHRASE} ${oathCode(enrolled.secret, { offsetSeconds })}`;
}

/** The records of the user's own log. */
export function auditLines({ home }: TestUser): AuditLine[] {
  const file = path.join(home, '.notp/.audit.log');
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as AuditLine);
}

/** The first decision after the `earlier` first records; waits for it a while, for nobody says when a lost session ends. */
export async function nextDecision(user: TestUser, earlier: number): Promise<AuditLine> {
  for (let i = 0; i < 200; i++) {
    const found = auditLines(user)
      .slice(earlier)
      .find(({ event }) => event.startsWith('login.'));
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error('no decision was recorded');
}

/** Types the passphrase at its prompt and waits for the prompt of the code. */
export async function typePassphrase(terminal: Terminal, passphrase = PASSPHRASE): Promise<void> {
  await terminal.expect(/Passphrase: /);
  terminal.send(`${passphrase}\r`);
  await terminal.expect(/One-time code: /);
}
