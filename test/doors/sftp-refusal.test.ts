/** An SFTP client is told why it is refused: its greeting is answered, and every request of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { sftpRefusal } from '../../src/doors/sftp-refusal.ts';

const TEXT = 'notp: no one-time code was given (ref 0123abcd): …';

/** A packet as in section 3 of draft-ietf-secsh-filexfer-02. */
function packet(type: number, number: number, content: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt32BE(5 + content.length);
  head.writeUInt8(type, 4);
  head.writeUInt32BE(number, 5);
  return Buffer.concat([head, content]);
}

/** What it says to these bytes. */
function saidTo(bytes: Uint8Array): (Buffer | 'over')[] {
  const answer = sftpRefusal(TEXT);
  return [...bytes].flatMap((byte) => {
    const said = answer(byte);
    return said === undefined ? [] : [said === 'over' ? said : Buffer.from(said)];
  });
}

const REQUEST_TYPES = { min: 3, max: 20 };

describe('an SFTP client that is refused', () => {
  it('is greeted with version 3, whatever it can speak', () => {
    assert.deepEqual(saidTo(packet(1, 6)), [Buffer.from([0, 0, 0, 5, 2, 0, 0, 0, 3])]);
  });

  it('gets SSH_FX_PERMISSION_DENIED with the reason for each request, under its id', () => {
    const request = fc.record({
      type: fc.integer(REQUEST_TYPES),
      id: fc.integer({ min: 0, max: 0xffffffff }),
      content: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 20 }), (requests) => {
        const answers = saidTo(Buffer.concat([packet(1, 3), ...requests.map(({ type, id, content }) => packet(type, id, content))]));
        assert.equal(answers.length, 1 + requests.length);
        for (const [i, { id }] of requests.entries()) {
          const answer = answers[i + 1];
          assert.ok(Buffer.isBuffer(answer));
          assert.deepEqual([answer.readUInt32BE(0), answer[4], answer.readUInt32BE(5)], [answer.length - 4, 101, id]);
          const length = answer.readUInt32BE(13);
          assert.equal(answer.readUInt32BE(9), 3);
          assert.equal(answer.subarray(17, 17 + length).toString(), TEXT);
          assert.equal(answer.readUInt32BE(17 + length), 0);
          assert.equal(answer.length, 21 + length);
        }
      }),
    );
  });

  it('is left where a packet is too short or too long, and after a hundred answers', () => {
    for (const length of [0, 4, 256 * 1024 + 1, 0xffffffff]) {
      const nonsense = packet(17, 1);
      nonsense.writeUInt32BE(length);
      assert.deepEqual(saidTo(nonsense), ['over']);
    }
    assert.equal(saidTo(packet(3, 1, new Uint8Array(256 * 1024 - 5))).length, 1);
    const many = saidTo(Buffer.concat(Array.from({ length: 101 }, (_, i) => packet(17, i))));
    assert.deepEqual([many.length, many.filter((each) => each === 'over').length], [101, 1]);
  });

  it('gets no more than 2000 bytes of text', () => {
    const answer = sftpRefusal('x'.repeat(3000));
    const said = [...packet(17, 1)].map((byte) => answer(byte)).at(-1);
    assert.ok(said instanceof Uint8Array);
    assert.equal(said.length, 21 + 2000);
  });
});
