/** Two hosts and one PostgreSQL: what happens on one of them counts on the other at once. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, builtNotp, lacks, oathCode, scratchFolder, SOURCE_NOTP, untilFreshStep, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost, nextStep } from './fleet-world.ts';
import { pamWorld, succeed, wrongCode, type PamWorld } from './pam-world.ts';

const ROUNDS = 4;
const KEY = 'publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2Q=\n';
/** What sshd tells PAM. */
const AT_SSHD = { PAM_SERVICE: 'sshd', PAM_TTY: 'ssh', PAM_RHOST: '192.0.2.7', SSH_AUTH_INFO_0: KEY };

describe(
  'two hosts that share a store',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let hosts: readonly [PamWorld, PamWorld];
    let user: TestUser;

    before(async () => {
      server = await startPostgres('doors');
      server.createDatabase(FLEET_DATABASE);
      const hostKey = randomBytes(32);
      const top = 'rules = "store"\nrule_groups = ["daemon"]\n';
      hosts = [await fleetHost(server, 'one', { hostKey, top }), await fleetHost(server, 'two', { hostKey, top })];
      user = addUser();
    });

    const both = async (proof: string): Promise<readonly Ran[]> => await Promise.all(hosts.map((each) => each.pam(user.name, proof)));

    it('let one code in once, though it comes to both at the same instant', async () => {
      const [one, two] = hosts;
      let { secret } = await one.enroll(user);
      for (let i = 0; i < ROUNDS; i++) {
        // A new secret has a code that is not used yet. The last round is on the secret of the one before.
        if (i > 0 && i < ROUNDS - 1) ({ secret } = await one.enroll(user));
        if (i === ROUNDS - 1) await nextStep();
        await untilFreshStep(10);
        const ran = await both(oathCode(secret));
        assert.deepEqual(new Set(ran.map(({ code }) => code)), new Set([0, 1]), ran.map(({ stdout }) => stdout).join());
      }
      for (const each of [one, two]) await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', each.config]);
    });

    it('count wrong codes together, and log the owner in with two on either of them', async () => {
      const [one, two] = hosts;
      const { secret } = await two.enroll(user);
      const wrong = wrongCode(secret);
      for (let i = 0; i < 3; i++) await both(wrong);
      await untilFreshStep(10);
      const single = await one.pam(user.name, oathCode(secret));
      assert.equal(one.recordIn(single.stdout).reason, 'step_up_required');
      const ran = await two.pam(user.name, `${oathCode(secret, { offsetSeconds: -30 })} ${oathCode(secret)}`);
      assert.equal(ran.code, 0, ran.stdout);
    });

    it('refuse at once whom one of them has revoked, and say so on both', async () => {
      const [one, two] = hosts;
      const { recovery } = await one.enroll(user);
      assert.equal((await two.pam(user.name, recovery[0] ?? '')).code, 0);
      await succeed([...SOURCE_NOTP, 'revoke', '--user', user.name, '--yes', '--config', one.config]);
      const refused = await two.pam(user.name, recovery[1] ?? '');
      assert.equal(refused.code, 1);
      assert.equal(two.recordIn(refused.stdout).reason, 'revoked');
    });

    it('take the rules from the store, by their host, and ask for a code where these are gone or were changed', async () => {
      const [one, two] = hosts;
      const file = path.join(one.folder, 'rules.toml');
      const rules = async (...words: string[]): Promise<Ran> => await run([...SOURCE_NOTP, 'rules', ...words, '--config', one.config]);
      const put = async (text: string): Promise<Ran> => {
        fs.writeFileSync(file, text, { mode: 0o600 });
        return await rules('put', file);
      };
      /** Whether each of them lets the user in without asking for a code. */
      const areFree = async (): Promise<readonly boolean[]> => {
        const ran = await Promise.all(hosts.map((each) => each.pam(user.name, '', { words: ['--before'], program: [builtNotp()] })));
        return ran.map(({ code }) => code === 0);
      };
      await one.enroll(user);
      assert.match((await rules()).stderr, /count for nothing: nobody has put rules into the store/);
      const first = '[[rule]]\nhosts = ["tw*"]\nusers = ["@daemon", "' + user.name + '"]\nask = "nothing"\nreason = "ticket"\n';
      const done = await put(first);
      assert.deepEqual([done.code, done.stderr.includes('rule_groups')], [0, false], done.stderr);
      assert.deepEqual([one.lastRecord().event, one.lastRecord().user], ['rules.put', 'root']);
      assert.deepEqual(await areFree(), [false, true]);
      assert.equal(two.lastRecord().method, 'rule');
      const listed = await rules();
      assert.match(listed.stdout, /^line 1: .* on tw\*: no code \(ticket\)\notherwise: a code\n$/);
      assert.match(listed.stderr, /these are the rules in the store, put there /);

      const wrong = await put('[[rule]]\nask = "maybe"\n');
      assert.deepEqual([wrong.code, wrong.stderr.includes(`${file}:2: a rule must say ask =`)], [3, true], wrong.stderr);
      const more = await put('contexts = "ssh"\n[[rule]]\nask = "refuse"\n');
      assert.deepEqual([more.code, more.stderr.includes(`${file}:1: "contexts" is no rule`)], [3, true], more.stderr);
      assert.equal((await rules('get')).stdout, first);
      assert.deepEqual(await areFree(), [false, true]);

      server.sql("UPDATE notp.rules SET text = replace(text, 'tw', '*')", FLEET_DATABASE);
      assert.deepEqual(await areFree(), [false, false]);
      assert.match((await rules()).stderr, /count for nothing: they were changed outside notp/);
      server.sql("UPDATE notp.rules SET text = replace(text, '**', 'tw*')", FLEET_DATABASE);
      assert.deepEqual(await areFree(), [false, true]);
      assert.equal((await rules('remove')).code, 0);
      assert.deepEqual(await areFree(), [false, false]);
      assert.equal((await rules('remove')).code, 1);
      const exact = await run([
        'setpriv',
        '--reuid',
        String(user.uid),
        '--regid',
        String(user.gid),
        '--clear-groups',
        ...SOURCE_NOTP,
        'rules',
        'get',
        '--config',
        two.config,
      ]);
      assert.match(exact.stderr, /only root can see and change the rules in the store/);
    });

    it('need one code for a working day on both, and a grant for a night, within its bounds and until it ends', async () => {
      const [one, two] = hosts;
      const notp = [builtNotp()];
      const words = (...some: string[]): string[] => [...notp, ...some, '--config', one.config];
      const file = path.join(one.folder, 'day.toml');
      fs.writeFileSync(file, '[[rule]]\nservices = ["sshd"]\nask = "code"\nremember = "12h"\n', { mode: 0o600 });
      await succeed(words('rules', 'put', file));
      const { secret } = await one.enroll(user);
      /** Which hosts ask for no code. */
      const free = async (who: TestUser, environment: NodeJS.ProcessEnv): Promise<readonly boolean[]> => {
        const ran = await Promise.all(hosts.map((each) => each.pam(who.name, '', { environment, words: ['--before'], program: notp })));
        return ran.map(({ code }) => code === 0);
      };
      const elsewhere = { ...AT_SSHD, PAM_RHOST: '192.0.2.8' };
      const otherKey = { ...AT_SSHD, SSH_AUTH_INFO_0: KEY.replace('FiY2Q=', 'FiY2U=') };
      assert.deepEqual(await free(user, AT_SSHD), [false, false]);
      await untilFreshStep(10);
      const morning = await one.pam(user.name, oathCode(secret), { environment: AT_SSHD, program: notp });
      assert.equal(morning.code, 0, morning.stdout);
      for (let i = 0; i < 3; i++) assert.deepEqual(await free(user, AT_SSHD), [true, true]);
      assert.deepEqual(
        hosts.map((each) => each.lastRecord().method),
        ['remembered', 'remembered'],
      );
      for (const environment of [elsewhere, otherKey, {}]) assert.deepEqual(await free(user, environment), [false, false]);
      await succeed(words('forget', user.name));
      assert.deepEqual(await free(user, AT_SSHD), [false, false]);

      const backup = addUser();
      const bounds = ['--from', '192.0.2.7', '--service', 'sshd', '--for', '1h', '--reason', 'backup OPS-12'];
      const { id } = JSON.parse(await succeed(words('grant', backup.name, ...bounds, '--json'))) as { id: string };
      assert.deepEqual(await free(backup, AT_SSHD), [true, true]);
      for (const { method, detail } of [one.lastRecord(), two.lastRecord()])
        assert.deepEqual([method, detail], ['grant', `grant ${id} (backup OPS-12)`]);
      for (const environment of [elsewhere, {}]) assert.deepEqual(await free(backup, environment), [false, false]);
      await succeed(words('grants', '--end', id));
      assert.deepEqual(await free(backup, AT_SSHD), [false, false]);
      await succeed(words('rules', 'remove'));
    });

    it('made a host key without a record where the store had no tables yet', async () => {
      const [one] = hosts;
      server.createDatabase('later');
      const folder = scratchFolder('fleet-later');
      const config = `${folder}/notp.toml`;
      const text = fs.readFileSync(one.config, 'utf8').replace(`/${FLEET_DATABASE}"`, '/later"');
      fs.writeFileSync(config, text.replaceAll(one.folder, folder));
      const init = (): Promise<Ran> => run([...SOURCE_NOTP, 'host-key', 'init', '--config', config]);
      const refused = await init();
      assert.equal(refused.code, 3);
      assert.match(refused.stderr, /it has no tables of notp\nnotp: hint: run notp store migrate/);
      assert.deepEqual(fs.readdirSync(`${folder}/etc`), []);
      await succeed([...SOURCE_NOTP, 'store', 'migrate', '--config', config]);
      const made = await init();
      assert.equal(made.code, 0, made.stderr);
      const record = JSON.parse(fs.readFileSync(`${folder}/log/audit.log`, 'utf8')) as { event: string; detail: string };
      assert.deepEqual([record.event, record.detail], ['host_key.created', made.stdout.trim()]);
    });

    it('made the key of the fleet without a record on a host with users, whose log the store did not know yet', async () => {
      const [one] = hosts;
      const solo = await pamWorld('fleet-users');
      await solo.enroll(addUser());
      const { folder, config } = solo;
      const keys = `host_key = ["${folder}/etc/fleet.key", "${folder}/etc/host.key"]`;
      const use = (text: string): void => {
        fs.writeFileSync(
          config,
          text
            .replace(/^host_key = .*$/m, keys)
            .replace('host = "one"', 'host = "users"')
            .replaceAll(one.folder, folder),
        );
      };
      const init = (): Promise<Ran> => run([...SOURCE_NOTP, 'host-key', 'init', '--config', config]);
      const own = fs.readFileSync(config, 'utf8');
      use(fs.readFileSync(one.config, 'utf8'));
      const refused = await init();
      assert.equal(refused.code, 3);
      assert.match(refused.stderr, /the store does not know .*audit\.log/);
      const created = async (): Promise<void> => {
        const { event, detail } = solo.lastRecord();
        assert.deepEqual([event, detail], ['host_key.created', (await init()).stdout.trim()]);
      };
      await created();
      // In the order of docs/fleet.md.
      fs.rmSync(`${folder}/etc/fleet.key`);
      use(own);
      assert.equal((await init()).code, 0);
      await created();
      await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', config]);
    });

    it('refuse, in bounded time and with a record, while the store is gone, and go on when it is back', async () => {
      const [one] = hosts;
      const { recovery } = await one.enroll(user);
      await server.stop();
      const refused = await one.pam(user.name, recovery[0] ?? '');
      assert.equal(refused.code, 1);
      assert.match(one.recordIn(refused.stdout).detail ?? '', /^postgres:\/\/localhost:\d+\/notp: localhost: .*ECONNREFUSED/);
      await server.start();
      assert.equal((await one.pam(user.name, recovery[0] ?? '')).code, 0);
      const verified = await run([...SOURCE_NOTP, 'audit', 'verify', '--config', one.config]);
      assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    });
  },
);
