/** Applies the rules of the configuration to a login: what is known of it. */
import { isAtSshd, type Origin } from '../audit/record.ts';
import { isAddress } from '../verdict/address.ts';
import { groupsNamed, rulingOn, type Facts, type Rule, type Ruling } from '../verdict/rules.ts';
import { thisHost, type Config } from '../system/config.ts';
import { namesInFile } from '../system/passwd-file.ts';
import { groupsByName, groupsThatExist, type User } from '../system/users.ts';
import { MAX_GROUPS } from '../wire/question.ts';
import type { Circumstances } from '../wire/verifier.ts';
import type { Login, Rules } from './rules.ts';

/** What the rules say about `login`. In an outage nobody gets in without codes: whoever causes one must not gain by it. */
export function rulingFor(
  { origin, circumstances }: Pick<Login, 'origin' | 'circumstances'>,
  { rules, host }: Pick<Rules, 'rules' | 'host'>,
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

/**
 * What is known of the groups that the rules name, for an account: those of all its names in the passwd file, as whoever logs in may use any.
 * A directory that does not answer is left out of the user's groups without a word. So it is unknown whether the user is in a group that
 * only some of the names are in, or that no database knows at this moment. Everybody is in some group: where there is none, no database
 * answered.
 */
export function groupFacts({ rules }: Pick<Config, 'rules'>, user: User | undefined): Required<Pick<Facts, 'groups' | 'unsureGroups'>> {
  const named = groupsNamed(rules);
  const names = user === undefined || named.length === 0 ? [] : [...new Set([user.name, ...namesInFile(user.uid)])];
  const [first, ...others] = groupsByName(names).values();
  const all = [first ?? [], ...others];
  if (all.some((groups) => groups.length === 0 || groups.length > MAX_GROUPS)) return { groups: undefined, unsureGroups: [] };
  const groups = (first ?? []).filter((group) => others.every((each) => each.includes(group)));
  const absent = named.filter((name) => !all.some((each) => each.includes(name)));
  const existing = groupsThatExist(absent);
  return { groups, unsureGroups: named.filter((name) => !groups.includes(name) && !existing.includes(name)) };
}
