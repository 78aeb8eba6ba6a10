/** Turns by account: one that asks without end is answered as the others are, and it alone waits. */
import * as assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { array, assert as holds, asyncProperty, boolean, integer, nat, property } from 'fast-check';
import { crowd, networkOf, turns, type Asker } from '../../src/doors/turns.ts';
import { atEnd } from '../support/cleanup.ts';
import { must, scratchFolder } from '../support/world.ts';

describe('turns', () => {
  it('come to each account one after the other, however many questions one of them has', async () => {
    const inTurn = turns();
    const answered: string[] = [];
    const ask = (account: string): Promise<void> =>
      inTurn.take({ account }, () => {
        answered.push(account);
        return Promise.resolve();
      });
    await Promise.all([...Array.from({ length: 5 }, () => ask('flood')), ask('alice'), ask('bob'), ask('alice')]);
    // The first is begun before anybody else has come.
    assert.deepEqual(answered, ['flood', 'flood', 'alice', 'bob', 'flood', 'alice', 'flood', 'flood']);
  });

  /** A flood of one account, and whoever asks beside it; each answer takes `costMs`. */
  class Flooded {
    nowMs = 0;
    readonly inTurn = turns(() => this.nowMs);
    answered: string[] = [];
    private readonly asked: Promise<void>[] = [];

    private readonly costMs: number;

    constructor(costMs: number) {
      this.costMs = costMs;
    }

    /** Asks, where there is room; `who`: the source, or what is known of it. */
    ask(who: string | Omit<Asker, 'account'>, name = typeof who === 'string' ? who : (who.source ?? '')): boolean {
      const asker = { account: 'alice', ...(typeof who === 'string' ? { source: who } : who) };
      if (this.inTurn.turnsAway(asker)) return false;
      const work = (): Promise<void> => {
        this.nowMs += this.costMs;
        this.answered.push(name);
        return Promise.resolve();
      };
      this.asked.push(this.inTurn.take(asker, work));
      return true;
    }

    async ended(): Promise<readonly string[]> {
      await Promise.all(this.asked.splice(0));
      return this.answered.splice(0);
    }
  }

  it('let a flood from one source keep the same account waiting at another, past every deadline', async () => {
    const flooded = new Flooded(1_000);
    for (let i = 0; i < 20; i++) flooded.ask('flood');
    await flooded.ended();
    let flood = 0;
    while (flooded.ask('flood')) flood++;
    assert.ok(flood <= 25, 'whoever would wait for longer than anybody is turned away');
    assert.ok(flooded.ask('owner'));
    const answered = await flooded.ended();
    assert.ok(answered.indexOf('owner') <= 2, answered.join(' '));
  });

  it('let a flood from a source with an accepted login keep the owner out everywhere else', async () => {
    await holds(
      asyncProperty(integer({ min: 1, max: 300 }), integer({ min: 1, max: 5_000 }), boolean(), async (sessions, costMs, isCheap) => {
        const flooded = new Flooded(costMs);
        flooded.inTurn.noteAccepted({ account: 'alice', source: 'office' });
        for (let i = 0; i < 5; i++) flooded.ask('office');
        await flooded.ended();
        for (let i = 0; i < sessions; i++) flooded.ask({ source: 'office', isCheap: i % 3 === 0 });
        assert.ok(flooded.ask({ source: 'home', isCheap }));
        const answered = await flooded.ended();
        assert.ok(answered.indexOf('home') <= 2, answered.slice(0, 5).join(' '));
      }),
      { numRuns: 60 },
    );
  });

  it('kept an owner waiting behind the second and third guesses of sessions from the own address', async () => {
    await holds(
      asyncProperty(integer({ min: 1, max: 300 }), integer({ min: 1, max: 5_000 }), boolean(), async (sessions, costMs, isKnown) => {
        const flooded = new Flooded(costMs);
        if (isKnown) flooded.inTurn.noteAccepted({ account: 'alice', source: 'office' });
        for (let i = 0; i < 5; i++) flooded.ask('office');
        await flooded.ended();
        for (let i = 0; i < sessions; i++) {
          const thief = { source: 'office', connection: `thief ${String(i)}` };
          flooded.inTurn.noteRefused({ account: 'alice', ...thief });
          flooded.ask(thief, 'thief');
        }
        assert.ok(flooded.ask({ source: 'office', connection: 'owner' }, 'owner'));
        const answered = await flooded.ended();
        assert.ok(answered.length <= 26 && answered.indexOf('owner') <= 2, answered.slice(0, 5).join(' '));
      }),
      { numRuns: 60 },
    );
  });

  it('turned the owner away who typed one code and then the two that were asked for, for sessions at another address that had done so', async () => {
    await holds(
      asyncProperty(
        integer({ min: 1, max: 300 }),
        integer({ min: 1, max: 300 }),
        boolean(),
        nat(2),
        async (sessions, costMs, isKnown, codes) => {
          const flooded = new Flooded(costMs);
          if (isKnown) flooded.inTurn.noteAccepted({ account: 'alice', source: 'home' });
          for (let i = 0; i < sessions; i++) {
            const thief = { source: 'office', connection: `thief ${String(i % 40)}` };
            flooded.inTurn.noteAskedForMore({ account: 'alice', ...thief });
            if (i % 3 === 0) flooded.inTurn.noteRefused({ account: 'alice', ...thief });
            flooded.ask(thief, 'thief');
          }
          const owner = { source: 'home', connection: 'owner' };
          for (let i = 0; i < codes; i++) flooded.inTurn.noteAskedForMore({ account: 'alice', ...owner });
          assert.ok(flooded.ask(owner, 'owner'));
          const answered = await flooded.ended();
          assert.ok(answered.indexOf('owner') <= 8, answered.slice(0, 9).join(' '));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of a connection that was asked for more codes come before those that were refused, once', () => {
    const flooded = new Flooded(1);
    const owner = { source: 'office', connection: 'owner' };
    for (let i = 0; i < 300; i++) {
      const thief = { source: 'office', connection: `thief ${String(i)}` };
      flooded.inTurn.noteRefused({ account: 'alice', ...thief });
      flooded.ask(thief, 'thief');
    }
    flooded.inTurn.noteAskedForMore({ account: 'alice', ...owner });
    assert.ok(flooded.ask(owner));
    flooded.inTurn.noteAskedForMore({ account: 'alice', ...owner });
    assert.ok(!flooded.ask(owner));
  });

  it('turned away an owner at a new address for fewer than 88 others, where one of them had many questions', async () => {
    await holds(
      asyncProperty(
        integer({ min: 1, max: 87 }),
        integer({ min: 1, max: 200 }),
        array(nat(86), { maxLength: 300 }),
        async (addresses, many, flood) => {
          const flooded = new Flooded(1);
          for (let i = 0; i < many; i++) flooded.ask({ source: '0', isCheap: i % 2 === 0 }, 'thief');
          for (let i = 0; i < addresses; i++) flooded.ask(String(i), 'thief');
          for (const source of flood) flooded.ask(String(source % addresses), 'thief');
          assert.ok(flooded.ask('owner'));
          const answered = await flooded.ended();
          assert.ok(answered.length <= 64 + 2 * 88 + 1, String(answered.length));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('let questions that cost nothing wait for all that derive keys', async () => {
    const flooded = new Flooded(500);
    for (let i = 0; i < 30; i++) flooded.ask(String(i));
    assert.ok(flooded.ask({ source: 'owner', isCheap: true }));
    const answered = await flooded.ended();
    assert.ok(answered.indexOf('owner') <= 2, answered.slice(0, 5).join(' '));
  });

  it('are every other one for a source with an accepted login, which has room, however many others flood from however many', async () => {
    await holds(
      asyncProperty(
        array(nat(200), { minLength: 1, maxLength: 400 }),
        integer({ min: 1, max: 5_000 }),
        nat(30),
        async (flood, costMs, early) => {
          const flooded = new Flooded(costMs);
          flooded.inTurn.noteAccepted({ account: 'alice', source: 'owner' });
          for (const source of flood.slice(0, early)) flooded.ask(String(source));
          await flooded.ended();
          const waiting = flood.filter((source) => flooded.ask(String(source))).length;
          assert.ok(waiting <= 64 + 2 * 88 + 1, 'one of them is answered already');
          assert.ok(flooded.ask('owner'));
          const answered = await flooded.ended();
          assert.ok(answered.indexOf('owner') <= 2, answered.slice(0, 5).join(' '));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are remembered for the last few sources of each account', async () => {
    const flooded = new Flooded(1);
    for (let i = 0; i < 9; i++) flooded.inTurn.noteAccepted({ account: 'alice', source: `known ${String(i)}` });
    flooded.inTurn.noteAccepted({ account: 'alice', source: 'known 2' });
    for (const source of ['running', 'known 0', 'x', 'known 1', 'y', 'known 2']) flooded.ask(source);
    assert.deepEqual(await flooded.ended(), ['running', 'known 0', 'known 1', 'x', 'known 2', 'y']);
    const bob: string[] = [];
    const ask = (source: string): Promise<void> =>
      flooded.inTurn.take({ account: 'bob', source }, () => Promise.resolve(void bob.push(source)));
    await Promise.all([ask('running'), ask('x'), ask('y'), ask('known 2')]);
    assert.deepEqual(bob, ['running', 'x', 'y', 'known 2']);
  });

  it('stood behind the queue of the socket, first come first served, of which three connections were taken for each answer', async () => {
    const inTurn = turns();
    const answered: string[] = [];
    const file = path.join(scratchFolder('queue'), 'socket');
    const server = createServer((socket) => {
      inTurn.noteArrival();

      socket.once('data', (line) => {
        const account = line.toString('utf8');
        if (inTurn.turnsAway({ account })) return;
        void inTurn.take({ account }, () => {
          answered.push(account);
          return Promise.resolve();
        });
      });
    });
    server.listen(file);
    await once(server, 'listening');
    // A process that is busy while all of them come: the first turn is given when it is not.
    const ask = `import socket, sys
kept = [socket.socket(socket.AF_UNIX) for account in sys.argv[2:]]
for each, account in zip(kept, sys.argv[2:]):
    each.connect(sys.argv[1])
    each.send(account.encode())`;
    must(['python3', '-c', ask, file, 'first', ...Array<string>(60).fill('flood'), 'alice']);
    while (answered.length < 62) await setTimeout(10);
    server.close();
    assert.ok(answered.indexOf('alice') <= 3, answered.join(' '));
  });

  it('go on after a question that failed, and tell who asked it', async () => {
    const inTurn = turns();
    const failed = inTurn.take({ account: 'a' }, () => Promise.reject(new Error('broken')));
    const next = inTurn.take({ account: 'a' }, () => Promise.resolve('answered'));
    await assert.rejects(failed, /broken/);
    assert.equal(await next, 'answered');
    assert.equal(await inTurn.take({ account: 'a' }, () => Promise.resolve('later')), 'later');
  });

  it('are full for one account and not for another', async () => {
    const inTurn = turns();
    const all: Promise<void>[] = [];
    while (!inTurn.turnsAway({ account: 'flood' })) all.push(inTurn.take({ account: 'flood' }, () => Promise.resolve()));
    assert.ok(all.length >= 64);
    assert.equal(inTurn.turnsAway({ account: 'alice' }), false);
    await Promise.all(all);
    assert.equal(inTurn.turnsAway({ account: 'flood' }), false);
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
