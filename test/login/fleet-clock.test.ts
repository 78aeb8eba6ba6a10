/** Hosts that share a PostgreSQL, with clocks that differ: the database's clock counts, so none gives guesses back or takes a step ahead. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { settled } from '../../src/doctor/finding.ts';
import { examineClock } from '../../src/doctor/host/clock.ts';
import { examineState } from '../../src/doctor/host/state.ts';
import { codeAt } from '../../src/otp/code.ts';
import type { Proof } from '../../src/otp/proof.ts';
import { registrationOf } from '../../src/seal/file.ts';
import type { Enrolment } from '../../src/store/store.ts';
import { defaultConfig } from '../../src/system/config.ts';
import { realUser } from '../../src/system/users.ts';
import { forgetSources } from '../../src/enrolment/forget.ts';
import { endGrant, give } from '../../src/enrolment/grants.ts';
import { refill } from '../../src/enrolment/refill.ts';
import { localVerifier } from '../../src/login/login.ts';
import { begin, complete, firstState, invite } from '../../src/enrolment/registrar.ts';
import { newHeader, newPayload, sealByHost } from '../../src/enrolment/sealing.ts';
import { withPresentState, type State } from '../../src/state/state.ts';
import { migrateStoreOf, type StatePlace } from '../../src/state/place.ts';
import { lacksPostgres, PASSWORD, ROLE, startPostgres, type Postgres } from '../support/postgres.ts';
import { scratchFolder, untilFreshStep } from '../support/world.ts';
import { ORIGIN, POLICY, WANTED, type Secret, remembering } from './local-world.ts';
import { NOTHING_KNOWN } from '../../src/wire/verifier.ts';

const HOUR_MS = 3_600_000;
const DAYS_MS = 48 * HOUR_MS;
/** Less than what is refused. */
const MINUTES_MS = 5 * 60_000;
const GRANT = { from: '', key: '', service: '', reason: 'phone lost' } as const;
const WRONG: Proof = { kind: 'code', code: '000000' };

interface Host {
  readonly place: StatePlace;
  readonly now: () => number;
  inState<T>(work: (state: State) => Promise<T>): Promise<T>;
  enrol(): Promise<Secret>;
  /** Gives the method or the reason. */
  verify(secret: Secret, proof: Proof, rememberMs?: number, waitedMs?: number): Promise<string>;
  before(secret: Secret, rememberMs: number): Promise<string>;
  lastRecord(): Record<string, unknown>;
}

function wordOf(verdict: { result: string; method?: string; reason?: string } | undefined): string {
  return verdict?.method ?? verdict?.reason ?? 'ask';
}

function code({ payload }: Secret, atMs = Date.now()): Proof {
  return { kind: 'code', code: codeAt(payload.secret, Math.floor(atMs / 30_000), payload) };
}

async function granted(by: Host, forMs: number): Promise<string> {
  return (await by.inState((state) => give(state, { ...ORIGIN, door: 'cli' }, { ...GRANT, forMs }))).id;
}

function isNow(ms: number): boolean {
  return Math.abs(ms - Date.now()) < 2 * 60_000;
}

describe('hosts whose clocks differ', { skip: lacksPostgres() }, () => {
  let server: Postgres;
  let database: string;
  let folder: string;
  let count = 0;
  let [right, ahead, behind, days, daysBehind]: Host[] = [];

  before(async () => {
    server = await startPostgres('fleet-clock');
    folder = scratchFolder('fleet-clock');
    fs.writeFileSync(path.join(folder, 'host.key'), randomBytes(32), { mode: 0o400 });
    fs.writeFileSync(path.join(folder, 'password'), PASSWORD, { mode: 0o400 });
    fs.writeFileSync(path.join(folder, 'authority.pem'), server.authority, { mode: 0o644 });
  });
  beforeEach(async () => {
    database = `clock${String(count++)}`;
    server.createDatabase(database);
    await migrateStoreOf(hostOf('right', 0).place);
    [days, daysBehind] = [hostOf('days', DAYS_MS), hostOf('days-behind', -DAYS_MS)];
    [right, ahead, behind] = [hostOf('right', 0), hostOf('ahead', MINUTES_MS), hostOf('behind', -MINUTES_MS)];
  });

  function hostOf(name: string, skewMs: number): Host {
    const servers = [{ host: 'localhost', port: server.port }];
    const files = { passwordFile: path.join(folder, 'password'), authoritiesFile: path.join(folder, 'authority.pem'), outageFile: '' };
    const store = { kind: 'postgres', servers, database, user: ROLE, tls: true, host: name, outage: 'deny', ...files } as const;
    const auditFile = path.join(folder, `${database}-${name}.log`);
    const place: StatePlace = {
      kind: 'service',
      owner: realUser(),
      store,
      auditFile,
      journal: false,
      hostKeyFiles: [path.join(folder, 'host.key')],
    };
    const now = (): number => Date.now() + skewMs;
    const verifierOf = (secret: Secret, rememberMs: number, waitedMs = 0): ReturnType<typeof localVerifier> =>
      localVerifier(
        {
          files: [{ context: 'ssh', found: { kind: 'sealed', file: secret.file } }],
          account: ['ssh'],
          origin: ORIGIN,
          circumstances: { ...NOTHING_KNOWN, firstFactor: true },
          askedMs: now() - waitedMs,
        },
        { place, inStore: false, policy: POLICY, unenrolled: 'deny', ...remembering(rememberMs), host: name, mayFallBack: false, now },
      );
    const session = { connection: undefined, keyDigest: 'a'.repeat(64) };
    return {
      place,
      now,
      inState: (work) => withPresentState(place, now, work),
      enrol: () =>
        withPresentState(place, now, async (state) => {
          assert.ok(state.hostKey !== undefined);
          const { payload, codes } = newPayload(WANTED);
          const file = sealByHost(newHeader('alice', 'ssh', now()), payload, state.hostKey);
          const enrolment = {
            origin: ORIGIN,
            ...registrationOf(file),
            state: firstState(POLICY, codes.length, now(), payload),
            replace: true,
          };
          await begin(state, enrolment, undefined);
          await complete(state, enrolment);
          return { file, payload, recovery: codes };
        }),
      verify: async (secret, proof, rememberMs = 0, waitedMs = 0) => {
        const verifier = verifierOf(secret, rememberMs, waitedMs);
        const { verdict } = await verifier.verify({ readings: [{ passphrase: undefined, proof }], session });
        verifier.close();
        return wordOf(verdict);
      },
      before: async (secret, rememberMs) => {
        const verifier = verifierOf(secret, rememberMs);
        const outcome = await verifier.beforeAsking(session);
        verifier.close();
        return wordOf(outcome?.verdict);
      },
      lastRecord: () => JSON.parse(fs.readFileSync(auditFile, 'utf8').trim().split('\n').at(-1) ?? '') as Record<string, unknown>,
    };
  }

  const known = async (): Promise<Enrolment> => {
    const enrolment = await right?.inState(({ store }) => store.exclusively((transaction) => transaction.enrolment('alice', 'ssh')));
    return enrolment ?? assert.fail('alice is not enrolled');
  };
  const all = (): readonly [Host, Host, Host] => {
    assert.ok(right !== undefined && ahead !== undefined && behind !== undefined);
    return [right, ahead, behind];
  };

  it('gave a used-up budget back, all of it, at the one that was ahead', async () => {
    const [one, two, three] = all();
    const secret = await one.enrol();
    for (let i = 0; i < 5; i++) assert.equal(await [two, three, one][i % 3]?.verify(secret, WRONG), 'wrong_code');
    for (const host of [two, three, one, two]) assert.equal(await host.verify(secret, code(secret)), 'step_up_required');
    const { bucket } = (await known()).state;
    assert.ok(bucket.tokens < 0.5 && isNow(bucket.asOfMs));
  });

  it('took a code of a time to come, and refused the present ones after', async () => {
    const [one, two, three] = all();
    const secret = await one.enrol();
    assert.equal(await two.verify(secret, code(secret, two.now())), 'wrong_code');
    await untilFreshStep();
    assert.equal(await two.verify(secret, code(secret)), 'totp');
    assert.match(String(two.lastRecord()['detail']), /^the clock of this host is (?:299|30\d) s ahead of that of the store, which counts$/);
    const { state, lastAcceptedMs } = await known();
    assert.ok(isNow(state.lastStep * 30_000) && isNow(lastAcceptedMs));
    assert.equal(await one.verify(secret, code(secret)), 'replayed');
    assert.equal(one.lastRecord()['detail'], undefined);
    assert.equal(
      await three.verify(secret, code(secret, Date.now() + 30_000)),
      'totp',
      'the next one on the phone, at a host that is behind',
    );
    assert.match(String(three.lastRecord()['detail']), /^the clock of this host is (?:29\d|30\d) s behind that of the store/);
  });

  it('judged a code as of a time at which it did not come, or as old as the wait for its turn had made it', async () => {
    for (const host of all()) {
      const secret = await host.enrol();
      // Less than 18 seconds are over of the present step.
      await untilFreshStep(12);
      const earlier = code(secret, Date.now() - 60_000);
      assert.equal(await host.verify(secret, earlier), 'wrong_code');
      assert.equal(await host.verify(secret, earlier, 0, 20_000), 'totp');
    }
  });

  it('enrolled, invited or unlocked by a time to come, from which on a budget would be refilled', async () => {
    const [, two] = all();
    await two.inState((state) => invite(state, ORIGIN, POLICY, two.now()));
    assert.ok(isNow((await known()).state.bucket.asOfMs));
    const secret = await two.enrol();
    assert.ok(isNow((await known()).state.bucket.asOfMs));
    assert.equal(await two.verify(secret, WRONG), 'wrong_code');
    await two.inState((state) => refill(state, ORIGIN, undefined, { policy: POLICY, contexts: ['ssh'] }, two.now()));
    assert.ok(isNow((await known()).state.bucket.asOfMs));
  });

  it('trusted a source for longer, or not at all', async () => {
    const [one, two, three] = all();
    const secret = await one.enrol();
    assert.equal(await two.verify(secret, code(secret), HOUR_MS), 'totp');
    for (const host of [one, two, three]) assert.equal(await host.before(secret, HOUR_MS), 'remembered');
    await three.inState((state) => forgetSources(state, { ...ORIGIN, door: 'cli' }));
    for (const host of [one, two, three]) assert.equal(await host.before(secret, HOUR_MS), 'ask', 'it is forgotten on all hosts');
  });

  it('ended a grant sooner or later than the store’s clock says', async () => {
    const [one, two, three] = all();
    const secret = await one.enrol();
    const id = await granted(two, MINUTES_MS - 60_000);
    for (const host of [one, two, three]) assert.equal(await host.before(secret, 0), 'grant', 'it is not over where a clock is ahead');
    await three.inState((state) => endGrant(state, id));
    for (const host of [one, two, three])
      assert.equal(await host.before(secret, 0), 'ask', 'it is over on all hosts once it is ended on one');
    await granted(three, 1);
    for (const host of [one, two, three]) assert.equal(await host.before(secret, 0), 'ask', 'it is over where a clock is behind');
    await granted(one, HOUR_MS);
    for (const host of [days, daysBehind]) assert.equal(await host?.before(secret, 0), 'store_unavailable');
  });

  it('let a clock that somebody had set by days decide, the store’s or the host’s own', async () => {
    assert.ok(right !== undefined && days !== undefined && daysBehind !== undefined);
    const secret = await right.enrol();
    await untilFreshStep();
    for (const host of [days, daysBehind]) {
      for (const atMs of [Date.now(), host.now()])
        assert.equal(await host.verify(secret, code(secret, atMs), HOUR_MS), 'store_unavailable');
      assert.equal(await host.before(secret, HOUR_MS), 'store_unavailable');
      const said = /^the clock of this host says (\S+), and that of the store (\S+): run chrony on both$/;
      const [, own, store] = said.exec(String(host.lastRecord()['detail'])) ?? [];
      assert.ok(isNow(Date.parse(store ?? '')) && Math.abs(Date.parse(own ?? '') - host.now()) < 60_000);
      const unchanged = await known();
      const apart = { code: 'store_unavailable', message: said };
      await assert.rejects(host.enrol(), apart);
      await assert.rejects(
        host.inState((state) => invite(state, { ...ORIGIN, context: 'backup' }, POLICY, host.now())),
        apart,
      );
      await assert.rejects(
        host.inState((state) => refill(state, ORIGIN, undefined, { policy: POLICY, contexts: ['ssh'] }, host.now())),
        apart,
      );
      assert.deepEqual(await known(), unchanged);
    }
    assert.equal(await right.verify(secret, code(secret)), 'totp');
  });

  it('are named by doctor, each with how far it is off', async () => {
    for (const [host, expected] of [
      [right, ['clock-store', 'ok', '']],
      [ahead, ['clock-store', 'warn', 'ahead']],
      [days, ['clock-store', 'fail', 'ahead']],
      [behind, ['clock-store', 'warn', 'behind']],
      [daysBehind, ['clock-store', 'fail', 'behind']],
    ] as const) {
      assert.ok(host !== undefined);
      const { skewMs, enrolments } = await examineState(host.place, host.now);
      const [, finding, then] = examineClock(defaultConfig(), enrolments, host.now(), skewMs).map(settled);
      const words = /^it is (?:1728\d\d|29\d|30\d) s (ahead|behind);/.exec(finding?.detail ?? '')?.[1] ?? '';
      assert.deepEqual([finding?.id, finding?.severity, words], expected);
      assert.deepEqual([then?.id, then?.severity], ['clock-behind', 'ok']);
    }
  });
});
