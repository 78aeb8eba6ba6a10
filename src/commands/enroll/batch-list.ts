/** The list of users of a batch, one name on each line. The whole list is checked before the first enrolment. */
import * as path from 'node:path';
import { causeOf, messageOf, NotpError } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { isUserName } from '../../otp/names.ts';
import { fileUpTo, stdinUpTo, type Waiting } from '../../system/bytes.ts';
import type { Config } from '../../system/config.ts';
import { checkedFrom, secretsFolder } from '../../system/secrets.ts';
import { checkFolders } from '../../system/trusted.ts';
import { usersByName, type User } from '../../system/users.ts';

/** Some 100,000 users. */
const MAX_LIST_BYTES = 1024 * 1024;

/** One name of the list. `at`: file and line, for messages. */
interface Listed {
  readonly name: string;
  readonly at: string;
}

/** A user who can be enrolled. `at`: the place in the list. */
export interface Person {
  readonly user: User;
  readonly at: string;
}

/** A line of the list that names nobody who can be enrolled. */
export interface Unfit {
  readonly at: string;
  readonly why: string;
}

/** The text of `file` (`-`: stdin). Throws `usage` if it cannot be read, is too long or does not end. */
export async function readList(file: string, waiting: Waiting): Promise<string> {
  const bytes = file === '-' ? await readAllOfStdin(waiting) : readUpTo(file);
  if (bytes.length <= MAX_LIST_BYTES)
    return Buffer.from(bytes)
      .toString('utf8')
      .replace(/^\uFEFF/, '');
  throw new NotpError('usage', `${shown(file)} is over ${String(MAX_LIST_BYTES)} bytes`, 'split it, and run one batch after the other');
}

/**
 * The users of the list in `text` who can be enrolled, each once, and the unusable lines. Throws `usage` if it names
 * nobody at all.
 */
export function peopleIn(text: string, file: string, config: Config): { people: readonly Person[]; unfit: readonly Unfit[] } {
  const listed = linesOf(text, shown(file));
  if (listed.length === 0) throw new NotpError('usage', `${shown(file)} names no user`, 'write one user name on each line');
  const names = listed.filter(({ name }) => isUserName(name));
  const users = usersByName(names.map(({ name }) => name));
  const people: Person[] = [];
  const unfit: Unfit[] = [];
  const done = new Set<number>();
  for (const { name, at } of listed) {
    const user = users.get(name);
    // An earlier line names the same user in another spelling.
    if (user !== undefined && done.has(user.uid)) continue;
    if (user !== undefined) done.add(user.uid);
    const why = user === undefined ? whyNobody(name) : whyHomeless(config, user);
    if (why !== undefined) unfit.push({ at, why });
    else if (user !== undefined) people.push({ user, at });
  }
  return { people, unfit };
}

/** Each name once, without blank lines and without remarks after a `#` that begins a word. */
function linesOf(text: string, file: string): Listed[] {
  const byName = new Map<string, Listed>();
  for (const [i, line] of text.split('\n').entries()) {
    const name = line.replace(/(^|\s)#.*/s, '').trim();
    if (name !== '' && !byName.has(name)) byName.set(name, { name, at: `${file}:${String(i + 1)}` });
  }
  return [...byName.values()];
}

function whyNobody(name: string): string {
  if (!isUserName(name)) return `${quoted(name)} is not a user name: write one name on each line`;
  return `there is no user ${quoted(name)}${/[\s,;]/.test(name) ? ': write one name on each line' : ''}`;
}

/** Why the user's home cannot hold a sealed file; undefined if it can. Runs as root, so it opens no file. */
function whyHomeless(config: Config, user: User): string | undefined {
  const folder = secretsFolder(config, user);
  const parent = path.dirname(folder);
  try {
    if (checkFolders(checkedFrom(folder, user), parent, user.uid)) return undefined;
    return `${user.name}: there is no folder ${parent}`;
  } catch (error) {
    return `${user.name}: ${messageOf(error)}`;
  }
}

function shown(file: string): string {
  return file === '-' ? 'stdin' : quoted(file).slice(1, -1);
}

async function readAllOfStdin(waiting: Waiting): Promise<Uint8Array> {
  const bytes = await stdinUpTo(MAX_LIST_BYTES, waiting);
  if (bytes !== undefined) return bytes;
  throw new NotpError('refused', 'stdin did not end', 'nothing was done');
}

function readUpTo(file: string): Uint8Array {
  try {
    return fileUpTo(file, MAX_LIST_BYTES);
  } catch (error) {
    throw new NotpError('usage', `${shown(file)}: ${causeOf(error)}`, 'give a file with one user name on each line, or "-" for stdin');
  }
}
