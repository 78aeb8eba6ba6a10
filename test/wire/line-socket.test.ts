/** Lines over a socket: how long one may be, how long one may take. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { connectLines, type LineSocket } from '../../src/wire/line-socket.ts';
import { sleep } from '../support/process.ts';
import { scratchFolder } from '../support/world.ts';
import { fakeService } from './fake-service.ts';

const LIMITS = { maxBytes: 100, deadlineMs: 400 };
let folder: string;
before(() => {
  folder = scratchFolder('lines');
});

/** A connection to somebody who answers the first line with `chunks`, one at a time. */
async function answering(...chunks: readonly (string | Uint8Array)[]): Promise<LineSocket> {
  const service = await fakeService(folder, async (socket, next) => {
    await next();
    for (const chunk of chunks) {
      socket.write(chunk);
      await sleep(30);
    }
  });
  return await connectLines(service.path, LIMITS);
}

describe('a line', () => {
  it('of the largest length comes through, one byte more does not', async () => {
    assert.equal(await (await answering('x'.repeat(99) + '\n')).ask('?\n'), 'x'.repeat(99));
    await assert.rejects((await answering('x'.repeat(100) + '\n')).ask('?\n'), { code: 'store_unavailable', message: /too long/ });
    await assert.rejects((await answering('x'.repeat(50), 'x'.repeat(51))).ask('?\n'), { message: /too long/ });
  });

  it('may come in pieces, also of characters', async () => {
    const bytes = Buffer.from('é😀\n');
    assert.equal(await (await answering(...[...bytes].map((byte) => Uint8Array.of(byte)))).ask('?\n'), 'é😀');
  });

  it('comes alone: another one, whole or begun, is no answer', async () => {
    for (const more of ['b\n', 'b', '\n'])
      await assert.rejects((await answering(`a\n${more}`)).ask('?\n'), { message: /more than one line/ });
  });

  it('that has no end in time is no answer', async () => {
    await assert.rejects((await answering('abc')).ask('?\n'), { code: 'store_unavailable', message: /did not answer within 0\.4 seconds/ });
  });
});

describe('a conversation', () => {
  it('has one question after the other', async () => {
    const service = await fakeService(folder, async (socket, next) => {
      for (let i = 1; i <= 3; i++) {
        await next();
        socket.write(`${String(i)}\n`);
      }
    });
    const lines = await connectLines(service.path, LIMITS);
    for (const expected of ['1', '2', '3']) assert.equal(await lines.ask(`${expected}?\n`), expected);
    assert.equal(service.received(), '1?\n2?\n3?\n');
    lines.close();
    await assert.rejects(lines.ask('4?\n'), { code: 'store_unavailable', message: /it is gone/ });
  });

  it('is over after a failure', async () => {
    const lines = await answering('a\nb\n');
    await assert.rejects(lines.ask('?\n'));
    await assert.rejects(lines.ask('?\n'), { message: /it is gone/ });
  });

  it('ends without an uncaught error when the other side resets it between two questions', async () => {
    const service = await fakeService(folder, async (socket, next) => {
      await next();
      socket.write('1\n', () => socket.destroy());
    });
    const lines = await connectLines(service.path, LIMITS);
    assert.equal(await lines.ask('?\n'), '1');
    await sleep(50);
    await assert.rejects(lines.ask('?\n'), { code: 'store_unavailable' });
  });
});
