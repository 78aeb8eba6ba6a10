/** Applies the rules of the configuration to a login: what is known of it. */
import { isAtSshd, type Origin } from '../audit/record.ts';
import { isAddress } from '../verdict/address.ts';
import { rulingOn, type Facts, type Rule, type Ruling } from '../verdict/rules.ts';
import { thisHost, type Config } from '../system/config.ts';
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
function factsOf(origin: Origin, circumstances: Circumstances, host: string): Facts {
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
