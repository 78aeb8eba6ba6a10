/** `outage = "local"`: who gets in while no server is reached, by what, and what comes of it when it is back. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { afterEach, before, describe, it } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import type { Finding } from '../../src/doctor/finding.ts';
import { lacksPostgres, PASSWORD, ROLE, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { signRows } from '../support/row-macs.ts';
import { addUser, lacks, oathCode, SOURCE_NOTP, type Enrolled, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import { succeed, type PamWorld, type Recorded } from './pam-world.ts';

/** So long that the codes of a test are still judged after the server has stopped and started on a slow machine. */
const PERIOD_SECONDS = 300;

type OutageRecord = Recorded & { readonly outage?: string; readonly seq: number };

describe(
  'a store that cannot be reached',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let one: PamWorld;
    let two: PamWorld;
    let denying: PamWorld;
    let keeping: PamWorld;
    let beside: PamWorld;
    let allowing: PamWorld;

    before(async () => {
      server = await startPostgres('outage');
      server.createDatabase(FLEET_DATABASE);
      const hostKey = randomBytes(32);
      one = await fleetHost(server, 'one', { hostKey, outage: true });
      two = await fleetHost(server, 'two', { hostKey, outage: true, top: 'rules = "store"' });
      denying = await fleetHost(server, 'denying', { hostKey });
      keeping = await fleetHost(server, 'keeping', { hostKey, outage: true, top: 'secrets = "store"' });
      beside = await fleetHost(server, 'beside', { hostKey, outage: true, top: 'secrets = "store"' });
      allowing = await fleetHost(server, 'allowing', { hostKey, outage: true, top: 'rule = [{ ask = "code", enrol_by = 2099-01-01 }]' });
    });
    afterEach(async () => {
      await server.stop();
      await server.start();
      for (const host of [one, two, keeping, beside]) await notp(host, 'store', 'refresh');
    });

    const approved = async (host: PamWorld = one): Promise<{ readonly user: TestUser; readonly enrolled: Enrolled }> => {
      const user = addUser();
      const enrolled = await host.enroll(user, ['--period', String(PERIOD_SECONDS)]);
      await notp(host, 'store', 'approve', '--user', user.name);
      for (const each of [one, two]) await notp(each, 'store', 'refresh');
      return { user, enrolled };
    };

    /** What `login` comes to while the server has this setting, until it is started again. */
    const whileSet = async (setting: string, login: () => Promise<Ran>): Promise<Ran> => {
      server.sql(`ALTER SYSTEM SET ${setting}`);
      server.sql('SELECT pg_reload_conf()');
      // It is the checkpointer who makes commits wait, and it reads the settings before it makes one.
      server.sql('CHECKPOINT');
      return await login().finally(() => {
        fs.rmSync(`${server.folder}/data/postgresql.auto.conf`);
      });
    };

    it('lets in who is approved, by two codes and once, and nobody else; what was used counts everywhere when it is back', async () => {
      const { user, enrolled } = await approved();
      const other = addUser();
      const { recovery } = await one.enroll(other);
      const open = `${two.folder}/rules.toml`;
      fs.writeFileSync(open, `[[rule]]\nusers = ["${user.name}"]\nask = "nothing"\nreason = "test"\n`, { mode: 0o600 });
      await notp(two, 'rules', 'put', open);
      const isAsked = async (): Promise<boolean> => (await two.pam(user.name, '', { words: ['--before'] })).code !== 0;
      assert.ok(!(await isAsked()));
      await server.stop();
      // The copy has no rules of the store.
      assert.ok(await isAsked());
      const codes = pair(enrolled);
      assert.equal(reasonIn(one, await one.pam(other.name, recovery[0] ?? '')), 'store_unavailable');
      assert.equal(reasonIn(denying, await denying.pam(user.name, codes)), 'store_unavailable');
      const single = await one.pam(user.name, codeOf(enrolled));
      assert.equal(outageRecordIn(one, single).reason, 'step_up_required');
      assert.equal((await one.pam(user.name, codes)).code, 0);
      assert.equal(outageRecordIn(one, await one.pam(user.name, codes)).reason, 'replayed');
      await server.start();
      await notp(two, 'rules', 'remove');
      // Whoever comes first makes the host report.
      assert.equal(reasonIn(one, await one.pam(other.name, '000000')), 'wrong_code');
      for (const host of [denying, two]) assert.equal(reasonIn(host, await host.pam(user.name, codes)), 'replayed');
      assert.deepEqual(told(one, user), ['step_up_required', 'step_up', 'replayed']);
      const shown = await notp(one, 'audit', '--user', user.name, '--table');
      assert.match(shown, /accepted by codes in a row +pam +outage, sudo/);
      await areWhole(one);
    });

    it('lets one code in on each host, which is found when they report', async () => {
      const { user, enrolled } = await approved();
      await server.stop();
      const codes = pair(enrolled);
      const [recovery = ''] = enrolled.recovery;
      for (const host of [one, two]) for (const proof of [codes, recovery]) assert.equal((await host.pam(user.name, proof)).code, 0, proof);
      await server.start();
      for (const host of [one, two]) await notp(host, 'store', 'refresh');
      const conflicts = (host: PamWorld): (string | undefined)[] =>
        recordsOf(host, user)
          .filter(({ event }) => event === 'outage.conflict')
          .map(({ detail }) => detail);
      assert.deepEqual(conflicts(one), []);
      const [first = '', second] = conflicts(two);
      assert.match(
        first,
        /^a code may have been accepted on two hosts: this host took those of steps \d+ and \d+, and another one that of \d+$/,
      );
      assert.equal(second, 'a recovery code was accepted on two hosts');
      assert.equal(reasonIn(one, await one.pam(user.name, recovery)), 'replayed');
      for (const host of [one, two]) await areWhole(host);
    });

    it('refuses whom another host has revoked, or whose approval ended, as far as this host was told', async () => {
      const [revoked, withdrawn] = [await approved(), await approved()];
      await notp(one, 'revoke', '--user', revoked.user.name, '--yes');
      await notp(one, 'store', 'approve', '--remove', '--user', withdrawn.user.name);
      await notp(two, 'store', 'refresh');
      assert.doesNotMatch(await notp(two, 'store', 'approved'), new RegExp(withdrawn.user.name));
      await server.stop();
      const proofs = [revoked, withdrawn].map(({ enrolled }) => enrolled.recovery[0] ?? '');
      assert.equal(outageRecordIn(two, await two.pam(revoked.user.name, proofs[0] ?? '')).reason, 'revoked');
      assert.equal(reasonIn(two, await two.pam(withdrawn.user.name, proofs[1] ?? '')), 'store_unavailable');
    });

    it('knows what was used before on this host, without being told', async () => {
      const { user, enrolled } = await approved();
      const [used = ''] = enrolled.recovery;
      assert.equal((await two.pam(user.name, used)).code, 0);
      await server.stop();
      assert.equal(outageRecordIn(two, await two.pam(user.name, used)).reason, 'replayed');
    });

    it('reports nothing twice where a host went down before it noted what it had reported', async () => {
      const { user, enrolled } = await approved();
      await server.stop();
      assert.equal((await one.pam(user.name, enrolled.recovery[0] ?? '')).code, 0);
      const earlier = fs.readFileSync(copyOf(one));
      await server.start();
      await notp(one, 'store', 'refresh');
      fs.writeFileSync(copyOf(one), earlier);
      await notp(one, 'store', 'refresh');
      assert.deepEqual(told(one, user), ['recovery', 'recovery.used']);
      assert.equal(question(one, 'SELECT count(*) AS answer FROM outage'), 0);
      await areWhole(one);
    });

    it('knows no grants, which count on each host while it can be reached', async () => {
      const { user } = await approved();
      const isIn = async (host: PamWorld): Promise<boolean> => (await host.pam(user.name, '', { words: ['--before'] })).code === 0;
      const hosts = [one, two, denying];
      for (const host of hosts) assert.ok(!(await isIn(host)));
      const made = await notp(one, 'grant', user.name, '--for', '1h', '--reason', 'phone lost', '--json');
      for (const host of hosts) {
        assert.ok(await isIn(host));
        assert.equal(host.lastRecord().method, 'grant');
      }
      await server.stop();
      for (const host of hosts) {
        assert.ok(!(await isIn(host)));
        assert.equal((await host.pam(user.name, '')).code, 1);
      }
      await server.start();
      for (const host of hosts) assert.ok(await isIn(host));
      await notp(two, 'grants', '--end', (JSON.parse(made) as { id: string }).id);
      for (const host of hosts) assert.ok(!(await isIn(host)));
    });

    it('uses no copy that is a day old', async () => {
      const { user, enrolled } = await approved();
      await server.stop();
      const database = new DatabaseSync(copyOf(one));
      database.exec('UPDATE approved SET as_of_ms = as_of_ms - 86401000');
      signRows(database, `${one.folder}/etc/host.key`);
      database.close();
      assert.equal(reasonIn(one, await one.pam(user.name, enrolled.recovery[0] ?? '')), 'store_unavailable');
    });

    it('is one that stands still, too', async () => {
      const { user, enrolled } = await approved();
      await server.stop('SIGSTOP');
      assert.equal((await one.pam(user.name, enrolled.recovery[0] ?? '')).code, 0);
    });

    it('is one that takes no writes, too', async () => {
      const { user, enrolled } = await approved();
      const accepted = await whileSet("default_transaction_read_only = 'on'", () => one.pam(user.name, enrolled.recovery[0] ?? ''));
      assert.equal(accepted.code, 0, accepted.stdout);
      assert.equal(outageRecords(one).at(-1)?.user, user.name);
    });

    it('was one that let this host log in no more, so that it let people in by its copy', async () => {
      const { user, enrolled } = await approved();
      try {
        for (const change of ['NOLOGIN', `PASSWORD 'another'`]) {
          server.sql(`ALTER ROLE ${ROLE} ${change}`);
          assert.equal(reasonIn(one, await one.pam(user.name, enrolled.recovery[0] ?? '')), 'store_unavailable', change);
          server.sql(`ALTER ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
        }
        assert.equal((await one.pam(user.name, enrolled.recovery[0] ?? '')).code, 0);
      } finally {
        server.sql(`ALTER ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
      }
    });

    it('is none whose answer to a decision is lost: that was perhaps made', async () => {
      const { user, enrolled } = await approved();
      const refused = await whileSet("synchronous_standby_names = 'nobody'", () => one.pam(user.name, enrolled.recovery[0] ?? ''));
      // Its record is of a decision that nobody was told, and the refusal has one of its own.
      assert.match(refused.stdout, /the login state cannot be reached/);
      assert.deepEqual(
        outageRecords(one).filter((record) => record.user === user.name),
        [],
      );
    });

    it('leaves the sealed files that it keeps to the host', async () => {
      const { user, enrolled } = await approved(keeping);
      await notp(keeping, 'store', 'refresh');
      await server.stop();
      assert.equal((await keeping.pam(user.name, enrolled.recovery[0] ?? '')).code, 0);
    });

    for (const [word, what] of [
      ['recovery', 'new recovery codes were made'],
      ['reseal', 'it was sealed anew'],
    ] as const) {
      it(`took a pair again on the host where it had been typed, for ${what} on another one since the last copy`, async () => {
        const { user, enrolled } = await approved(keeping);
        await notp(beside, 'store', 'refresh');
        await notp(keeping, word, '--user', user.name);
        const codes = pair(enrolled);
        assert.equal((await beside.pam(user.name, codes)).code, 0);
        await server.stop();
        assert.equal(outageRecordIn(beside, await beside.pam(user.name, codes)).reason, 'replayed');
        await server.start();
        await areWhole(beside);
      });

      it(`let everybody take a pair again that it had taken, for ${what} before it reported`, async () => {
        const { user, enrolled } = await approved(keeping);
        await notp(beside, 'store', 'refresh');
        const [spent = '', both = ''] = enrolled.recovery;
        assert.equal((await keeping.pam(user.name, both)).code, 0);
        await notp(keeping, word, '--user', user.name);
        await server.stop();
        const codes = pair(enrolled);
        for (const proof of [codes, spent, both]) assert.equal((await beside.pam(user.name, proof)).code, 0);
        await server.start();
        await notp(beside, 'store', 'refresh');
        for (const host of [beside, keeping]) {
          // What is not paid by a whole try is a wrong code, whatever it was.
          await notp(host, 'unlock', '--user', user.name);
          for (const proof of [codes, codes.split(' ')[1] ?? ''])
            assert.equal(reasonIn(host, await host.pam(user.name, proof)), 'replayed');
          // New recovery codes have ended the list that it was in.
          assert.equal(reasonIn(host, await host.pam(user.name, spent)), word === 'reseal' ? 'replayed' : 'wrong_code');
        }
        const conflicts = recordsOf(beside, user).filter(({ event }) => event === 'outage.conflict');
        assert.equal(conflicts.length, word === 'reseal' ? 1 : 0);
        await areWhole(beside);
      });
    }

    it('lets in nobody without a code, whom the host could not know to be enrolled neither', async () => {
      const [stranger, later] = [addUser(), addUser()];
      await approved();
      await notp(allowing, 'store', 'refresh');
      assert.equal((await allowing.pam(stranger.name, '')).code, 0);
      const { secret } = await one.enroll(later);
      await notp(one, 'store', 'approve', '--user', later.name);
      await server.stop();
      for (const user of [stranger, later]) assert.equal(reasonIn(allowing, await allowing.pam(user.name, '')), 'store_unavailable');
      assert.equal(reasonIn(allowing, await allowing.pam(later.name, pair({ secret }))), 'store_unavailable');
    });

    for (const [how, damage] of [
      [
        'may be read by others',
        (file: string): void => {
          fs.chmodSync(file, 0o644);
        },
      ],
      [
        'is no database',
        (file: string): void => {
          fs.writeFileSync(file, 'no database, but as long as one'.repeat(999));
        },
      ],
      [
        'is half a database',
        (file: string): void => {
          fs.truncateSync(file, fs.statSync(file).size / 2);
        },
      ],
    ] as const)
      it(`keeps nobody out while it is there, though the copy ${how}, and lets nobody in by that`, async () => {
        const { user, enrolled } = await approved();
        const [first = '', second = '', ...others] = enrolled.recovery;
        await server.stop();
        for (const code of others.slice(0, 2)) assert.equal((await one.pam(user.name, code)).code, 0);
        await server.start();
        await notp(one, 'store', 'refresh');
        for (const rest of ['-wal', '-shm']) fs.rmSync(`${copyOf(one)}${rest}`, { force: true });
        damage(copyOf(one));
        try {
          assert.equal((await one.pam(user.name, first)).code, 0);
          assert.deepEqual(await findings(one), ['outage-copy fail']);
          await server.stop();
          assert.equal(reasonIn(one, await one.pam(user.name, second)), 'store_unavailable');
        } finally {
          fs.rmSync(copyOf(one));
        }
        // As doctor says: the log of the copy that is gone was broken from then on.
        await server.start();
        await notp(one, 'store', 'refresh');
        assert.equal(outageRecords(one).at(-1)?.event, 'audit.resumed');
        await areWhole(one);
        assert.deepEqual(await findings(one), ['outage-copy ok']);
      });

    it('is something that doctor looks whether this host is prepared for, and has told what it decided', async () => {
      const user = addUser();
      const { recovery } = await one.enroll(user);
      await notp(one, 'store', 'approve', '--user', user.name);
      assert.deepEqual(await findings(one), ['outage-copy ok']);
      assert.deepEqual(await findings(two), ['outage-copy warn']);
      assert.deepEqual(await findings(denying), []);
      await server.stop();
      assert.equal((await one.pam(user.name, recovery[0] ?? '')).code, 0);
      assert.deepEqual(await findings(one), ['outage-report warn', 'outage-copy ok']);
      fs.chmodSync(copyOf(one), 0o644);
      assert.deepEqual(await findings(one), ['outage-copy fail']);
      fs.chmodSync(copyOf(one), 0o600);
    });

    it('let a user in who was revoked on another host, as the report about somebody else waited and the copy was made for nobody', async () => {
      const [alice, bob] = [await approved(), await approved()];
      await server.stop();
      assert.equal((await one.pam(alice.user.name, alice.enrolled.recovery[0] ?? '')).code, 0);
      await server.start();
      const changeRow = (by: string): string =>
        server.sql(`UPDATE notp.enrolment SET tokens = tokens + ${by} WHERE "user" = '${alice.user.name}'`, FLEET_DATABASE);
      changeRow('1');
      await succeed([...SOURCE_NOTP, 'revoke', '--yes', '--user', bob.user.name, '--config', two.config]);
      const refreshed = await run([...SOURCE_NOTP, 'store', 'refresh', '--config', one.config]);
      assert.equal(refreshed.code, 1);
      const { name } = alice.user;
      assert.ok(refreshed.stderr.includes(`notp: error: the report about ${name} waits, so the copy lets them in no more: `));
      assert.match(refreshed.stderr, /notp: hint: bring a missing host key back/);
      assert.ok(!/is up to date:.*\b${name}\b/.test(refreshed.stderr));
      const warned = (await examined(one)).filter(({ severity }) => severity === 'warn');
      assert.deepEqual(
        warned.map(({ id, detail }) => [id, detail.includes(name)]),
        [
          ['outage-copy', true],
          ['outage-report', true],
        ],
      );
      await server.stop();
      assert.equal(outageRecordIn(one, await one.pam(bob.user.name, bob.enrolled.recovery[0] ?? '')).reason, 'revoked');
      // The store may have spent this one meanwhile, or have revoked the user.
      assert.equal(reasonIn(one, await one.pam(name, alice.enrolled.recovery[1] ?? '')), 'store_unavailable');
      await server.start();
      changeRow('-1');
      await notp(one, 'store', 'refresh');
      assert.equal(reasonIn(one, await one.pam(name, alice.enrolled.recovery[0] ?? '')), 'replayed');
      await server.stop();
      assert.equal((await one.pam(name, alice.enrolled.recovery[1] ?? '')).code, 0);
    });

    it('had a copy of another host key, and the advice led back to itself, as it was about the head of another log', async () => {
      const { user, enrolled } = await approved(beside);
      await notp(beside, 'store', 'refresh');
      await server.stop();
      assert.equal((await beside.pam(user.name, enrolled.recovery[0] ?? '')).code, 0);
      await server.start();
      const database = new DatabaseSync(copyOf(beside));
      database.exec(`UPDATE chain SET mac = '${'0'.repeat(64)}'`);
      database.exec(`UPDATE enrolment SET mac = '${'0'.repeat(64)}'`);
      database.close();
      const { code, stderr } = await run([...SOURCE_NOTP, 'store', 'refresh', '--config', beside.config]);
      assert.equal(code, 3);
      assert.match(stderr, /the head of the log of outages \(.*audit-outage\.log\)/);
      assert.match(stderr, /run as root: notp audit verify --outage --resume, then notp store refresh;/);
      await notp(beside, 'audit', 'verify', '--outage', '--resume');
      await notp(beside, 'store', 'refresh');
      assert.equal(reasonIn(keeping, await keeping.pam(user.name, enrolled.recovery[0] ?? '')), 'replayed');
    });

    it('is prepared for by commands that say what they did, and that nothing was to be done', async () => {
      const { user } = await approved();
      assert.match(await saidBy(two, 'approve', '--user', user.name), /may log in while the store cannot be reached, as before\n/);
      assert.match(
        await saidBy(denying, 'approve', '--user', user.name),
        /this has an effect only on hosts with store\.outage = "local", and this host has "deny"/,
      );
      assert.match(await saidBy(denying, 'refresh'), /this host keeps no copy/);
      assert.match(await saidBy(one, 'refresh'), new RegExp(`^The copy is up to date: .*${user.name}`));
      const listed = (await notp(two, 'store', 'approved', '--json')).trim().split('\n');
      const all = listed.map((line) => JSON.parse(line) as { user: string; since: string });
      assert.match(all.find((each) => each.user === user.name)?.since ?? '', /^20\d\d-/);
      for (const each of all) await saidBy(one, 'approve', '--remove', '--user', each.user);
      assert.match(await saidBy(one, 'refresh'), /^The copy is empty, since no user is approved\n/);
      assert.deepEqual(await findings(one), ['outage-copy info']);
      const events = recordsOf(one, user).map(({ event }) => event);
      assert.deepEqual(
        events.filter((event) => event.startsWith('outage')),
        ['outage.approved', 'outage.withdrawn'],
      );
    });

    it('cannot be prepared for without root, for nobody, or for a store that is no fleet', async () => {
      const nobody = await run([...SOURCE_NOTP, 'store', 'approve', '--user', addUser().name, '--config', one.config]);
      assert.match(nobody.stderr, /is not enrolled/);
      fs.writeFileSync(`${one.folder}/alone.toml`, `[store]\noutage = "local"\n`);
      const alone = await run([...SOURCE_NOTP, 'store', 'approved', '--config', `${one.folder}/alone.toml`]);
      const own = `${one.folder}/own.toml`;
      fs.writeFileSync(own, `[store]\nurl = "sqlite:${one.folder}/var/own.db"\n`);
      const file = await run([...SOURCE_NOTP, 'store', 'approve', '--user', 'root', '--config', own]);
      assert.match(file.stderr, /the store of this host is a local file, which has no outages/);
      assert.match(alone.stderr, /alone\.toml:2: store\.outage = "local" is for the database of a fleet/);
    });

    // The last: the other hosts of this fleet do not have the new key.
    it('lets in who is approved after the key was changed, by a copy that was of the key that is gone', async () => {
      const { user, enrolled } = await approved(keeping);
      await notp(keeping, 'store', 'refresh');
      const [first = '', second = ''] = enrolled.recovery;
      const file = `${keeping.folder}/etc/host.key`;
      fs.writeFileSync(file, Buffer.concat([randomBytes(32), fs.readFileSync(file)]));
      // Those whom the other hosts have enrolled have no file here.
      await run([...SOURCE_NOTP, 'reseal', '--all', '--config', keeping.config]);
      await server.stop();
      assert.equal((await keeping.pam(user.name, first)).code, 0);
      await server.start();
      await notp(keeping, 'host-key', 'retire', '--yes');
      await notp(keeping, 'audit', 'verify', '--outage');
      await server.stop();
      assert.equal((await keeping.pam(user.name, second)).code, 0);
      await server.start();
      await notp(keeping, 'audit', 'verify', '--outage');
    });
  },
);

async function notp(host: PamWorld, ...words: readonly string[]): Promise<string> {
  return await succeed([...SOURCE_NOTP, ...words, '--config', host.config]);
}

/** What a command of `notp store` says on stderr. */
async function saidBy(host: PamWorld, ...words: readonly string[]): Promise<string> {
  return (await run([...SOURCE_NOTP, 'store', ...words, '--config', host.config])).stderr;
}

async function areWhole(host: PamWorld): Promise<void> {
  await notp(host, 'audit', 'verify');
  await notp(host, 'audit', 'verify', '--outage');
}

/** What doctor says of outages, as `id severity`. */
async function examined(host: PamWorld): Promise<Finding[]> {
  const { stdout } = await run([...SOURCE_NOTP, 'doctor', '--json', '--config', host.config]);
  const all = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Finding);
  return all.filter(({ id }) => id.startsWith('outage'));
}

async function findings(host: PamWorld): Promise<string[]> {
  return (await examined(host)).map(({ id, severity }) => `${id} ${severity}`);
}

/** The present code and the next one, which are both judged until the step after this one is over. */
function pair({ secret }: Pick<Enrolled, 'secret'>): string {
  return `${codeOf({ secret })} ${codeOf({ secret }, PERIOD_SECONDS)}`;
}

function codeOf({ secret }: Pick<Enrolled, 'secret'>, offsetSeconds = 0): string {
  return oathCode(secret, { offsetSeconds, options: [`--time-step-size=${String(PERIOD_SECONDS)}s`] });
}

function copyOf({ config }: PamWorld): string {
  return /outage_file = "(.*)"/.exec(fs.readFileSync(config, 'utf8'))?.[1] ?? '';
}

function question(host: PamWorld, sql: string): unknown {
  const database = new DatabaseSync(copyOf(host));
  try {
    return database.prepare(sql).get()?.['answer'];
  } finally {
    database.close();
  }
}

function reasonIn(host: PamWorld, { code, stdout }: Ran): string | undefined {
  assert.equal(code, 1, stdout);
  return host.recordIn(stdout).reason;
}

function outageRecords({ folder }: PamWorld): OutageRecord[] {
  const text = fs.readFileSync(`${folder}/log/audit-outage.log`, 'utf8').trim();
  return text.split('\n').map((line) => JSON.parse(line) as OutageRecord);
}

/** The record of a refusal in the log of outages, which is in no other. */
function outageRecordIn(host: PamWorld, { code, stdout }: Ran): OutageRecord {
  assert.equal(code, 1, stdout);
  const ref = /\(ref ([0-9a-f]{8})\)/.exec(stdout)?.[1];
  const found = outageRecords(host).find((record) => record.ref === ref);
  assert.ok(found, stdout);
  assert.ok(host.records().every((record) => record.ref !== ref));
  return found;
}

function recordsOf(host: PamWorld, { name }: TestUser): OutageRecord[] {
  return host.records().filter(({ user }) => user === name) as OutageRecord[];
}

/** What the log of the host says of the outage, in its order. */
function told(host: PamWorld, user: TestUser): (string | undefined)[] {
  const records = recordsOf(host, user).filter(({ outage }) => outage !== undefined);
  for (const { ref } of records) assert.ok(outageRecords(host).some((record) => record.ref === ref));
  return records.map(({ reason, method, event }) => reason ?? method ?? event);
}
