/** Turns by account: one that asks without end is answered as the others are, and it alone waits. */
import * as assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { array, assert as holds, asyncProperty, boolean, integer, nat, property } from 'fast-check';
import { crowd, networkOf, turns } from '../../src/doors/turns.ts';
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

  it('come first to a source with an accepted login, and leave it room, however many others flood from however many', async () => {
    await holds(
      asyncProperty(
        array(nat(200), { minLength: 1, maxLength: 400 }),
        integer({ min: 1, max: 5_000 }),
        nat(30),
        async (flood, costMs, early) => {
          let nowMs = 0;
          const inTurn = turns(() => nowMs);
          const answered: string[] = [];
          const asked: Promise<void>[] = [];
          const ask = (source: string): boolean => {
            if (inTurn.isFull('alice', source)) return false;
            const work = (): Promise<void> => {
              nowMs += costMs;
              answered.push(source);
              return Promise.resolve();
            };
            asked.push(inTurn.take('alice', work, source));
            return true;
          };
          inTurn.prefer('alice', 'owner');
          for (const source of flood.slice(0, early)) ask(String(source));
          await Promise.all(asked.splice(0));
          const waiting = flood.filter((source) => ask(String(source))).length;
          assert.ok(waiting <= 89, 'one of them is answered already');
          answered.length = 0;
          assert.ok(ask('owner'));
          await Promise.all(asked);
          assert.ok(answered.indexOf('owner') <= 1, answered.slice(0, 5).join(' '));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are remembered for the last few sources of each account', async () => {
    const inTurn = turns();
    for (let i = 0; i < 9; i++) inTurn.prefer('alice', `known ${String(i)}`);
    inTurn.prefer('alice', 'known 2');
    const answered: string[] = [];
    const ask = (account: string, source: string): Promise<void> =>
      inTurn.take(account, () => Promise.resolve(void answered.push(source)), source);
    await Promise.all([ask('alice', 'running'), ask('alice', 'known 0'), ask('alice', 'known 1'), ask('alice', 'known 2')]);
    assert.deepEqual(answered, ['running', 'known 1', 'known 2', 'known 0']);
    answered.length = 0;
    await Promise.all([ask('bob', 'running'), ask('bob', 'other'), ask('bob', 'known 2')]);
    assert.deepEqual(answered, ['running', 'other', 'known 2']);
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

/** A half of an address of IPv6. */
const FOUR_GROUPS = array(integer({ min: 1, max: 0xffff }), { minLength: 4, maxLength: 4 });

describe('a source of questions', () => {
  it('is an address, and of IPv6 a network of which somebody may have all addresses', () => {
    for (const address of ['192.0.2.7', '::ffff:192.0.2.7', '', 'client.example', '192.0.2.7%']) assert.equal(networkOf(address), address);
    for (const address of ['2001:db8::1', '2001:DB8:0:0:1:2:3:4', '2001:db8:0:0:ffff::', '2001:db8::1%eth0', '2001:db8::192.0.2.7'])
      assert.equal(networkOf(address), '2001:db8:0:0::/64', address);
    assert.equal(networkOf('2001:db8:0:1::1'), '2001:db8:0:1::/64');
  });

  it('is the same for two addresses of IPv6 where their first 64 bits are, and else another', () => {
    holds(
      property(FOUR_GROUPS, FOUR_GROUPS, FOUR_GROUPS, nat(3), boolean(), (network, one, other, i, same) => {
        const second = same ? network : network.with(i, ((network[i] ?? 0) % 0xffff) + 1);
        const [a, b] = [
          [...network, ...one],
          [...second, ...other],
        ].map((all) => networkOf(all.map((group) => group.toString(16)).join(':')));
        assert.equal(a === b, same);
      }),
    );
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
