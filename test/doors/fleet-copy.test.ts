/** `notp store copy`: a host moves into the database of a fleet, and no code that it has accepted counts again there. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { lacksPostgres, ROLE, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, lacks, oathCode, SOURCE_NOTP, untilFreshStep } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import { succeed, type PamWorld } from './pam-world.ts';

describe(
  'a host that moves into a fleet',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let host: PamWorld;
    let alone: string;
    let fleet: string;

    before(async () => {
      server = await startPostgres('fleet-copy');
      server.createDatabase(FLEET_DATABASE);
      host = await fleetHost(server, 'one', { hostKey: randomBytes(32), top: 'secrets = "store"' });
      fleet = `postgres://${ROLE}@localhost:${String(server.port)}/${FLEET_DATABASE}`;
      alone = `sqlite:${host.folder}/var/state.db`;
      fs.mkdirSync(`${host.folder}/var`, { recursive: true });
      fs.chownSync(`${host.folder}/var`, host.service.uid, host.service.gid);
      use(alone);
    });
    const use = (url: string): void => {
      fs.writeFileSync(host.config, fs.readFileSync(host.config, 'utf8').replace(/^url = .*$/m, `url = "${url}"`));
    };
    const copy = async (...words: readonly string[]): Promise<Ran> =>
      await run([...SOURCE_NOTP, 'store', 'copy', ...words, '--config', host.config]);

    it('says beforehand what will be copied, and then takes codes, budgets and the chain with it', async () => {
      await succeed([...SOURCE_NOTP, 'host-key', 'init', '--config', host.config]);
      const user = addUser();
      const { secret, recovery } = await host.enroll(user);
      await untilFreshStep(15);
      const code = oathCode(secret);
      assert.equal((await host.pam(user.name, code)).code, 0);
      const dry = await copy(alone, fleet, '--dry-run');
      assert.deepEqual([dry.code, dry.stderr], [0, 'Would copy 1 enrolment, 1 sealed file; nothing prevents it\n']);
      assert.equal(server.sql('SELECT count(*) FROM notp.enrolment', FLEET_DATABASE), '0');
      const done = await copy(alone, fleet);
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stderr, /^Copied and compared: 1 enrolment, 1 sealed file\n/);
      use(fleet);
      const replayed = await host.pam(user.name, code);
      assert.equal(host.recordIn(replayed.stdout).reason, 'replayed');
      assert.equal((await host.pam(user.name, recovery[0] ?? '')).code, 0);
      await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', host.config]);
    });

    it('is refused when both have gone on, and the other way takes a new file', async () => {
      const refused = await copy(alone, fleet);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /the target has other values for enrolment \S+ ssh, the audit chain of this host/);
      const dry = await copy(alone, fleet, '--dry-run');
      assert.deepEqual([dry.code, dry.stderr], [1, refused.stderr]);
      const tried = await copy(fleet, `sqlite:${host.folder}/var/back.db`, '--dry-run');
      assert.equal(tried.code, 0, tried.stderr);
      assert.equal(fs.existsSync(`${host.folder}/var/back.db`), false);
      const back = await copy(fleet, `sqlite:${host.folder}/var/back.db`);
      assert.equal(back.code, 0, back.stderr);
      use(`sqlite:${host.folder}/var/back.db`);
      await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', host.config]);
    });

    it('is told what is no store, or not there', async () => {
      server.createDatabase('bare');
      const bare = fleet.replace(/[^/]+$/, 'bare');
      for (const [words, code, text] of [
        [[alone, bare], 3, /\/bare: it has no tables of notp\nnotp: hint: run notp store migrate/],
        [[alone, `sqlite:${host.folder}/none/new.db`, '--dry-run'], 3, /none: there is no such folder/],
        [[alone, alone], 2, /both are the same store/],
        [[alone, 'user'], 2, /not the store of a host/],
        [[alone, 'mysql://x'], 2, /must be "sqlite:/],
        [[`sqlite:${host.folder}/var/none.db`, fleet], 3, /none\.db: there is no such file/],
      ] as const) {
        const ran = await copy(...words);
        assert.equal(ran.code, code, ran.stderr);
        assert.match(ran.stderr, text);
      }
    });
  },
);
