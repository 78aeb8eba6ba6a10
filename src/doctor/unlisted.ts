/**
 * Accounts that the passwd database knows and may not list, as a directory service does: those whom the Match lines of sshd lead to, by name or
 * by group, so that sshd can be asked about them. sshd finds the groups of an account only where it exists, so nobody can be imagined there.
 */
import { matchesPattern } from '../system/ssh/patterns.ts';
import { groupEntries, usersByName, type GroupEntry } from '../system/users.ts';
import { namesAreExact } from '../system/accounts/passwd-file.ts';
import { messageOf } from '../error.ts';
import { namesUpTo, plural } from '../lists.ts';
import type { Finding } from './finding.ts';
import type { Person } from './people.ts';
import { patternsOf, type Criterion } from './sshd/files.ts';
import { representatives } from './sshd/representatives.ts';

export interface Unlisted {
  readonly people: readonly Person[];
  /** Names that nobody may have, of whom sshd can be asked too: together with the accounts they stand for all that wildcards match. */
  readonly imagined: readonly string[];
  /** Criteria of which no account is known, in the syntax of Match lines. */
  readonly unseen: readonly string[];
}

export const ALL_LISTED: Unlisted = { people: [], imagined: [], unseen: [] };

/** The most accounts that are looked up: each may cost a query to the directory. */
const MAX_LOOKED_UP = 2000;
const WILDCARD = /[*?]/;
const NAMED = 5;

/** Whether the passwd database may know accounts that it does not list. */
export function mayHideAccounts(): boolean {
  return !namesAreExact();
}

/** Those whom the Match lines lead to. `known`: the accounts that are asked about anyway. */
export function unlistedIn(criteria: readonly Criterion[], known: readonly Person[]): Unlisted {
  if (!mayHideAccounts()) return ALL_LISTED;
  const [users, groups] = [patternsOf(criteria, 'user'), patternsOf(criteria, 'group')];
  const imagined = representatives(users).filter((name) =>
    users.some((pattern) => WILDCARD.test(pattern) && matchesPattern(name, pattern)),
  );
  const literals = users.filter((pattern) => !WILDCARD.test(pattern));
  try {
    const wildcards = groups.filter((pattern) => WILDCARD.test(pattern));
    const entries = groupEntries(
      groups.filter((pattern) => !WILDCARD.test(pattern)),
      wildcards.length === 0 ? undefined : (name) => wildcards.some((pattern) => matchesPattern(name, pattern)),
    );
    const names = [...new Set([...literals, ...entries.flatMap(({ members }) => members)])];
    const people = peopleCalled(names.slice(0, MAX_LOOKED_UP), known);
    const isEmpty = ({ gid, members }: GroupEntry): boolean => members.length === 0 && !known.some(({ user }) => user.gid === gid);
    const unseen = [
      ...wildcards,
      ...entries.filter(isEmpty).map(({ name }) => name),
      ...(names.length > MAX_LOOKED_UP ? [`of more than ${plural(MAX_LOOKED_UP, 'account')}`] : []),
    ];
    return { people, imagined, unseen: unseen.map((pattern) => `Match group ${pattern}`) };
  } catch (error) {
    return { people: [], imagined, unseen: groups.map((pattern) => `Match group ${pattern} (${messageOf(error)})`) };
  }
}

/** Each under the name by which a Match line knows them. An enrolled account is asked about under all of its names elsewhere. */
function peopleCalled(names: readonly string[], known: readonly Person[]): Person[] {
  const [asked, enrolled] = [
    new Set(known.map(({ user }) => user.name)),
    new Set(known.flatMap(({ user, enrolments }) => (enrolments.length > 0 ? [user.uid] : []))),
  ];
  return [...usersByName(names.filter((name) => !asked.has(name)))]
    .filter(([, { uid }]) => !enrolled.has(uid))
    .map(([name, user]) => ({ user: { ...user, name }, enrolments: [] }));
}

/** `exempt`: imagined names that log in without a code. */
export function othersUnlisted(where: string, { people, unseen }: Unlisted, exempt: readonly string[]): Finding {
  const open = exempt.map((name) => `a user called ${name} would log in without a code`);
  const blind = [...unseen, ...open];
  return {
    id: 'others-unseen',
    severity: blind.length > 0 ? 'warn' : 'info',
    title:
      blind.length > 0
        ? 'Match lines are about accounts that the passwd database does not list, so it is not known who logs in without a code'
        : 'Accounts that the passwd database does not list were checked only where a Match line names them or their group',
    detail: `${where}: ${plural(people.length, 'account')} of them checked${blind.length > 0 ? `; not known: ${namesUpTo(NAMED, blind)}` : ''}`,
    fix: 'check some of them: notp doctor --user NAME',
  };
}
