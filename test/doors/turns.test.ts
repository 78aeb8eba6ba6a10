/** Turns by account: one that asks without end is answered as the others are, and it alone waits. */
import * as assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { crowd, turns } from '../../src/doors/turns.ts';
import { atEnd } from '../support/cleanup.ts';
import { scratchFolder } from '../support/world.ts';

describe('turns', () => {
  it('come to each account one after the other, however many questions one of them has', async () => {
    const inTurn = turns();
    const answered: string[] = [];
    const ask = (account: string): Promise<void> =>
      inTurn.take(account, () => {
        answered.push(account);
        return Promise.resolve();
      });
    await Promise.all([...Array.from({ length: 5 }, () => ask('flood')), ask('alice'), ask('bob'), ask('alice')]);
    // The first is begun before anybody else has come.
    assert.deepEqual(answered, ['flood', 'flood', 'alice', 'bob', 'flood', 'alice', 'flood', 'flood']);
  });

  it('let a flood from one source keep the same account waiting at another, past every deadline', async () => {
    let nowMs = 0;
    const inTurn = turns(() => nowMs);
    const answered: string[] = [];
    const ask = (source: string): Promise<void> =>
      inTurn.take(
        'alice',
        () => {
          nowMs += 1_000;
          answered.push(source);
          return Promise.resolve();
        },
        source,
      );
    await Promise.all(Array.from({ length: 20 }, () => ask('flood')));
    const flood: Promise<void>[] = [];
    while (!inTurn.isFull('alice', 'flood')) flood.push(ask('flood'));
    assert.ok(flood.length <= 25, 'whoever would wait for longer than anybody is turned away');
    assert.equal(inTurn.isFull('alice', 'owner'), false);
    answered.length = 0;
    await Promise.all([...flood, ask('owner')]);
    assert.ok(answered.indexOf('owner') <= 2, answered.join(' '));
  });

  it('go on after a question that failed, and tell who asked it', async () => {
    const inTurn = turns();
    const failed = inTurn.take('a', () => Promise.reject(new Error('broken')));
    const next = inTurn.take('a', () => Promise.resolve('answered'));
    await assert.rejects(failed, /broken/);
    assert.equal(await next, 'answered');
    assert.equal(await inTurn.take('a', () => Promise.resolve('later')), 'later');
  });

  it('are full for one account and not for another', async () => {
    const inTurn = turns();
    const all: Promise<void>[] = [];
    while (!inTurn.isFull('flood')) all.push(inTurn.take('flood', () => Promise.resolve()));
    assert.ok(all.length >= 64);
    assert.equal(inTurn.isFull('alice'), false);
    await Promise.all(all);
    assert.equal(inTurn.isFull('flood'), false);
  });
});

describe('a crowd at prompts', () => {
  it('costs the account with the most connections its oldest ones, and nobody else any', async () => {
    const file = path.join(scratchFolder('crowd'), 'socket');
    const server = createServer();
    server.listen(file);
    await once(server, 'listening');
    const waiting = crowd(10);
    const arrive = async (account: string): Promise<Socket> => {
      const arrived = once(server, 'connection');
      const client = connect(file);
      client.on('error', () => undefined);
      const [socket] = (await arrived) as [Socket];
      waiting.enter(socket);
      waiting.asks(socket);
      waiting.waits(socket, account);
      return socket;
    };
    const sockets = new Map<string, Socket>();
    atEnd(() => {
      for (const socket of sockets.values()) socket.destroy();
      server.close();
    });
    for (const name of ['owner', ...Array.from({ length: 20 }, (_, i) => `flood ${String(i)}`), 'late'])
      sockets.set(name, await arrive(name.replace(/ \d+$/, '')));
    const gone = [...sockets].filter(([, socket]) => socket.destroyed).map(([name]) => name);
    assert.deepEqual(
      gone,
      Array.from({ length: 12 }, (_, i) => `flood ${String(i)}`),
    );
  });
});
