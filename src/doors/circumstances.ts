/** What the doors know of a login besides its origin, for the rules and for what is remembered. */
import { isAtSshd } from '../audit/record.ts';
import { authInfo, keyDigestOf, keyTypeOf } from '../system/ssh-session.ts';
import { groupFacts, type RuleGroups } from '../login/ruling.ts';
import type { User } from '../system/users.ts';
import type { Circumstances } from '../wire/verifier.ts';

/** At the gate sshd has authenticated the user, by the name in USER. */
export function atGate(config: RuleGroups, environment: NodeJS.ProcessEnv, user: User): Circumstances {
  const groups = groupFacts(config, user, environment['USER']);
  return { ...groups, keyType: keyTypeOf(authInfo(environment)), firstFactor: true };
}

/** At PAM, groups are those of the passwd database and NSS. */
export function atPam(config: RuleGroups, environment: NodeJS.ProcessEnv, user: User | undefined): Circumstances {
  const groups = groupFacts(config, user, environment['PAM_USER']);
  // In the stacks of sudo and others, the lines before notp's have asked for the password.
  if (!isSshd(environment)) return { ...groups, keyType: undefined, firstFactor: true };
  const info = environment['SSH_AUTH_INFO_0'] ?? '';
  return { ...groups, keyType: keyTypeOf(info), firstFactor: info !== '' };
}

/** SHA-256 (hex) of the keys that have passed at sshd before its PAM stack. */
export function keyDigestAtPam(environment: NodeJS.ProcessEnv): string | undefined {
  return isSshd(environment) ? keyDigestOf(environment['SSH_AUTH_INFO_0'] ?? '') : undefined;
}

/** Whether it is sshd's PAM stack that started this process. */
export function isSshd(environment: NodeJS.ProcessEnv): boolean {
  return isAtSshd({ door: 'pam', tty: environment['PAM_TTY'], service: environment['PAM_SERVICE'] });
}
