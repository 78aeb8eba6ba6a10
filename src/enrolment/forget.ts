/** Forgets what earlier codes of a user also let in: open connections, and sources that a rule remembers. */
import type { Origin } from '../audit/record.ts';
import type { State } from '../state/state.ts';
import { change } from './change.ts';

/** Where nothing was remembered there is no record: the user may ask for this without a proof, as often as they like. */
export async function forgetSources(state: State, origin: Omit<Origin, 'context'>): Promise<void> {
  await change(state, origin, async (transaction) => {
    const had = await transaction.forgetSources(origin.user);
    return { done: had ? [{ context: '', event: 'forget' }] : [], given: undefined };
  });
}
