/** XChaCha20-Poly1305: what notp encrypts is what another implementation does, and the other way round. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import * as fc from 'fast-check';
import { decrypt, encrypt } from '../../src/seal/xchacha.ts';

function bytes(minLength: number, maxLength = minLength): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength, maxLength });
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

it('the vector of the draft (appendix A.3.1) is encrypted and opened', () => {
  const binding = {
    key: hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f'),
    nonce: hex('404142434445464748494a4b4c4d4e4f5051525354555657'),
    associated: hex('50515253c0c1c2c3c4c5c6c7'),
  };
  const plaintext = Buffer.from(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
  );
  const ciphertext = hex(`bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
    731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
    21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49`);
  assert.deepEqual(encrypt(plaintext, binding), ciphertext);
  assert.deepEqual(Buffer.from(decrypt(ciphertext, binding) ?? []), plaintext);
});

it('one implementation opens what the other encrypts, and neither opens it with a bit changed', () => {
  fc.assert(
    fc.property(bytes(32), bytes(24), bytes(0, 80), bytes(0, 300), fc.nat(), (key, nonce, associated, plaintext, at) => {
      const binding = { key, nonce, associated };
      const other = xchacha20poly1305(key, nonce, associated);
      const ciphertext = encrypt(plaintext, binding);
      assert.deepEqual(ciphertext, other.encrypt(plaintext));
      assert.deepEqual(decrypt(ciphertext, binding), plaintext);
      const changed = Uint8Array.from(ciphertext);
      changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ 1;
      assert.equal(decrypt(changed, binding), undefined);
      assert.equal(decrypt(ciphertext.subarray(0, at % ciphertext.length), binding), undefined);
    }),
  );
});
