/** No change of an enrolment, and no secret given out, without a record. */
import type { Store, Transaction } from '../store/store.ts';
import { append, newRef, type AuditLog } from './audit.ts';
import type { AuditRecord, Origin } from './record.ts';

/** One change of one enrolment, for its record. */
export interface Done extends Pick<AuditRecord, 'context' | 'event' | 'detail'> {
  /** Default: `done`. */
  readonly result?: 'failed';
}

/**
 * The only way to change an enrolment or to give out its secret. In one transaction `act` checks the registered state, then refuses, or makes
 * the changes and returns them in `done`. Each gets a record, and all share a reference. Returns `given`. Throws what `act` throws, and as
 * append() does; then nothing is changed, and the secret must not leave.
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
