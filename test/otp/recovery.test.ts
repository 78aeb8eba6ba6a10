/** Recovery codes: long enough, typed in any way, kept only as salted hashes. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { fromBase32 } from '../../src/otp/code.ts';
import {
  canonicalRecoveryCode,
  EMERGENCY_DIGITS,
  formatRecoveryCode,
  keptRecoveryCodes,
  newRecoveryCodes,
  RECOVERY_BYTES,
  RECOVERY_CHARACTERS,
  recoveryIndex,
} from '../../src/otp/recovery.ts';

describe('a recovery code', () => {
  it('has at least 60 bits, each of them from the random source', () => {
    assert.ok(RECOVERY_CHARACTERS * 5 >= 60);
    const seen = new Set<string>();
    const base = new Uint8Array(RECOVERY_BYTES);
    seen.add(formatRecoveryCode(base));
    for (let bit = 0; bit < RECOVERY_CHARACTERS * 5; bit++) {
      seen.add(formatRecoveryCode(base.with(bit >> 3, 0x80 >> (bit & 7))));
    }
    assert.equal(seen.size, RECOVERY_CHARACTERS * 5 + 1);
  });

  it('is shown in groups', () => {
    assert.match(formatRecoveryCode(randomBytes(RECOVERY_BYTES)), /^[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{5}$/);
  });

  for (const typed of [
    'ABCD-EFGH-JKLM2',
    'abcd-efgh-jklm2',
    'AbCdEfGhJkLm2',
    ' abcd efgh jklm2 ',
    'a-b-c-d-e-f-g-h-j-k-l-m-2',
    '--ABCDEFGHJKLM2',
  ]) {
    it(`may be typed as ${JSON.stringify(typed)}`, () => {
      assert.equal(canonicalRecoveryCode(typed), 'ABCDEFGHJKLM2');
    });
  }

  for (const typed of [
    '',
    'ABCD-EFGH-JKLM',
    'ABCD-EFGH-JKLM22',
    'ABCD-EFGH-JKLM1',
    'ABCD-EFGH-JKLM0',
    'ABCD_EFGH_JKLM2',
    'ÄBCD-EFGH-JKLM2',
  ]) {
    it(`cannot be ${JSON.stringify(typed)}`, () => {
      assert.equal(canonicalRecoveryCode(typed), undefined);
    });
  }
});

describe('new recovery codes', () => {
  const { codes, kept } = newRecoveryCodes(10, randomBytes);
  const canonical = codes.map((code) => canonicalRecoveryCode(code) ?? '');

  it('are as many as asked for, all different, and found at their place', () => {
    assert.equal(new Set(codes).size, 10);
    for (const [i, code] of canonical.entries()) assert.equal(recoveryIndex(code, kept), i);
  });

  it('are kept as salted hashes that tell nothing of the code', () => {
    for (const [i, code] of canonical.entries()) {
      const hash = Buffer.from(kept.hashes[i] ?? []);
      assert.equal(hash.includes(Buffer.from(code)), false);
      assert.notDeepEqual(hash, createHash('sha256').update(code).digest());
      assert.notDeepEqual(
        hash,
        createHash('sha256')
          .update(fromBase32(code.slice(0, 8)))
          .digest(),
      );
    }
    const again = newRecoveryCodes(1, (length) => new Uint8Array(length));
    const other = newRecoveryCodes(1, (length) => new Uint8Array(length).fill(length === RECOVERY_BYTES ? 0 : 1));
    assert.equal(again.codes[0], other.codes[0]);
    assert.notDeepEqual(again.kept.hashes, other.kept.hashes);
  });

  it('do not include a code of another enrolment', () => {
    const { kept: others } = newRecoveryCodes(10, randomBytes);
    for (const code of canonical) assert.equal(recoveryIndex(code, others), -1);
  });

  it('may be none', () => {
    const none = newRecoveryCodes(0, randomBytes);
    assert.deepEqual(none.codes, []);
    assert.equal(recoveryIndex('ABCDEFGHJKLM2', none.kept), -1);
  });
});

describe('codes that were carried over', () => {
  const carried = ['12345678', '00000000', '99999999'];
  const kept = keptRecoveryCodes(carried, randomBytes);

  it('are found at their place, and no other is', () => {
    assert.deepEqual(
      carried.map((code) => recoveryIndex(code, kept)),
      [0, 1, 2],
    );
    for (const code of ['12345679', '1234567', '123456780', '']) assert.equal(recoveryIndex(code, kept), -1);
  });

  it('are kept as new ones are: salted hashes', () => {
    const [first] = keptRecoveryCodes(['ABCDEFGHJKLM2'], () => new Uint8Array(16)).hashes;
    const other = keptRecoveryCodes(['ABCDEFGHJKLM2'], () => new Uint8Array(16).fill(1)).hashes[0];
    assert.equal(first?.length, 32);
    assert.notDeepEqual(first, other);
    assert.equal(kept.salt.length, 16);
  });

  it('can never be typed as a recovery code, nor a recovery code as one', () => {
    for (const code of ['12345678', '23456723', '2345 6723']) assert.equal(canonicalRecoveryCode(code), undefined);
    assert.notEqual(RECOVERY_CHARACTERS, EMERGENCY_DIGITS);
  });
});
