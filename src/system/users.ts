/** Users, through the passwd database (with getent(1), so that directory services count) and never through $HOME or $USER. */
import { spawnSync } from 'node:child_process';
import { NotpError } from '../error.ts';
import { isUserName } from '../otp/names.ts';
import { lineInFile } from './passwd-file.ts';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** The login shell; `/bin/sh` where the entry names none, as sshd and login(1) read it. */
  readonly shell: string;
}

/** The system user that owns the service's state and is all the service may be. */
export const SERVICE_USER = 'notp';
const GETENT = '/usr/bin/getent';
const ID = '/usr/bin/id';
const TIMEOUT_MS = 10_000;
/** Of getent(1): some 100 000 users. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** getent(1): the key was not found. */
const NOT_FOUND = 2;
/** Names in one call of getent(1) or id(1). */
const NAMES_A_QUESTION = 200;

/** The user called `name`, or undefined where there is none. Throws `failed` where the database cannot be asked. */
export function userByName(name: string): User | undefined {
  if (!isUserName(name)) return undefined;
  const user = one(name);
  // getent takes a number for a uid: only the name that was asked for counts.
  return user?.name === name ? user : undefined;
}

/** Those of `names` who are there, by name, with few questions to the database. Throws `failed` where it cannot be asked. */
export function usersByName(names: readonly string[]): ReadonlyMap<string, User> {
  const asked = new Set(names.filter(isUserName));
  const found = new Map<string, User>();
  for (let rest = [...asked]; rest.length > 0; rest = rest.slice(NAMES_A_QUESTION)) {
    for (const user of lookUp(rest.slice(0, NAMES_A_QUESTION))) if (asked.has(user.name)) found.set(user.name, user);
  }
  return found;
}

/** All users that the database lists: a directory service may list none of its own. Throws `failed` where it cannot be asked, or lists too many. */
export function allUsers(): User[] {
  return lookUp([]).filter(({ name }) => isUserName(name));
}

/** The user of `uid`. Throws `failed` where there is none. */
export function userByUid(uid: number): User {
  const user = one(String(uid));
  if (user?.uid === uid) return user;
  throw new NotpError('failed', `uid ${String(uid)} has no entry in the passwd database`);
}

/** Who runs this process: the real uid. */
export function realUser(): User {
  return userByUid(realUid());
}

export function realUid(): number {
  return process.getuid?.() ?? -1;
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** The names of the groups that `user` is in: id(1), so that directory services count. Empty where it does not answer. */
export function groupsOf(user: User): readonly string[] {
  return groupsOfSome([user])[0] ?? [];
}

/** The same of each of `users`, by name, with few questions to the database. */
export function groupsByName(users: readonly User[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (let rest = users; rest.length > 0; rest = rest.slice(NAMES_A_QUESTION)) {
    const some = rest.slice(0, NAMES_A_QUESTION);
    const groups = groupsOfSome(some);
    // An id(1) that takes one name only (coreutils before 8.31) gives none; one that does not know somebody, too few.
    for (const [i, user] of some.entries()) found.set(user.name, (groups.length === some.length ? groups[i] : groupsOf(user)) ?? []);
  }
  return found;
}

/** Each group ends with a NUL; where several users are asked for, the groups of each with one more. */
function groupsOfSome(users: readonly User[]): string[][] {
  const names = users.map(({ name }) => name);
  const { stdout } = spawnSync(ID, ['-Gnz', '--', ...names], { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  const records = stdout.split('\0\0').filter((record) => record !== '');
  return records.map((record) => record.split('\0').filter((group) => group !== ''));
}

/** The entry of a name or a uid. */
function one(key: string): User | undefined {
  const line = lineInFile(key);
  return line === undefined ? lookUp([key])[0] : parseEntry(line);
}

/** The entries of those of `keys` that are there; without any, all that are listed. */
function lookUp(keys: readonly string[]): User[] {
  const limits = { timeout: TIMEOUT_MS, maxBuffer: MAX_ANSWER_BYTES };
  const { error, status, stdout } = spawnSync(GETENT, ['passwd', ...keys], { encoding: 'utf8', ...limits, env: {} });
  // Of an answer that is over the limit, the part below it may come with a status of 0.
  if (error !== undefined || (status !== 0 && status !== NOT_FOUND))
    throw new NotpError('failed', 'the passwd database cannot be asked', 'getent passwd must work');
  return stdout.split('\n').flatMap((line) => parseEntry(line) ?? []);
}

/** One line of passwd(5). */
function parseEntry(line: string): User | undefined {
  const [name, , uid, gid, , home, shell] = line.split(':');
  if (name === undefined || home === undefined || shell === undefined) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home, shell: shell === '' ? '/bin/sh' : shell };
}
