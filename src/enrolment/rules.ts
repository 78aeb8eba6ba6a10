/** Puts the rules of a fleet into the store and removes them, each with its record. */
import { createHash } from 'node:crypto';
import type { Done } from '../audit/record-change.ts';
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { plural } from '../lists.ts';
import type { State } from '../state/state.ts';
import { timeOf } from '../store/clock.ts';
import { parseRules } from '../system/config.ts';
import type { Rule } from '../verdict/rules.ts';
import { change } from './change.ts';

type Author = Omit<Origin, 'context'>;

/**
 * Puts the rules of `text` in the place of those in force, by the time of the store. Throws `bad_configuration` for a mistake in it, with
 * `file` and the line, and as change() does; then the earlier ones stay in force.
 */
export async function putRules(state: State, origin: Author, text: string, file: string): Promise<readonly Rule[]> {
  const rules = parseRules(text, file);
  await change(state, origin, async (transaction) => {
    await transaction.putRules({ text, asOfMs: await timeOf(transaction, state.log.now) });
    return { done: [recordOf('rules.put', `${plural(rules.length, 'rule')}, SHA-256 ${digestOf(text)}`)], given: undefined };
  });
  return rules;
}

/** From now on everybody is asked for a code. Throws `refused` where there are none, and as change() does. */
export async function removeRules(state: State, origin: Author): Promise<void> {
  await change(state, origin, async (transaction) => {
    const kept = await transaction.keptRules();
    if (kept === undefined) throw new NotpError('refused', 'there are no rules in the store', 'notp rules put FILE puts some there');
    await transaction.dropRules();
    // What cannot be checked is not repeated: the log is signed.
    const what = kept.doubt === undefined ? `SHA-256 ${digestOf(kept.text)}` : 'changed outside notp, or under a host key that is not here';
    return { done: [recordOf('rules.removed', what)], given: undefined };
  });
}

function recordOf(event: Done['event'], detail: string): Done {
  return { context: '', event, detail };
}

/** As sha256sum(1) prints it, so that it finds the file. */
function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
