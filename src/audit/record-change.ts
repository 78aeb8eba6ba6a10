/** No change of an enrolment without its record, and no secret given out without one. */
import type { Store, Transaction } from '../store/store.ts';
import { append, newRef, type AuditLog } from './audit.ts';
import type { AuditRecord, Origin } from './record.ts';

/** What was done to one enrolment. */
export interface Done extends Pick<AuditRecord, 'context' | 'event' | 'detail'> {
  /** Default: `done`. */
  readonly result?: 'failed';
}

/**
 * The only way to change an enrolment or to give its secret out. In one transaction `act` looks at what is registered, refuses or does it, and
 * says what it did, each of which gets a record; they share a reference. Gives what `act` gives. Throws what `act` throws, and as `append`
 * does; then nothing is changed and nothing may leave.
 */
export async function recordChange<T>(
  { store, log }: { readonly store: Store; readonly log: AuditLog },
  origin: Omit<Origin, 'context'>,
  act: (transaction: Transaction) => Promise<{ readonly done: readonly Done[]; readonly given: T }>,
): Promise<T> {
  return await store.exclusively(async (transaction) => {
    const { done, given } = await act(transaction);
    const ref = newRef();
    for (const each of done) await append(log, transaction, { ...origin, result: 'done', ...each, ref });
    return given;
  });
}
