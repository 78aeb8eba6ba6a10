/** An enrolment to put into stores, with a value of every kind. */
import type { Enrolment, Tally, Transaction } from '../../src/store/store.ts';

export const ALICE: Enrolment = {
  user: 'alice',
  context: 'ssh',
  id: 'ab'.repeat(16),
  digest: 'ac'.repeat(32),
  pendingId: '',
  pendingDigest: '',
  status: 'active',
  state: { lastStep: 59_000_000, bucket: { tokens: 4.25, asOfMs: 1_795_000_000_123 }, spent: '0100000000', periodSeconds: 30 },
  pendingState: { lastStep: -1, bucket: { tokens: 5, asOfMs: 1_795_000_000_123 }, spent: '' },
  lastAcceptedMs: 1_795_000_000_000,
  uid: 1000,
};

/** What a store holds of a user who was never refused: more records than any policy allows. */
export const NO_REFUSALS: Omit<Tally, 'user'> = {
  records: { tokens: 1_000_000.5, asOfMs: 0 },
  count: 0,
  sinceMs: 1_099_511_627_776,
  untilMs: 1_099_511_627_776,
  ref: '',
  shared: '',
};

/** Saves an enrolment after asking for it: no other is written. */
export async function askAndSave(transaction: Transaction, enrolment: Enrolment): Promise<void> {
  await transaction.enrolment(enrolment.user, enrolment.context);
  await transaction.save(enrolment);
}
