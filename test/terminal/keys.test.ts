/** Keys are told apart by their bytes, and Escape by the time that follows it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyReader } from '../../src/terminal/keys.ts';
import { sleep } from '../support/process.ts';

const ESC = '\x1b';
/** Longer than a sequence is waited for. */
const PAUSE_MS = 300;

/** The keys that come out where these texts are typed, with a pause after each. */
async function keysOf(...typed: readonly string[]): Promise<string[]> {
  const keys: string[] = [];
  const reader = new KeyReader((key) => keys.push(key));
  for (const [i, text] of typed.entries()) {
    if (i > 0) await sleep(PAUSE_MS);
    for (const byte of Buffer.from(text)) reader.byte(byte);
  }
  reader.close();
  return keys;
}

describe('keys', () => {
  it('are the characters that are typed, control characters too', async () => {
    assert.deepEqual(await keysOf('qN \r\x03\x04'), ['q', 'N', ' ', '\r', '\x03', '\x04']);
  });

  for (const [name, sequence] of Object.entries({
    'an arrow key': `${ESC}[A`,
    'an arrow key in application mode': `${ESC}OA`,
    'a function key': `${ESC}[15~`,
    'a key with modifiers': `${ESC}[1;5D`,
    'a letter with Alt': `${ESC}q`,
  })) {
    it(`are not the bytes of ${name}`, async () => {
      assert.deepEqual(await keysOf(`${sequence}x`), ['x']);
    });
  }

  it('are Escape where nothing follows it', async () => {
    assert.deepEqual(await keysOf(ESC, 'x'), [ESC, 'x']);
    assert.deepEqual(await keysOf(`${ESC}${ESC}`, 'x'), [ESC, ESC, 'x']);
  });

  it('are none after close()', async () => {
    const closed = keysOf(ESC);
    await sleep(PAUSE_MS);
    assert.deepEqual(await closed, []);
  });

  it('are Ctrl-C in the middle of a sequence too', async () => {
    assert.deepEqual(await keysOf(`${ESC}[1\x03`), ['\x03']);
    assert.deepEqual(await keysOf(`${ESC}\x03`), [ESC, '\x03']);
  });
});
