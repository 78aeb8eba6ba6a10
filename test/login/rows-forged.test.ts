/** Rows that somebody changed who can write to the database and has no host key: none of them lets anybody in, and none is signed by mistake. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { beforeEach, describe, it } from 'node:test';
import { assert as holds, asyncProperty, constantFrom, integer, oneof, record, stringMatching } from 'fast-check';
import { registrationOf } from '../../src/seal/file.ts';
import type { Enrolment } from '../../src/store/store.ts';
import { refill } from '../../src/enrolment/refill.ts';
import { factsOf } from '../../src/enrolment/facts.ts';
import { abandon, begin, complete, completeInStore, firstState, invite, revoke, type NewEnrolment } from '../../src/enrolment/registrar.ts';
import { renewRows } from '../../src/outage/renewing.ts';
import { newHeader, newPayload, sealByHost } from '../../src/enrolment/sealing.ts';
import { withPresentState } from '../../src/state/state.ts';
import { ENROLMENT_NUMBERS, ENROLMENT_TEXTS, signRows } from '../support/row-macs.ts';
import { lacks } from '../support/world.ts';
import { localWorld, ORIGIN, POLICY, WANTED, type LocalWorld, type Secret, remembering, UNENROLLED_GET_IN } from './local-world.ts';
import { BEGIN, Client } from '../enrolment/self-client.ts';
import { report } from '../trials/trial.ts';

const SESSION = { connection: { pid: 77, startTicks: 4711, bootId: 'b'.repeat(36) }, keyDigest: 'c'.repeat(64) };
const TRUSTING = remembering(3_600_000);
const LET_IN = { rules: [{ ask: 'nothing', reason: 'ticket', line: 1 }] } as const;

describe('a row that was changed past notp', { skip: lacks({ programs: ['getent'] }) }, () => {
  let world: LocalWorld;
  let victim: Secret;
  beforeEach(async () => {
    world = localWorld('rows-forged');
    victim = await world.enrol();
  });

  const database: LocalWorld['database'] = (work) => world.database(work);
  const sql: LocalWorld['sql'] = (text, ...values) => {
    world.sql(text, ...values);
  };
  const row = (context = 'ssh'): Record<string, unknown> =>
    database((opened) => opened.prepare('SELECT * FROM enrolment WHERE user = ? AND context = ?').get('alice', context)) ?? {};
  const doubt = async (context = 'ssh'): Promise<Enrolment['doubt']> => (await world.enrolment(context))?.doubt;
  const shown = (enrolment: Enrolment): string => factsOf(enrolment, { kind: 'sealed', file: victim.file }, POLICY, world.nowMs).state;
  const login = (other?: Parameters<LocalWorld['verify']>[2]): Promise<string> => world.verify(victim, world.code(victim), other);

  it('lets nobody in, whichever column it was', async () => {
    const change = oneof(
      record({
        column: constantFrom(...ENROLMENT_TEXTS),
        value: oneof(stringMatching(/^[0-9a-f]{1,64}$/), constantFrom('', 'active', 'invited', '000', 'backup')),
      }),
      record({
        column: constantFrom(...ENROLMENT_NUMBERS),
        value: oneof(integer({ min: -1, max: 10 }), integer({ min: 0, max: 2 ** 31 }), constantFrom(2 ** 53 - 1, 1 - 2 ** 53)),
      }),
    );
    let forged = 0;
    await holds(
      asyncProperty(change, async ({ column, value }) => {
        const before = row();
        if (before[column] === value) return;
        forged++;
        sql(`UPDATE enrolment SET ${column} = ?`, value);
        const words = [await login(), await world.before(victim, {}, SESSION), await world.before(victim, TRUSTING, SESSION)];
        // Of another name there is no trace that alice was ever enrolled; see docs/limits.md.
        if (column !== 'user')
          for (const rules of [UNENROLLED_GET_IN, LET_IN]) words.push(await login(rules), await world.before(victim, rules));
        for (const word of words) assert.match(word, /^(stale_enrolment|not_enrolled|revoked)$/, `${column} = ${String(value)}`);
        const found = await world.enrolment();
        if (found !== undefined) assert.match(shown(found), /^(stale|revoked)$/);
        sql(`UPDATE enrolment SET ${column} = ?`, before[column] as string | number);
        assert.equal(await doubt(), undefined);
      }),
      { numRuns: 150 },
    );
    report({ part: 'forgeries', tried: 'a column of an enrolment changed in the store, and a login by it', times: forged, failed: 0 });
    assert.equal(await login(), 'totp');
  });

  it('ended status and doctor of everybody in an internal error, by one number that is none', async () => {
    for (const [column, value] of [
      ['tokens', Number.MAX_VALUE],
      ['tokens', -Infinity],
      ['last_accepted_ms', 2 ** 53 - 1],
      ['as_of_ms', 1 - 2 ** 53],
    ] as const) {
      const before = row();
      sql(`UPDATE enrolment SET ${column} = ?`, value);
      const found = await world.enrolment();
      assert.ok(found !== undefined);
      assert.equal(shown(found), 'stale', `${column} = ${String(value)}`);
      sql(`UPDATE enrolment SET ${column} = ?`, before[column] as number);
    }
    assert.equal(await login(), 'totp');
  });

  it('was signed anew by an invitation, as one whose codes were never used', async () => {
    assert.equal(await login(), 'totp');
    sql(`UPDATE enrolment SET status = 'revoked'`);
    const inviting = world.withState((state) => invite(state, ORIGIN, POLICY, world.nowMs));
    await assert.rejects(inviting, { code: 'refused', message: /was changed outside notp/, hint: /or notp-enroll --replace alice ssh$/ });
    assert.equal(await doubt(), 'forged');
  });

  it('was accepted with a file that the database’s administrator had registered, and is named as what it is', async () => {
    const { payload, file: own } = await stranger();
    const { id, digest } = registrationOf(own);
    sql('UPDATE enrolment SET id = ?, digest = ?', id, digest);
    assert.equal(await world.verify({ file: own, payload, recovery: [] }, world.code({ payload })), 'stale_enrolment');
    assert.match(String(world.records().at(-1)?.['detail']), /changed outside notp.*, or notp-enroll --replace alice ssh$/);
    const enrolment = await world.enrolment();
    assert.ok(enrolment !== undefined);
    const { state, problem } = factsOf(enrolment, { kind: 'sealed', file: own }, POLICY, world.nowMs);
    assert.equal(state, 'stale');
    assert.match(problem ?? '', /changed outside notp/);
  });

  it('was accepted as the one that is about to take its place', async () => {
    const { payload, file: own } = await stranger();
    const { id, digest } = registrationOf(own);
    sql('UPDATE enrolment SET pending_id = ?, pending_digest = ?, pending_inherits = 0', id, digest);
    assert.equal(await world.verify({ file: own, payload, recovery: [] }, world.code({ payload })), 'stale_enrolment');
    assert.equal(await login(), 'stale_enrolment');
  });

  it('is none that has the MAC of another, or stands for another user or context', async () => {
    const backup = await world.enrol('backup');
    const [one, other] = [row(), row('backup')];
    sql("UPDATE enrolment SET mac = ? WHERE context = 'ssh'", String(other['mac']));
    sql("UPDATE enrolment SET mac = ? WHERE context = 'backup'", String(one['mac']));
    assert.deepEqual([await doubt(), await doubt('backup')], ['forged', 'forged']);
    sql("UPDATE enrolment SET mac = ? WHERE context = 'ssh'", String(one['mac']));
    sql("DELETE FROM enrolment WHERE context = 'backup'");
    const columns = Object.keys(one).map((name) => (name === 'context' ? "'backup'" : name));
    sql(`INSERT INTO enrolment SELECT ${columns.join(', ')} FROM enrolment`);
    assert.equal(await doubt('backup'), 'forged');
    sql("UPDATE enrolment SET user = 'bob' WHERE context = 'backup'");
    const bob = { origin: { ...ORIGIN, user: 'bob', context: 'backup' }, account: ['backup'] };
    const files = [{ context: 'backup', found: { kind: 'sealed', file: victim.file } }] as const;
    assert.equal(await world.verify(backup, world.code(victim), { ...bob, files }), 'stale_enrolment');
    assert.equal(await login(), 'totp');
  });

  it('opens no connection and trusts no source', async () => {
    const { id } = victim.file;
    assert.equal(await world.verify(victim, world.code(victim), TRUSTING, SESSION), 'totp');
    assert.equal(await world.before(victim, {}, SESSION), 'same_connection');
    const later = { ...SESSION, connection: { ...SESSION.connection, pid: 78 } };
    assert.equal(await world.before(victim, TRUSTING, later), 'remembered');
    // Both with the MACs that they had.
    sql('UPDATE connection SET pid = 78');
    sql('UPDATE peer SET accepted_ms = accepted_ms + 1');
    world.nowMs += 2;
    for (const session of [SESSION, later]) assert.equal(await world.before(victim, TRUSTING, session), 'ask');
    sql('UPDATE connection SET id = ?, pid = 79, start_ticks = 4711, boot_id = ? WHERE slot = 5', id, SESSION.connection.bootId);
    assert.equal(await world.before(victim, {}, { ...SESSION, connection: { ...SESSION.connection, pid: 79 } }), 'ask');
  });

  it('approves nobody for outages', async () => {
    const approved = (): Promise<unknown[]> =>
      world.withState(({ store }) => store.exclusively(async (transaction) => [...(await transaction.approved())]));
    sql("INSERT INTO approved VALUES ('alice', 1, ?)", 'a'.repeat(64));
    assert.deepEqual(await approved(), []);
    await world.withState(({ store }) => store.exclusively((transaction) => transaction.approve({ user: 'alice', asOfMs: 1 })));
    assert.equal((await approved()).length, 1);
    sql("UPDATE approved SET user = 'bob'");
    assert.deepEqual(await approved(), []);
  });

  it('invites nobody', async () => {
    sql("UPDATE enrolment SET status = 'invited', id = '', digest = ''");
    assert.equal(await new Client(world).say(BEGIN), 'stale_enrolment');
    sql('DELETE FROM enrolment');
    assert.equal(await new Client(world).say(BEGIN), 'not_permitted');
  });

  it('is not signed by a change of something else, and not unlocked', async () => {
    const account = { account: ['ssh', 'backup'] };
    await world.enrol('backup');
    sql("UPDATE enrolment SET spent = '0000' WHERE context = 'backup'");
    assert.equal(await login(account), 'totp');
    assert.equal(await world.verify(victim, { kind: 'code', code: '000000' }, account), 'wrong_code');
    assert.equal(await doubt('backup'), 'forged');
    const config = { policy: POLICY, contexts: ['ssh', 'backup'] };
    await assert.rejects(
      world.withState((state) => refill(state, ORIGIN, 'backup', config, world.nowMs)),
      { code: 'refused', message: /changed outside notp/ },
    );
    await renewRows(world.place, () => world.nowMs);
    assert.equal(await doubt('backup'), 'forged');
  });

  it('stays refused when it was revoked, and where a replacement of it came to nothing', async () => {
    sql("UPDATE enrolment SET spent = '0000'");
    const replacement = await newEnrolment();
    const { id, digest } = replacement;
    const expected = { ...registrationOf(victim.file), status: 'active' } as const;
    const resealed = { origin: ORIGIN, id, digest, state: {}, expected, replace: true };
    await assert.rejects(
      world.withState((state) => begin(state, { ...replacement, replace: false }, undefined)),
      { code: 'refused', message: /is enrolled/ },
    );
    await assert.rejects(
      world.withState((state) => begin(state, resealed, registrationOf(victim.file))),
      { code: 'refused', message: /changed outside notp/ },
    );
    await world.withState((state) => begin(state, replacement, registrationOf(victim.file)));
    assert.equal(await login(UNENROLLED_GET_IN), 'revoked');
    await world.withState((state) => abandon(state, replacement));
    assert.equal(await login(UNENROLLED_GET_IN), 'revoked');
    sql("UPDATE enrolment SET status = 'active', spent = '00000'");
    assert.equal(await login(), 'stale_enrolment');
    await world.withState((state) => revoke(state, ORIGIN));
    assert.equal(await login(), 'revoked');
  });

  it('let in by a rule that asks for nothing whoever was revoked, at either name and beside another enrolment', async () => {
    const other = await world.enrol('backup');
    for (const context of ['ssh', 'backup']) await world.withState((state) => revoke(state, { ...ORIGIN, context }));
    for (const change of [`status = 'active'`, `status = 'invited'`, `status = 'active', id = ''`]) {
      sql(`UPDATE enrolment SET ${change} WHERE context = 'backup'`);
      assert.equal(await doubt('backup'), 'forged');
      const renamed = { ...LET_IN, origin: { ...ORIGIN, user: 'alicia' } };
      for (const [found, options] of [
        [other, { ...LET_IN, origin: { ...ORIGIN, context: 'backup' } }],
        [{ kind: 'absent' }, LET_IN],
        [{ kind: 'absent' }, renamed],
      ] as const)
        assert.match(await world.before(found, options), /^(stale_enrolment|revoked)$/, change);
    }
    sql(`DELETE FROM enrolment WHERE context = 'ssh'`);
    assert.equal(await world.before(victim, LET_IN), 'stale_enrolment');
  });

  it('is replaced by root’s new enrolment, which logs in', async () => {
    sql("UPDATE enrolment SET digest = ''");
    const next = await world.enrol();
    assert.equal(await world.verify(next, world.code(next)), 'totp');
    assert.equal(await login(), 'stale_enrolment');
  });

  it('does not complete an enrolment that was begun before', async () => {
    const replacement = await newEnrolment();
    await world.withState((state) => begin(state, replacement, registrationOf(victim.file)));
    sql("UPDATE enrolment SET spent = '0000'");
    for (const end of [complete, (state: Parameters<typeof complete>[0], what: NewEnrolment) => completeInStore(state, what, '')])
      await assert.rejects(
        world.withState((state) => end(state, replacement)),
        { code: 'refused', message: /changed outside notp/ },
      );
  });

  it('is known by the documented encoding, which Node’s own crypto signs the same', async () => {
    await world.verify(victim, world.code(victim), TRUSTING, SESSION);
    const before = row();
    sql("UPDATE enrolment SET mac = 'x'");
    database((opened) => {
      signRows(opened, world.place.hostKeyFiles[0] ?? '');
    });
    assert.deepEqual(row(), before);
    assert.equal(await world.before(victim, {}, SESSION), 'same_connection');
  });

  /** A secret and a sealed file of somebody else, under alice's name: whoever has no host key would seal it by a passphrase. */
  async function stranger(): Promise<Pick<Secret, 'file' | 'payload'>> {
    const { payload } = newPayload(WANTED);
    const made = await world.withState((state) => {
      assert.ok(state.hostKey !== undefined);
      return Promise.resolve(sealByHost(newHeader('alice', 'ssh', world.nowMs), payload, state.hostKey));
    });
    return { payload, file: made };
  }

  async function newEnrolment(): Promise<NewEnrolment> {
    const { file: made, payload } = await stranger();
    return { origin: ORIGIN, ...registrationOf(made), state: firstState(POLICY, 3, world.nowMs, payload), replace: true };
  }
});

describe('rows and the keys of the host', { skip: lacks({ programs: ['getent'] }) }, () => {
  let world: LocalWorld;
  let victim: Secret;
  let keyFile: string;
  beforeEach(async () => {
    world = localWorld('rows-keys');
    victim = await world.enrol('ssh', 'hunter2');
    keyFile = world.place.hostKeyFiles[0] ?? '';
  });
  const login = (other?: Parameters<LocalWorld['verify']>[2]): Promise<string> =>
    world.verify(victim, world.code(victim), other, undefined, 'hunter2');
  const useKeys = (...keys: readonly Uint8Array[]): void => {
    fs.rmSync(keyFile);
    fs.writeFileSync(keyFile, Buffer.concat(keys), { mode: 0o400 });
  };

  it('count by an earlier key, and once it is gone those that were signed with the present one', async () => {
    const [former, next] = [fs.readFileSync(keyFile), randomBytes(32)];
    await world.enrol('backup', 'hunter2');
    useKeys(next, former);
    assert.equal(await login(), 'totp');
    // What was used since then has its new MAC already.
    useKeys(next);
    assert.deepEqual([(await world.enrolment())?.doubt, (await world.enrolment('backup'))?.doubt], [undefined, 'forged']);
    useKeys(next, former);
    await renewRows(world.place, () => world.nowMs);
    useKeys(next);
    assert.equal((await world.enrolment('backup'))?.doubt, undefined);
  });

  it('are those of the log and of a flood, too, which go on under the next key', async () => {
    const [former, next] = [fs.readFileSync(keyFile), randomBytes(32)];
    const wrong = { kind: 'code', code: '000000' } as const;
    for (const name of ['alice', 'nobody']) await world.verify(victim, wrong, { origin: { ...ORIGIN, user: name } }, undefined, 'hunter2');
    const inStore = async (): Promise<unknown> =>
      await world.withState(({ store }) =>
        store.exclusively(async (transaction) => ({
          head: await transaction.head(),
          tallies: [await transaction.tally('refusals', 'alice'), await transaction.tally('refusals', 'nobody')],
        })),
      );
    const before = await inStore();
    useKeys(next);
    await assert.rejects(inStore(), { code: 'store_unavailable', hint: /notp audit verify --resume$/ });
    useKeys(next, former);
    assert.deepEqual(await inStore(), before);
    await renewRows(world.place, () => world.nowMs);
    useKeys(next);
    assert.deepEqual(await inStore(), before);
  });

  it('count by the key of another file of the configuration', async () => {
    const other = `${keyFile}.fleet`;
    fs.writeFileSync(other, randomBytes(32), { mode: 0o400 });
    assert.equal(await login({ place: { ...world.place, hostKeyFiles: [other, keyFile] } }), 'totp');
    assert.equal((await world.enrolment())?.doubt, 'forged', 'it is signed with the first of them now');
  });

  it('are looked at without one, and nobody gets in; an enrolment can be ended, and stays so', async () => {
    const place = { ...world.place, hostKeyFiles: [`${keyFile}.none`] };
    const keyless = <T>(work: Parameters<typeof withPresentState<T>>[2]): Promise<T> => withPresentState(place, () => world.nowMs, work);
    assert.equal(await login({ place }), 'store_unavailable');
    assert.equal(await login({ place, ...UNENROLLED_GET_IN }), 'store_unavailable');
    const seen = await keyless(({ store }) => store.exclusively((transaction) => transaction.enrolment('alice', 'ssh')));
    assert.ok(seen?.doubt === 'unverified');
    assert.equal(factsOf(seen, { kind: 'sealed', file: victim.file }, POLICY, world.nowMs).state, 'active');
    const config = { policy: POLICY, contexts: ['ssh'] };
    for (const work of [
      keyless((state) => refill(state, ORIGIN, 'ssh', config, world.nowMs)),
      keyless((state) => invite(state, { ...ORIGIN, user: 'bob' }, POLICY, world.nowMs)),
    ])
      await assert.rejects(work, { code: 'failed', message: /the key of this host cannot be read here/ });
    assert.equal(await login(), 'totp');
    await keyless((state) => revoke(state, ORIGIN));
    for (const where of [place, world.place]) assert.equal(await login({ place: where }), 'revoked');
  });
});
