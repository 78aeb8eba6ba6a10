/** Makes sure that every change of an enrolment also reaches this host's copy for outages. */
import { recordChange, type Done } from '../audit/record-change.ts';
import { noteChange, type InCopy } from '../outage/change.ts';
import type { State } from '../state/state.ts';
import type { Transaction } from '../store/store.ts';

/** The result of a change, for the record, for the caller and for the copy. */
interface Acted<T> {
  readonly done: readonly Done[];
  readonly given: T;
  readonly inCopy?: InCopy;
}

/** As recordChange, and also brings the copy up to date; see noteChange. The caller acts as the owner of the state. */
export async function change<T>(
  state: State,
  origin: Parameters<typeof recordChange>[1],
  act: (transaction: Transaction) => Promise<Acted<T>>,
): Promise<T> {
  return await recordChange(state, origin, async (transaction) => {
    const acted = await act(transaction);
    // Without a context it is about the account: a grant, or what was remembered. The copy has neither.
    const contexts = acted.done.map(({ context }) => context).filter((context) => context !== '');
    if (contexts.length > 0) await noteChange(state, transaction, origin.user, contexts, acted.inCopy);
    return acted;
  });
}
