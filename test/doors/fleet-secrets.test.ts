/** `secrets = "store"`: who is enrolled on one host logs in on all of them, without a home on any. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, lacks, must, oathCode, SOURCE_NOTP, untilFreshStep, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import { succeed, type PamWorld } from './pam-world.ts';

interface Shown {
  readonly user: string;
  readonly state: string;
  readonly seal: string | null;
  readonly id: string | null;
}

const notp = async (host: PamWorld, ...words: readonly string[]): Promise<Ran> =>
  await run([...SOURCE_NOTP, ...words, '--config', host.config]);

async function shown(host: PamWorld, ...words: readonly string[]): Promise<readonly Shown[]> {
  const lines = (await succeed([...SOURCE_NOTP, ...words, '--json', '--config', host.config])).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Shown);
}

/** Has `host` use the keys of these names: the first one seals, and all of them open. */
function useKeys(host: PamWorld, ...names: readonly string[]): void {
  const files = names.map((name) => JSON.stringify(`${host.folder}/etc/${name}`));
  fs.writeFileSync(host.config, fs.readFileSync(host.config, 'utf8').replace(/^host_key = .*$/m, `host_key = [${files.join(', ')}]`));
}

describe(
  'two hosts whose store keeps the sealed files',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let one: PamWorld;
    let two: PamWorld;
    let user: TestUser;
    const hostKey = randomBytes(32);

    before(async () => {
      server = await startPostgres('fleet-secrets');
      server.createDatabase(FLEET_DATABASE);
      one = await fleetHost(server, 'one', { hostKey, top: 'secrets = "store"' });
      two = await fleetHost(server, 'two', { hostKey, top: 'secrets = "store"' });
      user = addUser();
      fs.rmSync(user.home, { recursive: true });
    });

    it('enrol on one and log in on the other, with nothing in a home, and nothing in the clear in the store', async () => {
      const { secret, recovery } = await one.enroll(user);
      assert.equal(fs.existsSync(user.home), false);
      await untilFreshStep(10);
      const code = oathCode(secret);
      assert.equal((await two.pam(user.name, code)).code, 0);
      const again = await one.pam(user.name, code);
      assert.equal(again.code, 1);
      assert.equal(one.recordIn(again.stdout).reason, 'replayed');
      assert.equal((await two.pam(user.name, recovery[0] ?? '')).code, 0);
      const dump = server.sql('SELECT text FROM notp.sealed', FLEET_DATABASE);
      assert.match(dump, new RegExp(`"user": ?"${user.name}"`));
      for (const clear of [secret, ...recovery]) assert.ok(!dump.includes(clear));
    });

    it('show, unlock and revoke on each what was enrolled on the other', async () => {
      const { id, recovery } = await one.enroll(user);
      for (const host of [one, two]) {
        assert.deepEqual(
          (await shown(host, 'list', '--all')).map((each) => [each.user, each.state, each.seal, each.id]),
          [[user.name, 'active', 'host', id]],
        );
        assert.deepEqual(
          (await shown(host, 'status', '--user', user.name)).map((each) => each.state),
          ['active'],
        );
      }
      await succeed([...SOURCE_NOTP, 'unlock', '--user', user.name, '--config', two.config]);
      await succeed([...SOURCE_NOTP, 'revoke', '--user', user.name, '--yes', '--config', two.config]);
      const refused = await one.pam(user.name, recovery[0] ?? '');
      assert.equal(refused.code, 1);
      assert.equal(one.recordIn(refused.stdout).reason, 'revoked');
      assert.equal(server.sql('SELECT count(*) FROM notp.sealed', FLEET_DATABASE).trim(), '0');
    });

    it('look after who is on none of their passwd databases any more', async () => {
      const gone = addUser();
      await one.enroll(gone);
      must(['userdel', '--remove', '--force', gone.name]);
      try {
        assert.deepEqual(
          (await shown(two, 'status', '--user', gone.name)).map((each) => each.user),
          [gone.name],
        );
        await succeed([...SOURCE_NOTP, 'unlock', '--user', gone.name, '--config', two.config]);
        await succeed([...SOURCE_NOTP, 'revoke', '--user', gone.name, '--yes', '--config', one.config]);
      } finally {
        // What was made with the user removes it at the end.
        must(['useradd', gone.name]);
      }
      assert.equal((await notp(two, 'status', '--user', 'nobody-at-all')).code, 2);
    });

    it('are not said to be nowhere, where the home has none', async () => {
      assert.match((await notp(one, 'list')).stderr, /secrets for logins are in the store, see notp status/);
    });

    it('give new recovery codes and the secret again on each of them', async () => {
      const { secret, recovery } = await one.enroll(user);
      const given = JSON.parse(await succeed([...SOURCE_NOTP, 'recovery', '--json', '--user', user.name, '--config', two.config])) as {
        recovery: string[];
      };
      const old = await one.pam(user.name, recovery[0] ?? '');
      assert.equal(one.recordIn(old.stdout).reason, 'wrong_code');
      assert.equal((await one.pam(user.name, given.recovery[0] ?? '')).code, 0);
      const exported = await succeed([...SOURCE_NOTP, 'export', 'ssh', '--to', 'base32', '--user', user.name, '--config', one.config]);
      assert.equal(exported.trim(), secret);
    });

    it('enrol all users of a list with a hand-out each, and once', async () => {
      const people = [addUser(), addUser()];
      const [list, out] = [`${one.folder}/people`, `${one.folder}/out`];
      fs.writeFileSync(list, people.map(({ name }) => `${name}\n`).join(''));
      const batch = ['enroll', '--batch', list, '--out', out, '--json'];
      const lines = (await succeed([...SOURCE_NOTP, ...batch, '--config', one.config])).trim().split('\n');
      const enrolled = lines.map((line) => JSON.parse(line) as { user: string; recovery: string[] });
      assert.deepEqual(
        enrolled.map((each) => each.user),
        people.map(({ name }) => name),
      );
      for (const { user: name, recovery } of enrolled) {
        assert.ok(fs.readdirSync(out).some((file) => file.startsWith(name)));
        assert.equal((await two.pam(name, recovery[0] ?? '')).code, 0);
      }
      assert.equal((await succeed([...SOURCE_NOTP, ...batch, '--config', one.config])).trim(), '');
    });

    it('refuse a seal by a passphrase', async () => {
      const refused = await notp(one, 'enroll', '--user', user.name, '--seal', 'passphrase', '--no-confirm', '--replace');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /secrets = "store"/);
    });

    it('look at no file in a home, not even at an earlier one of the store', async () => {
      const { recovery } = await one.enroll(user);
      const file = server.sql(`SELECT text FROM notp.sealed WHERE "user" = '${user.name}'`, FLEET_DATABASE);
      const { recovery: newer } = await one.enroll(user);
      fs.mkdirSync(`${user.home}/.notp`, { recursive: true, mode: 0o700 });
      fs.writeFileSync(`${user.home}/.notp/ssh`, file, { mode: 0o600 });
      for (const made of [user.home, `${user.home}/.notp`, `${user.home}/.notp/ssh`]) fs.chownSync(made, user.uid, user.gid);
      assert.equal((await one.pam(user.name, recovery[0] ?? '')).code, 1);
      assert.equal((await one.pam(user.name, newer[0] ?? '')).code, 0);
    });

    it('go over to another key of the fleet without locking anybody out, and forget the old one', async () => {
      const { recovery } = await one.enroll(user);
      const next = randomBytes(32);
      for (const host of [one, two]) {
        fs.writeFileSync(`${host.folder}/etc/next.key`, next, { mode: 0o400 });
        fs.chownSync(`${host.folder}/etc/next.key`, host.service.uid, host.service.gid);
        useKeys(host, 'host.key', 'next.key');
        assert.equal((await host.pam(user.name, recovery[host === one ? 0 : 1] ?? '')).code, 0);
      }
      // One after the other: what one seals with the next key opens on the other, which seals with the old one still.
      useKeys(one, 'next.key', 'host.key');
      const { recovery: newer } = await one.enroll(user);
      assert.equal((await two.pam(user.name, newer[0] ?? '')).code, 0);
      useKeys(two, 'next.key', 'host.key');
      const other = addUser();
      await two.enroll(other);
      for (const host of [one, two]) await succeed([...SOURCE_NOTP, 'reseal', '--all', '--config', host.config]);
      for (const host of [one, two]) {
        useKeys(host, 'next.key');
        assert.equal((await host.pam(user.name, newer[host === one ? 1 : 2] ?? '')).code, 0);
        await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', host.config]);
      }
    });
  },
);
