/**
 * Looks up users in the passwd database (with getent(1), so that directory services count), and never by $HOME or $USER.
 * An account is one uid. Its name is the one that the database gives for the uid, whatever spelling was asked for. A directory
 * service may accept `ADBOB`, `CORP\adbob` and `adbob` for the same user, and two lines of passwd(5) may have one uid.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { NotpError } from '../error.ts';
import { quoted } from '../otp/escape.ts';
import { isUserName } from '../otp/names.ts';
import { inParts } from '../lists.ts';
import { getent, IS_NUMBER, TIMEOUT_MS } from './accounts/getent.ts';
import { accountInFile, lineInFile, linesInFile, type PasswdKey } from './accounts/passwd-file.ts';

export interface User {
  /** The name of the account in the database, in no other spelling. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** The login shell; `/bin/sh` where the entry names none, as sshd and login(1) read it. */
  readonly shell: string;
}

/** The system user that owns the service's state. The service runs only as this user. */
export const SERVICE_USER = 'notp';
const ID = '/usr/bin/id';
const GROUP_FILE = '/etc/group';
/** The most names in one call of getent(1) or id(1). */
const NAMES_A_CALL = 200;
/** Below that, id(1) alone takes fewer calls. */
const MANY_NAMES = 20;

/** The account that `spelling` is a name of, or undefined where there is none. Throws `failed` where the database cannot be read. */
export function userByName(spelling: string): User | undefined {
  if (!isUserName(spelling)) return undefined;
  const line = accountInFile(spelling);
  const user = line === undefined ? userElsewhere(spelling) : parseEntry(line);
  return user !== undefined && isUserName(user.name) ? user : undefined;
}

/**
 * The database's name of the account that `spelling` is a name of; `spelling` itself where there is none, or the database cannot be
 * read.
 */
export function accountName(spelling: string): string {
  try {
    return userByName(spelling)?.name ?? spelling;
  } catch {
    return spelling;
  }
}

/**
 * The accounts that `spellings` are names of, by spelling, with few calls to the database. Unknown spellings are left out. Throws
 * `failed` where it cannot be read.
 */
export function usersByName(spellings: readonly string[]): ReadonlyMap<string, User> {
  const file = linesInFile();
  const uids = new Map<string, number>();
  const elsewhere: string[] = [];
  for (const spelling of new Set(spellings.filter(isUserName))) {
    const uid = uidIn(file.name.get(spelling));
    if (uid === undefined) elsewhere.push(spelling);
    else uids.set(spelling, uid);
  }
  for (const [spelling, uid] of uidsElsewhere(elsewhere)) uids.set(spelling, uid);
  const users = usersOf([...new Set(uids.values())], file.uid);
  return new Map(
    [...uids].flatMap(([spelling, uid]) => {
      const user = users.get(uid);
      return user === undefined || !isUserName(user.name) ? [] : [[spelling, user] as const];
    }),
  );
}

/** The accounts of `uids`; unknown uids are left out. Throws `failed` where the database cannot be read. */
export function usersByUid(uids: readonly number[]): ReadonlyMap<number, User> {
  const found = uids.length === 0 ? new Map<number, User>() : usersOf([...new Set(uids)], linesInFile().uid);
  return new Map([...found].filter(([, { name }]) => isUserName(name)));
}

/**
 * The entry that a user logged in with: another entry with the uid of `account` may have another home and another shell. `name`:
 * the user's name in the session, which counts only where it is a name of that uid.
 */
export function entryOf(account: User, name: string | undefined): User {
  if (name === undefined || name === account.name || !isUserName(name)) return account;
  const entry = one('name', name);
  return entry?.uid === account.uid ? entry : account;
}

/**
 * All users that the database lists. A directory service may list none of its own. Throws `failed` where it cannot be read, or
 * lists too many.
 */
export function allUsers(): User[] {
  return lookUp([]).flatMap((user) => (user !== undefined && isUserName(user.name) ? [user] : []));
}

/** The user of `uid`. Throws `failed` where there is none, or its name is not allowed. */
export function userByUid(uid: number): User {
  const user = one('uid', String(uid));
  if (user?.uid !== uid) throw new NotpError('failed', `uid ${String(uid)} has no entry in the passwd database`);
  if (isUserName(user.name)) return user;
  const why = `the name of uid ${String(uid)} is no UTF-8, or has a control character in it: ${quoted(user.name)}`;
  throw new NotpError('failed', why, 'give the account another name: usermod --login NAME');
}

/** All names that the database lists, in any bytes, by uid. Throws `failed` where it cannot be read. */
export function namesByUid(): ReadonlyMap<number, readonly string[]> {
  const entries = lookUp([]).flatMap((user) => user ?? []);
  return new Map([...Map.groupBy(entries, ({ uid }) => uid)].map(([uid, of]) => [uid, [...new Set(of.map(({ name }) => name))]]));
}

/**
 * The group database's name of the group that `spelling` is a name of, or undefined where there is none. Throws `failed` where it
 * cannot be read.
 */
export function groupByName(spelling: string): string | undefined {
  if (!isUserName(spelling)) return undefined;
  if (IS_NUMBER.test(spelling)) return gidsOf([spelling]).has(spelling) ? spelling : undefined;
  const gid = getent('group', [spelling])[0]?.split(':')[2];
  const name = gid === undefined ? undefined : getent('group', [gid])[0]?.split(':')[0];
  return name !== undefined && isUserName(name) ? name : undefined;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  /** As the entry names them. Those whose primary group it is are not among them, and a directory may name nobody. */
  readonly members: readonly string[];
}

/**
 * The entries of `names` in the group database, and all listed ones with a name that `wanted` accepts. Unknown names are left out. Throws
 * `failed` where it cannot be read.
 */
export function groupEntries(names: readonly string[], wanted?: (name: string) => boolean): GroupEntry[] {
  // getent(1) reads a number as a gid.
  const asked = names.filter((name) => isUserName(name) && !IS_NUMBER.test(name));
  const listed = wanted === undefined ? [] : getent('group', []).filter((line) => wanted(line.split(':', 1)[0] ?? ''));
  const lines = [...(asked.length === 0 ? [] : getent('group', asked)), ...listed];
  const entries = lines
    .map((line) => line.split(':'))
    .map(([name = '', , gid = '', members = '']) => ({
      ...{ name, gid: Number(gid) },
      members: members.split(',').filter(isUserName),
    }));
  return [...new Map(entries.map((entry) => [entry.name, entry])).values()];
}

/** Whether group(5) itself has the group. False where it cannot be read. */
export function isInGroupFile(name: string): boolean {
  try {
    return fs
      .readFileSync(GROUP_FILE, 'utf8')
      .split('\n')
      .some((line) => line.startsWith(`${name}:`));
  } catch {
    return false;
  }
}

/**
 * The gids, in digits, of those of `names` that a group database knows now, as it spells them. `source`: one of nsswitch.conf(5), asked
 * alone. Throws `failed` where it cannot be asked.
 */
export function gidsOf(names: readonly string[], source?: string): ReadonlyMap<string, string> {
  const [numbers, words] = [true, false].map((isNumber) => names.filter((name) => isUserName(name) && IS_NUMBER.test(name) === isNumber));
  // getent(1) reads a number as a gid, so a group that is called by one is looked for among all that are listed.
  const lines = [
    ...(words === undefined ? [] : inParts(words, NAMES_A_CALL)).flatMap((some) => getent('group', some, source)),
    ...(numbers === undefined || numbers.length === 0 ? [] : getent('group', [], source)),
  ];
  const found = new Map(lines.toReversed().map((line) => [line.split(':', 1)[0] ?? '', line.split(':', 3)[2] ?? '']));
  return new Map(names.flatMap((name) => (/^\d+$/.test(found.get(name) ?? '') ? [[name, found.get(name) ?? '']] : [])));
}

/** Those of `names` that a group database knows now, as it spells them; none where it cannot be asked. */
export function groupsThatExist(names: readonly string[]): string[] {
  try {
    return [...gidsOf(names).keys()];
  } catch {
    return [];
  }
}

/** The user who runs this process: the real uid. */
export function realUser(): User {
  return userByUid(realUid());
}

export function realUid(): number {
  return process.getuid?.() ?? -1;
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** The names of the groups of `user`, by id(1), so that directory services count. Empty where it fails. */
export function groupsOf(user: User): readonly string[] {
  return groupsOfSome([`+${String(user.uid)}`])[0] ?? [];
}

/**
 * The groups of each of `names`, with few calls to the database. They are looked up by name, as sshd and PAM do, since two names of
 * one uid may be in different groups.
 */
export function groupsByName(names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map(names.length < MANY_NAMES ? [] : groupsOfMany(names));
  for (const some of inParts(
    names.filter((name) => !found.has(name)),
    NAMES_A_CALL,
  )) {
    const groups = groupsOfSome(some);
    // An id(1) that accepts only one name (coreutils before 8.31) gives none. An id(1) that does not know a name gives too few.
    const isWhole = groups.length === some.length;
    for (const [i, name] of some.entries()) found.set(name, (isWhole ? groups[i] : groupsOfSome([name])[0]) ?? []);
  }
  return found;
}

/**
 * The same as id(1) gives for those of `names` that are in the passwd file, ten times faster where there are thousands: id(1) looks up each
 * name, and each of its groups, by itself. Nobody where the group database cannot be asked.
 */
function groupsOfMany(names: readonly string[]): Map<string, string[]> {
  const file = linesInFile().name;
  const users = [...new Set(names)].filter(isUserName).flatMap((name) => parseEntry(file.get(name) ?? '') ?? []);
  try {
    const gids = new Map<string, string[]>();
    for (const some of inParts(users, NAMES_A_CALL)) {
      const lines = getent(
        'initgroups',
        some.map(({ name }) => name),
      );
      for (const [i, user] of some.entries()) gids.set(user.name, gidsIn(user, lines[i] ?? ''));
    }
    const lines = inParts([...new Set([...gids.values()].flat())], NAMES_A_CALL).flatMap((some) => getent('group', some));
    const groups = new Map(lines.map((line) => line.split(':', 3)).map(([name = '', , gid = '']) => [gid, name]));
    return new Map([...gids].map(([name, of]) => [name, of.map((gid) => groups.get(gid) ?? gid)]));
  } catch {
    return new Map();
  }
}

/** The gids of a user in digits, the primary one first. `line`: what `getent initgroups` printed, which is all but the primary one. */
function gidsIn({ name, gid }: User, line: string): string[] {
  const others = line.slice(name.length);
  if (!line.startsWith(name) || !/^ *( \d+)*$/.test(others)) throw new NotpError('failed', `the group database gave ${quoted(line)}`);
  return [...new Set([String(gid), ...others.split(' ').filter((word) => word !== '')])];
}

/**
 * The groups of several users. `words`: names, or uids with a "+", which distinguishes them from a name of digits. In the output
 * each group ends with a NUL, and the groups of each user with one more. None where id(1) did not start or was ended before it had printed
 * all. It exits with 1 also where a group has no name, and prints the gid.
 */
function groupsOfSome(words: readonly string[]): string[][] {
  const { error, signal, stdout } = spawnSync(ID, ['-Gnz', '--', ...words], { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  if (error !== undefined || signal !== null) return [];
  const records = stdout.split('\0\0').filter((record) => record !== '');
  return records.map((record) => record.split('\0').filter((group) => group !== ''));
}

function userElsewhere(spelling: string): User | undefined {
  const isNumber = IS_NUMBER.test(spelling);
  const uid = isNumber ? uidOfNumber(spelling) : one('name', spelling)?.uid;
  const user = uid === undefined ? undefined : one('uid', String(uid));
  if (user?.uid !== uid) return undefined;
  // id(1), asked for a number that is no user's name, gives the user with that uid, who is another user.
  return isNumber && Number(spelling) === uid && user?.name !== spelling ? undefined : user;
}

/**
 * The uid of the user whose name is a number. getent(1) reads a number as a uid. id(1) reads it as a name, and as a uid only where
 * no user has that name.
 */
function uidOfNumber(spelling: string): number | undefined {
  const { stdout, status } = spawnSync(ID, ['-u', '--', spelling], { encoding: 'utf8', timeout: TIMEOUT_MS, env: {} });
  return status === 0 && /^\d+\n$/.test(stdout) ? Number(stdout) : undefined;
}

/** The uids of names that are not in the file. The answers do not repeat the question, and have the name that the database prefers. */
function uidsElsewhere(spellings: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  const alone = (some: readonly string[]): void => {
    for (const spelling of some) {
      const user = userByName(spelling);
      if (user !== undefined) found.set(spelling, user.uid);
    }
  };
  const words = spellings.filter((spelling) => !IS_NUMBER.test(spelling));
  for (const some of inParts(words, NAMES_A_CALL)) {
    const lines = lookUp(some);
    const named = new Map(lines.map((user) => [user?.name, user?.uid]));
    const listed = some.filter((spelling) => named.has(spelling));
    // Where there are more lines than listed names, some were asked for by another spelling.
    if (lines.length === listed.length) for (const spelling of listed) found.set(spelling, named.get(spelling) ?? NaN);
    else alone(some);
  }
  alone(spellings.filter((spelling) => IS_NUMBER.test(spelling)));
  return found;
}

function usersOf(uids: readonly number[], inFile: ReadonlyMap<string, string>): ReadonlyMap<number, User> {
  const lines = uids.flatMap((uid) => inFile.get(String(uid)) ?? []);
  const found = new Map(lines.flatMap((line) => parseEntry(line) ?? []).map((user) => [user.uid, user]));
  const asked = new Set(uids.filter((uid) => !found.has(uid)));
  for (const some of inParts([...asked], NAMES_A_CALL)) {
    const entries = lookUp(some.map(String));
    const users = entries.includes(undefined) ? some.map((uid) => one('uid', String(uid))) : entries;
    for (const user of users) if (user !== undefined && asked.has(user.uid)) found.set(user.uid, user);
  }
  return found;
}

function uidIn(line: string | undefined): number | undefined {
  return line === undefined ? undefined : parseEntry(line)?.uid;
}

/** The entry of a name or a uid. An answer of several lines counts as none: after a line break in an entry anything may follow. */
function one(by: PasswdKey, key: string): User | undefined {
  const line = lineInFile(by, key);
  if (line !== undefined) return parseEntry(line);
  const lines = lookUp([key]);
  return lines.length === 1 ? lines[0] : undefined;
}

/** The entries of `keys`, without the unknown ones; without any keys, all listed entries. Undefined for each malformed line. */
function lookUp(keys: readonly string[]): (User | undefined)[] {
  return getent('passwd', keys).map(parseEntry);
}

/** One line of passwd(5). */
function parseEntry(line: string): User | undefined {
  const [name, , uid, gid, , home, shell, ...more] = line.split(':');
  if (name === undefined || home === undefined || shell === undefined || more.length > 0 || !/^\d+$/.test(uid ?? '')) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home, shell: shell === '' ? '/bin/sh' : shell };
}
