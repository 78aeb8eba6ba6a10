/** Rows that an earlier host key has signed are signed with the present one, before the earlier one is given up. */
import { auditKey } from '../seal/keys.ts';
import { openCopy } from './outage.ts';
import { withPresentState, type State } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';

/** The users whose rows are signed in one transaction, which others wait for. */
const USERS_AT_ONCE = 200;

/** Signs what the store holds, and the copy that this host keeps for outages. What does not count stays so. The caller acts as `place.owner`. Throws as Store.exclusively does. */
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

/** The log of outages was made with the keys that are given up, too. */
async function keepChainKeys({ store, hostKey }: State): Promise<void> {
  await store.exclusively(async (transaction) => {
    for (const { key } of hostKey?.former ?? []) await transaction.keepChainKey(auditKey(key));
  });
}

async function renewIn({ store }: State): Promise<void> {
  const all = await store.exclusively(async (transaction) => [...(await transaction.enrolments()), ...(await transaction.approved())]);
  await store.exclusively(async (transaction) => {
    for (const key of await transaction.formerChainKeys()) await transaction.keepChainKey(key);
  });
  // Under the empty name is what is counted of names that are not enrolled.
  const users = [...new Set(['', ...all.map(({ user }) => user)])].toSorted();
  for (let start = 0; start < users.length; start += USERS_AT_ONCE)
    await store.exclusively((transaction) => transaction.renewRows(users.slice(start, start + USERS_AT_ONCE)));
}
