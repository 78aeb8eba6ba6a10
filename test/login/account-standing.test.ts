/** How an enrolment and the file that was found stand to each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { registrationOf, type SealedFile } from '../../src/seal/file.ts';
import type { Enrolment, Status } from '../../src/store/store.ts';
import type { Found } from '../../src/system/secrets.ts';
import { standingOf } from '../../src/login/account.ts';
import { completed } from '../../src/store/enrolment.ts';
import { HOST_HEADER, PASSPHRASE_HEADER, PAYLOAD, sealed } from '../seal/sealed.ts';
import { ALICE } from '../store/alice.ts';

const [CURRENT, PENDING, OTHER] = ['1'.repeat(32), '2'.repeat(32), '3'.repeat(32)] as const;
const sealedFile = (id: string): SealedFile => sealed({ ...HOST_HEADER, id });
const digestOf = (id: string): string => registrationOf(sealedFile(id)).digest;
const ENROLLED: Enrolment = { ...ALICE, id: CURRENT, digest: digestOf(CURRENT), status: 'active' };
const REPLACING: Enrolment = { ...ENROLLED, pendingId: PENDING, pendingDigest: digestOf(PENDING) };
/** Of an enrolment that is not complete. */
const NONE = { id: '', digest: '' };
/** The same secret, sealed anew. */
const RESEALING: Enrolment = { ...REPLACING, pendingState: {} };

const fileOf = (id: string): Found => ({ kind: 'sealed', file: sealedFile(id) });
const ABSENT: Found = { kind: 'absent' };
const BAD: Found = { kind: 'bad', why: 'a symlink' };

/** The id that logs in, or the reason why none does. */
function standing(enrolment: Enrolment | undefined, found: Found): string {
  const result = standingOf(enrolment, found);
  return 'file' in result ? `${result.enrolment.status} ${result.enrolment.id}` : result.reason;
}

function rows(cases: readonly (readonly [Enrolment | undefined, Found, string])[]): void {
  for (const [enrolment, found, expected] of cases) assert.equal(standing(enrolment, found), expected, JSON.stringify([enrolment, found]));
}

describe('an enrolment and a file', () => {
  it('do not belong together by the id alone, which stands there in the clear', () => {
    const other = { ...PAYLOAD, secret: new Uint8Array(20).fill(7) };
    const forged: readonly SealedFile[] = [
      sealed({ ...HOST_HEADER, id: CURRENT }, other),
      sealed({ ...PASSPHRASE_HEADER, id: CURRENT }),
      { ...sealedFile(CURRENT), created: '2026-11-23T17:00:01Z' },
      { ...sealedFile(CURRENT), ciphertext: sealedFile(CURRENT).ciphertext.with(0, (sealedFile(CURRENT).ciphertext[0] ?? 0) ^ 1) },
    ];
    for (const file of forged) rows([[ENROLLED, { kind: 'sealed', file }, 'stale_enrolment']]);
    const pending = { ...sealedFile(PENDING), created: '2026-11-23T17:00:01Z' };
    rows([[REPLACING, { kind: 'sealed', file: pending }, 'stale_enrolment']]);
  });

  it('do not belong together where no content was registered, as an earlier notp did', () => {
    rows([
      [{ ...ENROLLED, digest: '' }, fileOf(CURRENT), 'stale_enrolment'],
      [{ ...REPLACING, pendingDigest: '' }, fileOf(PENDING), 'stale_enrolment'],
    ]);
  });

  it('belong together by the whole content, and only so', () => {
    rows([
      [ENROLLED, fileOf(CURRENT), `active ${CURRENT}`],
      [ENROLLED, fileOf(OTHER), 'stale_enrolment'],
      [ENROLLED, ABSENT, 'bad_secret_file'],
      [ENROLLED, BAD, 'bad_secret_file'],
      [undefined, fileOf(CURRENT), 'not_enrolled'],
      [undefined, ABSENT, 'not_enrolled'],
      [undefined, BAD, 'not_enrolled'],
    ]);
  });

  it('while another file is on its way: whichever is in place', () => {
    rows([
      [REPLACING, fileOf(CURRENT), `active ${CURRENT}`],
      [REPLACING, fileOf(PENDING), `active ${PENDING}`],
      [REPLACING, fileOf(OTHER), 'stale_enrolment'],
      [{ ...REPLACING, ...NONE }, fileOf(PENDING), `active ${PENDING}`],
      [{ ...REPLACING, ...NONE }, ABSENT, 'not_enrolled'],
      [{ ...REPLACING, ...NONE }, fileOf(OTHER), 'not_enrolled'],
    ]);
  });

  it('do not log in when it was revoked, whatever the file', () => {
    const revoked: Enrolment = { ...ENROLLED, status: 'revoked' };
    for (const found of [fileOf(CURRENT), fileOf(OTHER), ABSENT, BAD]) rows([[revoked, found, 'revoked']]);
  });

  it('log in again after a revocation with a new secret', () => {
    rows([
      [{ ...REPLACING, status: 'revoked' }, fileOf(PENDING), `active ${PENDING}`],
      [{ ...REPLACING, status: 'revoked' }, fileOf(CURRENT), 'revoked'],
    ]);
  });

  it('did log in again after a revocation with the same secret sealed anew', () => {
    rows([
      [{ ...RESEALING, status: 'revoked' }, fileOf(PENDING), 'revoked'],
      [RESEALING, fileOf(PENDING), `active ${PENDING}`],
    ]);
    assert.equal(completed({ ...RESEALING, status: 'revoked' }).status, 'revoked');
  });

  it('do not log in when somebody was merely invited, but do when that enrolment is made', () => {
    const invited: Enrolment = { ...ENROLLED, ...NONE, status: 'invited' };
    for (const found of [fileOf(OTHER), ABSENT]) rows([[invited, found, 'not_enrolled']]);
    rows([
      [{ ...invited, pendingId: PENDING, pendingDigest: digestOf(PENDING) }, fileOf(PENDING), `active ${PENDING}`],
      [{ ...invited, pendingId: PENDING, pendingDigest: digestOf(PENDING) }, fileOf(OTHER), 'not_enrolled'],
    ]);
  });

  it('that has no pending one do not belong together by its absence', () => {
    for (const status of ['active', 'revoked', 'invited'] satisfies Status[]) {
      assert.notEqual(standing({ ...ENROLLED, ...NONE, status }, ABSENT).slice(0, 6), 'active');
    }
  });

  it('with new recovery codes go on with everything else, and stay revoked', () => {
    const renewing: Enrolment = { ...REPLACING, pendingState: { spent: '00' } };
    const { state, lastAcceptedMs, pendingState } = completed(renewing);
    assert.deepEqual(state, { ...ENROLLED.state, spent: '00' });
    assert.deepEqual([lastAcceptedMs, pendingState], [ENROLLED.lastAcceptedMs, {}]);
    rows([
      [renewing, fileOf(PENDING), `active ${PENDING}`],
      [renewing, fileOf(CURRENT), `active ${CURRENT}`],
      [{ ...renewing, status: 'revoked' }, fileOf(PENDING), 'revoked'],
    ]);
  });

  it('of a token that counts begin at the counter that was carried over', () => {
    const token: Enrolment = { ...REPLACING, pendingState: { ...ENROLLED.state, lastStep: 41, spent: '' } };
    assert.deepEqual(completed(token).state, { ...ENROLLED.state, lastStep: 41, spent: '' });
    assert.equal(completed(token).lastAcceptedMs, 0);
    assert.deepEqual(completed(token).pendingState, {});
  });

  it('of a new secret begin with its own state, of the same secret go on with theirs', () => {
    assert.deepEqual(completed(REPLACING).state, REPLACING.pendingState);
    assert.equal(completed(REPLACING).lastAcceptedMs, 0);
    assert.deepEqual(completed(RESEALING).state, RESEALING.state);
    assert.equal(completed(RESEALING).lastAcceptedMs, RESEALING.lastAcceptedMs);
    assert.equal(completed(REPLACING).pendingId, '');
  });
});
