/** Applies the rules of the configuration to a login: what is known of it. */
import { isAtSshd, type Origin } from '../audit/record.ts';
import { isAddress } from '../verdict/address.ts';
import { groupsNamed, rulingOn, type Facts, type Rule, type Ruling } from '../verdict/rules.ts';
import { thisHost, type Config } from '../system/config.ts';
import { namesInFile } from '../system/accounts/passwd-file.ts';
import { membershipsOf, type Memberships } from '../system/accounts/memberships.ts';
import { entryOf, type User } from '../system/users.ts';
import { MAX_GROUPS } from '../wire/question.ts';
import type { Circumstances } from '../wire/verifier.ts';
import type { Login, Terms } from './terms.ts';

/** What the rules say about `login`. In an outage nobody gets in without codes: whoever causes one must not gain by it. */
export function rulingFor(
  { origin, circumstances }: Pick<Login, 'origin' | 'circumstances'>,
  { rules, host }: Pick<Terms, 'rules' | 'host'>,
  inOutage = false,
): Ruling {
  const { ask, rule, ...mercies } = rulingOn(rules, factsOf(origin, circumstances, host));
  const known = rule === undefined ? {} : { rule };
  return inOutage && ask !== 'refuse' ? { ask: 'code', ...known } : { ask, ...known, ...mercies };
}

/** Whether no code is asked for, as far as a door knows. Who decides may know better. */
export function seemsFree(config: Config, login: Pick<Login, 'origin' | 'circumstances'>): boolean {
  return rulingFor(login, { rules: config.rules, host: thisHost(config) }).ask === 'nothing';
}

/** The rules for a door. They are about logins, not about the scripts of somebody who is in (`notp verify`). */
export function rulesAt({ rules }: Pick<Config, 'rules'>, { door }: Pick<Origin, 'door'>): readonly Rule[] {
  return door === 'cli' ? [] : rules;
}

/** Whether the rules for a door are in the store. */
export function areStored({ rulesInStore }: Pick<Config, 'rulesInStore'>, { door }: Pick<Origin, 'door'>): boolean {
  return rulesInStore && door !== 'cli';
}

/** A user whom the passwd database does not have is unknown, and has shown nothing. A source that is a name is unknown: others choose names. */
export function factsOf(origin: Origin, circumstances: Circumstances, host: string): Facts {
  const { user, uid, service, rhost } = origin;
  return {
    ...circumstances,
    user: uid === undefined ? undefined : user,
    service: isAtSshd(origin) ? 'sshd' : service,
    address: rhost !== undefined && isAddress(rhost) ? rhost : undefined,
    host,
    firstFactor: circumstances.firstFactor && uid !== undefined,
  };
}

/** Says which groups are looked up: those that the rules name, or those of `ruleGroups`. */
export interface RuleGroups extends Pick<Config, 'rules'> {
  readonly ruleGroups?: Config['ruleGroups'];
}

/**
 * What is known of the groups that the rules name, for an account: those of all its names in the passwd file, and of `loginName`, as whoever
 * logs in may use any. It is unknown whether the user is in a group that only some of the names are in, that no database knows at this
 * moment, or that a directory might have the user in, had it answered.
 */
export function groupsKnown(
  { rules, ruleGroups = groupsNamed(rules) }: RuleGroups,
  user: User | undefined,
  loginName = user?.name,
): Memberships {
  const named = ruleGroups.slice(0, MAX_GROUPS);
  if (user === undefined || named.length === 0) return { groups: [], otherGroups: [], unsure: new Map() };
  const inFile = namesInFile(user.uid);
  const names = inFile && [...new Set([user.name, entryOf(user, loginName).name, ...inFile])];
  return membershipsOf(names, named);
}

/** The same as facts. */
export function groupFacts(...about: Parameters<typeof groupsKnown>): Pick<Facts, 'groups' | 'otherGroups'> {
  const { groups, otherGroups } = groupsKnown(...about);
  return { groups, otherGroups };
}
