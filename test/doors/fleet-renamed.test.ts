/** A host of a fleet that got another name, or joined it with a log of its own, refused every login and called its head changed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { runCommand } from '../../src/cli.ts';
import { printRecord } from '../../src/audit/record.ts';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, lacks, SOURCE_NOTP, type Enrolled, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost, logIdOf, writtenAnew } from './fleet-world.ts';
import { pamWorld, succeed, type PamWorld } from './pam-world.ts';

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
      await makeManyRecords(one, user);
      const log = `${one.folder}/log/audit.log`;
      const verified = (host: string, file = log): Promise<Ran> =>
        run([...SOURCE_NOTP, 'audit', 'verify', '--host', host, '--file', file, '--config', two.config]);
      for (const host of ['one', 'one-renamed']) {
        const { code: exit, stderr } = await verified(host);
        assert.equal(exit, 0, host + stderr);
      }
      const copy = `${two.folder}/anew.log`;
      const head = server
        .sql(`SELECT hash, mac FROM notp.chain WHERE log = '${logIdOf(server, 'one')}'`, FLEET_DATABASE)
        .trim()
        .split('|');
      fs.writeFileSync(copy, writtenAnew(server, { log, host: 'one-renamed', hostKey, changed: 3 }));
      const { code: exit, stderr } = await verified('one-renamed', copy);
      server.sql(
        `UPDATE notp.chain SET hash = '${String(head[0])}', mac = '${String(head[1])}' WHERE log = '${logIdOf(server, 'one')}'`,
        FLEET_DATABASE,
      );
      assert.equal(exit, 1);
      assert.match(stderr, /as the store knew it: the log was rewritten/);
    });

    it('does not get a key that the others lack: nobody logged in there', async () => {
      const { code: exit, stderr } = await notp('host-key', 'rotate');
      assert.equal(exit, 1);
      assert.match(stderr, /\d+ hosts share the store \(.*"one".*\n[^\n]*add a new key file to the end of host_key on all hosts, then/);
      await assertIn();
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
      const [seq, hash] = server
        .sql(`SELECT seq, hash FROM notp.chain WHERE log = '${logIdOf(server, 'third')}'`, FLEET_DATABASE)
        .trim()
        .split('|');
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
      const id = logIdOf(server, 'victim');
      const { seq, hash } = JSON.parse(
        server.sql(`SELECT json_build_object('seq', seq, 'hash', hash) FROM notp.chain WHERE log = '${id}'`, FLEET_DATABASE),
      ) as { seq: number; hash: string };
      for (let i = 0; i < 3; i++) await one.pam(user.name, '000000');
      // A row that is made has no MAC.
      for (const sql of [
        `DELETE FROM notp.chain WHERE log = '${id}'; INSERT INTO notp.chain (log, seq, hash, lacking, mac) VALUES ('${id}', ${String(seq)}, '${hash}', 0, '${'0'.repeat(64)}')`,
        `DELETE FROM notp.chain WHERE log = '${id}'`,
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
        /the store knows no record of \S+audit\.log, which has \d+: the store is new, or this host joined it[^\n]*\nnotp: hint: if the store is new or [^\n]* notp audit verify --resume; otherwise/,
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

    /** Makes a record, and checks that it was told. */
    const makeRecord = async (host: PamWorld): Promise<void> => {
      const { code: exit, stderr } = await on(host, 'unlock', '--user', user.name);
      assert.equal(exit, 0, stderr);
    };
    it('that gets the name of another one went on with the log of that, or had that one go on with its own', async () => {
      const hosts = [await fleetHost(server, 'longer', { hostKey }), await fleetHost(server, 'shorter', { hostKey })] as const;
      for (const [i, host] of hosts.entries()) for (let times = 0; times < 6 - 4 * i; times++) await host.pam(user.name, '000000');
      const counts = hosts.map((host) => host.records().length);
      for (const [taking, own, taken] of [
        [hosts[1], 'shorter', 'longer'],
        [hosts[0], 'longer', 'shorter'],
      ] as const) {
        rename(taking, taken);
        await makeRecord(taking);
        for (const each of hosts) await wholeAt(each);
        rename(taking, own);
        for (const each of hosts) {
          await makeRecord(each);
          await wholeAt(each);
        }
      }
      for (const [i, host] of hosts.entries()) assertInOrder(host, (counts[i] ?? 0) + 3);
      for (const [i, name] of ['longer', 'shorter'].entries()) {
        const verified = await notp('audit', 'verify', '--host', name, '--file', `${String(hosts[i]?.folder)}/log/audit.log`);
        assert.equal(verified.code, 0, verified.stderr);
        assert.match(verified.stderr, /has had 2 logs/);
      }
    });

    it('put told and committed records out of the chain under its third name, or never verified again', async () => {
      for (const names of ['b c a', 'b c a b c', 'c b a']) {
        const id = `x-${names.replaceAll(' ', '')}`;
        const host = await fleetHost(server, `${id}-b`, { hostKey });
        for (let i = 0; i < 3; i++) await makeRecord(host);
        for (const name of names.split(' ')) {
          rename(host, `${id}-${name}`);
          await makeRecord(host);
        }
        assertInOrder(host, 3 + names.split(' ').length);
        const { stdout, stderr } = await on(host, 'audit', 'verify');
        assert.match(stdout, /^The log is whole/);
        assert.equal(stderr, '');
      }
    });

    it('had its chain fork when it was renamed while its log could not be written: told records never came', async () => {
      for (const [full, later] of [
        ['b a', 'a a'],
        ['b a b a', 'b a'],
        ['b a c', 'a'],
      ] as const) {
        const id = `x-full-${full.replaceAll(' ', '')}`;
        const host = await fleetHost(server, `${id}-a`, { hostKey });
        for (let i = 0; i < 2; i++) await makeRecord(host);
        const log = `${host.folder}/log/audit.log`;
        const [count] = [full, later].map((names) => names.split(' ').length) as [number];
        await succeed(['sh', '-c', `mount --bind ${log} ${log} && mount -o remount,ro,bind ${log}`]);
        try {
          for (const name of full.split(' ')) {
            rename(host, `${id}-${name}`);
            await makeRecord(host);
          }
        } finally {
          await succeed(['umount', log]);
        }
        for (const name of later.split(' ')) {
          rename(host, `${id}-${name}`);
          await makeRecord(host);
          await wholeAt(host);
        }
        assertInOrder(host, 2 + count + later.split(' ').length);
        assert.equal((await on(host, 'audit', 'verify')).stderr, '');
      }
    });

    it('whose log cannot take an id beside it answers, and writes all once it can', async () => {
      const host = await fleetHost(server, 'no-id', { hostKey });
      const folder = `${host.folder}/log`;
      fs.writeFileSync(`${folder}/audit.log`, '', { mode: 0o600 });
      fs.chownSync(`${folder}/audit.log`, host.service.uid, host.service.gid);
      fs.chownSync(folder, 0, 0);
      fs.chmodSync(folder, 0o755);
      for (let i = 0; i < 2; i++) await makeRecord(host);
      assert.equal(fs.readFileSync(`${folder}/audit.log`, 'utf8'), '');
      const { stdout } = await on(host, 'doctor', '--json');
      assert.match(stdout, /"id":"audit-log","severity":"fail"[^\n]*cannot create files in/);
      fs.chownSync(folder, host.service.uid, host.service.gid);
      await makeRecord(host);
      assertInOrder(host, 3);
      assert.equal(fs.readFileSync(`${folder}/audit.log.id`, 'utf8').trim(), logIdOf(server, 'no-id'));
      await wholeAt(host);
    });

    it('whose log lost its id, or has another one, is refused until root has looked', async () => {
      const host = await fleetHost(server, 'lost-id', { hostKey });
      const id = `${host.folder}/log/audit.log.id`;
      for (let i = 0; i < 3; i++) await makeRecord(host);
      for (const change of ['lost', 'other'] as const) {
        if (change === 'lost') fs.rmSync(id);
        else fs.writeFileSync(id, `${'f'.repeat(32)}\n`);
        const refused = await on(host, 'unlock', '--user', user.name);
        assert.equal(refused.code, 3, change);
        assert.match(
          refused.stderr,
          /the store does not know \S+audit\.log, or has another log[^\n]*\nnotp: hint: [^\n]*notp audit verify --resume/,
        );
        const found = (await on(host, 'doctor', '--json')).stdout;
        assert.match(found, /"id":"store","severity":"fail"[^\n]*does not know/);
        const resumed = await on(host, 'audit', 'verify', '--resume');
        assert.equal(resumed.code, 0, resumed.stderr);
        await makeRecord(host);
        await wholeAt(host);
      }
      fs.rmSync(id);
      fs.renameSync(`${host.folder}/log/audit.log`, `${host.folder}/log/gone`);
      assert.equal((await on(host, 'unlock', '--user', user.name)).code, 3, 'the whole log was lost');
      fs.writeFileSync(id, 'no id');
      assert.match((await on(host, 'unlock', '--user', user.name)).stderr, /audit\.log\.id has no id of a log/);
    });

    it('was accused of having rewritten its log for good, by the marks of an earlier host of its name', async () => {
      const gone = await fleetHost(server, 'heir', { hostKey });
      await makeManyRecords(gone, user);
      const fresh = await fleetHost(server, 'heir', { hostKey });
      const refused = await on(fresh, 'unlock', '--user', user.name);
      assert.equal(refused.code, 3);
      assert.match(refused.stderr, /or is new under the name of another/);
      // A new host has no log at all, which ended it with ENOENT.
      const resumed = await on(fresh, 'audit', 'verify', '--resume');
      assert.equal(resumed.code, 0, resumed.stderr);
      await makeManyRecords(fresh, user);
      await wholeAt(fresh);
      for (const [host, said] of [
        [fresh, /has had 2 logs: /],
        [gone, /has had 2 logs, and this is an earlier one/],
      ] as const) {
        const { code: exit, stderr } = await notp('audit', 'verify', '--host', 'heir', '--file', `${host.folder}/log/audit.log`);
        assert.equal(exit, 0, stderr);
        assert.match(stderr, said);
      }
      assert.match((await notp('store', 'hosts')).stdout, /^heir +\d+ records, in an earlier log\nheir +\d+ records$/m);
    });

    it('refused everybody under a name from before the key of the fleet was changed, and accused somebody of its counts', async () => {
      const host = await fleetHost(server, 'key-first', { hostKey });
      for (let i = 0; i < 2; i++) await host.pam(user.name, '000000');
      rename(host, 'key-second');
      await makeRecord(host);
      const etc = `${host.folder}/etc`;
      fs.writeFileSync(`${etc}/new.key`, randomBytes(32), { mode: 0o400 });
      fs.chownSync(`${etc}/new.key`, host.service.uid, host.service.gid);
      for (const names of [['host.key', 'new.key'], ['new.key', 'host.key'], ['new.key']]) {
        useKeys(host, names);
        if (names[0] === 'new.key' && names.length === 2) assert.equal((await on(host, 'reseal', '--all')).code, 0);
      }
      for (const name of ['key-second', 'key-first', 'key-second']) {
        rename(host, name);
        const { code: exit, stdout } = await host.pam(user.name, '000000');
        assert.equal(exit, 1);
        assert.doesNotMatch(stdout, /cannot be reached/);
        await makeRecord(host);
        await wholeAt(host);
      }
      assert.doesNotMatch(fs.readFileSync(`${host.folder}/log/audit.log`, 'utf8'), /changed outside notp/);
      useKeys(host, ['host.key', 'new.key']);
      assert.equal((await on(host, 'reseal', '--all')).code, 0);
    });

    it('kept another host of the same machine-id waiting, each with its log at the same path', async () => {
      const path = `${server.folder}/same-path`;
      fs.mkdirSync(path);
      const hosts = [await fleetHost(server, 'clone-a', { hostKey }), await fleetHost(server, 'clone-b', { hostKey })] as const;
      const onOwn = ({ folder, config }: PamWorld): Promise<Ran> =>
        run([
          ...['unshare', '-m', 'sh', '-c', `mount --bind ${folder}/log ${path} && exec "$@"`, 'sh'],
          ...[...SOURCE_NOTP, 'unlock', '--user', user.name, '--config', config],
        ]);
      for (const { config } of hosts)
        fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replace(/^file = .*$/m, `file = "${path}/audit.log"`));
      for (const host of hosts) assert.equal((await onOwn(host)).code, 0);
      const held = `BEGIN; SELECT 1 FROM notp.chain WHERE log = '${logIdOf(server, 'clone-a')}' FOR UPDATE; SELECT pg_sleep(60)`;
      const [psql = '', ...words] = server.psql(held, FLEET_DATABASE);
      const holding = spawn(psql, words, { stdio: 'ignore' });
      const asleep = `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`;
      while (server.sql(asleep, FLEET_DATABASE).trim() === '0') await new Promise((resolve) => setTimeout(resolve, 100));
      let isWaiting = true;
      const waiting = onOwn(hosts[0]).finally(() => (isWaiting = false));
      assert.equal((await onOwn(hosts[1])).code, 0);
      assert.equal(isWaiting, true);
      server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'`, FLEET_DATABASE);
      holding.kill();
      assert.equal((await waiting).code, 0);
    });

    it('that is a clone with the id of another is told of it by the log, which lacks what the other wrote', async () => {
      const first = await fleetHost(server, 'twin-a', { hostKey });
      await makeRecord(first);
      const second = await fleetHost(server, 'twin-b', { hostKey });
      for (const file of ['audit.log', 'audit.log.id']) {
        fs.copyFileSync(`${first.folder}/log/${file}`, `${second.folder}/log/${file}`);
        fs.chownSync(`${second.folder}/log/${file}`, second.service.uid, second.service.gid);
      }
      for (const host of [first, second, first]) await makeRecord(host);
      for (const host of [first, second]) {
        const { code: exit, stderr } = await on(host, 'audit', 'verify');
        assert.equal(exit, 1);
        assert.match(stderr, /missing|changed/);
      }
      assert.equal((await on(second, 'audit', 'verify', '--resume')).code, 1);
    });

    it('that joined with a log of its own, under a name that was there before, went on with the chain of the other', async () => {
      for (const [earlier, own] of [
        [3, 6],
        [6, 3],
      ] as const) {
        const name = `joined-${String(own)}`;
        const first = await fleetHost(server, name, { hostKey });
        for (let i = 0; i < earlier; i++) await makeRecord(first);
        const alone = await pamWorld('fleet-alone', { hostKey });
        await alone.enroll(addUser());
        for (let i = 1; i < own; i++) await alone.pam('nobody-of-that-name', '000000');
        const second = await fleetHost(server, name, { hostKey });
        fs.copyFileSync(`${alone.folder}/log/audit.log`, `${second.folder}/log/audit.log`);
        fs.chownSync(`${second.folder}/log/audit.log`, second.service.uid, second.service.gid);
        const refused = await on(second, 'unlock', '--user', user.name);
        assert.equal(refused.code, 3);
        assert.match(refused.stderr, /joined it with an existing log[^\n]*\nnotp: hint: [^\n]*notp audit verify --resume/);
        const resumed = await on(second, 'audit', 'verify', '--resume');
        assert.equal(resumed.code, 0, resumed.stderr);
        await makeRecord(second);
        for (const host of [second, first]) await wholeAt(host);
        await makeRecord(first);
      }
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

function useKeys({ config, folder }: PamWorld, names: readonly string[]): void {
  const files = names.map((name) => JSON.stringify(`${folder}/etc/${name}`)).join(', ');
  fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replace(/^host_key = .*$/m, `host_key = [${files}]`));
}

/** Makes more records than lie between two marks, in this process. */
async function makeManyRecords({ config }: PamWorld, user: TestUser): Promise<void> {
  const umask = process.umask(0o077);
  try {
    for (let i = 0; i < 55; i++)
      assert.equal(await runCommand(['unlock', '--user', user.name, '--config', config], { environment: {}, umask, now: Date.now }), 0);
  } finally {
    process.umask(umask);
  }
}

function rename({ config }: PamWorld, name: string): void {
  fs.writeFileSync(config, fs.readFileSync(config, 'utf8').replace(/^host = .*$/m, `host = "${name}"`));
}

async function wholeAt(host: PamWorld): Promise<void> {
  const { code: exit, stdout, stderr } = await on(host, 'audit', 'verify');
  assert.equal(exit, 0, stdout + stderr);
}

/** Checks that each record is there once and in its place, from the first. */
function assertInOrder(host: PamWorld, count: number): void {
  assert.deepEqual(
    seqsIn(host),
    Array.from({ length: count }, (_, i) => i + 1),
  );
}

function seqsIn(host: PamWorld): number[] {
  return host.records().map((record) => (record as unknown as { seq: number }).seq);
}

function on({ config }: PamWorld, ...words: readonly string[]): Promise<Ran> {
  return run([...SOURCE_NOTP, ...words, '--config', config]);
}
