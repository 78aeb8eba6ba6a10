/** The plan of a setup: each file as it is and as it would become. Only reads. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { messageOf, NotpError } from '../error.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import { linesIn, modulesOf, notpLine, pamStack, type PamLine } from '../doctor/pam/stack.ts';
import type { Config } from '../system/config.ts';
import { readTrusted, type Attributes } from '../system/trusted.ts';
import { isInGroupFile } from '../system/users.ts';
import { concernsService, mayLetIn } from '../verdict/rules.ts';
import {
  skippedLines,
  PROMPT_FILE,
  withBlock,
  withoutBlock,
  withoutUserEnvironment,
  type BlockOptions,
  type PamDoor,
  type ReadStack,
} from './pam-file.ts';
import type { Scope } from './scope.ts';
import { dropInPath, dropInText, includeProblem, SSHD_CONFIG, type First, type SshdDoor } from './sshd-drop-in.ts';
import { costOfPamExec } from './sshd.ts';

export type SetupDoor = SshdDoor | PamDoor;

/** An existing file. */
export interface Present extends Attributes {
  readonly bytes: Uint8Array;
}
export interface Change {
  readonly file: string;
  /** Undefined if there is no such file yet. */
  readonly before: Present | undefined;
  readonly after: Present;
}
export interface Plan {
  readonly door: SetupDoor;
  readonly scope: Scope;
  /** Only the files that change. */
  readonly changes: readonly Change[];
  /** Sentences for the administrator. */
  readonly notes: readonly string[];
}

const MAX_FILE_BYTES = 256 * 1024;
const NEW_FILE: Attributes = { mode: 0o644, uid: 0, gid: 0 };
const PAM_FOLDER = '/etc/pam.d';
const PROMPT = 'One-time code\n';

/**
 * `grants`: nobody with a grant is to be prompted by PAM. `first`: how the PAM door takes the password. Throws `refused` if the present files
 * do not allow a setup of the door.
 */
export function planFor(
  door: SetupDoor,
  scope: Scope,
  { rules }: Pick<Config, 'rules'>,
  { grants = false, first }: { readonly grants?: boolean; readonly first?: First | undefined } = {},
): Plan {
  const before = grants || rules.some((rule) => mayLetIn(rule) && concernsService(rule, 'sshd'));
  const changes = door === 'sudo' ? sudoFiles(scope) : sshdFiles(door, scope, { before, first });
  const onFiles = changes.flatMap(({ file, after }) => notesOn(file, text(after)));
  const notes = [...onFiles, ...scope.groups.flatMap(groupElsewhere), ...(door === 'pam' ? costOfPamExec(before) : [])];
  return { door, scope, changes: changes.filter(differs), notes };
}

/** sshd and PAM take "no answer" for "not in the group". */
function groupElsewhere(name: string): string[] {
  if (isInGroupFile(name)) return [];
  return [
    `the group ${quoted(name)} is not in /etc/group: while the directory that has it does not answer, its members are asked for no code; a door for everybody has no such gap`,
  ];
}

/** Reads `file`, which only root may be able to write; undefined if it does not exist. */
export function present(file: string): Present | undefined {
  const bytes = readTrusted(file, { owner: 0, maxBytes: MAX_FILE_BYTES, forbidden: 0o022 });
  if (bytes === undefined) return undefined;
  const stats = fs.lstatSync(file, { throwIfNoEntry: false });
  return stats === undefined ? undefined : { bytes, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
}

/** Whether two files have the same content, mode and owner. */
function isSame(one: Present | undefined, other: Present | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const attributes = one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
  return attributes && Buffer.compare(one.bytes, other.bytes) === 0;
}

function differs({ before, after }: Change): boolean {
  return !isSame(before, after);
}

function sshdFiles(
  door: SshdDoor,
  scope: Scope,
  { before, first }: { readonly before: boolean; readonly first: First | undefined },
): Change[] {
  requireInclude();
  const dropIn = replacing(dropInPath(door), dropInText(door, scope, first));
  if (door === 'gate') return [dropIn, ...userEnvironment()];
  // An existing prompt of the administrator is kept.
  const prompt = present(PROMPT_FILE) === undefined ? [replacing(PROMPT_FILE, PROMPT)] : [];
  // PAM first: the block alone only adds a prompt, but the drop-in makes sshd rely on PAM for the code.
  return [...prompt, pamFile('sshd', { door, scope, before }), dropIn];
}

/** PAM must not read variables from the user's home, as they would apply before the gate starts. */
function userEnvironment(): Change[] {
  const file = path.join(PAM_FOLDER, 'sshd');
  const before = present(file);
  const after = before === undefined ? undefined : withoutUserEnvironment(text(before));
  return after === undefined ? [] : [replacing(file, after)];
}

/** `sudo -i` may have a stack of its own. It needs the code too, or anybody could avoid the code of sudo. */
function sudoFiles(scope: Scope): Change[] {
  const login = present(path.join(PAM_FOLDER, 'sudo-i'));
  const ownStack = login !== undefined && !/^auth\s+(include|substack)\s+sudo\s*$|^@include\s+sudo\s*$/m.test(text(login));
  return (ownStack ? ['sudo', 'sudo-i'] : ['sudo']).map((name) => pamFile(name, { door: 'sudo', scope, before: false }));
}

function pamFile(name: string, block: Omit<BlockOptions, 'read'>): Change {
  const file = path.join(PAM_FOLDER, name);
  const before = present(file);
  if (before === undefined) throw new NotpError('refused', `there is no ${file}`, "copy the distribution's file there first");
  refuseSecondCode(file, withoutBlock(text(before)));
  const after = withBlock(text(before), { ...block, read: readStack });
  if (after !== undefined) return replacing(file, after);
  throw new NotpError(
    'refused',
    `${file} has no line of its own that asks for the password, such as "@include common-auth", or more than one`,
    'insert the lines of examples/pam.d by hand',
  );
}

/** Refuses if `file`, whose content without a block of notp is `old`, asks for a code already: nobody has two, and sshd could not ask twice. */
function refuseSecondCode(file: string, old: string): void {
  const found = modulesOf(readable(file, () => linesIn(old, 'auth', { file }))).find((line) => notpLine(line) !== undefined);
  if (found === undefined) return;
  const { where } = found;
  throw new NotpError(
    'refused',
    `${file} starts notp already, by a line that setup did not write, and would ask for two codes: ${where}`,
    `remove that line first, which also ends the codes of other services that include it; if pam-auth-update wrote it: pam-auth-update --disable notp`,
  );
}

const CORRECT = `correct it in ${PAM_FOLDER} first`;

const readStack: ReadStack = (stack, type) => {
  const lines = readable(stack, () => pamStack(stack, type));
  if (lines !== undefined) return lines;
  throw new NotpError('refused', `there is no PAM stack ${stack}`, CORRECT);
};

function readable<T extends readonly PamLine[] | undefined>(stack: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new NotpError('refused', `the PAM stack ${stack} cannot be read: ${messageOf(error)}`, CORRECT, { cause: error });
  }
}

function replacing(file: string, after: string): Change {
  const before = present(file);
  return { file, before, after: { ...(before ?? NEW_FILE), bytes: Buffer.from(after, 'latin1') } };
}

function requireInclude(): void {
  const config = present(SSHD_CONFIG);
  if (config === undefined) throw new NotpError('refused', `there is no ${SSHD_CONFIG}`, 'install the SSH server first');
  const folder = path.dirname(dropInPath('gate'));
  const problem = includeProblem(text(config));
  if (problem === undefined && fs.existsSync(folder)) return;
  const what =
    problem === undefined
      ? `there is no folder ${folder}`
      : `${SSHD_CONFIG} does not read ${folder} for everybody: the Include is ${problem}`;
  throw new NotpError(
    'refused',
    what,
    shellCommand`mkdir -p ${folder}, and make this the first line of ${SSHD_CONFIG}: Include ${folder}/*.conf`,
  );
}

function notesOn(file: string, after: string): string[] {
  if (file !== path.join(PAM_FOLDER, 'sshd')) return [];
  return skippedLines(after).map((line) => `${file}: after a right code this line is skipped: ${line.replace(/\s+/g, ' ')}`);
}

/** As Latin-1, to keep every byte: a comment need not be UTF-8. */
function text({ bytes }: Present): string {
  return Buffer.from(bytes).toString('latin1');
}
