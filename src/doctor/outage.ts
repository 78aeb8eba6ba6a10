/** The copy for outages of the store: there and fresh for each of its users, and nothing on it that the store was not told. */
import { existsSync } from 'node:fs';
import { messageOf } from '../error.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { MAX_AGE_MS } from '../verifier/outage.ts';
import { refreshedMs, untold } from '../verifier/outage-copy.ts';
import { outagePlace, withPresentState, type StatePlace } from '../verifier/state.ts';
import { ok, type Finding } from './finding.ts';

const ID = 'store-outage';
const FIX = 'notp store refresh; systemctl enable --now notp-store-refresh.timer';

/** Throws nothing: what is wrong is the finding. The caller is root. */
export async function examineOutage({ fleet }: Config, place: StatePlace, now: () => number): Promise<Finding[]> {
  const copy = outagePlace(place);
  if (copy === undefined || fleet.outage === undefined) return [];
  const { users, file } = fleet.outage;
  try {
    if (!existsSync(file)) return warn('There is no copy for an outage of the store', file);
    return await asUser(place.owner, async () => {
      const left = await untold(copy, now);
      if (left > 0) return warn('The store was not told of all that was decided without it', `${String(left)} records`);
      const old = await withPresentState(copy, now, async ({ store }) => {
        const ages = [];
        for (const user of users) ages.push({ user, ageMs: now() - (await refreshedMs(store, user)) });
        return ages.filter(({ ageMs }) => ageMs > MAX_AGE_MS / 2).map(({ user }) => user);
      });
      if (old.length > 0) return warn('The copy for an outage of the store is old', `of ${old.join(', ')}`);
      return [ok(ID, 'The copy for an outage of the store is fresh', `${String(users.length)} users`)];
    });
  } catch (error) {
    return warn('The copy for an outage of the store cannot be used', messageOf(error));
  }
}

function warn(title: string, detail: string): Finding[] {
  return [{ id: ID, severity: 'warn', title, detail, fix: FIX }];
}
