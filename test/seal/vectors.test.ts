/** A sealed file that was written once opens for ever: the frozen files of test/vectors. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { fromBase32 } from '../../src/otp/code.ts';
import { canonicalRecoveryCode, recoveryIndex } from '../../src/otp/recovery.ts';
import { parseSealedFile, printSealedFile } from '../../src/seal/file.ts';
import { hostKeyId, hostSealKey, passphraseKey } from '../../src/seal/keys.ts';
import { open, type Payload } from '../../src/seal/seal.ts';

interface Content {
  readonly secret: string;
  readonly recovery: readonly string[];
}

/** What is in the frozen files, and what opens them. */
interface Expected {
  readonly 'sealed-passphrase.json': { readonly passphrase: string; readonly content: Content };
  readonly 'sealed-host.json': { readonly hostKey: string; readonly content: Content };
  readonly 'sealed-hotp.json': { readonly passphrase: string; readonly content: Content };
}

const expected = createRequire(import.meta.url)('../vectors/expected.json') as Expected;

function vector(name: keyof Expected): Uint8Array {
  return fs.readFileSync(path.join(import.meta.dirname, '../vectors', name));
}

function assertContent(payload: Payload | undefined, { secret, recovery, ...rest }: Content): void {
  assert.ok(payload !== undefined);
  const { secret: bytes, recovery: kept, ...others } = payload;
  assert.deepEqual({ ...others }, rest);
  assert.deepEqual(Buffer.from(bytes), Buffer.from(fromBase32(secret)));
  assert.equal(kept.hashes.length, recovery.length);
  for (const [i, code] of recovery.entries()) assert.equal(recoveryIndex(canonicalRecoveryCode(code) ?? '', kept), i);
}

describe('a frozen sealed file', () => {
  it('opens with its passphrase', () => {
    const { passphrase, content } = expected['sealed-passphrase.json'];
    const file = parseSealedFile(vector('sealed-passphrase.json'));
    assert.ok(file.seal.kind === 'passphrase');
    assertContent(open(file, passphraseKey(passphrase, file.seal)), content);
    assert.equal(open(file, passphraseKey(`${passphrase} `, file.seal)), undefined);
  });

  it('opens with its host key', () => {
    const { hostKey, content } = expected['sealed-host.json'];
    const key = Buffer.from(hostKey, 'hex');
    const file = parseSealedFile(vector('sealed-host.json'));
    assert.deepEqual(file.seal, { kind: 'host', key: hostKeyId(key) });
    assertContent(open(file, hostSealKey(key, file.id)), content);
    assert.equal(open(file, hostSealKey(key.fill(0), file.id)), undefined);
  });

  it('of a counted secret opens with its passphrase', () => {
    const { passphrase, content } = expected['sealed-hotp.json'];
    const file = parseSealedFile(vector('sealed-hotp.json'));
    assert.ok(file.seal.kind === 'passphrase');
    assertContent(open(file, passphraseKey(passphrase, file.seal)), content);
  });

  for (const name of ['sealed-passphrase.json', 'sealed-host.json', 'sealed-hotp.json'] as const) {
    it(`${name} is printed as it was read`, () => {
      assert.deepEqual(Buffer.from(printSealedFile(parseSealedFile(vector(name)))), Buffer.from(vector(name)));
    });
  }
});
