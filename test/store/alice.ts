/** An enrolment to put into stores, with a value of every kind. */
import type { Enrolment } from '../../src/store/store.ts';

export const ALICE: Enrolment = {
  user: 'alice',
  context: 'ssh',
  id: 'ab'.repeat(16),
  pendingId: '',
  status: 'active',
  state: { lastStep: 59_000_000, bucket: { tokens: 4.25, asOfMs: 1_795_000_000_123 }, spent: '0100000000' },
  pendingState: { lastStep: -1, bucket: { tokens: 5, asOfMs: 1_795_000_000_123 }, spent: '' },
  lastAcceptedMs: 1_795_000_000_000,
};
