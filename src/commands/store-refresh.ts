/** `notp store refresh`: what was decided without the store is told to it, and the copy for the next outage is what it says now. For a timer. */
import { NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { say } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { keepCopy, tellStore, untold } from '../verifier/outage-copy.ts';
import { outagePlace, withPresentState } from '../verifier/state.ts';
import { serviceState } from './whose.ts';

/** Throws `refused` where nobody may log in without the store, `store_unavailable` where it does not answer. */
export async function refreshCopy(config: Config, now: () => number): Promise<number> {
  const place = serviceState(config, 'a copy is kept of');
  const copy = outagePlace(place);
  const users = config.fleet.outage?.users ?? [];
  if (copy === undefined)
    throw new NotpError('refused', 'nobody logs in while the store cannot be reached (store.outage = "deny")', 'nothing was done');
  await asUser(place.owner, async () => {
    const left = await untold(copy, now);
    await withPresentState(place, now, async (state) => {
      await tellStore(copy, state, now);
      for (const user of users) await keepCopy(copy, state, user, now);
    });
    if (left > 0) say(`Told the store of ${String(left)} ${left === 1 ? 'record' : 'records'} of an outage\n`);
  });
  return 0;
}
