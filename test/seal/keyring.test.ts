/** One passphrase, one derivation; and no file can have a key made for less than the present cost. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MIN_KDF_MEMORY_KIB, MIN_KDF_PASSES, NONCE_BYTES, type PassphraseSeal, type SealedFile } from '../../src/seal/file.ts';
import { DEFAULT_KDF, type Argon2id } from '../../src/seal/keys.ts';
import { haveSameSeal, Keyring, sharable } from '../../src/seal/keyring.ts';
import { seal } from '../../src/seal/seal.ts';
import { HOST_HEADER, PASSPHRASE_HEADER, PAYLOAD, sealed } from './sealed.ts';

const PRESENT: PassphraseSeal = { kind: 'passphrase', ...DEFAULT_KDF, salt: new Uint8Array(16).fill(1) };
const salted = (byte: number, more: Partial<PassphraseSeal> = {}): PassphraseSeal => ({
  ...PRESENT,
  salt: new Uint8Array(16).fill(byte),
  ...more,
});

/** A derivation that costs nothing, and the seals that it was called for. */
function counting(): { readonly derive: Argon2id; readonly calls: PassphraseSeal[] } {
  const calls: PassphraseSeal[] = [];
  const derive: Argon2id = (passphrase, cost) => {
    calls.push(cost);
    return new Uint8Array(32).fill((passphrase[0] ?? 0) ^ (cost.salt[0] ?? 0));
  };
  return { derive, calls };
}

function fileOf(context: string, its: PassphraseSeal, passphrase = 'p'): SealedFile {
  const { derive } = counting();
  const key = derive(Buffer.from(passphrase), its);
  return seal({ ...PASSPHRASE_HEADER, context, seal: its }, PAYLOAD, key, new Uint8Array(NONCE_BYTES).fill(context.length));
}

describe('a keyring', () => {
  it('derives one key for fifty files of one seal, and one more for another', () => {
    const { derive, calls } = counting();
    const keyring = new Keyring('p', derive);
    for (let i = 0; i < 50; i++) assert.equal(keyring.open(fileOf(`s${String(i)}`, PRESENT))?.account, PAYLOAD.account);
    assert.equal(calls.length, 1);
    assert.ok(keyring.open(fileOf('other', salted(2))) !== undefined);
    assert.deepEqual(calls, [PRESENT, salted(2)]);
  });

  it('opens nothing that another passphrase or a host has sealed, or that is not whole', () => {
    const { derive, calls } = counting();
    const keyring = new Keyring('p', derive);
    assert.equal(keyring.open(fileOf('theirs', PRESENT, 'q')), undefined);
    assert.equal(keyring.open(sealed(HOST_HEADER)), undefined);
    const whole = fileOf('github', PRESENT);
    assert.ok(keyring.open(whole) !== undefined);
    for (const changed of [
      { ...whole, context: 'gitlab' },
      { ...whole, user: 'bob' },
      { ...whole, id: whole.id.replace('0', '1') },
      { ...whole, created: '2026-11-23T17:00:01Z' },
      { ...whole, seal: salted(1, { t: 4 }) },
      { ...whole, seal: salted(2) },
      { ...whole, nonce: new Uint8Array(NONCE_BYTES) },
      { ...whole, ciphertext: whole.ciphertext.subarray(1) },
    ])
      assert.equal(keyring.open(changed), undefined);
    assert.ok(calls.length <= 3);
  });

  it('derives as every file is sealed, with Argon2id', () => {
    const keyring = new Keyring('correct horse');
    assert.deepEqual(keyring.open(sealed(PASSPHRASE_HEADER)), PAYLOAD);
    keyring.close();
  });

  it('wipes its keys when it is closed, and derives them again after that', () => {
    const { derive, calls } = counting();
    const keyring = new Keyring('p', derive);
    const key = keyring.keyOf(PRESENT);
    assert.ok(key.some((byte) => byte !== 0));
    keyring.close();
    assert.ok(key.every((byte) => byte === 0));
    keyring.keyOf(PRESENT);
    assert.equal(calls.length, 2);
  });
});

function namesOf(files: readonly SealedFile[]): string[] {
  return sharable(files).map(({ context }) => context);
}

describe('a seal to share', () => {
  it('is that of the most files first, each once', () => {
    const files = [fileOf('a', salted(1)), fileOf('b', salted(2)), fileOf('c', salted(2)), fileOf('d', salted(3))];
    assert.deepEqual(namesOf(files), ['b', 'a', 'd']);
    assert.deepEqual(namesOf([]), []);
  });

  it('is none of another cost than the present one, however many have it, and none of a host', () => {
    const cheap = salted(4, { m: MIN_KDF_MEMORY_KIB, t: MIN_KDF_PASSES });
    const others = [cheap, salted(5, { t: 2 }), salted(6, { m: 65_535 }), salted(7, { p: 2 }), salted(8, { m: 131_072, t: 6 })];
    const files = [...others, ...others].map((its, i) => fileOf(`o${String(i)}`, its));
    assert.deepEqual(namesOf([...files, sealed(HOST_HEADER), fileOf('good', PRESENT)]), ['good']);
  });

  it('is the same only with the same salt and cost', () => {
    assert.ok(haveSameSeal(PRESENT, { ...PRESENT, salt: PRESENT.salt.slice() }));
    for (const other of [salted(2), salted(1, { m: 65_535 }), salted(1, { t: 4 }), salted(1, { p: 2 })])
      assert.ok(!haveSameSeal(PRESENT, other));
  });
});
