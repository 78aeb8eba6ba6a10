/** A flood of refusals in the log: the first ones one by one, then a sum each minute, and nothing that is in neither. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { appendSummaries } from '../../src/audit/audit.ts';
import { verifyLog } from '../../src/audit/verify.ts';
import { auditKey } from '../../src/seal/keys.ts';
import { localVerifier } from '../../src/login/login.ts';
import type { Login, Terms } from '../../src/login/terms.ts';
import { lacks } from '../support/world.ts';
import { WRONG } from './account-world.ts';
import { localWorld, ORIGIN, PERIOD_MS, POLICY, type LocalWorld, type Secret, remembering, UNENROLLED_GET_IN } from './local-world.ts';

const NEEDS = { skip: lacks({ programs: ['getent'] }) };
const MINUTE_MS = 60_000;
/** As many as have a record each; then one more a minute has. */
const RECORDED = 100;

let world: LocalWorld;
let alice: Secret;
beforeEach(async () => {
  world = localWorld('flood');
  alice = await world.enrol();
});

/** Presents a wrong code, and gives the reference that the person is told. */
const guess = async (other: Partial<Login & Terms> = {}): Promise<string> => {
  const verifier = localVerifier(...world.options({ kind: 'sealed', file: alice.file }, other));
  const { verdict, ref } = await verifier.verify({ readings: [{ passphrase: undefined, proof: WRONG }] });
  verifier.close();
  assert.equal(verdict.result, 'refused');
  return ref;
};
const guesses = async (times: number, other?: Partial<Login & Terms>): Promise<string[]> => {
  const refs: string[] = [];
  for (let i = 0; i < times; i++) refs.push(await guess(other));
  return refs;
};
/** An account that was never enrolled. */
const guest: Partial<Login> = { origin: { ...ORIGIN, user: 'guest', uid: 1001 } };
const stranger = (name: string): Partial<Login & Terms> => {
  const { uid: _, ...nobody } = { ...ORIGIN, user: name };
  return { origin: nobody, files: [{ context: 'ssh', found: { kind: 'absent' } }] };
};
const accepted = (): Record<string, unknown>[] => world.records().filter(({ event }) => event === 'login.accepted');
const toldOf = (method: string): number =>
  accepted().reduce((sum, each) => sum + (each['method'] === method ? Number(each['count'] ?? 1) : 0), 0);
const refusals = (): Record<string, unknown>[] => world.records().filter(({ event }) => event === 'login.refused');
/** Each record as often as it says that it stands for. */
const told = (): number => refusals().reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
const sums = (): Record<string, unknown>[] => refusals().filter(({ count }) => count !== undefined);

describe('a flood of acceptances that take no code', NEEDS, () => {
  const session = { connection: { pid: 7, startTicks: 5, bootId: 'b'.repeat(36) }, keyDigest: 'ab'.repeat(32) };
  const elsewhere = { ...session, connection: { ...session.connection, pid: 8 } };
  const again = async (times: number, from = session): Promise<void> => {
    for (let i = 0; i < times; i++) await world.before(alice, remembering(3_600_000), from);
  };
  beforeEach(async () => {
    assert.equal(await world.verify(alice, world.code(alice), remembering(3_600_000), session), 'totp');
  });

  it('on one connection has two records a minute, and none is left out of the sums', async () => {
    await again(RECORDED);
    assert.equal(accepted().length, 1 + RECORDED);
    assert.match(String(accepted().at(-1)?.['detail']), /further acceptances may only be counted/);
    const since = new Date((world.nowMs += 1000)).toISOString();
    await again(1);
    const until = new Date((world.nowMs += 1000)).toISOString();
    await again(199);
    assert.equal(accepted().length, 1 + RECORDED);
    world.nowMs += MINUTE_MS;
    await again(50);
    const sum = accepted().at(-2);
    const { result, method, count, since: from, until: to, user, uid, context, door, rhost } = sum ?? {};
    assert.deepEqual([result, method, count, from, to], ['accepted', 'same_connection', 200, since, until]);
    assert.deepEqual({ user, uid, context, door, service: ORIGIN.service, rhost }, ORIGIN);
    for (let minute = 0; minute < 3; minute++) {
      world.nowMs += MINUTE_MS;
      await again(50);
    }
    assert.equal(accepted().length, 1 + RECORDED + 2 * 4);
    // What the service does when it leaves.
    await world.withState(({ store, log }) => store.exclusively((transaction) => appendSummaries(log, transaction, 'alice')));
    assert.equal(toldOf('same_connection'), RECORDED + 200 + 4 * 50);
  });

  it('by the trust in a source is counted too, and told before whatever comes next of that user', async () => {
    await again(RECORDED + 20, elsewhere);
    await guess();
    const [sum, refusal] = world.records().slice(-2);
    assert.deepEqual([sum?.['method'], sum?.['count'], refusal?.['event']], ['remembered', 20, 'login.refused']);
    assert.equal(toldOf('remembered'), RECORDED + 20);
  });

  it('hides no login by a code, and shares its records with no refusals', async () => {
    await again(RECORDED + 20);
    world.nowMs += PERIOD_MS;
    assert.equal(await world.verify(alice, world.code(alice, 1)), 'totp');
    const [sum, login] = world.records().slice(-2);
    assert.deepEqual([sum?.['count'], login?.['method']], [20, 'totp']);
    await guesses(RECORDED);
    assert.equal(refusals().length, RECORDED);
  });

  it('by a rule is counted too, and the sum has the rule and the source', async () => {
    const free = { rules: [{ ask: 'nothing', reason: 'ticket', line: 1 }] } as const;
    for (let i = 0; i < RECORDED + 20; i++) assert.equal(await world.before(alice, free), 'rule');
    await guess();
    const { method, count, detail, rhost, service } = world.records().at(-2) ?? {};
    assert.deepEqual([method, count, rhost, service], ['rule', 20, ORIGIN.rhost, ORIGIN.service]);
    assert.match(String(detail), /\bline 1\b.*ticket/);
    assert.equal(toldOf('rule'), RECORDED + 20);
  });

  it('by two rules has a sum without a rule', async () => {
    for (let i = 0; i < RECORDED + 20; i++)
      assert.equal(await world.before(alice, { rules: [{ ask: 'nothing', reason: 'ticket', line: 1 + (i % 2) }] }), 'rule');
    await guess();
    const { count, detail } = world.records().at(-2) ?? {};
    assert.deepEqual([count, detail], [20, undefined]);
  });

  it('of users who are not enrolled has a record each: a sum of them would have no name', async () => {
    const before = world.records().length;
    for (let i = 0; i < RECORDED + 5; i++)
      assert.equal(await world.before({ kind: 'absent' }, { ...UNENROLLED_GET_IN, ...guest }), 'unenrolled');
    const each = world.records().slice(before);
    assert.equal(each.length, RECORDED + 5);
    for (const { count, detail, rhost } of each)
      assert.deepEqual([count, /\bline 1\b/.test(String(detail)), rhost], [undefined, true, ORIGIN.rhost]);
  });

  it('leaves a chain that is whole', async () => {
    await again(RECORDED + 5);
    await guess();
    await world.withState(async ({ store, hostKey }) => {
      const known = await store.exclusively((transaction) => transaction.head());
      const { problems } = await verifyLog(world.place.auditFile, { known, keys: [auditKey(hostKey?.key ?? assert.fail())] });
      assert.deepEqual(problems, []);
    });
  });
});

describe('a flood of refusals', NEEDS, () => {
  it('has a record each for the first hundred, of which the last says what comes', async () => {
    const refs = await guesses(RECORDED);
    assert.deepEqual(
      refusals().map(({ ref }) => ref),
      refs,
    );
    assert.match(String(refusals().at(-1)?.['detail']), /further refusals may only be counted/);
    assert.equal(refusals().at(-2)?.['detail'], undefined);
  });

  it('is counted then, and the next record tells how many, since when, and what they had in common', async () => {
    await guesses(RECORDED);
    const since = new Date((world.nowMs += 1000)).toISOString();
    const refs = await guesses(30);
    assert.equal(refusals().length, RECORDED);
    world.nowMs += MINUTE_MS;
    await guess();
    const [sum] = sums();
    const { event, result, reason, count, since: from, user, uid, context, door, service, rhost, ref } = sum ?? {};
    assert.deepEqual([event, result, reason, count, from], ['login.refused', 'refused', 'step_up_required', 30, since]);
    assert.deepEqual({ user, uid, context, door, service, rhost }, ORIGIN);
    // It finds the record before them, which says what comes, and the sum.
    assert.deepEqual([...new Set(refs)], [ref]);
    assert.deepEqual(
      refusals()
        .filter((record) => record['ref'] === ref)
        .map((record) => record['count']),
      [undefined, 30],
    );
    assert.equal(told(), RECORDED + 31);
  });

  it('takes two lines a minute, however many there are', async () => {
    await guesses(RECORDED);
    for (let minute = 0; minute < 5; minute++) {
      world.nowMs += MINUTE_MS;
      await guesses(50);
    }
    assert.equal(refusals().length, RECORDED + 5 + 4);
    await world.withState(({ store }) =>
      store.exclusively(async (transaction) => {
        assert.equal(told() + (await transaction.tally('refusals', 'alice')).count, RECORDED + 250);
      }),
    );
  });

  it('never hides an acceptance, which comes after the sum of what was before it', async () => {
    await guesses(RECORDED + 7);
    const [first, second] = [world.code(alice, 0).code, world.code(alice, 1).code];
    assert.equal(await world.verify(alice, { kind: 'codes', codes: [first, second] }), 'step_up');
    const [sum, login] = world.records().slice(-2);
    assert.deepEqual([sum?.['count'], login?.['event']], [7, 'login.accepted']);
    await guesses(3);
    assert.equal(refusals().length, RECORDED + 1, 'an acceptance gives a flood no new lines');
  });

  it('leaves out of the sum what differs: source, reason', async () => {
    await guesses(RECORDED);
    await guess({ origin: { ...ORIGIN, rhost: '192.0.2.8' } });
    await guess();
    await world.before({ kind: 'bad', why: 'it is damaged' });
    world.nowMs += MINUTE_MS;
    await guess();
    const [sum] = sums();
    assert.equal(sum?.['count'], 3);
    assert.deepEqual([sum['rhost'], sum['reason'], sum['door'], sum['uid']], [undefined, undefined, 'gate', 1000]);
  });

  it('has a sum also where the name of its source is longer than there is room for', async () => {
    const far = { origin: { ...ORIGIN, rhost: 'x'.repeat(400) } };
    await guesses(RECORDED + 2, far);
    world.nowMs += MINUTE_MS;
    await guess(far);
    assert.deepEqual([sums()[0]?.['count'], sums()[0]?.['rhost'], sums()[0]?.['reason']], [2, undefined, 'step_up_required']);
  });

  it('of names that are not enrolled is one flood, whatever they are', async () => {
    for (let i = 0; i < RECORDED + 5; i++) await guess(stranger(`guest${String(i)}`));
    assert.equal(refusals().length, RECORDED);
    await guess();
    assert.equal(refusals().length, RECORDED + 1, 'the owner of an account has records of their own');
    world.nowMs += MINUTE_MS;
    await guess(stranger('root'));
    const [sum] = sums();
    assert.deepEqual([sum?.['user'], sum?.['uid'], sum?.['count'], sum?.['rhost']], ['', undefined, 5, ORIGIN.rhost]);
    assert.match(String(sum?.['detail']), /not enrolled/);
  });

  it('leaves a chain that is whole', async () => {
    await guesses(RECORDED + 5);
    world.nowMs += 2 * PERIOD_MS;
    await guess();
    await world.withState(async ({ store, hostKey }) => {
      const known = await store.exclusively((transaction) => transaction.head());
      const keys = [auditKey(hostKey?.key ?? assert.fail())];
      const { problems, records } = await verifyLog(world.place.auditFile, { known, keys });
      assert.deepEqual([problems, records], [[], world.records().length]);
    });
  });

  it('does not change how many guesses are judged', async () => {
    await guesses(RECORDED + 50);
    assert.equal(refusals().filter(({ reason }) => reason === 'wrong_code').length, POLICY.budget);
  });
});
