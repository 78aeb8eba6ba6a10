/** Registering, step by step: whichever sealed file is in place logs in, wherever it is broken off. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { lacks, scratchFolder } from '../support/world.ts';
import type { Registration } from '../../src/seal/file.ts';
import { usedToo } from '../../src/store/enrolment.ts';
import type { PendingState } from '../../src/store/store.ts';
import type { LoginState } from '../../src/verdict/decide.ts';
import { realUser } from '../../src/system/users.ts';
import { openState, type State } from '../../src/state/state.ts';
import type { StatePlace } from '../../src/state/place.ts';
import {
  abandon,
  begin,
  complete,
  firstState,
  invite,
  isRegistered,
  registeredAs,
  revoke,
  type Before,
  type NewEnrolment,
} from '../../src/enrolment/registrar.ts';

const [FIRST, SECOND, THIRD] = ['1'.repeat(32), '2'.repeat(32), '3'.repeat(32)] as const;
const NOW_MS = 1_700_000_000_000;

const registered = (id: string): Registration => ({ id, digest: id + id });
const enrolment = (id: string, replace = true) =>
  ({
    origin: { user: 'alice', uid: 1000, context: 'ssh', door: 'cli' },
    ...{
      ...registered(id),
      replace,
      state: firstState({ window: 1, budget: 5, refillMs: 3_600_000 }, 2, NOW_MS, { type: 'totp', periodSeconds: 30 }),
    },
  }) as const satisfies NewEnrolment;

const goOn = (fresh: LoginState, { former }: Before): Promise<PendingState> =>
  Promise.resolve({ ...fresh, ...usedToo(fresh, former?.state ?? fresh), goesOn: true });

describe('an enrolment', { skip: lacks({ programs: ['getent'] }) }, () => {
  let folder: string;
  let count = 0;
  let state: State;

  before(() => {
    folder = scratchFolder('registrar');
  });
  beforeEach(() => {
    const name = `${String(count++)}.db`;
    const store = { kind: 'sqlite', path: path.join(folder, name) } as const;
    const auditFile = path.join(folder, `${name}.log`);
    const place: StatePlace = { kind: 'user', owner: realUser(), store, auditFile, journal: false, hostKeyFiles: [] };
    state = openState(place, () => NOW_MS, { create: true });
  });

  const ids = async (): Promise<readonly [string | undefined, string | undefined]> =>
    await state.store.exclusively(async (transaction) => {
      const known = await transaction.enrolment('alice', 'ssh');
      return [known?.id, known?.pendingId];
    });

  it('knows both files between begin and complete, and one of them before and after', async () => {
    await begin(state, enrolment(FIRST, false), undefined);
    assert.deepEqual(await ids(), ['', FIRST]);
    await complete(state, enrolment(FIRST));
    assert.deepEqual(await ids(), [FIRST, '']);
    await begin(state, enrolment(SECOND), registered(FIRST));
    assert.deepEqual(await ids(), [FIRST, SECOND]);
    await complete(state, enrolment(SECOND));
    assert.deepEqual(await ids(), [SECOND, '']);
  });

  it('that is abandoned leaves the earlier one as it was', async () => {
    await begin(state, enrolment(FIRST), undefined);
    await complete(state, enrolment(FIRST));
    await begin(state, enrolment(SECOND), registered(FIRST));
    await abandon(state, enrolment(SECOND));
    assert.deepEqual(await ids(), [FIRST, '']);
  });

  it('broken off after its file came into place is completed by the next one, which may fail without losing it', async () => {
    await begin(state, enrolment(FIRST), undefined);
    await complete(state, enrolment(FIRST));
    await begin(state, enrolment(SECOND), registered(FIRST));
    // Here a crash: the second file is in place, and nobody completed it.
    await begin(state, enrolment(THIRD), registered(SECOND));
    assert.deepEqual(await ids(), [SECOND, THIRD]);
    await abandon(state, enrolment(THIRD));
    assert.deepEqual(await ids(), [SECOND, '']);
  });

  it('broken off before its file came into place changes nothing for the next one', async () => {
    await begin(state, enrolment(FIRST), undefined);
    await complete(state, enrolment(FIRST));
    await begin(state, enrolment(SECOND), registered(FIRST));
    await begin(state, enrolment(THIRD), registered(FIRST));
    assert.deepEqual(await ids(), [FIRST, THIRD]);
  });

  it('forgot what was accepted while the file of the same secret was on its way', async () => {
    await begin(state, enrolment(FIRST), undefined);
    await complete(state, enrolment(FIRST));
    const used = async (lastStep: number, spent: string): Promise<void> => {
      await state.store.exclusively(async (transaction) => {
        const known = await transaction.enrolment('alice', 'ssh');
        assert.ok(known !== undefined);
        await transaction.save({ ...known, state: { ...known.state, lastStep, spent } });
      });
    };
    await used(7, '10');
    const again = { ...enrolment(SECOND), goOn };
    await begin(state, again, registered(FIRST));
    await used(9, '11');
    await complete(state, again);
    const now = await state.store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
    assert.deepEqual([now?.id, now?.state.lastStep, now?.state.spent], [SECOND, 9, '11']);
    await begin(state, enrolment(THIRD), registered(SECOND));
    await complete(state, enrolment(THIRD));
    const other = await state.store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
    assert.deepEqual([other?.id, other?.state.lastStep, other?.state.spent], [THIRD, -1, '00']);
  });

  it('does not take the place of another without --replace, and is not completed or abandoned by somebody else', async () => {
    await begin(state, enrolment(FIRST), undefined);
    await complete(state, enrolment(FIRST));
    await assert.rejects(begin(state, enrolment(SECOND, false), registered(FIRST)), {
      code: 'refused',
      message: /enrolled for ssh already/,
    });
    await begin(state, enrolment(SECOND), registered(FIRST));
    await assert.rejects(complete(state, enrolment(THIRD)), { code: 'refused', message: /another change .* came in between/ });
    await abandon(state, enrolment(THIRD));
    assert.deepEqual(await ids(), [FIRST, SECOND]);
  });

  it('was overtaken by another whose file came into place before, and was said to be done', async () => {
    await begin(state, enrolment(FIRST), undefined);
    await begin(state, enrolment(SECOND), undefined);
    await complete(state, enrolment(SECOND));
    await complete(state, enrolment(SECOND));
    await assert.rejects(complete(state, enrolment(FIRST)), { code: 'refused', message: /another change .* came in between/ });
    assert.deepEqual(await ids(), [SECOND, '']);
  });

  it('was revoked by the code of another one, which it had just replaced', async () => {
    const { origin } = enrolment(FIRST);
    await begin(state, enrolment(FIRST), undefined);
    await complete(state, enrolment(FIRST));
    await begin(state, enrolment(SECOND), registered(FIRST));
    await complete(state, enrolment(SECOND));
    await assert.rejects(revoke(state, origin, registered(FIRST)), { code: 'refused', message: /has changed meanwhile/ });
    assert.equal(isRegistered(await state.store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'))), true);
    await revoke(state, origin, registered(SECOND));
  });

  it('that was revoked, and made anew up to its file, was none to revoke, and one to invite for', async () => {
    const { origin } = enrolment(FIRST);
    const policy = { window: 1, budget: 5, refillMs: 3_600_000 };
    await begin(state, enrolment(FIRST), undefined);
    await complete(state, enrolment(FIRST));
    await revoke(state, origin);
    await assert.rejects(revoke(state, origin), /is not enrolled/);
    await begin(state, enrolment(SECOND), registered(FIRST));
    const status = await state.store.exclusively((transaction) => registeredAs(transaction, origin, registered(SECOND)));
    assert.equal(status, 'active', 'its file may be in place');
    await assert.rejects(invite(state, origin, policy, NOW_MS), /is enrolled for ssh already/);
    await revoke(state, origin);
    assert.deepEqual(await ids(), [FIRST, '']);
    await invite(state, origin, policy, NOW_MS);
    assert.equal(isRegistered(await state.store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'))), false);
  });
});
