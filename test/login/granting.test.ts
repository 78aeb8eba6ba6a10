/** What a grant makes of a login: who gets in, until when, what is stronger, and what is recorded. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, it } from 'node:test';
import { assert as holds, asyncProperty, constantFrom, integer, oneof, record, stringMatching } from 'fast-check';
import { verifyLog } from '../../src/audit/verify.ts';
import { endGrant, give, shownGrants, type WantedGrant } from '../../src/enrolment/grants.ts';
import { invite, revoke } from '../../src/enrolment/registrar.ts';
import type { Login, Terms } from '../../src/login/terms.ts';
import { renewRows } from '../../src/outage/renewing.ts';
import { auditKey } from '../../src/seal/keys.ts';
import type { Found } from '../../src/system/secrets.ts';
import type { Grant } from '../../src/verdict/grants.ts';
import { NOTHING_KNOWN, type SshSession } from '../../src/wire/verifier.ts';
import { report } from '../trials/trial.ts';
import { localWorld, ORIGIN, POLICY, remembering, type LocalWorld, type Secret } from './local-world.ts';

const HOUR_MS = 3_600_000;
const ABSENT: Found = { kind: 'absent' };
const KEY: SshSession = { connection: undefined, keyDigest: 'ab'.repeat(32) };
const OTHER_KEY: SshSession = { connection: undefined, keyDigest: 'cd'.repeat(32) };
const CODE = { kind: 'code', code: '000000' } as const;
const ALICE = { user: 'alice', uid: 1000, door: 'cli' } as const;
const BOB = { user: 'bob', uid: 1001, door: 'cli' } as const;
const WANTED: WantedGrant = { from: '', key: '', service: '', reason: 'phone lost', forMs: HOUR_MS };

let world: LocalWorld;
let secret: Secret;
beforeEach(async () => {
  world = localWorld('granting');
  secret = await world.enrol();
});
const grant = (wanted: Partial<WantedGrant> = {}, who: typeof ALICE | typeof BOB = ALICE): Promise<Grant> =>
  world.withState((state) => give(state, who, { ...WANTED, ...wanted }));
const last = (): Record<string, unknown> => world.records().at(-1) ?? {};
const before = (other?: Partial<Login & Terms>, session: SshSession = KEY): Promise<string> => world.before(secret, other, session);
const database: LocalWorld['database'] = (work) => world.database(work);
const sql: LocalWorld['sql'] = (text, ...values) => {
  world.sql(text, ...values);
};

const row = (): Record<string, unknown> => database((opened) => opened.prepare('SELECT * FROM granted').get()) ?? {};

describe('a grant', () => {
  it('lets in before the question and after it, until it is over, and each use is a record with the reason', async () => {
    assert.equal(await before(), 'ask');
    const { id } = await grant();
    assert.deepEqual(
      [last()['event'], last()['user'], last()['detail']],
      ['grant', 'alice', `grant ${id} until ${new Date(world.nowMs + HOUR_MS).toISOString()}: alice (phone lost)`],
    );
    for (const decide of [() => before(), () => world.verify(secret, CODE, {}, KEY)]) {
      const earlier = world.records().length;
      assert.equal(await decide(), 'grant');
      assert.equal(world.records().length, earlier + 1);
      const { event, method, detail, user } = last();
      assert.deepEqual([event, method, user, detail], ['login.accepted', 'grant', 'alice', `grant ${id} (phone lost)`]);
    }
    assert.equal((await world.enrolment())?.state.bucket.tokens, 5, 'what was typed is no try');
    world.nowMs += HOUR_MS - 1;
    assert.equal(await before(), 'grant');
    world.nowMs += 1;
    assert.equal(await before(), 'ask');
    assert.equal(await world.verify(secret, CODE, {}, KEY), 'wrong_code');
  });

  it('has its bounds in its record however long the reason is', async () => {
    const service = 'a-service-of-some-length';
    await grant({ reason: 'x'.repeat(200), from: '2001:db8:1111:2222:3333:4444:5555:6666', key: KEY.keyDigest ?? '', service });
    assert.match(String(last()['detail']), new RegExp(`: alice at ${service} from 2001:db8:\\S+ with the key SHA256:\\S{43} \\(x+$`));
  });

  it('lets in as often as it is used, each time with a record of its own', async () => {
    await grant();
    const earlier = world.records().length;
    for (let i = 0; i < 150; i++) assert.equal(await before(), 'grant');
    assert.equal(world.records().length, earlier + 150);
  });

  it('does not count once it is ended, nor does another of the same user end with it', async () => {
    const [one, other] = [await grant(), await grant({ service: 'sudo' })];
    await world.withState((state) => endGrant(state, one.id));
    assert.deepEqual([last()['event'], last()['detail']], ['grant.ended', `grant ${one.id} (phone lost)`]);
    assert.equal(await before(), 'ask');
    assert.equal(await world.verify(secret, CODE, {}, KEY), 'wrong_code');
    assert.equal(await before({ origin: { ...ORIGIN, door: 'pam', service: 'sudo' } }), 'grant');
    await assert.rejects(
      world.withState((state) => endGrant(state, one.id)),
      { code: 'refused', message: `there is no grant ${one.id}` },
    );
    assert.deepEqual(
      (await world.withState((state) => shownGrants(state))).grants.map(({ id }) => id),
      [other.id],
    );
  });

  it('does not count where the clock was set back before it', async () => {
    await grant();
    world.nowMs -= 1;
    assert.equal(await before(), 'ask');
  });

  it('is kept to its address, its key and its service, also where one is unknown', async () => {
    await grant({ from: '192.0.2.0/24', key: KEY.keyDigest ?? '', service: 'sshd' });
    assert.equal(await before(), 'grant');
    assert.equal(await before({}, OTHER_KEY), 'ask');
    assert.equal(await before({}, { connection: undefined, keyDigest: undefined }), 'ask');
    for (const rhost of ['198.51.100.7', 'host.example.org', ''])
      assert.equal(await before({ origin: { ...ORIGIN, rhost } }), 'ask', rhost);
    assert.equal(await before({ origin: { ...ORIGIN, door: 'pam', service: 'sshd' } }), 'grant');
    assert.equal(await before({ origin: { ...ORIGIN, door: 'pam', service: 'sudo' } }), 'ask');
  });

  it('is for one account: nobody else, nobody without a first factor, and no name that no account has', async () => {
    await grant();
    await grant({}, BOB);
    assert.equal(await world.before(ABSENT, { origin: { ...ORIGIN, user: 'carol', uid: 1002 } }, KEY), 'not_enrolled');
    assert.equal(await before({ circumstances: NOTHING_KNOWN }), 'ask');
    const { uid: _uid, ...unknown } = ORIGIN;
    assert.equal(await before({ origin: unknown }), 'ask');
  });

  it('does not let in another account that got the name since', async () => {
    await grant({}, BOB);
    const bob = { ...ORIGIN, user: 'bob' };
    assert.equal(await world.before(ABSENT, { origin: { ...bob, uid: 2002 } }, KEY), 'not_enrolled');
    assert.equal(await world.verify(ABSENT, CODE, { origin: { ...bob, uid: 2002 } }, KEY), 'not_enrolled');
    assert.equal(await world.before(ABSENT, { origin: { ...bob, uid: 1001 } }, KEY), 'grant');
  });

  it('is for logins, and not for what asks on the command line or changes an enrolment', async () => {
    await grant();
    assert.equal(await before({ origin: { ...ORIGIN, door: 'cli' } }), 'ask');
    assert.equal(await world.verify(secret, CODE, { origin: { ...ORIGIN, door: 'cli' } }, KEY), 'wrong_code');
  });

  it('lets in who was never enrolled, whose file is missing, and whose phone was revoked before it', async () => {
    const bob = { origin: { ...ORIGIN, user: 'bob', uid: 1001 } };
    assert.equal(await world.before(ABSENT, bob), 'not_enrolled');
    await grant({}, BOB);
    assert.equal(await world.before(ABSENT, bob), 'grant');
    assert.equal(await world.verify(ABSENT, CODE, bob), 'grant');
    assert.equal(await world.before(ABSENT, {}, KEY), 'bad_secret_file');
    await world.withState((state) => revoke(state, ORIGIN));
    assert.equal(await before(), 'revoked');
    await grant();
    assert.equal(await before(), 'grant');
    assert.equal(await world.before(ABSENT, {}, KEY), 'grant');
  });

  it('ends with a revocation, which a record says, and not with a new enrolment or an invitation', async () => {
    const { id } = await grant();
    await grant({}, BOB);
    secret = await world.enrol();
    assert.equal(await before(), 'grant');
    await world.withState((state) => revoke(state, ORIGIN));
    const [revoked, ended] = world.records().slice(-2);
    assert.deepEqual([revoked?.['event'], ended?.['event'], ended?.['detail']], ['revoke', 'grant.ended', `grant ${id} (phone lost)`]);
    assert.equal(revoked?.['ref'], ended?.['ref']);
    assert.equal(await before(), 'revoked');
    assert.equal((await world.withState((state) => shownGrants(state))).grants.length, 1, 'that of bob stays');
    await grant();
    await world.withState((state) => invite(state, ORIGIN, POLICY, world.nowMs));
    assert.equal(await before(), 'grant');
  });

  it('ends with a revocation also where its user is not enrolled, or is revoked already, which a record says', async () => {
    const bob = { ...ORIGIN, user: 'bob', uid: 1001 };
    const { id } = await grant({}, BOB);
    assert.deepEqual(await world.withState((state) => revoke(state, bob)), { enrolment: false, grants: 1, othersLeft: false });
    assert.deepEqual([last()['event'], last()['user'], last()['detail']], ['grant.ended', 'bob', `grant ${id} (phone lost)`]);
    assert.equal(await world.before(ABSENT, { origin: bob }, KEY), 'not_enrolled');
    await world.withState((state) => revoke(state, ORIGIN));
    await grant();
    assert.deepEqual(await world.withState((state) => revoke(state, ORIGIN)), { enrolment: false, grants: 1, othersLeft: false });
    assert.equal(await before(), 'revoked');
    await assert.rejects(
      world.withState((state) => revoke(state, ORIGIN)),
      { code: 'refused', message: 'alice is not enrolled for ssh' },
    );
  });

  it('is weaker than a rule that refuses, and stands beside the others', async () => {
    await grant();
    for (const ask of [
      () => before({ rules: [{ ask: 'refuse', line: 7 }] }),
      () => world.verify(secret, CODE, { rules: [{ ask: 'refuse', line: 7 }] }, KEY),
    ])
      assert.equal(await ask(), 'not_permitted');
    const unsure = { rules: [{ ask: 'refuse', from: ['10.0.0.0/8'], line: 7 }] } as const;
    assert.equal(await before({ ...unsure, origin: { ...ORIGIN, rhost: '' } }), 'not_permitted', 'also where it may not fit');
    assert.equal(await before(unsure), 'grant');
    assert.equal(await before({ rules: [{ ask: 'nothing', reason: 'ticket', line: 1 }] }), 'rule');
    assert.equal(await before({ rules: [{ ask: 'code', line: 1 }] }), 'grant');
    assert.equal(await before(remembering(HOUR_MS)), 'grant');
  });

  it('has a limit of how many one user has, and those that are over are gone with the next', async () => {
    for (let i = 0; i < 16; i++) await grant({ reason: `run ${String(i)}` });
    await assert.rejects(grant(), { code: 'refused', message: 'alice has 16 grants already' });
    await grant({}, BOB);
    world.nowMs += HOUR_MS;
    assert.deepEqual((await world.withState((state) => shownGrants(state))).grants, []);
    await grant();
    assert.equal(database((opened) => opened.prepare('SELECT count(*) AS n FROM granted').get())?.['n'], 1);
  });
});

describe('a grant in the store', () => {
  it('lets nobody in where somebody changed any of its columns, and is shown as what it is', async () => {
    await grant({ from: '192.0.2.0/24', key: KEY.keyDigest ?? '', service: 'sshd' });
    const change = oneof(
      record({
        column: constantFrom('id', 'user', 'address', 'key', 'service', 'reason', 'mac'),
        value: oneof(stringMatching(/^[0-9a-f]{1,64}$/), constantFrom('', 'alice', '0.0.0.0/0', '::/0', 'sudo')),
      }),
      record({ column: constantFrom('as_of_ms', 'until_ms', 'uid'), value: oneof(integer(), constantFrom(2 ** 53 - 1, 1 - 2 ** 53, 0)) }),
    );
    let forged = 0;
    await holds(
      asyncProperty(change, async ({ column, value }) => {
        const found = row();
        if (found[column] === value) return;
        forged++;
        sql(`UPDATE granted SET ${column} = ?`, value);
        assert.equal(await before(), 'ask', `${column} = ${String(value)}`);
        assert.deepEqual(
          (await world.withState((state) => shownGrants(state))).grants.map(({ doubt }) => doubt),
          ['forged'],
        );
        sql(`UPDATE granted SET ${column} = ?`, found[column] as string | number);
      }),
      { numRuns: 150 },
    );
    assert.equal(await before(), 'grant');
    report({ part: 'forgeries', tried: 'a column of a grant changed in the store, and a login by it', times: forged, failed: 0 });
  });

  it('lets nobody in that was made without the key, for another user, or of another table', async () => {
    const { id } = await grant({}, BOB);
    for (const mac of ['0'.repeat(64), randomBytes(32).toString('hex'), '']) {
      sql('DELETE FROM granted WHERE id = ?', '00000009');
      sql(
        "INSERT INTO granted SELECT '00000009', 'alice', as_of_ms, until_ms, address, key, service, reason, ?, uid FROM granted WHERE id = ?",
        mac,
        id,
      );
      assert.equal(await before(), 'ask');
    }
    sql("UPDATE granted SET mac = (SELECT mac FROM granted WHERE id = ?) WHERE id = '00000009'", id);
    assert.equal(await before(), 'ask');
    await world.withState((state) => endGrant(state, '00000009'));
    assert.equal(database((opened) => opened.prepare('SELECT count(*) AS n FROM granted').get())?.['n'], 1);
  });

  const FORGED = 'approved by the CISO';
  const forge = (many: number): void => {
    database((opened) => {
      const put = opened.prepare("INSERT INTO granted VALUES (?, 'alice', 0, 9999999999999, '', '', '', ?, ?, 1000)");
      for (let i = 0; i < many; i++) put.run(i.toString(16).padStart(8, '0'), FORGED, '0'.repeat(64));
    });
  };

  it('that somebody forged ends with a revocation in one record for all, and what it says is in no record', async () => {
    const { id } = await grant();
    await grant({}, BOB);
    forge(2_000);
    await world.withState((state) => endGrant(state, '00000007'));
    assert.match(String(last()['detail']), /^grant 00000007, changed outside notp, or under a host key that is not here$/);
    const earlier = world.records().length;
    await world.withState((state) => revoke(state, ORIGIN));
    assert.deepEqual(
      world
        .records()
        .slice(earlier)
        .map(({ event, detail }) => [event, detail]),
      [
        ['revoke', undefined],
        ['grant.ended', `grant ${id} (phone lost)`],
        ['grant.ended', '1999 grants changed outside notp, or under a host key that is not here'],
      ],
    );
    assert.doesNotMatch(JSON.stringify(world.records()), new RegExp(FORGED));
    assert.equal(database((opened) => opened.prepare('SELECT count(*) AS n FROM granted').get())?.['n'], 1, 'that of bob stays');
  });

  it('that was copied back many times ends in few records', async () => {
    for (let i = 0; i < 16; i++) await grant();
    database((opened) => {
      opened.exec('CREATE TABLE kept AS SELECT * FROM granted; DELETE FROM granted');
    });
    for (let i = 0; i < 8; i++) await grant();
    database((opened) => {
      opened.exec('INSERT INTO granted SELECT * FROM kept; DROP TABLE kept');
    });
    const earlier = world.records().length;
    await world.withState((state) => revoke(state, ORIGIN));
    assert.equal(world.records().length, earlier + 18);
    assert.equal(last()['detail'], '8 grants more');
  });

  it('that somebody forged leaves a log in which nothing is wrong, also where the transaction that ends it fails', async () => {
    forge(200);
    await world.withState(async (state) => {
      const exclusively: typeof state.store.exclusively = (work, user) =>
        state.store.exclusively(async (transaction) => {
          await work(transaction);
          throw new Error('the server is gone');
        }, user);
      await assert.rejects(revoke({ ...state, store: { ...state.store, exclusively } }, ORIGIN), /the server is gone/);
    });
    for (let i = 0; i < 2; i++) assert.equal(await before({ rules: [{ ask: 'refuse', line: 1 }] }), 'not_permitted');
    const found = await world.withState(async ({ store, hostKey }) => {
      const known = await store.exclusively((transaction) => transaction.head());
      return await verifyLog(world.place.auditFile, { known, keys: hostKey === undefined ? [] : [auditKey(hostKey.key)] });
    });
    assert.deepEqual(found.problems, []);
  });

  it('goes on under the next host key once its row is renewed, and counts for nothing without the key', async () => {
    const keyFile = world.place.hostKeyFiles[0] ?? '';
    const [former, next] = [fs.readFileSync(keyFile), randomBytes(32)];
    const useKeys = (...keys: readonly Uint8Array[]): void => {
      fs.rmSync(keyFile);
      fs.writeFileSync(keyFile, Buffer.concat(keys), { mode: 0o400 });
    };
    const bob = { origin: { ...ORIGIN, user: 'bob', uid: 1001 } };
    await grant({}, BOB);
    const place = { ...world.place, hostKeyFiles: [`${keyFile}.none`] };
    assert.notEqual(await world.before(ABSENT, { ...bob, place }), 'grant');
    useKeys(next, former);
    assert.equal(await world.before(ABSENT, bob), 'grant');
    await renewRows(world.place, () => world.nowMs);
    useKeys(next);
    assert.equal(await world.before(ABSENT, bob), 'grant');
    useKeys(randomBytes(32));
    assert.notEqual(await world.before(ABSENT, bob), 'grant');
  });

  it('counts for nothing in a state of a user’s own, which is the user’s to write', async () => {
    await grant();
    assert.equal(await world.before(ABSENT, {}, KEY), 'grant');
    assert.equal(await world.before(ABSENT, { place: { ...world.place, kind: 'user' } }, KEY), 'bad_secret_file');
  });
});
