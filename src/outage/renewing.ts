/** Signs rows that an earlier host key signed with the present key, before the earlier one is deleted. */
import { auditKey } from '../seal/keys.ts';
import { openCopy } from './outage.ts';
import { withPresentState, type State } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';

/** The number of users whose rows are signed in one transaction, for which others wait. */
const USERS_AT_ONCE = 200;

/**
 * Signs the rows of the store, and of the copy that this host keeps for outages. A forged row stays forged. The caller acts as
 * `place.owner`.
 * Throws as Store.exclusively does.
 */
export async function renewRows(place: StatePlace, now: () => number): Promise<void> {
  await withPresentState(place, now, renewIn);
  const copy = openCopy(place, now, { create: false });
  try {
    if (copy !== undefined) {
      await renewIn(copy);
      await keepChainKeys(copy);
    }
  } finally {
    copy?.store.close();
  }
}

/** The log of outages was also made with the keys that are deleted. */
async function keepChainKeys({ store, hostKey }: State): Promise<void> {
  await store.exclusively(async (transaction) => {
    for (const { key } of hostKey?.former ?? []) await transaction.keepChainKey(auditKey(key));
  });
}

async function renewIn({ store }: State): Promise<void> {
  const all = await store.exclusively(async (transaction) => [
    ...(await transaction.enrolments()),
    ...(await transaction.approved()),
    ...(await transaction.grants()),
  ]);
  await store.exclusively(async (transaction) => {
    for (const key of await transaction.formerChainKeys()) await transaction.keepChainKey(key);
  });
  // The empty name has the counts of names without an enrolment.
  const users = [...new Set(['', ...all.map(({ user }) => user)])].toSorted();
  for (let start = 0; start < users.length; start += USERS_AT_ONCE)
    await store.exclusively((transaction) => transaction.renewRows(users.slice(start, start + USERS_AT_ONCE)));
}
