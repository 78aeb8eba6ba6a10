/**
 * The rules that the store has for all hosts of a fleet. Rules that are missing, that nobody has signed or that this notp does not understand
 * let nobody in and refuse nobody: a code is asked for.
 */
import { messageOf } from '../error.ts';
import { asUser } from '../system/privileges.ts';
import { isMember, parseRules, type Config } from '../system/config.ts';
import { realUser } from '../system/users.ts';
import { heldByJudges, withPresentState } from '../state/state.ts';
import { withOpenedKey } from '../state/credentials.ts';
import { statePlace } from '../state/place.ts';
import type { Transaction } from '../store/store.ts';
import type { Rule } from '../verdict/rules.ts';

export interface StoredRules {
  readonly rules: readonly Rule[];
  /** As they were put; undefined where there are none. */
  readonly text?: string;
  /** When they were put, Unix time in milliseconds. */
  readonly asOfMs?: number;
  /** Why none of them counts; undefined where they do. */
  readonly wrong?: string;
}

/** Throws only where the store does not answer. */
export async function storedRules(transaction: Pick<Transaction, 'keptRules'>): Promise<StoredRules> {
  const kept = await transaction.keptRules();
  if (kept === undefined) return { rules: [], wrong: 'nobody has put rules into the store' };
  const { text, asOfMs, doubt } = kept;
  if (doubt === 'forged') return { rules: [], wrong: 'they were changed outside notp, or are under a host key that is not here' };
  if (doubt !== undefined)
    return { rules: [], wrong: 'the key of this host cannot be read here, and by it alone they are known to be genuine' };
  try {
    return { rules: parseRules(text, 'rules').map((rule) => ({ ...rule, inStore: true })), text, asOfMs };
  } catch (error) {
    return { rules: [], text, asOfMs, wrong: messageOf(error) };
  }
}

export interface RulesInForce extends Config {
  /** Undefined where they are in the file. */
  readonly stored?: StoredRules;
}

/** The configuration with the rules that are in force here, for root: those of the store, where it has them. Throws `refused` on a member of a fleet. */
export async function withRulesInForce(config: Config, now: () => number): Promise<RulesInForce> {
  if (!config.rulesInStore) return config;
  if (isMember(config)) throw heldByJudges(config);
  const stored = await readStored(config, now);
  return { ...config, rules: stored.rules, stored };
}

async function readStored(config: Config, now: () => number): Promise<StoredRules> {
  try {
    const place = withOpenedKey(statePlace(config, realUser()), config);
    if (place.kind !== 'service') return { rules: [], wrong: 'only root can read the rules in the store' };
    return await asUser(place.owner, () => withPresentState(place, now, ({ store }) => store.exclusively(storedRules)));
  } catch (error) {
    return { rules: [], wrong: messageOf(error) };
  }
}
