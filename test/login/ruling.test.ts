/** What the rules make of a login: who gets in, who is refused whatever they say, and what is recorded. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Login, Terms } from '../../src/login/terms.ts';
import type { Found } from '../../src/system/secrets.ts';
import type { Rule } from '../../src/verdict/rules.ts';
import { NOTHING_KNOWN, type SshSession } from '../../src/wire/verifier.ts';
import { end } from './account-world.ts';
import { localWorld, ORIGIN, PERIOD_MS, type LocalWorld, type Secret } from './local-world.ts';

const ABSENT: Found = { kind: 'absent' };
const KEY: SshSession = { connection: undefined, keyDigest: 'ab'.repeat(32) };
const NOTHING: Rule = { ask: 'nothing', reason: 'ticket', line: 3 };
const by = (...rules: readonly Rule[]): Pick<Login & Terms, 'rules'> => ({ rules });
const CODE = { kind: 'code', code: '000000' } as const;

let world: LocalWorld;
let secret: Secret;
beforeEach(async () => {
  world = localWorld('ruling');
  secret = await world.enrol();
});
const last = (): Record<string, unknown> => world.records().at(-1) ?? {};
const tokens = async (): Promise<number | undefined> => (await world.enrolment())?.state.bucket.tokens;

describe('a rule that asks for nothing', () => {
  it('lets in, before the question and after it, and says so with its reason', async () => {
    for (const decide of [() => world.before(secret, by(NOTHING)), () => world.verify(secret, CODE, by(NOTHING))]) {
      assert.equal(await decide(), 'rule');
      const { event, method, detail, user } = last();
      assert.deepEqual([event, method, user], ['login.accepted', 'rule', 'alice']);
      assert.equal(detail, 'the rule in line 3 of notp.toml (ticket)');
    }
    assert.equal(await tokens(), 5);
  });

  it('does not let in who was revoked, nor who was revoked under another name', async () => {
    await end(world, 'ssh');
    assert.equal(await world.before(secret, by(NOTHING)), 'revoked');
    assert.equal(await world.verify(secret, CODE, by(NOTHING)), 'revoked');
    const renamed = { ...by(NOTHING), origin: { ...ORIGIN, user: 'alicia' } };
    assert.equal(await world.before(ABSENT, renamed), 'revoked');
  });

  it('lets in whose sealed file is missing, for it is not needed', async () => {
    assert.equal(await world.before(ABSENT, by(NOTHING)), 'rule');
  });

  it('lets in nobody whom the passwd database does not have, or who has shown no first factor', async () => {
    const { uid: _uid, ...unknown } = ORIGIN;
    assert.equal(await world.before(ABSENT, { ...by(NOTHING), origin: { ...unknown, user: 'nobody' } }), 'not_enrolled');
    assert.equal(await world.before(secret, { ...by(NOTHING), circumstances: NOTHING_KNOWN }), 'ask');
  });

  it('fits no address that is a name', async () => {
    const everywhere = by({ ...NOTHING, from: ['0.0.0.0/0', '::/0'] });
    assert.equal(await world.before(secret, everywhere), 'rule');
    for (const rhost of ['host.example.org', 'UNKNOWN', ''])
      assert.equal(await world.before(secret, { ...everywhere, origin: { ...ORIGIN, rhost } }), 'ask', rhost);
  });
});

describe('a rule that refuses', () => {
  const REFUSE: Rule = { ask: 'refuse', line: 7, reason: 'left' };

  it('refuses before the question, a right code, and an open connection, and takes no try', async () => {
    const connected = { connection: { pid: 7, startTicks: 5, bootId: 'b'.repeat(36) }, keyDigest: undefined };
    assert.equal(await world.verify(secret, world.code(secret), {}, connected), 'totp');
    assert.equal(await world.before(secret, {}, connected), 'same_connection');
    assert.equal(await world.before(secret, by(REFUSE), connected), 'not_permitted');
    const { event, reason, detail } = last();
    assert.deepEqual([event, reason, detail], ['login.refused', 'not_permitted', 'the rule in line 7 of notp.toml (left)']);
    world.nowMs += PERIOD_MS;
    assert.equal(await world.verify(secret, world.code(secret), by(REFUSE)), 'not_permitted');
    assert.equal(await world.verify(secret, world.code(secret)), 'totp', 'the code was not used');
    assert.equal(await tokens(), 5);
  });
});

const until = (enrolByMs: number): Pick<Login & Terms, 'rules'> => by({ ask: 'code', enrolByMs, line: 5 });

describe('a rule with a day for enrolment', () => {
  const bob = { origin: { ...ORIGIN, user: 'bob', uid: 1001 } };

  it('lets in who was never enrolled until then, and refuses afterwards and says until when', async () => {
    assert.equal(await world.before(ABSENT, { ...until(world.nowMs + 1), ...bob }), 'unenrolled');
    assert.equal(last()['detail'], 'the rule in line 5 of notp.toml');
    assert.equal(await world.before(ABSENT, { ...until(world.nowMs), ...bob }), 'not_enrolled');
    assert.equal(
      last()['detail'],
      `the rule in line 5 of notp.toml let in without an enrolment until ${new Date(world.nowMs).toISOString()}`,
    );
  });

  it('asks who is enrolled', async () => {
    assert.equal(await world.before(secret, until(world.nowMs + 1)), 'ask');
    assert.equal(await world.before(ABSENT, until(world.nowMs + 1)), 'bad_secret_file');
  });
});

describe('an acceptance that is asked for alone', () => {
  it('is given where a rule gives one, and leaves every refusal to the question', async () => {
    const { localVerifier } = await import('../../src/login/login.ts');
    const alone = async (found: Found, rules: readonly Rule[], other: Partial<Login> = {}): Promise<string> => {
      const verifier = localVerifier(...world.options(found, { rules, ...other }));
      const outcome = await verifier.beforeAsking(KEY, 'acceptance');
      verifier.close();
      return outcome?.verdict.result ?? 'ask';
    };
    const sealed: Found = { kind: 'sealed', file: secret.file };
    assert.equal(await alone(sealed, [NOTHING]), 'accepted');
    const before = world.records().length;
    assert.equal(await alone(sealed, []), 'ask');
    assert.equal(await alone(sealed, [{ ask: 'refuse', line: 1 }]), 'ask');
    assert.equal(await alone(ABSENT, [], { origin: { ...ORIGIN, user: 'bob' } }), 'ask');
    assert.equal(world.records().length, before, 'and records none');
  });
});

const put = (text: string): Promise<void> =>
  world.withState(({ store }) => store.exclusively((transaction) => transaction.putRules({ text, asOfMs: world.nowMs })));

describe('rules in the store', () => {
  const STORED = { rules: [], rulesInStore: true } as const;
  const OPEN = '[[rule]]\nask = "nothing"\nreason = "ticket"\n';

  it('decide as those of the file would, and the record says where they are', async () => {
    await put(`\n${OPEN}`);
    assert.equal(await world.before(secret, STORED), 'rule');
    assert.equal(last()['detail'], 'the rule in line 2 of the rules in the store (ticket)');
    await put('[[rule]]\nask = "refuse"\n');
    assert.equal(await world.verify(secret, CODE, STORED), 'not_permitted');
  });

  it('fit by the host', async () => {
    await put(`[[rule]]\nhosts = ["web*"]\n${OPEN.slice('[[rule]]\n'.length)}`);
    for (const [host, answer] of [
      ['web1', 'rule'],
      ['db1', 'ask'],
    ] as const)
      assert.equal(await world.before(secret, { ...STORED, host }), answer, host);
  });

  it('count for nothing where the file is to be asked, and those of the file where the store is', async () => {
    await put(OPEN);
    assert.equal(await world.before(secret, by()), 'ask');
    await put('');
    assert.equal(await world.before(secret, { ...STORED, ...by(NOTHING) }), 'ask');
  });

  for (const [what, spoil] of [
    ['there are none', () => world.withState(({ store }) => store.exclusively((transaction) => transaction.dropRules()))],
    ['somebody has changed them', () => Promise.resolve(world.sql('UPDATE rules SET as_of_ms = as_of_ms + 1'))],
    ['they are of a notp with more keys', () => put(`${OPEN}when = "night"\n`)],
    ['they are no TOML', () => put(`${OPEN}=`)],
  ] as const)
    it(`ask for a code where ${what}`, async () => {
      await put(OPEN);
      assert.equal(await world.before(ABSENT, STORED), 'rule');
      await spoil();
      assert.equal(await world.before(secret, STORED), 'ask');
      assert.equal(await world.before(ABSENT, STORED), 'bad_secret_file');
      assert.equal(await world.verify(secret, CODE, STORED), 'wrong_code');
    });

  it('count for nothing in a state of the user, who may write it', async () => {
    await put(OPEN);
    assert.equal(
      await world.before(secret, { ...STORED, place: { ...world.place, kind: 'user' } }).catch(() => 'ask'),
      'store_unavailable',
    );
  });
});
