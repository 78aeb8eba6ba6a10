/** What the store keeps for `gate.trust` and for the end of an enrolment: peers in eight places, and all enrolments of a user. */
import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Enrolment, Peer, Store } from '../../src/store/store.ts';
import { sleep } from '../support/process.ts';
import { ALICE } from './alice.ts';
import { ENGINES, type Database } from './engines.ts';

const NOW_MS = 1_795_000_000_000;
const PEERS: readonly Peer[] = Array.from({ length: 9 }, (_, i) => ({ digest: String(i).repeat(64), acceptedMs: NOW_MS + i }));
const RENEWED: Enrolment = { ...ALICE, id: 'cd'.repeat(16) };

for (const { name, skip, ready } of ENGINES)
  describe(`in ${name}`, { skip }, () => {
    let make: () => Promise<Database>;
    let database: Database;
    let store: Store;
    before(async () => {
      make = await ready('peers');
    });
    beforeEach(async () => {
      database = await make();
      store = database.open();
      await store.exclusively((transaction) => transaction.insert(ALICE));
    });
    afterEach(() => {
      store.close();
    });

    const remember = (peer: Peer, enrolment = ALICE): Promise<void> =>
      store.exclusively((transaction) => transaction.rememberPeer(enrolment, peer));
    const last = (digest: string | undefined, enrolment = ALICE): Promise<number | undefined> =>
      store.exclusively((transaction) => transaction.lastAccepted(enrolment, digest ?? ''));
    const known = async (): Promise<number[]> => {
      const found = await Promise.all(PEERS.map(async ({ digest }, i) => ((await last(digest)) === undefined ? undefined : i)));
      return found.filter((i) => i !== undefined);
    };

    describe('the peers of an enrolment', () => {
      it('are unknown until a code was accepted from them', async () => {
        assert.deepEqual(await known(), []);
        assert.equal(await last('0'.repeat(64)), undefined, 'the filler of the reserved rows is no peer');
        await remember({ digest: 'a'.repeat(64), acceptedMs: NOW_MS });
        assert.equal(await last('a'.repeat(64)), NOW_MS);
        assert.equal(await last('b'.repeat(64)), undefined);
      });

      it('are eight, and the ninth takes the place of the one that was accepted the longest ago', async () => {
        for (const peer of PEERS.slice(0, 8)) await remember(peer);
        assert.deepEqual(await known(), [0, 1, 2, 3, 4, 5, 6, 7]);
        await remember({ ...PEERS[0], digest: '0'.repeat(64), acceptedMs: NOW_MS + 100 });
        const [, , , , , , , , ninth] = PEERS;
        assert.ok(ninth !== undefined);
        await remember(ninth);
        assert.deepEqual(await known(), [0, 2, 3, 4, 5, 6, 7, 8]);
      });

      it('are told by when a code was accepted, of one user or of all, and only as notp wrote them', async () => {
        const bob = { ...ALICE, user: 'bob' };
        await store.exclusively((transaction) => transaction.insert(bob));
        for (const peer of PEERS.slice(0, 3)) await remember(peer);
        await remember({ digest: 'b'.repeat(64), acceptedMs: NOW_MS + 2 }, bob);
        const sources = (sinceMs: number, user?: string): Promise<number[]> =>
          store.exclusively(async (transaction) =>
            (await transaction.sources(sinceMs, user)).map(({ acceptedMs }) => acceptedMs - NOW_MS).toSorted((a, b) => a - b),
          );
        assert.deepEqual(await sources(NOW_MS - 1), [0, 1, 2, 2]);
        assert.deepEqual(await sources(NOW_MS - 1, 'alice'), [0, 1, 2]);
        assert.deepEqual(await sources(NOW_MS, 'alice'), [1, 2]);
        assert.deepEqual(await sources(0, 'carol'), []);
      });

      it('are forgotten with the connections, those of one user alone, and their places are used again', async () => {
        const bob = { ...ALICE, user: 'bob' };
        const connection = { pid: 4711, startTicks: 123_456, bootId: 'b'.repeat(36) };
        const forget = (user: string): Promise<boolean> => store.exclusively((transaction) => transaction.forgetSources(user));
        const remembers = (enrolment: Enrolment): Promise<boolean> =>
          store.exclusively((transaction) => transaction.remembers(enrolment, connection));
        await store.exclusively((transaction) => transaction.insert(bob));
        assert.equal(await forget('alice'), false);
        for (const each of [ALICE, bob]) {
          for (const peer of PEERS.slice(0, 8)) await remember(peer, each);
          await store.exclusively((transaction) => transaction.remember(each, connection));
        }
        assert.equal(await forget('alice'), true);
        assert.deepEqual([await known(), await remembers(ALICE), await remembers(bob)], [[], false, true]);
        assert.equal(await last(PEERS[0]?.digest, bob), NOW_MS);
        assert.equal(await forget('alice'), false);
        for (const peer of PEERS.slice(0, 8)) await remember(peer);
        await store.exclusively((transaction) => transaction.remember(ALICE, connection));
        assert.deepEqual([await known(), await remembers(ALICE)], [[0, 1, 2, 3, 4, 5, 6, 7], true]);
      });

      it('take one place each, however often a code is accepted from them', async () => {
        for (const peer of PEERS.slice(0, 7)) await remember(peer);
        for (let i = 0; i < 20; i++) await remember({ digest: 'a'.repeat(64), acceptedMs: NOW_MS + 50 + i });
        assert.deepEqual(await known(), [0, 1, 2, 3, 4, 5, 6]);
        assert.equal(await last('a'.repeat(64)), NOW_MS + 69);
      });

      it('are forgotten with a new enrolment, whose peers take their places first', async () => {
        for (const peer of PEERS.slice(0, 8)) await remember(peer);
        assert.equal(await last(PEERS[7]?.digest, RENEWED), undefined);
        await remember({ digest: 'a'.repeat(64), acceptedMs: NOW_MS - 1_000 }, RENEWED);
        await remember({ digest: 'b'.repeat(64), acceptedMs: NOW_MS - 900 }, RENEWED);
        assert.deepEqual([await last('a'.repeat(64), RENEWED), await last('b'.repeat(64), RENEWED)], [NOW_MS - 1_000, NOW_MS - 900]);
        assert.equal(await last('a'.repeat(64)), undefined);
      });

      it('are those of one context and one user', async () => {
        const others: readonly Enrolment[] = [
          { ...ALICE, context: 'deploy' },
          { ...ALICE, user: 'bob' },
        ];
        for (const other of others) await store.exclusively((transaction) => transaction.insert(other));
        await remember({ digest: 'a'.repeat(64), acceptedMs: NOW_MS });
        for (const other of others) assert.equal(await last('a'.repeat(64), other), undefined);
      });
    });

    describe('the enrolments of a user', () => {
      it('are all of that user, by context, whatever their status', async () => {
        const deploy: Enrolment = { ...ALICE, context: 'deploy', status: 'revoked' };
        const web: Enrolment = { ...ALICE, context: 'web', status: 'invited', id: '' };
        for (const each of [web, deploy, { ...ALICE, user: 'bob' }]) await store.exclusively((transaction) => transaction.insert(each));
        assert.deepEqual(await store.exclusively((transaction) => transaction.enrolmentsOf('alice')), [deploy, ALICE, web]);
        assert.deepEqual(await store.exclusively((transaction) => transaction.enrolmentsOf('nobody')), []);
      });

      it('with a status that only a newer notp knows count as revoked', async () => {
        database.sql("UPDATE enrolment SET status = 'paused'");
        assert.equal((await store.exclusively((transaction) => transaction.enrolment('alice', 'ssh')))?.status, 'revoked');
      });
    });

    describe('two transactions of one process', () => {
      it('do not stand in each other’s way, as they did when the second waited without letting the first end', async () => {
        const other = database.open();
        const order: string[] = [];
        const slow = store.exclusively(async (transaction) => {
          const { seq, hash } = await transaction.head();
          await sleep(100);
          await transaction.moveHead({ seq: seq + 1, hash });
          order.push('slow');
        });
        await sleep(20);
        const quick = other.exclusively(async (transaction) => {
          const { seq, hash } = await transaction.head();
          await transaction.moveHead({ seq: seq + 1, hash });
          order.push('quick');
        });
        await Promise.all([slow, quick]);
        assert.deepEqual(order, ['slow', 'quick']);
        assert.equal((await store.exclusively((transaction) => transaction.head())).seq, 2);
        other.close();
      });

      it('go on after one that failed', async () => {
        const failed = store.exclusively(() => Promise.reject(new Error('no audit log')));
        const after = store.exclusively((transaction) => transaction.head());
        await assert.rejects(failed, /no audit log/);
        assert.equal((await after).seq, 0);
      });
    });
  });
