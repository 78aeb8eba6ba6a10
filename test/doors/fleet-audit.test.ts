/** `notp audit verify --host`: what one host of a fleet did to its log is found on another, against the heads in the store. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, lacks, SOURCE_NOTP, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost, writtenAnew } from './fleet-world.ts';
import { pamWorld, succeed, type PamWorld } from './pam-world.ts';

describe(
  'the logs of a fleet',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let one: PamWorld;
    let two: PamWorld;
    let alone: PamWorld;
    let user: TestUser;
    let lines: readonly string[];

    before(async () => {
      server = await startPostgres('fleet-audit');
      server.createDatabase(FLEET_DATABASE);
      const hostKey = randomBytes(32);
      one = await fleetHost(server, 'one', { hostKey });
      two = await fleetHost(server, 'two', { hostKey });
      alone = await fleetHost(server, 'alone', { hostKey: randomBytes(32) });
      user = addUser();
      await one.enroll(user);
      for (const host of [one, one, one, one, two]) await host.pam(user.name, '000000');
      await alone.pam('nobody-of-that-name', '000000');
      lines = fs.readFileSync(`${one.folder}/log/audit.log`, 'utf8').trim().split('\n');
    });

    const verify = async (host: string, ...words: readonly string[]): Promise<Ran> =>
      await run([...SOURCE_NOTP, 'audit', 'verify', '--host', host, '--config', two.config, ...words]);
    /** Checks, on the second host, a copy of the log of the first that says this. */
    const copied = async (...text: readonly string[]): Promise<Ran> => {
      const file = `${two.folder}/copy.log`;
      fs.writeFileSync(file, text.map((line) => `${line}\n`).join(''));
      return await verify('one', '--file', file);
    };

    it('are whole where nobody changed them, also in parts and packed', async () => {
      const { code, stdout } = await copied(...lines);
      assert.deepEqual([code, stdout], [0, `The log is whole: records 1 to ${String(lines.length)}, ${String(lines.length)} in all\n`]);
      const file = `${two.folder}/rotated.log`;
      fs.writeFileSync(`${file}.2.gz`, gzipSync(`${lines[0] ?? ''}\n`));
      fs.writeFileSync(`${file}.1`, `${lines.slice(1, 3).join('\n')}\n`);
      fs.writeFileSync(file, `${lines.slice(3).join('\n')}\n`);
      assert.equal((await verify('one', '--file', file)).code, 0);
      assert.equal((await verify('two')).code, 0);
    });

    it('are not where a line was edited, removed or put elsewhere', async () => {
      const edited = lines.map((line, i) => (i === 2 ? line.replace('refused', 'accepted') : line));
      for (const [text, what] of [
        [edited, /copy\.log:\d+: /],
        [lines.toSpliced(2, 1), /copy\.log:\d+: /],
        [lines.with(1, lines[2] ?? '').with(2, lines[1] ?? ''), /copy\.log:\d+: /],
      ] as const) {
        const { code, stderr } = await copied(...text);
        assert.equal(code, 1);
        assert.match(stderr, what);
      }
    });

    it('are not where the end is missing, which an older copy looks like', async () => {
      const { code, stderr } = await copied(...lines.slice(0, -2));
      assert.equal(code, 1);
      assert.match(stderr, /the last 2 records are missing[^]*an old copy also lacks the newest records/);
    });

    it('are not where the host has written them anew, with its own key and as long as they were', async () => {
      const forger = await pamWorld('fleet-forger', { hostKey: fs.readFileSync(`${one.folder}/etc/host.key`) });
      // From here on its records are in a chain.
      await forger.enroll(addUser());
      for (let i = 0; i < lines.length; i++) await forger.pam(user.name, '000000');
      const forged = fs.readFileSync(`${forger.folder}/log/audit.log`, 'utf8').trim().split('\n').slice(0, lines.length);
      assert.equal(forged.length, lines.length);
      const { code, stderr } = await copied(...forged);
      assert.equal(code, 1);
      assert.match(stderr, /was changed/);
    });

    it('are not those of another host', async () => {
      const { code } = await verify('one', '--file', `${two.folder}/log/audit.log`);
      assert.equal(code, 1);
    });

    it('are proven by the key of the host that wrote them', async () => {
      const file = `${alone.folder}/log/audit.log`;
      assert.equal((await verify('alone', '--file', file)).code, 1);
      fs.writeFileSync(`${two.folder}/alone.key`, fs.readFileSync(`${alone.folder}/etc/host.key`), { mode: 0o400 });
      const proven = await verify('alone', '--file', file, '--key', `${two.folder}/alone.key`);
      assert.equal(proven.code, 0, proven.stderr);
    });

    it('were called what a changed mark tells of, where a host with a key of its own had written its log anew', async () => {
      while (alone.records().length < 52) await Promise.all([1, 2, 3].map(() => alone.pam('nobody-of-that-name', '000000')));
      const hostKey = new Uint8Array(fs.readFileSync(`${alone.folder}/etc/host.key`));
      const file = `${two.folder}/alone.log`;
      fs.writeFileSync(`${two.folder}/alone.key`, hostKey, { mode: 0o400 });
      fs.writeFileSync(file, writtenAnew(server, { log: `${alone.folder}/log/audit.log`, host: 'alone', hostKey, changed: 30 }));
      const { code, stderr } = await verify('alone', '--file', file, '--key', `${two.folder}/alone.key`);
      assert.equal(code, 1);
      assert.match(stderr, /alone\.log:50: is not record 50 as the store knew it: the log was rewritten/);
      const without = await verify('alone', '--file', file);
      assert.match(without.stderr, /not signed with any key that is here: .*\(--key\); keep the log/);
    });

    it('were whole where the host had written a shorter one, and moved its head in the store back', async () => {
      const hostKey = new Uint8Array(fs.readFileSync(`${two.folder}/alone.key`));
      const file = `${two.folder}/alone.log`;
      const log = `${alone.folder}/log/audit.log`;
      fs.writeFileSync(file, writtenAnew(server, { log, host: 'alone', hostKey, changed: 30, end: 49 }));
      const { code, stdout, stderr } = await verify('alone', '--file', file, '--key', `${two.folder}/alone.key`);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /the store has a mark of record 50, and the log ends at 49: the log was cut off or rewritten/);
    });

    it('are counted by host, and of no other host', async () => {
      const listed = await succeed([...SOURCE_NOTP, 'store', 'hosts', '--json', '--config', two.config]);
      const hosts = listed
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { host: string; records: number });
      assert.deepEqual(
        hosts.map(({ host }) => host),
        ['alone', 'one', 'two'],
      );
      assert.equal(hosts[1]?.records, lines.length);
      // Whoever administers the database, or root of a host with its own row there, hid all others by a row that is none, and wrote lines of their own.
      server.sql(
        `INSERT INTO notp.host VALUES (E'evil\\r\\x1b[K\\x1b[31mone   3 records\\ntwo', 1, 'evil');
         INSERT INTO notp.chain (log, seq, hash, lacking) VALUES ('evil', 5, 'zz', 0)`,
        FLEET_DATABASE,
      );
      const [spoiled, ...others] = (await succeed([...SOURCE_NOTP, 'store', 'hosts', '--config', two.config]))
        .trimEnd()
        .split('\n')
        .toReversed();
      assert.equal(others.length, 3);
      assert.ok(
        [spoiled, ...others].includes(
          `evil${String.raw`\u000d\u001b[K\u001b[31mone   3 records\u000atwo`}  its head was changed outside notp`,
        ),
      );
      assert.equal((await verify('two')).code, 0);
      server.sql(`DELETE FROM notp.chain WHERE log = 'evil'; DELETE FROM notp.host WHERE log = 'evil'`, FLEET_DATABASE);
      const unknown = await verify('three');
      assert.deepEqual([unknown.code, /knows no host "?three"?[^]*alone, one, two/.test(unknown.stderr)], [1, true], unknown.stderr);
      const own = await pamWorld('fleet-none');
      for (const words of [
        ['audit', 'verify', '--host', 'one'],
        ['audit', 'verify', '--file', '/x'],
        ['audit', 'verify', '--outage'],
        ['audit', 'verify', '--host', 'one', '--file', '/x', '--file', '/y'],
        ['store', 'hosts'],
      ]) {
        const { code, stderr } = await run([...SOURCE_NOTP, ...words, '--config', own.config]);
        assert.notEqual(code, 0);
        assert.match(stderr, /is not shared|--host|takes one log|decides nothing in an outage/);
      }
    });
  },
);
