/** One line may be read in more than one way: all of them are tried, and no answer tells which passphrase was right. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readings } from '../../src/otp/proof.ts';
import { passphraseKey } from '../../src/seal/keys.ts';
import { seal, type Payload } from '../../src/seal/seal.ts';
import type { SealedFile } from '../../src/seal/file.ts';
import { decide, type Verdict } from '../../src/verdict/decide.ts';
import { openReading } from '../../src/login/opening.ts';
import { PASSPHRASE_HEADER, PAYLOAD } from '../seal/sealed.ts';
import { EMPTY, NOW_MS, POLICY } from '../verdict/world.ts';

function sealedBy(passphrase: string, payload: Payload = PAYLOAD): SealedFile {
  const { seal: sealing } = PASSPHRASE_HEADER;
  assert.equal(sealing.kind, 'passphrase');
  return seal(PASSPHRASE_HEADER, payload, passphraseKey(passphrase, sealing), new Uint8Array(24));
}

function presented(line: string, passphrase: string): ReturnType<typeof openReading> {
  return openReading([sealedBy(passphrase)], readings(line, 'passphrase'), undefined);
}

/** What `line` is answered with an empty budget where `passphrase` is the right one. */
function answered(line: string, passphrase: string): Verdict {
  const what = presented(line, passphrase);
  assert.ok(what !== undefined);
  return decide([EMPTY], what, NOW_MS, POLICY).verdict;
}

describe('a line that can be read in more than one way', () => {
  it('is read as the one whose passphrase opens the file', () => {
    const line = 'pw 111111 222222';
    assert.deepEqual(presented(line, 'pw 111111')?.proof, { kind: 'code', code: '222222' });
    assert.deepEqual(presented(line, 'pw')?.proof, { kind: 'codes', codes: ['111111', '222222'] });
    assert.deepEqual(presented(line, 'other')?.opened, [undefined]);
  });

  it('is answered alike with an empty budget whichever passphrase is right', () => {
    for (const line of ['pw 111111 222222', 'pw 111 111 222 222', 'pw 111111', 'pw 111111 ABCDEFGHIJKLM', 'a 123456 123456 123456']) {
      const answers = ['other', 'pw', 'pw 111111', 'pw 111 111', 'a', 'a 123456', 'a 123456 123456'].map((right) => answered(line, right));
      for (const answer of answers) assert.deepEqual(answer, answers[0], line);
    }
  });

  it('is nothing where nothing can be read', () => {
    assert.equal(presented('no code at all', 'pw'), undefined);
  });
});
