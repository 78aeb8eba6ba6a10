/** Ends the certificates of a member of a fleet, with its record. */
import type { Origin } from '../audit/record.ts';
import type { State } from '../state/state.ts';
import { timeOf } from '../store/clock.ts';
import { change } from './change.ts';

/** No certificate of `host` counts that was made until now, by the clock of the store, whether or not it has ever asked. Throws as change() does. */
export async function revokeMember(state: State, origin: Omit<Origin, 'context'>, host: string): Promise<void> {
  await change(state, origin, async (transaction) => {
    await transaction.revokeMember(host, await timeOf(transaction, state.log.now));
    return { done: [{ context: '', event: 'fleet.revoked', detail: host }], given: undefined };
  });
}
