/** The chain of audit records: what is hashed, with which key, and that every change of a line shows. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { headAfter, nextLink } from '../../src/audit/chain.ts';

const START = { seq: 0, hash: '0'.repeat(64) };

describe('the chain', () => {
  it('links each record to the number and the hash of the one before', () => {
    assert.deepEqual(nextLink(START), { seq: 1, prev: '0'.repeat(64) });
    assert.deepEqual(nextLink({ seq: 41, hash: 'f'.repeat(64) }), { seq: 42, prev: 'f'.repeat(64) });
  });

  it("is SHA-256 without a key and HMAC-SHA256 with one, as Node's own", () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.uint8Array({ minLength: 1, maxLength: 64 }), (text, key) => {
        const line = `${text}\n`;
        const link = nextLink(START);
        assert.deepEqual(headAfter(link, line, undefined), { seq: 1, hash: createHash('sha256').update(line).digest('hex') });
        assert.deepEqual(headAfter(link, line, key), { seq: 1, hash: createHmac('sha256', key).update(line).digest('hex') });
      }),
    );
  });

  it('has another head where one character of one line is another', () => {
    const lines = ['{"a":1}\n', '{"a":2}\n', '{"a":3}\n'];
    for (const i of lines.keys()) {
      assert.notEqual(head(lines.with(i, lines[i]?.replace('a', 'b') ?? '')), head(lines), 'edited');
      assert.notEqual(head(lines.toSpliced(i, 1)), head(lines), 'removed');
    }
    assert.notEqual(head(lines.toReversed()), head(lines), 'another order');
  });
});

/** The head of the chain after `lines`, each with its link in it. */
function head(lines: readonly string[]): string {
  return lines.reduce((last, line) => headAfter(nextLink(last), JSON.stringify(nextLink(last)) + line, undefined), START).hash;
}
