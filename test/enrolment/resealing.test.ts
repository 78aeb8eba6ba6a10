/** A secret that is sealed anew logs in as before and inherits what was used, whenever a login comes and wherever it is broken off. */
import { registrationOf, type Registration, type SealedFile } from '../../src/seal/file.ts';
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import type { Origin } from '../../src/audit/record.ts';
import { codeAt } from '../../src/otp/code.ts';
import { readings } from '../../src/otp/proof.ts';
import { newRecoveryCodes } from '../../src/otp/recovery.ts';
import { seal } from '../../src/seal/seal.ts';
import type { Enrolment } from '../../src/store/store.ts';
import { realUser } from '../../src/system/users.ts';
import { localVerifier } from '../../src/login/login.ts';
import { abandon, begin, complete, firstState, registeredAs, revoke, type NewEnrolment } from '../../src/enrolment/registrar.ts';
import { openState, type State } from '../../src/state/state.ts';
import type { StatePlace } from '../../src/state/place.ts';
import { keyOf, PASSPHRASE_HEADER, PAYLOAD as USUAL_PAYLOAD } from '../seal/sealed.ts';
import { lacks, scratchFolder } from '../support/world.ts';
import { askAndSave } from '../store/alice.ts';
import { NOW, NOW_MS, POLICY, word } from '../verdict/world.ts';
import { NOTHING_KNOWN } from '../../src/wire/verifier.ts';

const [OLD, NEW, THIRD] = ['1'.repeat(32), '2'.repeat(32), '3'.repeat(32)] as const;
const ORIGIN: Origin = { user: 'alice', uid: 1000, context: 'ssh', door: 'cli' };
let drawn = 0;
const { codes: RECOVERY, kept } = newRecoveryCodes(2, (length) => new Uint8Array(length).map(() => (drawn += 31)));
const PAYLOAD = { ...USUAL_PAYLOAD, recovery: kept };
const [FIRST_RECOVERY = '', SECOND_RECOVERY = ''] = RECOVERY;

const code = (step: number): string => codeAt(PAYLOAD.secret, step, PAYLOAD);
const fileOf = (id: string): SealedFile => {
  const header = { ...PASSPHRASE_HEADER, id };
  return seal(header, PAYLOAD, keyOf(header), new Uint8Array(24));
};
const registered = (id: string): Registration => registrationOf(fileOf(id));
const enrolled: NewEnrolment = {
  origin: ORIGIN,
  ...registered(OLD),
  state: firstState(POLICY, 2, NOW_MS, { type: 'totp', periodSeconds: 30 }),
  replace: false,
};
/** The same secret, under another passphrase. */
const madeOf = (id: string) => ({ expected: { ...registered(id), status: 'active' } }) as const;
const anew = { origin: ORIGIN, ...registered(NEW), state: {}, event: 'passphrase', replace: true, ...madeOf(OLD) } as const;

describe('a secret sealed anew', { skip: lacks({ programs: ['getent'] }) }, () => {
  let folder: string;
  let place: StatePlace;
  let state: State;
  let count = 0;

  before(() => {
    folder = scratchFolder('resealing');
  });
  beforeEach(async () => {
    const name = `${String(count++)}.db`;
    const store = { kind: 'sqlite', path: path.join(folder, name) } as const;
    const auditFile = path.join(folder, `${name}.log`);
    place = { kind: 'user', owner: realUser(), store, auditFile, journal: false, hostKeyFiles: [] };
    state = openState(place, () => NOW_MS, { create: true });
    fs.chmodSync(store.path, 0o600);
    await begin(state, enrolled, undefined);
    await complete(state, enrolled);
  });

  /** What becomes of a login with `proof` where the file in place has this id. */
  const login = async (id: string, proof: string): Promise<string> => {
    const file = fileOf(id);
    const files = [{ context: 'ssh', found: { kind: 'sealed', file } }] as const;
    const rules = {
      place,
      inStore: false,
      policy: POLICY,
      unenrolled: 'deny',
      rules: [],
      host: 'here',
      mayFallBack: false,
      now: () => NOW_MS,
    } as const;
    const verifier = localVerifier({ files, account: ['ssh'], origin: ORIGIN, circumstances: NOTHING_KNOWN }, rules);
    const { verdict } = await verifier.verify({ readings: readings(`correct horse ${proof}`, 'passphrase') });
    verifier.close();
    return word(verdict);
  };
  const present = async (): Promise<Enrolment> => {
    const found = await state.store.exclusively((transaction) => transaction.enrolment('alice', 'ssh'));
    assert.ok(found !== undefined);
    return found;
  };
  const events = (): string[] =>
    fs
      .readFileSync(place.auditFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event);
  const useUp = async (): Promise<void> => {
    assert.deepEqual([await login(OLD, code(NOW)), await login(OLD, FIRST_RECOVERY)], ['totp', 'recovery']);
    assert.equal(await login(OLD, '000000'), 'wrong_code');
  };

  it('goes on with the last step, the budget, the spent codes and the day of the last login', async () => {
    await useUp();
    const used = await present();
    assert.deepEqual([used.state.lastStep, used.state.bucket.tokens, used.state.spent], [NOW, 4, '10']);
    await begin(state, anew, registered(OLD));
    await complete(state, anew);
    assert.deepEqual(await present(), { ...used, ...registered(NEW), pendingId: '', pendingState: {} });
    assert.equal(used.lastAcceptedMs, NOW_MS);
    assert.deepEqual([await login(NEW, code(NOW)), await login(NEW, FIRST_RECOVERY)], ['replayed', 'replayed']);
    assert.deepEqual([await login(NEW, code(NOW + 1)), await login(NEW, SECOND_RECOVERY)], ['totp', 'recovery']);
    assert.deepEqual(events().slice(0, 2), ['enroll', 'login.accepted']);
    assert.equal(events().filter((event) => event === 'passphrase').length, 1);
  });

  it('with new recovery codes spends those instead, goes on with the rest, and is recorded as that', async () => {
    await useUp();
    const used = await present();
    const renewed: NewEnrolment = { ...anew, state: { spent: '00' }, event: 'recovery' };
    await begin(state, renewed, registered(OLD));
    assert.equal(await login(OLD, FIRST_RECOVERY), 'replayed', 'until they are in place');
    await complete(state, renewed);
    const { id, state: now } = await present();
    assert.deepEqual([id, now.lastStep, now.spent, now.bucket.tokens], [NEW, used.state.lastStep, '00', 3]);
    assert.equal(await login(NEW, code(NOW)), 'replayed');
    assert.ok(events().includes('recovery'));
  });

  it('is recorded by what it was done for, also where it failed', async () => {
    for (const event of ['passphrase', 'recovery', 'reseal'] as const) {
      const change: NewEnrolment = { ...anew, event };
      await begin(state, change, registered(OLD));
      await abandon(state, change);
      assert.deepEqual(events().slice(-2), [event, `${event}.failed`]);
    }
  });

  it('makes the old file stale', async () => {
    await begin(state, anew, registered(OLD));
    await complete(state, anew);
    assert.equal(await login(OLD, code(NOW)), 'stale_enrolment');
  });

  it('inherits too what the old file used between begin and complete', async () => {
    await begin(state, anew, registered(OLD));
    await useUp();
    await complete(state, anew);
    assert.deepEqual([await login(NEW, code(NOW)), await login(NEW, FIRST_RECOVERY)], ['replayed', 'replayed']);
    // One wrong code, and these two.
    assert.equal((await present()).state.bucket.tokens, 2);
  });

  it('is completed by a login with the new file, and completing it later changes nothing', async () => {
    await useUp();
    await begin(state, anew, registered(OLD));
    assert.equal(await login(NEW, code(NOW)), 'replayed');
    assert.equal(await login(NEW, code(NOW + 1)), 'totp');
    const after = await present();
    assert.deepEqual([after.id, after.pendingId, after.state.lastStep, after.state.spent], [NEW, '', NOW + 1, '10']);
    await complete(state, anew);
    await abandon(state, anew);
    assert.deepEqual(await present(), after);
    assert.equal(await login(OLD, code(NOW)), 'stale_enrolment');
  });

  it('is completed by a refused login with the new file too, which takes its token from the budget there is', async () => {
    await useUp();
    await begin(state, anew, registered(OLD));
    assert.equal(await login(NEW, '000000'), 'wrong_code');
    const { id, state: now } = await present();
    assert.deepEqual([id, now.bucket.tokens], [NEW, 3]);
  });

  it('that is abandoned leaves all as it was, with what was used meanwhile, and a record', async () => {
    await begin(state, anew, registered(OLD));
    await useUp();
    await abandon(state, anew);
    assert.equal(await login(NEW, code(NOW + 1)), 'stale_enrolment');
    assert.deepEqual([await login(OLD, code(NOW)), await login(OLD, code(NOW + 1))], ['replayed', 'totp']);
    assert.equal(events().filter((event) => event === 'passphrase.failed').length, 1);
  });

  it('broken off after the file came into place is completed by the next change, and inherits through both', async () => {
    await useUp();
    await begin(state, anew, registered(OLD));
    const third = { ...anew, id: THIRD, ...madeOf(NEW) };
    await begin(state, third, registered(NEW));
    assert.deepEqual([(await present()).id, (await present()).pendingId], [NEW, THIRD]);
    await complete(state, third);
    const { id, state: now } = await present();
    assert.deepEqual([id, now.lastStep, now.spent, now.bucket.tokens], [THIRD, NOW, '10', 4]);
  });

  it('stays revoked where it was revoked meanwhile: completing the change made it active again', async () => {
    await begin(state, anew, registered(OLD));
    const known = await present();
    await state.store.exclusively((transaction) => askAndSave(transaction, { ...known, status: 'revoked' }));
    assert.equal(await login(NEW, code(NOW)), 'revoked');
    await complete(state, anew);
    assert.deepEqual([(await present()).id, (await present()).status], [NEW, 'revoked']);
    assert.equal(await login(NEW, code(NOW)), 'revoked');
  });

  it('is another thing than a new secret, which starts anew and is active', async () => {
    await useUp();
    const known = await present();
    await state.store.exclusively((transaction) => askAndSave(transaction, { ...known, status: 'revoked' }));
    const replacement: NewEnrolment = { ...enrolled, id: NEW, replace: true };
    await begin(state, replacement, registered(OLD));
    await complete(state, replacement);
    const { status, lastAcceptedMs, state: fresh } = await present();
    assert.deepEqual([status, lastAcceptedMs, fresh.lastStep, fresh.bucket.tokens, fresh.spent], ['active', 0, -1, 5, '00']);
    assert.ok(events().includes('replace'));
  });

  it('was made of the secret that had just been replaced: it took its place again, and inherited nothing that was used', async () => {
    await useUp();
    const replacement: NewEnrolment = { ...enrolled, ...registered(THIRD), replace: true };
    await begin(state, replacement, registered(OLD));
    await complete(state, replacement);
    const now = await present();
    const changed = { code: 'refused', message: 'the enrolment has changed meanwhile', hint: 'run the command again' };
    for (const inPlace of [OLD, THIRD]) await assert.rejects(begin(state, anew, registered(inPlace)), changed);
    assert.deepEqual(await present(), now);
    assert.equal(await login(OLD, SECOND_RECOVERY), 'stale_enrolment');
  });

  it('was made of the file with the earlier recovery codes, which were used, and came after the one with new ones', async () => {
    await useUp();
    const renewed: NewEnrolment = { ...anew, ...registered(THIRD), state: { spent: '00' }, event: 'recovery' };
    await begin(state, renewed, registered(OLD));
    await complete(state, renewed);
    await assert.rejects(begin(state, anew, registered(THIRD)), { code: 'refused', message: /has changed meanwhile/ });
    assert.equal((await present()).id, THIRD);
  });

  it('was made of a file whose replacement is in place and not registered yet', async () => {
    const replacement: NewEnrolment = { ...enrolled, ...registered(THIRD), replace: true };
    await begin(state, replacement, registered(OLD));
    await assert.rejects(begin(state, anew, registered(THIRD)), { code: 'refused', message: /has changed meanwhile/ });
    await complete(state, replacement);
    assert.equal((await present()).id, THIRD);
  });

  it('was made of a file with the registered id and other content, or of one that was revoked meanwhile', async () => {
    const other = { ...anew, expected: { ...anew.expected, digest: 'f'.repeat(64) } };
    await assert.rejects(begin(state, other, registered(OLD)), { code: 'refused', message: /has changed meanwhile/ });
    await revoke(state, ORIGIN);
    await assert.rejects(begin(state, anew, registered(OLD)), { code: 'refused', message: /has changed meanwhile/ });
  });

  it('needs an enrolment that is there', async () => {
    const nobody: NewEnrolment = { ...anew, origin: { ...ORIGIN, context: 'deploy' } };
    await assert.rejects(begin(state, nobody, registered(OLD)), { code: 'refused', message: /alice is not enrolled for deploy/ });
    assert.deepEqual(events(), ['enroll']);
  });

  it('is not found by the id of the file without its content', async () => {
    const status = state.store.exclusively((transaction) => registeredAs(transaction, ORIGIN, { id: OLD, digest: 'f'.repeat(64) }));
    assert.equal(await status, undefined);
  });

  it('is found by the file, the pending one too, with its status', async () => {
    const statusOf = (id: string, origin = ORIGIN): Promise<string | undefined> =>
      state.store.exclusively((transaction) => registeredAs(transaction, origin, registered(id)));
    assert.deepEqual([await statusOf(OLD), await statusOf(NEW)], ['active', undefined]);
    await begin(state, anew, registered(OLD));
    assert.deepEqual([await statusOf(OLD), await statusOf(NEW), await statusOf(THIRD)], ['active', 'active', undefined]);
    assert.equal(await statusOf(OLD, { ...ORIGIN, context: 'deploy' }), undefined);
    assert.equal(await statusOf(OLD, { ...ORIGIN, user: 'bob' }), undefined);
    await complete(state, anew);
    assert.deepEqual([await statusOf(OLD), await statusOf(NEW)], [undefined, 'active']);
    const known = await present();
    await state.store.exclusively((transaction) => askAndSave(transaction, { ...known, status: 'revoked' }));
    assert.equal(await statusOf(NEW), 'revoked');
  });
});
