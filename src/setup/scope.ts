/** Whom a setup concerns, as sshd (`Match`) and PAM (pam_succeed_if) have to be told. Pure. */

export interface Scope {
  /** Names, checked already. Where both lists are empty everybody is concerned. */
  readonly users: readonly string[];
  readonly groups: readonly string[];
}

export function isEverybody({ users, groups }: Scope): boolean {
  return users.length === 0 && groups.length === 0;
}

/** The criteria of each Match block (sshd_config(5)): users and groups on one line would both have to hold. */
export function matchCriteria({ users, groups }: Scope): string[] {
  return [...(users.length === 0 ? [] : [`User ${users.join(',')}`]), ...(groups.length === 0 ? [] : [`Group ${groups.join(',')}`])];
}

/**
 * Lines of an auth stack that jump over the next `skip` modules for who is not concerned (pam_succeed_if(8)). Only a
 * clear no (auth_err) jumps: where the answer is an error the code is asked for.
 */
export function pamConditions({ users, groups }: Scope, skip: number): string[] {
  const no = `auth       [auth_err=${String(skip)} default=ignore] pam_succeed_if.so quiet user`;
  const inUsers = `in ${users.join(':')}`;
  const inGroups = `ingroup ${groups.join(':')}`;
  if (users.length === 0) return groups.length === 0 ? [] : [`${no} ${inGroups}`];
  if (groups.length === 0) return [`${no} ${inUsers}`];
  return [`auth       [auth_err=ignore ignore=ignore default=1] pam_succeed_if.so quiet user ${inUsers}`, `${no} ${inGroups}`];
}

/** For a person. */
export function describeScope({ users, groups }: Scope): string {
  const parts = [
    ...(users.length === 0 ? [] : [`the users ${users.join(', ')}`]),
    ...(groups.length === 0 ? [] : [`the groups ${groups.join(', ')}`]),
  ];
  return parts.length === 0 ? 'everybody' : parts.join(' and ');
}
