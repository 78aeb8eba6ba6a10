/** Whoever administers the database of a fleet registers a sealed file of their own there: it lets nobody in, and the host says so. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { codeAt } from '../../src/otp/code.ts';
import { MIN_KDF_MEMORY_KIB, MIN_KDF_PASSES, printSealedFile, registrationOf, type PassphraseSeal } from '../../src/seal/file.ts';
import { passphraseKey } from '../../src/seal/keys.ts';
import { seal } from '../../src/seal/seal.ts';
import { newHeader, newPayload } from '../../src/enrolment/sealing.ts';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, lacks, SOURCE_NOTP, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost, logIdOf } from './fleet-world.ts';
import { succeed, type PamWorld } from './pam-world.ts';

const PASSPHRASE = 'of my own';
const WANTED = { algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: 'mine', account: 'mine', recovery: 0 } as const;

function told(ran: Ran): string {
  return (ran.stdout + ran.stderr).replaceAll(/\s+/g, ' ');
}

describe(
  'the administrator of a fleet’s database',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['openssl'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let host: PamWorld;
    let other: PamWorld;
    let user: TestUser;
    const hostKey = randomBytes(32);

    before(async () => {
      server = await startPostgres('fleet-forged');
      server.createDatabase(FLEET_DATABASE);
      const top = 'secrets = "store"\nrule = [{ ask = "code", enrol_by = 2099-01-01 }]';
      host = await fleetHost(server, 'one', { hostKey, top });
      other = await fleetHost(server, 'two', { hostKey, top });
      user = addUser();
    });

    const sql = (text: string): string => server.sql(`SET search_path TO notp; ${text}`, FLEET_DATABASE);
    const sameUser = (): string => `"user" = '${user.name}'`;

    /** Puts a sealed file of their own in the place of that of `user`, and its registration; gives what is typed then. */
    function registerOwn(how: 'present' | 'pending'): string {
      const { payload } = newPayload(WANTED);
      const own: PassphraseSeal = { kind: 'passphrase', m: MIN_KDF_MEMORY_KIB, t: MIN_KDF_PASSES, p: 1, salt: randomBytes(16) };
      const header = { ...newHeader(user.name, 'ssh', Date.now()), seal: own };
      const file = seal(header, payload, passphraseKey(PASSPHRASE, own), randomBytes(24));
      const { id, digest } = registrationOf(file);
      sql(`UPDATE sealed SET text = '${Buffer.from(printSealedFile(file)).toString()}' WHERE ${sameUser()}`);
      const columns = { present: `id = '${id}', digest = '${digest}'`, pending: `pending_id = '${id}', pending_digest = '${digest}'` }[how];
      sql(`UPDATE enrolment SET ${columns}, status = 'active', last_step = -1, tokens = 5 WHERE ${sameUser()}`);
      return `${PASSPHRASE} ${codeAt(payload.secret, Math.floor(Date.now() / 30_000), payload)}`;
    }

    async function refusal(proof: string, on = host): Promise<string | undefined> {
      const { code, stdout } = await on.pam(user.name, proof);
      assert.equal(code, 1, stdout);
      return on.recordIn(stdout).reason;
    }

    it('got in with a file of their own, which they had registered in both tables', async () => {
      for (const how of ['present', 'pending'] as const) {
        await host.enroll(user);
        const proof = registerOwn(how);
        assert.equal(await refusal(proof), 'stale_enrolment');
        assert.match(host.lastRecord().detail ?? '', /was changed outside notp.*, or notp-enroll --replace \S+ ssh$/);
        assert.equal(await refusal(proof, other), 'stale_enrolment');
      }
    });

    it('is told of by status and doctor, and root mends it by a new enrolment alone', async () => {
      const { recovery } = await host.enroll(user);
      registerOwn('present');
      const status = await run([...SOURCE_NOTP, 'status', '--user', user.name, '--config', other.config]);
      assert.match(status.stdout, /stale/);
      assert.match(status.stdout.replaceAll(/\s+/g, ' '), /was changed outside notp/);
      const unlocked = await run([...SOURCE_NOTP, 'unlock', '--user', user.name, '--config', host.config]);
      assert.equal(unlocked.code, 1);
      assert.match(unlocked.stderr, /changed outside notp[^\n]*\nnotp: hint: bring a missing host key back, or notp-enroll --replace/);
      assert.equal(await refusal(recovery[0] ?? ''), 'stale_enrolment');
      const { recovery: newer } = await host.enroll(user);
      assert.equal((await other.pam(user.name, newer[0] ?? '')).code, 0);
    });

    it('gives nobody back what they have used, and takes no revocation back', async () => {
      const { recovery } = await host.enroll(user);
      assert.equal((await host.pam(user.name, recovery[0] ?? '')).code, 0);
      sql(`UPDATE enrolment SET spent = repeat('0', length(spent)) WHERE ${sameUser()}`);
      assert.equal(await refusal(recovery[0] ?? ''), 'stale_enrolment');
      await host.enroll(user);
      const digest = sql(`SELECT digest FROM enrolment WHERE ${sameUser()}`);
      const text = sql(`SELECT text FROM sealed WHERE ${sameUser()}`);
      await succeed([...SOURCE_NOTP, 'revoke', '--user', user.name, '--yes', '--config', host.config]);
      sql(
        `UPDATE enrolment SET status = 'active', digest = '${digest}' WHERE ${sameUser()}; INSERT INTO sealed VALUES ('${user.name}', 'ssh', '${text}')`,
      );
      assert.equal(await refusal('123456'), 'stale_enrolment');
    });

    it('had one refused login write a thousand acceptances, whose COMMIT the server undid each time', async () => {
      const { recovery } = await host.enroll(user);
      const lines = (): number => host.records().length;
      sql(`CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''again'' USING ERRCODE = ''40001''; END';
        CREATE CONSTRAINT TRIGGER again AFTER UPDATE ON enrolment DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again()`);
      for (const proof of [recovery[0] ?? '', '123456']) {
        const earlier = lines();
        assert.equal((await host.pam(user.name, proof)).code, 1);
        const more = lines() - earlier;
        assert.ok(more > 0 && more < 10, `${String(more)} lines of one login`);
      }
      sql('DROP TRIGGER again ON enrolment');
      assert.equal((await host.pam(user.name, recovery[0] ?? '')).code, 0);
    });

    const audit = (...words: readonly string[]): Promise<Ran> => run([...SOURCE_NOTP, 'audit', ...words, '--config', host.config]);

    it('had the host sign an acceptance that never was, which they had written to the counts', async () => {
      const { recovery } = await host.enroll(user);
      const shared = '{"uid":0,"context":"root-ctx","door":"pam","service":"sudo","rhost":"6.6.6.6","method":"remembered"}';
      for (const flood of ['acceptances', 'refusals']) {
        sql(`DELETE FROM ${flood}; INSERT INTO ${flood} (log, "user", tokens, as_of_ms, count, since_ms, ref, shared, until_ms)
          VALUES ('${logIdOf(server, 'one')}', '${user.name}', 50, 0, 777, 1700000000000, 'deadbeef', '${shared}', 1900000000000)`);
      }
      const earlier = host.records().length;
      assert.equal((await host.pam(user.name, recovery[0] ?? '')).code, 0);
      const records = host.records().slice(earlier);
      assert.deepEqual(
        records.map(({ event }) => event),
        ['login.accepted', 'recovery.used'],
      );
      assert.equal(records[0]?.detail, 'counts of refusals and acceptances changed outside notp');
      assert.doesNotMatch(records[1]?.detail ?? '', /changed outside/);
    });

    it('had refusals leave no record, by a count below nothing and then none', async () => {
      await host.enroll(user);
      assert.equal(await refusal('123456'), 'wrong_code');
      for (const change of ['tokens = -1e12', 'count = 0, tokens = -1e12', "tokens = 'NaN'", `mac = repeat('0', 64)`]) {
        sql(`UPDATE refusals SET ${change} WHERE ${sameUser()}`);
        assert.match((await refusal('123456')) ?? '', /^(wrong_code|rate_limited|locked)/);
        assert.match(host.lastRecord().detail ?? '', /^counts of refusals changed outside notp/, change);
      }
    });

    it('had a whole log called written anew, by a mark that notp never made', async () => {
      const { seq } = host.lastRecord() as unknown as { seq: number };
      sql(`INSERT INTO mark VALUES ('${logIdOf(server, 'one')}', ${String(seq)}, repeat('b', 64))`);
      const ran = await audit('verify');
      assert.equal(ran.code, 1);
      assert.match(
        told(ran),
        new RegExp(
          `is not record ${String(seq)} as the store's mark has it; the mark is not signed with any key that is here: it was changed`,
        ),
      );
      assert.doesNotMatch(told(ran), /rewritten/);
      sql(`DELETE FROM mark WHERE seq = ${String(seq)}`);
      assert.match(told(await audit('verify')), /whole/);
    });

    it('took an acceptance out of the log before it was written there, by the head of the chain', async () => {
      const { recovery } = await host.enroll(user);
      sql('DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT * FROM chain');
      assert.equal((await host.pam(user.name, recovery[0] ?? '')).code, 0);
      for (const change of ['seq = seq - 1', 'lacking = 1', `hash = repeat('a', 64)`, 'seq = 0']) {
        sql('DELETE FROM kept; INSERT INTO kept SELECT * FROM chain');
        sql(`UPDATE chain SET ${change} WHERE log = '${logIdOf(server, 'one')}'`);
        const { code, stdout } = await host.pam(user.name, recovery[1] ?? '');
        assert.equal(code, 1, change);
        assert.match(stdout, /the login state cannot be reached/);
        const found = await audit('verify');
        assert.equal(found.code, 3);
        assert.match(told(found), /head of the audit chain in the store was changed outside notp.* notp audit verify --resume/);
        sql('DELETE FROM chain; INSERT INTO chain SELECT * FROM kept');
      }
      assert.equal((await audit('verify', '--resume')).code, 1, 'there is nothing to mend');
      sql(`UPDATE chain SET seq = seq - 1, lacking = 0 WHERE log = '${logIdOf(server, 'one')}'`);
      assert.match(told(await audit('verify', '--resume')), /The log is whole/);
      assert.equal(host.lastRecord().event, 'audit.resumed');
      assert.equal((await host.pam(user.name, recovery[1] ?? '')).code, 0);
      assert.match(told(await audit('verify')), /The log is whole/);
    });

    it('makes no invitation and no approval that counts', async () => {
      await host.enroll(user);
      sql(`UPDATE enrolment SET status = 'invited', id = '', digest = '' WHERE ${sameUser()}`);
      // Not even where policy lets in whoever is not enrolled.
      assert.equal(await refusal('123456'), 'stale_enrolment');
      sql(`INSERT INTO approved VALUES ('${user.name}', 1, repeat('a', 64))`);
      assert.equal(await succeed([...SOURCE_NOTP, 'store', 'approved', '--config', host.config]), '');
      const approve = [...SOURCE_NOTP, 'store', 'approve', '--user', user.name, '--config', host.config];
      const over = await run(approve);
      assert.equal(over.code, 1);
      assert.match(over.stderr, /approval of \S+ was changed outside notp.*\n.*--remove/);
      assert.doesNotMatch((await run([...approve, '--remove'])).stderr, /as before/);
      await succeed(approve);
      assert.match(await succeed([...SOURCE_NOTP, 'store', 'approved', '--config', other.config]), new RegExp(user.name));
    });
  },
);
