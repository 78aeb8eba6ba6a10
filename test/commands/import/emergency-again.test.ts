/** An emergency code belongs to the secret alone: it works once, however the other codes of the secret are numbered when it comes again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { storeLogin, type Storing } from '../../../src/commands/import/login.ts';
import { isOfSecret, marksOf } from '../../../src/commands/import/marks.ts';
import { targetOf } from '../../../src/commands/import/login-plan.ts';
import type { Credential, HotpCredential, TotpCredential } from '../../../src/otp/uri.ts';
import { printSealedFile } from '../../../src/seal/file.ts';
import { defaultConfig } from '../../../src/system/config.ts';
import { localWorld } from '../../login/local-world.ts';

const CONFIG = { ...defaultConfig(), secretsInStore: true, contexts: ['ssh', 'phone'] };
const ALICE = { name: 'alice', uid: 1000, gid: 1000, home: '/nonexistent', shell: '/bin/sh' };
const CODES = ['11111111', '22222222', '33333333'] as const;
const SAME = { secret: new Uint8Array(20).fill(7), issuer: 'bastion', account: 'alice', algorithm: 'SHA1', digits: 6 } as const;
const EVERY_30: TotpCredential = { type: 'totp', ...SAME, periodSeconds: 30 };
const EVERY_60: TotpCredential = { type: 'totp', ...SAME, periodSeconds: 60 };
const COUNTING: HotpCredential = { type: 'hotp', ...SAME, counter: 0 };
const STORING: Storing = { passphrase: undefined, replace: true, otherThan: undefined };

describe('an emergency code that was used', () => {
  for (const [what, first, second, codes, left] of [
    ['with another STEP_SIZE', EVERY_30, EVERY_60, CODES, 2],
    ['as a token that counts', EVERY_60, COUNTING, CODES, 2],
    ['as one that does not count any more', COUNTING, EVERY_30, CODES, 2],
    ['with another STEP_SIZE and without a code', EVERY_30, EVERY_60, CODES.slice(0, 2), 0],
  ] as const satisfies readonly (readonly [string, Credential, Credential, readonly string[], number])[])
    it(`worked again where its secret came back ${what}`, async () => {
      const world = localWorld(`emergency-again-${String(left)}-${second.type}-${first.type}`);
      const imported = async (context: string, credential: Credential, emergency: readonly string[]): Promise<number> => {
        const target = targetOf({ config: CONFIG, place: world.place, now: () => world.nowMs }, ALICE, context);
        const foreign = { credential, emergency, lastStep: undefined, notes: [] };
        return (await world.withState((state) => storeLogin(target, state, foreign, STORING))).left;
      };
      const login = (context: string, code: string): Promise<string> =>
        world.verify(
          { kind: 'absent' },
          { kind: 'code', code },
          { files: [{ context, found: { kind: 'absent' } }], account: [context], inStore: true },
        );
      assert.equal(await imported('ssh', first, CODES), 3);
      assert.deepEqual([await login('ssh', CODES[0]), await login('ssh', CODES[0])], ['recovery', 'replayed']);
      const { file } = await world.enrol();
      await world.withState((state) =>
        state.store.exclusively((all) => all.putSealed('alice', 'ssh', Buffer.from(printSealedFile(file)).toString())),
      );
      assert.equal(await imported('phone', second, codes), left);
      assert.equal(await login('phone', CODES[0]), 'replayed');
      assert.equal(await login('phone', CODES[1]), left === 0 ? 'replayed' : 'recovery');
    });

  it('is known by the list of codes where an earlier release made the mark', () => {
    const marks = marksOf({ credential: EVERY_60, emergency: CODES }, undefined);
    const [earlier] = marksOf({ credential: EVERY_30, emergency: CODES }, undefined).slice(1);
    const [other] = marksOf({ credential: EVERY_30, emergency: CODES.slice(1) }, undefined).slice(1);
    assert.ok(earlier !== undefined && other !== undefined);
    assert.deepEqual([isOfSecret(marks, earlier), isOfSecret(marks, other)], [true, false]);
  });
});
