/** `store.outage = "local"`: while the store is gone a few get in by step-up on a copy, and the store hears of it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run } from '../support/process.ts';
import { addUser, lacks, oathCode, scratchFolder, SOURCE_NOTP, untilFreshStep, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import { succeed, wrongCode, type PamWorld, type Recorded } from './pam-world.ts';

async function refresh(...hosts: readonly PamWorld[]): Promise<void> {
  for (const host of hosts) await succeed([...SOURCE_NOTP, 'store', 'refresh', '--config', host.config]);
}

function outageLog(host: PamWorld): readonly Recorded[] {
  const lines = fs.readFileSync(`${host.folder}/log/audit-outage.log`, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Recorded);
}

const pair = (secret: string): string => `${oathCode(secret, { offsetSeconds: -30 })} ${oathCode(secret)}`;

describe(
  'an outage of the store',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let copies: string;
    let one: PamWorld;
    let two: PamWorld;
    let oncall: TestUser;
    let other: TestUser;

    before(async () => {
      server = await startPostgres('outage');
      copies = scratchFolder('outage-copies');
      fs.chmodSync(copies, 0o755);
      server.createDatabase(FLEET_DATABASE);
      [oncall, other] = [addUser(), addUser()];
      const hostKey = randomBytes(32);
      const store = (name: string): readonly string[] => [
        'outage = "local"',
        `outage_users = ["${oncall.name}"]`,
        `outage_file = "${copies}/${name}/outage.db"`,
      ];
      const host = async (name: string): Promise<PamWorld> => {
        const world = await fleetHost(server, name, { hostKey, top: 'secrets = "store"', store: store(name) });
        fs.mkdirSync(`${copies}/${name}`, { mode: 0o700 });
        fs.chownSync(`${copies}/${name}`, world.service.uid, world.service.gid);
        return world;
      };
      one = await host('one');
      two = await host('two');
    });

    it('lets in who is named, with two codes and once, and nobody else; and the store is told', async () => {
      const { secret } = await one.enroll(oncall);
      const { recovery } = await one.enroll(other);
      await refresh(one, two);
      await server.stop();
      const refused = await one.pam(other.name, recovery[0] ?? '');
      assert.equal(refused.code, 1);
      assert.equal(one.recordIn(refused.stdout).reason, 'store_unavailable');
      await untilFreshStep(20);
      const single = await one.pam(oncall.name, oathCode(secret));
      assert.match(single.stdout, /two consecutive codes/);
      const wrong = wrongCode(secret);
      assert.equal((await one.pam(oncall.name, `${wrong} ${wrong}`)).code, 1);
      const codes = pair(secret);
      assert.equal((await one.pam(oncall.name, codes)).code, 0);
      assert.equal((await one.pam(oncall.name, codes)).code, 1);
      assert.deepEqual(
        outageLog(one).map(({ event }) => event),
        ['login.refused', 'login.refused', 'login.accepted', 'login.refused'],
      );
      const told = await run([...SOURCE_NOTP, 'doctor', '--json', '--config', one.config]);
      assert.match(told.stdout, /store-outage/);
      await server.start();
      await refresh(one);
      const replayed = await two.pam(oncall.name, codes);
      assert.equal(replayed.code, 1);
      assert.equal(two.recordIn(replayed.stdout).reason, 'replayed');
      const inChain = one.records().filter(({ detail }) => detail?.startsWith('without the store, at ') === true);
      assert.deepEqual(
        inChain.map(({ event, ref }) => [event, ref]),
        outageLog(one).map(({ event, ref }) => [event, ref]),
      );
      await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', one.config]);
      const earlier = one.records().length;
      await refresh(one);
      assert.equal(one.records().length, earlier);
    });

    it('is told once more after a crash, under the same references, and what two hosts accepted is said', async () => {
      const { recovery, secret } = await one.enroll(oncall);
      assert.equal((await one.pam(oncall.name, recovery[0] ?? '')).code, 0);
      await refresh(one, two);
      await server.stop();
      await untilFreshStep(20);
      const codes = pair(secret);
      for (const host of [one, two]) assert.equal((await host.pam(oncall.name, codes)).code, 0);
      await server.start();
      const copy = `${copies}/two/outage.db`;
      const saved = fs.readFileSync(copy);
      await refresh(one, two);
      const last = two.records().at(-1);
      assert.match(last?.detail ?? '', /may have been accepted elsewhere too/);
      fs.writeFileSync(copy, saved);
      await refresh(two);
      assert.equal(two.records().filter(({ ref }) => ref === last?.ref).length, 2);
      await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', two.config]);
    });

    it('knows of a revocation that came before it, and trusts no copy of another day', async () => {
      const { recovery } = await one.enroll(oncall);
      await refresh(one, two);
      await succeed([...SOURCE_NOTP, 'revoke', '--user', oncall.name, '--yes', '--config', one.config]);
      await refresh(two);
      await server.stop();
      const revoked = await two.pam(oncall.name, recovery[0] ?? '');
      assert.match(revoked.stdout, /revoked/);
      await server.start();
      const { recovery: fresh } = await one.enroll(oncall);
      await refresh(two);
      // As if it had been renewed two days ago.
      const copy = `${copies}/two/outage.db`;
      assert.equal((await run(['sqlite3', copy, "UPDATE counter SET next = next - 172800000 WHERE id LIKE 'when %'"])).code, 0);
      await server.stop();
      const stale = await two.pam(oncall.name, fresh[0] ?? '');
      assert.equal(two.recordIn(stale.stdout).reason, 'store_unavailable');
      await server.start();
      assert.equal((await two.pam(oncall.name, fresh[0] ?? '')).code, 0);
    });
  },
);
