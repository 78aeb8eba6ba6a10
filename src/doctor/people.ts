/** Whose logins are looked at: users with what sshd's Match lines and the other checks need to know of them. */
import { groupsByName, usersByName, type User } from '../system/users.ts';
import type { Enrolment } from '../store/store.ts';
import { matchesPattern } from '../system/ssh-patterns.ts';
import { patternsOf, type Criterion } from './sshd-files.ts';

export interface Person {
  readonly user: User;
  readonly enrolments: readonly Enrolment[];
}

/** The people behind `names`, and the names that are nobody's. */
export function peopleOf(names: readonly string[], enrolments: readonly Enrolment[]): { people: Person[]; missing: string[] } {
  const byUser = Map.groupBy(enrolments, ({ user }) => user);
  const users = usersByName(names);
  const people: Person[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const user = users.get(name);
    if (user === undefined) missing.push(name);
    else people.push({ user, enrolments: byUser.get(name) ?? [] });
  }
  return { people, missing };
}

/** Groups people that no Match line tells apart: one of each group stands for all of it. */
export function alike(people: readonly Person[], criteria: readonly Criterion[]): Person[][] {
  const users = patternsOf(criteria, 'user');
  const groups = patternsOf(criteria, 'group');
  const memberships = groups.length === 0 ? undefined : groupsByName(people.map(({ user }) => user));
  const key = ({ user }: Person): string => {
    const names = memberships?.get(user.name) ?? [];
    const matched = [
      ...users.map((pattern) => matchesPattern(user.name, pattern)),
      ...groups.map((pattern) => names.some((name) => matchesPattern(name, pattern))),
    ];
    return matched.join();
  };
  return [...Map.groupBy(people, key).values()];
}
