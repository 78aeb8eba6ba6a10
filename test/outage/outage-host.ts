/** A host with a copy for outages of alice, who is approved; store and copy are in a scratch folder. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { openCopy } from '../../src/outage/outage.ts';
import { copyApproved } from '../../src/outage/report.ts';
import type { State } from '../../src/state/state.ts';
import type { StatePlace } from '../../src/state/place.ts';
import { localWorld, ORIGIN, POLICY, type LocalWorld } from '../login/local-world.ts';

export interface OutageHost {
  readonly world: LocalWorld;
  readonly copy: State;
  /** The place of a host with `outage = "local"`. */
  readonly place: StatePlace;
}

export async function outageHost(name: string): Promise<OutageHost> {
  const world = localWorld(name);
  const outageFile = path.join(path.dirname(world.place.auditFile), 'outage.db');
  const fleet = { passwordFile: '', authoritiesFile: undefined, tls: false, host: 'one', outage: 'local', outageFile } as const;
  const place: StatePlace = { ...world.place, store: { kind: 'postgres', servers: [], database: '', user: '', ...fleet } };
  const copy = openCopy(place, () => world.nowMs, { create: true });
  assert.ok(copy);
  await world.enrol();
  await world.withState(async (state) => {
    await state.store.exclusively((transaction) => transaction.approve({ user: ORIGIN.user, asOfMs: world.nowMs }));
    await copyApproved(state, copy, POLICY, world.nowMs);
  });
  return { world, copy, place };
}
