/** Files that somebody made with all that lies in the open: the id and the whole registered file, and no host key. None of them logs in. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { assert as holds, asyncProperty, constantFrom, record, uint8Array } from 'fast-check';
import { codeAt } from '../../src/otp/code.ts';
import { MIN_KDF_MEMORY_KIB, MIN_KDF_PASSES, type PassphraseSeal, type SealedFile } from '../../src/seal/file.ts';
import { passphraseKey } from '../../src/seal/keys.ts';
import { seal } from '../../src/seal/seal.ts';
import { revoke } from '../../src/enrolment/registrar.ts';
import { lacks } from '../support/world.ts';
import { askAndSave } from '../store/alice.ts';
import { localWorld, ORIGIN, PERIOD_MS, type LocalWorld, type Secret } from './local-world.ts';

describe('a file with the id of the registered one', { skip: lacks({ programs: ['getent'] }) }, () => {
  let world: LocalWorld;
  let victim: Secret;
  beforeEach(async () => {
    world = localWorld('forged');
    victim = await world.enrol();
  });

  /** Sealed by a passphrase of the forger's own, around a secret of their own. */
  const forged = (secret: Uint8Array, passphrase: string, changes: Partial<SealedFile> = {}): SealedFile => {
    const own: PassphraseSeal = { kind: 'passphrase', m: MIN_KDF_MEMORY_KIB, t: MIN_KDF_PASSES, p: 1, salt: new Uint8Array(16) };
    const payload = { ...victim.payload, secret, recovery: { salt: new Uint8Array(16), hashes: [] } };
    const header = { ...victim.file, ...changes, seal: own };
    return seal(header, payload, passphraseKey(passphrase, own), new Uint8Array(24));
  };
  const login = async (file: SealedFile, secret: Uint8Array, passphrase: string | undefined): Promise<string> => {
    const code = codeAt(secret, Math.floor(world.nowMs / PERIOD_MS), victim.payload);
    return await world.verify({ kind: 'sealed', file }, { kind: 'code', code }, {}, undefined, passphrase);
  };

  it('was accepted with a secret of the forger, and costs the owner nothing', async () => {
    const secret = new Uint8Array(20).fill(9);
    assert.equal(await login(forged(secret, 'mine'), secret, 'mine'), 'stale_enrolment');
    assert.equal(await login(forged(secret, ''), secret, undefined), 'stale_enrolment');
    assert.equal((await world.enrolment())?.state.bucket.tokens, 5);
    assert.equal(await world.verify(victim, world.code(victim)), 'totp');
  });

  it('was accepted where it had the id of the pending one', async () => {
    const secret = new Uint8Array(20).fill(9);
    const next = 'f'.repeat(32);
    await world.withState(({ store }) =>
      store.exclusively(async (transaction) => {
        const known = await transaction.enrolment('alice', 'ssh');
        assert.ok(known !== undefined);
        await transaction.save({ ...known, pendingId: next, pendingDigest: 'f'.repeat(64), pendingState: known.state });
      }),
    );
    assert.equal(await login(forged(secret, 'mine', { id: next }), secret, 'mine'), 'stale_enrolment');
    assert.equal((await world.enrolment())?.pendingId, next);
  });

  it('does not log in, whatever of it was changed', async () => {
    const parts = record({
      part: constantFrom('created', 'nonce', 'ciphertext', 'seal' as const),
      bytes: uint8Array({ minLength: 24, maxLength: 24 }),
    });
    await holds(
      asyncProperty(parts, async ({ part, bytes }) => {
        const { file } = victim;
        const changes = {
          created: { created: `2020-01-01T00:00:${String((bytes[0] ?? 0) % 60).padStart(2, '0')}Z` },
          nonce: { nonce: bytes },
          ciphertext: { ciphertext: Uint8Array.from([...bytes, ...file.ciphertext.subarray(24)]) },
          seal: { seal: { kind: 'host', key: Buffer.from(bytes.subarray(0, 8)).toString('hex') } },
        } as const;
        assert.equal(await login({ ...file, ...changes[part] }, victim.payload.secret, undefined), 'stale_enrolment');
      }),
      { numRuns: 40 },
    );
    assert.equal(await world.verify(victim, world.code(victim)), 'totp');
  });

  it('is of no use after the revocation either, nor is the registered one', async () => {
    await world.withState((state) => revoke(state, ORIGIN));
    assert.equal(await world.verify(victim, world.code(victim)), 'revoked');
    const known = await world.enrolment();
    assert.ok(known !== undefined);
    assert.equal(known.digest, '');
    // Whoever can only change the status finds nothing that it would count for.
    await world.withState(({ store }) =>
      store.exclusively(async (transaction) => {
        await askAndSave(transaction, { ...known, status: 'active' });
      }),
    );
    assert.equal(await world.verify(victim, world.code(victim)), 'stale_enrolment');
  });
});
