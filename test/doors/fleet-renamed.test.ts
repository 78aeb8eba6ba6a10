/** A host of a fleet that got another name, or joined it with a log of its own, refused every login and called its head changed. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { printRecord } from '../../src/audit/record.ts';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, lacks, SOURCE_NOTP, type Enrolled, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost, writtenAnew } from './fleet-world.ts';
import { pamWorld, type PamWorld } from './pam-world.ts';

describe(
  'a host of a fleet',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl'] }) : lacksPostgres() },
  () => {
    const hostKey = randomBytes(32);
    let server: Postgres;
    let one: PamWorld;
    let user: TestUser;
    let phone: Enrolled;

    before(async () => {
      server = await startPostgres('fleet-renamed');
      server.createDatabase(FLEET_DATABASE);
      one = await fleetHost(server, 'one', { hostKey });
      user = addUser();
      phone = await one.enroll(user, ['--recovery', '20']);
      for (let i = 0; i < 3; i++) await one.pam(user.name, '000000');
    });

    let next = 0;
    const code = (): string => phone.recovery[next++] ?? '';
    const called = (name: string): void => {
      rename(one, name);
    };
    const notp = (...words: readonly string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', one.config]);
    const assertIn = async (): Promise<void> => {
      const { code: exit, stdout } = await one.pam(user.name, code());
      assert.equal(exit, 0, stdout);
    };
    const assertWhole = async (): Promise<void> => {
      const { code: exit, stdout, stderr } = await notp('audit', 'verify');
      assert.equal(exit, 0, stdout + stderr);
    };
    const chainOf = async (): Promise<{ severity: string; detail: string; fix: string } | undefined> => {
      const { stdout } = await notp('doctor', '--json');
      const all = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: string; severity: string; detail: string; fix: string });
      return all.find(({ id }) => id === 'audit-chain');
    };

    it('that gets another name goes on with its log, and says so in the next record', async () => {
      const last = one.records().length;
      called('one-renamed');
      await assertWhole();
      assert.equal((await chainOf())?.severity, 'ok');
      await assertIn();
      assert.match(one.records()[last]?.detail ?? '', new RegExp(`^goes on after record ${String(last)}, of this host as one`));
      await assertWhole();
      await assertIn();
      assert.doesNotMatch(one.lastRecord().detail ?? '', /goes on/);
    });

    it('had its log from before written anew with nobody seeing it, and was accused by its earlier name', async () => {
      const two = await fleetHost(server, 'two', { hostKey });
      const log = `${one.folder}/log/audit.log`;
      const verified = (host: string, file = log): Promise<Ran> =>
        run([...SOURCE_NOTP, 'audit', 'verify', '--host', host, '--file', file, '--config', two.config]);
      for (const host of ['one', 'one-renamed']) {
        const { code: exit, stderr } = await verified(host);
        assert.equal(exit, 0, host + stderr);
      }
      const copy = `${two.folder}/anew.log`;
      const head = server.sql(`SELECT hash, mac FROM notp.chain WHERE host = 'one-renamed'`, FLEET_DATABASE).trim().split('|');
      fs.writeFileSync(copy, writtenAnew(server, { log, host: 'one-renamed', hostKey, changed: 3 }));
      const { code: exit, stderr } = await verified('one-renamed', copy);
      server.sql(
        `UPDATE notp.chain SET hash = '${String(head[0])}', mac = '${String(head[1])}' WHERE host = 'one-renamed'`,
        FLEET_DATABASE,
      );
      assert.equal(exit, 1);
      assert.match(stderr, /as the store knew it: the log was rewritten/);
    });

    it('whose name comes back goes on too, however often', async () => {
      for (const name of ['one', 'one-renamed', 'one', 'third']) {
        called(name);
        await assertIn();
        await assertWhole();
      }
    });

    it('goes on also behind many refusals outside the chain, as an outage leaves them: records were written twice', async () => {
      const refusal = {
        user: user.name,
        context: 'ssh',
        door: 'gate',
        event: 'login.refused',
        result: 'refused',
        ref: '0badc0de',
      } as const;
      const line = printRecord({ ...refusal, reason: 'store_unavailable' }, undefined, Date.now());
      for (const name of ['one', 'second']) {
        fs.appendFileSync(`${one.folder}/log/audit.log`, line.repeat(Math.ceil((300 * 1024) / line.length)));
        called(name);
        await assertIn();
        await assertWhole();
      }
      called('third');
      await assertIn();
    });

    it('goes on also where a crash had cut off what the new name wrote first', async () => {
      const log = `${one.folder}/log/audit.log`;
      const [seq, hash] = server.sql(`SELECT seq, hash FROM notp.chain WHERE host = 'third'`, FLEET_DATABASE).trim().split('|');
      const line = fs.readFileSync(log, 'utf8').trim().split('\n').at(-1) ?? '';
      const cut = line.replace(/"ref":.*$/, `"ref":"0badc0de","seq":${String(Number(seq) + 1)},"prev":"${String(hash)}"}`);
      called('fourth');
      fs.appendFileSync(log, `${cut}\n`);
      await assertIn();
      const { code: exit, stderr } = await notp('audit', 'verify');
      assert.equal(exit, 0, stderr);
      assert.match(stderr, /cut off by a crash/);
    });

    it('had its records since hidden by no row that was deleted, put back or made in the database', async () => {
      called('victim');
      await assertIn();
      const { seq, hash } = JSON.parse(
        server.sql(`SELECT json_build_object('seq', seq, 'hash', hash) FROM notp.chain WHERE host = 'victim'`, FLEET_DATABASE),
      ) as { seq: number; hash: string };
      for (let i = 0; i < 3; i++) await one.pam(user.name, '000000');
      // The earlier name stands where the records that should go were not yet written; a row that is made has no MAC.
      for (const sql of [
        `DELETE FROM notp.chain WHERE host = 'victim'`,
        `DELETE FROM notp.chain WHERE host = 'victim'; INSERT INTO notp.chain (host, seq, hash, lacking, mac) VALUES ('made', ${String(seq)}, '${hash}', 0, '${'0'.repeat(64)}')`,
      ]) {
        server.sql(sql, FLEET_DATABASE);
        const refused = await one.pam(user.name, code());
        next--;
        assert.equal(refused.code, 1);
      }
      const { code: exit, stderr } = await notp('unlock', '--user', user.name);
      assert.equal(exit, 3);
      assert.match(
        stderr,
        /the store knows no record of \S+audit\.log, which has \d+: the store is new, or this host joined it[^\n]*\nnotp: hint: if the store is new or [^\n]*renamed[^\n]* notp audit verify --resume \(if records waited [^\n]*renamed[^\n]*; otherwise/,
      );
      const found = await chainOf();
      assert.equal(found?.severity, 'fail');
      assert.match(found.fix, /notp audit verify --resume/);
      const checked = await notp('audit', 'verify');
      assert.equal(checked.code, 1);
      assert.match(checked.stderr, /the store knows no record of /);
      const resumed = await notp('audit', 'verify', '--resume');
      assert.equal(resumed.code, 0, resumed.stderr);
      await assertIn();
      await assertWhole();
    });

    it('that gets the name of another one went on with the log of that, or had that one go on with its own', async () => {
      const hosts = [await fleetHost(server, 'longer', { hostKey }), await fleetHost(server, 'shorter', { hostKey })] as const;
      for (const [i, host] of hosts.entries()) for (let times = 0; times < 6 - 4 * i; times++) await host.pam(user.name, '000000');
      for (const [taking, own, taken] of [
        [hosts[1], 'shorter', 'longer'],
        [hosts[0], 'longer', 'shorter'],
      ] as const) {
        rename(taking, taken);
        const { code: exit, stderr } = await on(taking, 'unlock', '--user', user.name);
        assert.equal(exit, 3);
        assert.match(stderr, /with \d+ records under the name of this host[^\n]*\nnotp: hint: give this host its own name/);
        assert.match(stderr, new RegExp(`"${own}" continues as before`));
        rename(taking, own);
        for (const each of hosts) {
          assert.equal((await on(each, 'unlock', '--user', user.name)).code, 0);
          const verified = await on(each, 'audit', 'verify');
          assert.equal(verified.code, 0, verified.stderr);
        }
      }
    });

    it('that gets the name of one whose records wait in the store wrote those into its own log', async () => {
      const hosts = [await fleetHost(server, 'taker', { hostKey }), await fleetHost(server, 'waiting', { hostKey })] as const;
      for (const host of hosts) for (let times = 0; times < 3; times++) await host.pam(user.name, '000000');
      const [taker, waiting] = hosts;
      const log = `${waiting.folder}/log/audit.log`;
      fs.renameSync(log, `${log}.away`);
      fs.mkdirSync(log);
      for (let times = 0; times < 3; times++) assert.equal((await on(waiting, 'unlock', '--user', user.name)).code, 0);
      rename(taker, 'waiting');
      const { code: exit, stderr } = await on(taker, 'unlock', '--user', user.name);
      assert.equal(exit, 3);
      assert.match(stderr, /the store has another host's log with \d+ records under the name of this host/);
      rename(taker, 'taker');
      fs.rmdirSync(log);
      fs.renameSync(`${log}.away`, log);
      for (const each of hosts) {
        assert.equal((await on(each, 'unlock', '--user', user.name)).code, 0);
        const verified = await on(each, 'audit', 'verify');
        assert.equal(verified.code, 0, verified.stderr);
      }
    });

    it('whose earlier name came back while records waited under the other wrote their numbers twice', async () => {
      const host = await fleetHost(server, 'first-name', { hostKey });
      for (let times = 0; times < 3; times++) await host.pam(user.name, '000000');
      rename(host, 'second-name');
      assert.equal((await on(host, 'unlock', '--user', user.name)).code, 0);
      const log = `${host.folder}/log/audit.log`;
      fs.renameSync(log, `${log}.away`);
      fs.mkdirSync(log);
      assert.equal((await on(host, 'unlock', '--user', user.name)).code, 0);
      fs.rmdirSync(log);
      fs.renameSync(`${log}.away`, log);
      rename(host, 'first-name');
      const { code: exit, stderr } = await on(host, 'unlock', '--user', user.name);
      assert.equal(exit, 3);
      assert.match(stderr, /wait in the store under the name "second-name"[^\n]*\nnotp: hint: give this host that name again/);
      for (const name of ['second-name', 'first-name']) {
        rename(host, name);
        assert.equal((await on(host, 'unlock', '--user', user.name)).code, 0);
      }
      const verified = await on(host, 'audit', 'verify');
      assert.equal(verified.code, 0, verified.stderr);
    });

    it('does not get a key that the others lack: nobody logged in there', async () => {
      const { code: exit, stderr } = await notp('host-key', 'rotate');
      assert.equal(exit, 1);
      assert.match(stderr, /\d+ hosts share the store \(.*"one".*\n[^\n]*add a new key file to the end of host_key on all hosts, then/);
      await assertIn();
    });

    it('that joins with a log of its own is told what to run, however short that is and whatever key it had', async () => {
      for (const key of [hostKey, randomBytes(32)]) {
        const joining = await pamWorld('fleet-joining', { hostKey: key });
        const own = await joining.enroll(addUser());
        for (let i = 0; i < 2; i++) await joining.pam('nobody-of-that-name', '000000');
        assert.ok(own.id !== '');
        const two = await fleetHost(server, `joined-${String(key === hostKey)}`, { hostKey });
        fs.copyFileSync(`${joining.folder}/log/audit.log`, `${two.folder}/log/audit.log`);
        const refused = await two.pam(user.name, code());
        next--;
        assert.equal(refused.code, 1);
        const unlock = await run([...SOURCE_NOTP, 'unlock', '--user', user.name, '--config', two.config]);
        assert.match(
          unlock.stderr,
          /this host joined it with an existing log[^\n]*\nnotp: hint: [^\n]* run as root: notp audit verify --resume/,
        );
        await run([...SOURCE_NOTP, 'audit', 'verify', '--resume', '--config', two.config]);
        const { code: exit, stdout } = await two.pam(user.name, code());
        assert.equal(exit, 0, stdout);
      }
    });
  },
);

function rename({ config }: PamWorld, name: string): void {
  fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replace(/^host = .*$/m, `host = "${name}"`));
}

function on({ config }: PamWorld, ...words: readonly string[]): Promise<Ran> {
  return run([...SOURCE_NOTP, ...words, '--config', config]);
}
