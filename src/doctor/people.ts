/** The people whose logins are checked, with what sshd's Match lines and the other checks need to know about them. */
import { namesAreExact } from '../system/accounts/passwd-file.ts';
import { groupsByName, namesByUid, usersByName, usersByUid, type User } from '../system/users.ts';
import { NO_UID, type Enrolment } from '../store/store.ts';
import { matcherOf, matchesPattern } from '../system/ssh/patterns.ts';
import { patternsOf, type Criterion } from './sshd/files.ts';

export interface Person {
  readonly user: User;
  readonly enrolments: readonly Enrolment[];
}

export interface People {
  /** Each account once. */
  readonly people: readonly Person[];
  /** Names that no account has. */
  readonly missing: readonly string[];
  /** Enrolled names whose account has a new name, so that no login uses the old one. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/** The people called `names`. If no account has a name any more, it is found by the uid that was enrolled under that name. */
export function peopleOf(names: readonly string[], enrolments: readonly Enrolment[]): People {
  const byUser = Map.groupBy(enrolments, ({ user }) => user);
  const named = usersByName(names);
  const users = new Map([
    ...named,
    ...formerNames(
      names.filter((name) => !named.has(name)),
      byUser,
    ),
  ]);
  const people = new Map([...users.values()].map((user) => [user.uid, { user, enrolments: byUser.get(user.name) ?? [] }]));
  const missing = names.filter((name) => !users.has(name));
  const renamed = [...users].flatMap(([from, { name: to }]) => (from !== to && byUser.has(from) ? [{ from, to }] : []));
  return { people: [...people.values()], missing, renamed };
}

/** `gone`: names that no account has. Finds their accounts by the uid in their enrolments. */
function formerNames(gone: readonly string[], byUser: ReadonlyMap<string, readonly Enrolment[]>): ReadonlyMap<string, User> {
  const uids = new Map(
    gone.flatMap((name) => (byUser.get(name) ?? []).flatMap(({ uid }) => (uid === NO_UID ? [] : [[name, uid] as const]))),
  );
  const users = usersByUid([...uids.values()]);
  return new Map(
    [...uids].flatMap(([name, uid]) => {
      const user = users.get(uid);
      return user === undefined ? [] : [[name, user] as const];
    }),
  );
}

/** Another name of a user. */
export interface Spelling {
  readonly user: User;
  readonly name: string;
}

/** No more than this are looked up: each may cost a query to a directory service. */
const MAX_SPELLINGS = 200;

/**
 * Other names of `people` that the Match lines may treat differently from the account's own name: other names of the same uid, which
 * may be in other groups; names in the Match lines themselves; and names in capitals, as a directory service may ignore case.
 * Any other name cannot be guessed. Throws `failed` if the passwd database cannot be read.
 */
export function otherSpellings(people: readonly Person[], criteria: readonly Criterion[]): Spelling[] {
  const patterns = patternsOf(criteria, 'user');
  if (patterns.length === 0 && patternsOf(criteria, 'group').length === 0) return [];
  const matched = (name: string): string => patterns.map((pattern) => matchesPattern(name, pattern)).join();
  const literals = patterns.filter((pattern) => !/[*?]/.test(pattern));
  const names = new Map(people.map(({ user }) => [user.uid, user]));
  const inCapitals = namesAreExact()
    ? []
    : people.flatMap(({ user }) => otherCases(user.name).filter((name) => matched(name) !== matched(user.name)));
  const beside = namesBeside(names);
  const guessed = [...usersByName([...new Set([...literals, ...inCapitals])].slice(0, MAX_SPELLINGS))].flatMap(([name, { uid }]) => {
    const user = names.get(uid);
    return user === undefined || matched(name) === matched(user.name) ? [] : [{ user, name }];
  });
  return [...beside, ...guessed.filter(({ name }) => !beside.some((each) => each.name === name))];
}

function otherCases(name: string): string[] {
  return [name.toUpperCase(), name.toLowerCase()].filter((other) => other !== name);
}

/** Further names of an account that the passwd database lists. */
function namesBeside(users: ReadonlyMap<number, User>): Spelling[] {
  return [...namesByUid()].flatMap(([uid, names]) => {
    const user = users.get(uid);
    return user === undefined ? [] : names.filter((name) => name !== user.name).map((name) => ({ user, name }));
  });
}

/** Groups people that no Match line distinguishes: one member can stand for the whole group. `groups`: those of each name, where Match lines ask. */
export function groupAlike(
  people: readonly Person[],
  criteria: readonly Criterion[],
  groups = groupsAsked(
    people.map(({ user }) => user.name),
    criteria,
  ),
): Person[][] {
  const [byName, byGroup] = [matcherOf(patternsOf(criteria, 'user')), matcherOf(patternsOf(criteria, 'group'))];
  const key = ({ user }: Person): string => [byName([user.name]), byGroup(groups.get(user.name) ?? [])].join(' ');
  return [...Map.groupBy(people, key).values()];
}

/** The groups of each name; none where no Match line asks for groups. */
export function groupsAsked(names: readonly string[], criteria: readonly Criterion[]): ReadonlyMap<string, readonly string[]> {
  return patternsOf(criteria, 'group').length === 0 ? new Map() : groupsByName(names);
}
