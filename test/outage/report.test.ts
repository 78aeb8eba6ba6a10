/** What a host tells the store after an outage: all of it, once, whatever fails on the way; and the log of both is whole. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { append, appendLogin, newRef } from '../../src/audit/audit.ts';
import { verifyLog, type Report } from '../../src/audit/verify.ts';
import { throughOutages } from '../../src/outage/outage.ts';
import { copyApproved, noteUsed, reportOutage } from '../../src/outage/report.ts';
import { codesOf, secretOf } from '../../src/seal/id.ts';
import { rowKey, rowMac } from '../../src/seal/keys.ts';
import { chainKeys, type State } from '../../src/state/state.ts';
import { NotpError } from '../../src/error.ts';
import { encoded } from '../../src/store/row-seal.ts';
import { unreached } from '../../src/store/unreached.ts';
import type { Enrolment, Store } from '../../src/store/store.ts';
import { ORIGIN, PERIOD_MS, POLICY, recoveryProof, type LocalWorld } from '../login/local-world.ts';
import { outageHost, type OutageHost } from './outage-host.ts';

/** Decides on the copy, so many times, and gives the references. */
async function decideOn({ store, log }: State, times: number): Promise<readonly string[]> {
  const refs = Array.from({ length: times }, newRef);
  for (const ref of refs) {
    const record = { ...ORIGIN, event: 'login.accepted', result: 'accepted', method: 'recovery', recovery_codes: [0], ref } as const;
    await store.exclusively((transaction) => append(log, transaction, record));
  }
  return refs;
}

async function report(world: LocalWorld, copy: State, change: (state: State) => State = (state) => state): Promise<number> {
  const { reported: told, left } = await world.withState((state) => reportOutage(change(state), copy, POLICY));
  assert.deepEqual([...left], []);
  return told;
}

/** The state with a server that undoes the transaction number `at` when it commits. */
function failingAt(at: number): (state: State) => State {
  return (state) => {
    let transactions = 0;
    const exclusively: State['store']['exclusively'] = (work) =>
      state.store.exclusively(async (transaction) => {
        const result = await work(transaction);
        if (++transactions === at) throw new Error('the server has died');
        return result;
      });
    return { ...state, store: { ...state.store, exclusively } };
  };
}

async function verified(world: LocalWorld): Promise<Report> {
  return await world.withState(async (state) => {
    const known = await state.store.exclusively((transaction) => transaction.head());
    return await verifyLog(world.place.auditFile, { known, headNow: () => Promise.resolve(known), keys: chainKeys(state, []) });
  });
}

/** The references of what was reported, in the order of the chain. */
async function reported(world: LocalWorld): Promise<readonly unknown[]> {
  const { cutOffAt, problems } = await verified(world);
  assert.deepEqual(problems, []);
  assert.ok(cutOffAt.length <= 5);
  return world
    .records()
    .filter(({ outage }) => outage !== undefined)
    .map(({ ref }) => ref);
}

describe('a report of an outage', () => {
  for (const decisions of [2, 18, 70])
    it(`of ${String(decisions)} records, whose commit failed, was called a state that was put back, or a broken log`, async () => {
      const { world, copy } = await outageHost(`report-${String(decisions)}`);
      try {
        await decideOn(copy, decisions);
        await assert.rejects(report(world, copy, failingAt(1)), /the server has died/);
        const left = await verified(world);
        assert.deepEqual(left.problems, []);
        assert.ok(left.cutOff >= Math.min(decisions, 16));
        assert.equal(await report(world, copy), decisions);
        const after = await verified(world);
        assert.deepEqual([after.problems, after.cutOff], [[], left.cutOff]);
      } finally {
        copy.store.close();
      }
    });

  it('is told once where one of its transactions fails, and each of them is one for the log', async () => {
    const { world, copy } = await outageHost('report-parts');
    try {
      const refs = await decideOn(copy, 40);
      await assert.rejects(report(world, copy, failingAt(2)), /the server has died/);
      // The first sixteen were dropped when they were told.
      assert.equal(await report(world, copy), 24);
      const told = await reported(world);
      const { cutOff } = await verified(world);
      assert.deepEqual(told.toSpliced(16, cutOff), refs);
    } finally {
      copy.store.close();
    }
  });

  for (const [what, put] of [
    ['that nobody had signed', (row) => ({ ...row, seq: 1, text: '{}', mac: '0'.repeat(64) })],
    ['of the transaction that they had undone', (row) => row],
    ['of another record', (row, other) => ({ ...other, id: row.id })],
  ] as const satisfies readonly (readonly [string, (row: Told, other: Told) => Told])[])
    for (const isLater of [false, true])
      it(`was left out by whoever administers the database, with a row ${what}${isLater ? ', after another record' : ''}`, async () => {
        const { world, copy } = await outageHost('report-forged');
        try {
          const refs = await decideOn(copy, 2);
          const seen: Told[] = [];
          await assert.rejects(report(world, copy, seeing(world, seen)), /the server has died/);
          assert.equal(seen.length, 2);
          if (isLater) for (let i = 0; i < 3; i++) await world.verify({ kind: 'absent' }, recoveryProof('0'));
          const database = new DatabaseSync(databaseOf(world));
          for (const [i, row] of seen.entries()) {
            const { id, seq, text, mac } = put(row, seen[1 - i] ?? row);
            database.prepare('INSERT INTO outage (id, seq, text, mac) VALUES (?, ?, ?, ?)').run(id, seq, text, mac);
          }
          database.close();
          assert.equal(await report(world, copy), 2);
          const { cutOff } = await verified(world);
          assert.equal(cutOff, 2);
          // Once each, and once as what was undone.
          assert.deepEqual(await reported(world), [...refs, ...refs]);
        } finally {
          copy.store.close();
        }
      });

  it('was begun from the front by each login, and each record looked for in the whole log, once it was broken off', async () => {
    const { world, copy } = await outageHost('report-on');
    try {
      const refs = await decideOn(copy, 100);
      let asked = 0;
      const counting =
        (at: number) =>
        (state: State): State => {
          const failing = failingAt(at)(state);
          const exclusively: State['store']['exclusively'] = (work) =>
            failing.store.exclusively((transaction) =>
              work({
                ...transaction,
                reportedAs: async (id) => {
                  asked++;
                  return await transaction.reportedAs(id);
                },
              }),
            );
          return { ...failing, store: { ...failing.store, exclusively } };
        };
      for (let i = 0; i < 6; i++) await assert.rejects(report(world, copy, counting(2)), /the server has died/);
      assert.equal(await report(world, copy, counting(0)), 4);
      // Sixteen that get through and sixteen that do not, six times, and the rest.
      assert.ok(asked <= 6 * 32 + 4, String(asked));
      assert.deepEqual(new Set(await reported(world)), new Set(refs));
    } finally {
      copy.store.close();
    }
  });

  it('is told once where the copy did not note that, however long ago', async () => {
    const { world, copy } = await outageHost('report-again');
    try {
      const refs = await decideOn(copy, 20);
      const records = await copy.store.exclusively((transaction) => transaction.outageRecords(99));
      assert.equal(await report(world, copy), 20);
      for (let i = 0; i < 3; i++) {
        await copy.store.exclusively(async (transaction) => {
          for (const record of records) await transaction.keepOutageRecord(record);
        });
        assert.equal(await report(world, copy), 20);
        assert.deepEqual(await reported(world), refs);
        await world.verify({ kind: 'absent' }, recoveryProof('0'));
      }
    } finally {
      copy.store.close();
    }
  });
});

describe('a copy', () => {
  it('refused the owner in the next outages, too, because the clock of the host was ahead in one', async () => {
    const { world, copy } = await outageHost('copy-ahead');
    try {
      const present = Math.floor(world.nowMs / PERIOD_MS);
      for (const [steps, left] of [
        [5000, present + POLICY.window],
        // A code that can be typed by now stays used.
        [POLICY.window, present + POLICY.window],
      ] as const) {
        await copy.store.exclusively(async (transaction) => {
          const known = (await transaction.enrolment(ORIGIN.user, ORIGIN.context)) ?? assert.fail();
          const state = { ...known.state, lastStep: present + steps, periodSeconds: PERIOD_MS / 1000 };
          await transaction.save({ ...known, state });
        });
        await world.withState((state) => copyApproved(state, copy, POLICY, world.nowMs));
        const copied = await copy.store.exclusively((transaction) => transaction.enrolment(ORIGIN.user, ORIGIN.context));
        assert.equal(copied?.state.lastStep, left);
      }
    } finally {
      copy.store.close();
    }
  });
});

async function approved({ store }: State): Promise<readonly string[]> {
  return (await store.exclusively((transaction) => transaction.approved())).map(({ user }) => user);
}

describe('a report that waits', () => {
  it('kept the copy of everybody as it was, and its own user in it', async () => {
    const { world, copy } = await outageHost('report-waits');
    try {
      const copied = (): Promise<unknown> => copy.store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
      await world.withState(({ store }) =>
        store.exclusively(async (transaction) => {
          const known = (await transaction.enrolment('alice', 'ssh')) ?? assert.fail();
          await transaction.insert({ ...known, user: 'bob', uid: 1001 });
          await transaction.approve({ user: 'bob', asOfMs: world.nowMs });
        }),
      );
      await decideOn(copy, 1);
      const before = await copied();
      const database = new DatabaseSync(databaseOf(world));
      const change = (by: number): unknown => database.prepare("UPDATE enrolment SET tokens = tokens + ? WHERE user = 'alice'").run(by);
      change(1);
      const refresh = (): Promise<readonly unknown[]> =>
        world.withState(async (state) => {
          const { reported: told, left } = await reportOutage(state, copy, POLICY);
          return [told, [...left.keys()], await copyApproved(state, copy, POLICY, world.nowMs)];
        });
      assert.deepEqual(await refresh(), [0, ['alice'], ['bob']]);
      assert.deepEqual(await approved(copy), ['bob']);
      assert.deepEqual(await copied(), before);
      change(-1);
      database.close();
      assert.deepEqual(await refresh(), [1, [], ['alice', 'bob']]);
      assert.deepEqual(await approved(copy), ['alice', 'bob']);
    } finally {
      copy.store.close();
    }
  });
});

/** A server that is not reached. */
const unreachable: Store['exclusively'] = () => Promise.reject(unreached(new NotpError('store_unavailable', 'gone')));

/** A host with a decision about alice, whose row in the store was changed. */
async function waiting(name: string): Promise<OutageHost> {
  const host = await outageHost(name);
  await decideOn(host.copy, 1);
  const database = new DatabaseSync(databaseOf(host.world));
  database.exec('UPDATE enrolment SET tokens = tokens + 1');
  database.close();
  return host;
}

async function judge({ world, place }: OutageHost, user: string, exclusively?: Store['exclusively']): Promise<string> {
  return await world
    .withState(({ store, ...state }) =>
      throughOutages(
        { place, user, policy: POLICY, now: () => world.nowMs, mayFallBack: true },
        { ...state, store: exclusively === undefined ? store : { ...store, exclusively } },
        ({ state: { store: used }, inOutage }) => used.exclusively(() => Promise.resolve(inOutage ? 'by the copy' : 'by the store')),
      ),
    )
    .catch((error: unknown) => (error instanceof Error ? error.message : ''));
}

describe('a report that waits keeps its user out of the copy at once', () => {
  it('after a login of theirs, or of anybody else, they got in by it in the next outage', async () => {
    for (const user of ['alice', 'bob']) {
      const host = await waiting(`report-waits-${user}`);
      assert.match(await judge(host, user), user === 'bob' ? /^by the store$/ : /was changed outside notp/);
      assert.deepEqual(await approved(host.copy), []);
      assert.equal(await judge(host, 'alice', unreachable), 'gone');
      host.copy.store.close();
    }
  });

  it('after a refresh whose server went away, they got in by it', async () => {
    const { world, copy } = await waiting('report-waits-broken');
    let transactions = 0;
    const breaking = (state: State): State => ({
      ...state,
      store: { ...state.store, exclusively: (work) => (++transactions > 1 ? unreachable(work) : state.store.exclusively(work)) },
    });
    await assert.rejects(
      world.withState(async (state) => {
        await reportOutage(breaking(state), copy, POLICY);
        await copyApproved(breaking(state), copy, POLICY, world.nowMs);
      }),
      /gone/,
    );
    assert.deepEqual(await approved(copy), []);
    copy.store.close();
  });
});

describe('a copy whose rows cannot be checked any more', () => {
  for (const decisions of [1, 20])
    it(`lost the recovery code and the step that it had used, as ${String(decisions)} records counted as reported`, async () => {
      const { world, copy } = await outageHost(`report-doubt-${String(decisions)}`);
      try {
        const { id, state: before } = (await world.enrolment()) ?? assert.fail();
        const mark = { uid: ORIGIN.uid, mark: secretOf(id), key: 'a key', lastStep: 0, codes: codesOf(id), spent: before.spent };
        await world.withState(({ store }) => store.exclusively((transaction) => transaction.keepImport(mark)));
        const step = Math.floor(world.nowMs / PERIOD_MS);
        const paired = { ...ORIGIN, event: 'login.accepted', result: 'accepted', method: 'step_up', step, ref: newRef() } as const;
        await copy.store.exclusively((transaction) => append(copy.log, transaction, paired));
        await decideOn(copy, decisions);
        const file = copy.place.store.kind === 'sqlite' ? copy.place.store.path : '';
        const database = new DatabaseSync(file);
        database.exec(`UPDATE enrolment SET mac = '${'0'.repeat(64)}'`);
        database.exec(`UPDATE chain SET mac = '${'0'.repeat(64)}'`);
        database.close();
        // What was reported of it is used at once: the copy forgets the records.
        if (decisions > 1) {
          await assert.rejects(report(world, copy, failingAt(2)), /the server has died/);
          assert.equal((await world.enrolment())?.state.lastStep, step);
        }
        await report(world, copy);
        const { state } = (await world.enrolment()) ?? assert.fail();
        assert.deepEqual([state.lastStep, state.spent, state.bucket], [step, `1${before.spent.slice(1)}`, before.bucket]);
        const [kept] = await world.withState(({ store }) => store.exclusively((transaction) => transaction.imports(ORIGIN.uid)));
        assert.deepEqual([kept?.lastStep, kept?.spent], [step, state.spent]);
      } finally {
        copy.store.close();
      }
    });

  it('says nothing of a secret that took the place of its own', async () => {
    const { world, copy } = await outageHost('report-doubt-other');
    try {
      await decideOn(copy, 1);
      const file = copy.place.store.kind === 'sqlite' ? copy.place.store.path : '';
      const database = new DatabaseSync(file);
      database.exec(`UPDATE enrolment SET mac = '${'0'.repeat(64)}'`);
      database.close();
      await world.enrol();
      const before = await world.enrolment();
      await report(world, copy);
      assert.deepEqual(await world.enrolment(), before);
    } finally {
      copy.store.close();
    }
  });
});

describe('what an outage used of an imported secret', () => {
  const OTHER = 3000;
  for (const [what, { copyUid, storeUid, toldUid }] of [
    ['', { copyUid: 1000, storeUid: 1000, toldUid: 1000 }],
    [', by an account with another uid', { copyUid: 2000, storeUid: 1000, toldUid: 1000 }],
    [', by an account with another uid, which the store knows by another secret', { copyUid: 2000, storeUid: 2000, toldUid: 2000 }],
  ] as const)
    it(`stays used for its account alone, where the store has another secret by now${what}`, async () => {
      const { world, copy } = await outageHost(`imported-${String(copyUid + storeUid)}`);
      try {
        const { id, state: before } = (await world.enrolment()) ?? assert.fail();
        const mark = { mark: secretOf(id), key: 'a key', lastStep: before.lastStep, codes: codesOf(id), spent: before.spent };
        await world.withState(({ store }) =>
          store.exclusively(async (transaction) => {
            for (const uid of [1000, OTHER]) await transaction.keepImport({ ...mark, uid });
          }),
        );
        await copy.store.exclusively(async (transaction) => {
          const known = (await transaction.enrolment('alice', 'ssh')) ?? assert.fail();
          await transaction.save({ ...known, uid: copyUid, state: { ...known.state, lastStep: 999, spent: '100' } });
        });
        await decideOn(copy, 1);
        await world.enrol();
        await world.withState(({ store }) =>
          store.exclusively(async (transaction) => {
            const known = (await transaction.enrolment('alice', 'ssh')) ?? assert.fail();
            await transaction.save({ ...known, uid: storeUid });
          }),
        );
        await report(world, copy);
        const told = await world.withState(({ store }) => store.exclusively((transaction) => transaction.imports(copyUid, [mark.mark])));
        const used = new Map(told.map(({ uid, lastStep, spent }) => [uid, [lastStep, spent]]));
        assert.deepEqual(used.get(toldUid), [999, '100']);
        assert.deepEqual(used.get(OTHER), [before.lastStep, before.spent]);
      } finally {
        copy.store.close();
      }
    });
});

describe('a proof of who wants an export, another secret or new codes', () => {
  it('could be one that this host had taken by the copy and not reported, and was not noted there', async () => {
    const { world, copy, place } = await outageHost('report-proof');
    try {
      const asking = { place, user: ORIGIN.user, policy: POLICY, now: () => world.nowMs, mayFallBack: false };
      const refs = await decideOn(copy, 1);
      const basis = await world.withState((state) => throughOutages(asking, state, (found) => Promise.resolve(found)));
      assert.deepEqual(await reported(world), refs);
      assert.equal(basis.inOutage, false);
      assert.ok(basis.used !== undefined);
      const gone = unreached(new NotpError('store_unavailable', 'the server is gone'));
      const withoutServer = world.withState((state) => throughOutages(asking, state, () => Promise.reject(gone as NotpError)));
      await assert.rejects(withoutServer, /the server is gone/);
    } finally {
      copy.store.close();
    }
  });
});

describe('what was only counted', () => {
  it('in an outage without a record of its own was told in none', async () => {
    const { world, copy } = await outageHost('report-counted');
    try {
      const refusal = { ...ORIGIN, event: 'login.refused', result: 'refused', reason: 'wrong_code' } as const;
      const refuse = async (times: number): Promise<void> => {
        for (let i = 0; i < times; i++)
          await copy.store.exclusively((transaction) => appendLogin(copy.log, transaction, { ...refusal, ref: newRef() }));
      };
      await refuse(110);
      assert.ok((await report(world, copy)) > 100);
      await refuse(4);
      assert.equal((await copy.store.exclusively((transaction) => transaction.outageRecords(99))).length, 0);
      assert.equal(await report(world, copy), 1);
      assert.equal(world.records().at(-1)?.['count'], 4);
    } finally {
      copy.store.close();
    }
  });
});

describe('a log that takes no more', () => {
  it('kept everybody out of a host, for what one user had done there in an outage', async () => {
    const { world, copy, place } = await outageHost('report-full');
    try {
      await decideOn(copy, 400);
      fs.rmSync(world.place.auditFile);
      fs.mkdirSync(world.place.auditFile);
      const judged = async (user: string): Promise<boolean> =>
        await world.withState((state) => {
          const shared: State = { ...state, log: { ...state.log, sharing: 'everybody' } };
          return throughOutages({ place, user, policy: POLICY, now: () => world.nowMs, mayFallBack: true }, shared, ({ inOutage }) =>
            Promise.resolve(!inOutage),
          );
        });
      // Somebody else who was let in by the copy after that.
      const other = { ...ORIGIN, user: 'carol', event: 'login.accepted', result: 'accepted', method: 'totp', ref: newRef() } as const;
      await copy.store.exclusively((transaction) => append(copy.log, transaction, other));
      // What they used is not known to the store yet.
      await assert.rejects(judged(ORIGIN.user), /there is no room for more/);
      for (const user of ['bob', 'carol']) assert.equal(await judged(user), true);
      fs.rmdirSync(world.place.auditFile);
      assert.equal(await judged(ORIGIN.user), true);
    } finally {
      copy.store.close();
    }
  });
});

async function save({ store }: State, enrolment: Enrolment): Promise<void> {
  await store.exclusively(async (transaction) => {
    await transaction.enrolment(enrolment.user, enrolment.context);
    await transaction.save(enrolment);
  });
}

describe('a code of two doors of one host, of which one did not reach the server', () => {
  it('was good at both, where the copy took it while the store was taking it', async () => {
    const { world, copy } = await outageHost('copy-meanwhile');
    try {
      const before = await copy.store.exclusively((transaction) => transaction.enrolment(ORIGIN.user, ORIGIN.context));
      assert.ok(before);
      const spent = `1${before.state.spent.slice(1)}`;
      const later = before.state.lastStep + 2;
      for (const [taken, stored, isTaken] of [
        [{ spent }, { spent }, true],
        [{ lastStep: later }, { lastStep: later }, true],
        // Of both codes that it took.
        [{ lastStep: later }, { lastStep: later - 1 }, true],
        [{ lastStep: later }, { lastStep: later + 1 }, false],
        [{ spent }, { lastStep: later }, false],
      ] as const) {
        const used = (state: Partial<Enrolment['state']>): Enrolment => ({ ...before, state: { ...before.state, ...state } });
        await save(copy, before);
        assert.equal(await noteUsed(copy, before, used(stored)), false, 'nothing is unreported');
        await save(copy, used(taken));
        await decideOn(copy, 1);
        assert.equal(await noteUsed(copy, before, used(stored)), isTaken, JSON.stringify([taken, stored]));
        await report(world, copy);
      }
    } finally {
      copy.store.close();
    }
  });
});

/** A row of `outage`. */
interface Told {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
  readonly mac: string;
}

/** A server that shows each row of a report to whoever administers it, and undoes all of them. */
function seeing({ place }: LocalWorld, seen: Told[]): (state: State) => State {
  const key = rowKey(new Uint8Array(fs.readFileSync(place.hostKeyFiles[0] ?? '')));
  return (state) => ({
    ...state,
    store: {
      ...state.store,
      exclusively: (work) =>
        state.store.exclusively(async (transaction) => {
          const keepOutageRecord: typeof transaction.keepOutageRecord = async (record) => {
            const { id, seq, text } = record;
            seen.push({ id, seq, text, mac: rowMac(key, encoded('outage', { ...record, host: '' })) });
            return await transaction.keepOutageRecord(record);
          };
          await work({ ...transaction, keepOutageRecord });
          throw new Error('the server has died');
        }),
    },
  });
}

function databaseOf({ place }: LocalWorld): string {
  return place.store.kind === 'sqlite' ? place.store.path : '';
}
