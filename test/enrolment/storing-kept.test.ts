/** A sealed file that the store keeps takes its place, or it is told that nobody knows, or all of it is taken back. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { storeRegistered } from '../../src/enrolment/storing.ts';
import { NotpError } from '../../src/error.ts';
import type { Store } from '../../src/store/store.ts';
import { defaultConfig } from '../../src/system/config.ts';
import { realUser } from '../../src/system/users.ts';
import { begin, completeInStore, firstState, type NewEnrolment } from '../../src/enrolment/registrar.ts';
import { openState, type State } from '../../src/state/state.ts';
import type { StatePlace } from '../../src/state/place.ts';
import { lacks, scratchFolder } from '../support/world.ts';

const NOW_MS = 1_700_000_000_000;
const ID = '1'.repeat(32);
/** The transactions of an enrolment, in their order. */
const [COMPLETE, LOOK] = [1, 2];

const enrolment: NewEnrolment = {
  origin: { user: 'alice', uid: 1000, context: 'ssh', door: 'cli' },
  ...{
    id: ID,
    digest: ID + ID,
    replace: true,
    state: firstState({ window: 1, budget: 5, refillMs: 3_600_000 }, 2, NOW_MS, { type: 'totp', periodSeconds: 30 }),
  },
};

describe('an enrolment whose sealed file is kept by the store', { skip: lacks({ programs: ['getent'] }) }, () => {
  const user = realUser();
  let count = 0;
  let place: StatePlace;
  let state: State;
  let said: string[];
  const folder = scratchFolder('storing-kept');

  beforeEach(() => {
    const store = { kind: 'sqlite', path: path.join(folder, `${String(count++)}.db`) } as const;
    place = { kind: 'user', owner: user, store, auditFile: path.join(folder, 'audit.log'), journal: false, hostKeyFiles: [] };
    state = openState(place, () => NOW_MS, { create: true });
    said = [];
  });

  /** Enrols on a store of which the transactions with these numbers fail, before or after they are done. */
  async function enrol(broken: ReadonlyMap<number, 'before' | 'after'>): Promise<void> {
    let at = 0;
    const exclusively: Store['exclusively'] = async (work) => {
      const when = broken.get(at++);
      if (when === 'before') throw new NotpError('store_unavailable', 'it is gone');
      const result = await state.store.exclusively(work);
      if (when === 'after') throw new NotpError('store_unavailable', 'the answer was lost');
      return result;
    };
    const what = { config: { ...defaultConfig(), secretsInStore: true }, user, file: '', bytes: Buffer.from('sealed'), enrolment, place };
    const broke = { ...state, store: { ...state.store, exclusively } };
    await storeRegistered(
      { ...what, state: broke },
      () => void said.push('shown'),
      () => void said.push('taken back'),
    );
  }
  const present = async (): Promise<readonly unknown[]> => {
    const known = await state.store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
    const files = await state.store.sealedFiles('alice');
    return [known?.id, known?.pendingId, files.map(({ text }) => text)];
  };

  it('is there with its file once it is shown', async () => {
    await enrol(new Map());
    assert.deepEqual([await present(), said], [[ID, '', ['sealed']], ['shown']]);
  });

  it('is there too where the answer of the store was lost', async () => {
    await enrol(new Map([[COMPLETE, 'after']]));
    assert.deepEqual([await present(), said], [[ID, '', ['sealed']], ['shown']]);
  });

  it('is taken back where it is not', async () => {
    await assert.rejects(enrol(new Map([[COMPLETE, 'before']])), /it is gone/);
    assert.deepEqual(
      [await present(), said],
      [
        ['', '', []],
        ['shown', 'taken back'],
      ],
    );
  });

  it('was re-sealed beside a new one that was stored in between, and came back in its place', async () => {
    await enrol(new Map());
    const [again, other] = ['2'.repeat(32), '3'.repeat(32)];
    const replacement = { ...enrolment, id: other, digest: other };
    const between: Store['exclusively'] = async (work) => {
      await begin(state, replacement, undefined);
      await completeInStore(state, replacement, 'new');
      return await state.store.exclusively(work);
    };
    const { origin, id, digest } = enrolment;
    const resealed = { origin, id: again, digest: again, state: {}, replace: true, expected: { id, digest, status: 'active' } } as const;
    const what = { config: { ...defaultConfig(), secretsInStore: true }, user, file: '', bytes: Buffer.from('again'), place };
    const beside = { ...state, store: { ...state.store, exclusively: between } };
    await assert.rejects(
      storeRegistered({ ...what, enrolment: resealed, state: beside }, () => void said.push('shown')),
      { code: 'refused', message: 'the enrolment has changed meanwhile', hint: 'run the command again' },
    );
    assert.deepEqual([await present(), said], [[other, '', ['new']], ['shown']]);
  });

  it('is taken for neither where the store does not say', async () => {
    const broken = new Map([
      [COMPLETE, 'after'],
      [LOOK, 'before'],
    ] as const);
    await assert.rejects(enrol(broken), /the answer was lost; it is not known whether the new secret is in place/);
    assert.deepEqual([await present(), said], [[ID, '', ['sealed']], ['shown']]);
  });
});
