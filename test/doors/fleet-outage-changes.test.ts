/** `outage = "local"`: a change made on a host reaches its copy at once, whether root makes it or the service does for a user. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterEach, before, describe, it } from 'node:test';
import { printEnrolQuestion } from '../../src/wire/enrolment.ts';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, installNotp, lacks, oathCode, scratchFolder, SOURCE_NOTP, type Enrolled, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import { succeed, type PamWorld, type Recorded } from './pam-world.ts';
import { connectTo, startService } from './serve-world.ts';

/** So long that the codes of a test are still judged after the server has stopped on a slow machine. */
const PERIOD_SECONDS = 300;

describe(
  'the copy of a host for outages',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl', 'python3'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    const hosts: Record<string, PamWorld> = {};

    before(async () => {
      server = await startPostgres('outage-changes');
      server.createDatabase(FLEET_DATABASE);
      const hostKey = randomBytes(32);
      hosts['homes'] = await fleetHost(server, 'homes', { hostKey, outage: true });
      hosts['store'] = await fleetHost(server, 'store', { hostKey, outage: true, top: 'secrets = "store"' });
    });
    afterEach(async () => {
      await server.stop();
      await server.start();
    });

    const approved = async (where: string): Promise<{ readonly host: PamWorld; readonly user: TestUser; readonly enrolled: Enrolled }> => {
      const host = hosts[where] ?? assert.fail();
      const user = addUser();
      const enrolled = await host.enroll(user, ['--period', String(PERIOD_SECONDS)]);
      await notp(host, 'store', 'approve', '--user', user.name);
      return { host, user, enrolled };
    };

    for (const where of ['homes', 'store']) {
      const kept = `sealed files are in ${where === 'store' ? 'the store' : 'homes'}`;

      it(`let a user in whom root had just revoked on this very host, where ${kept}`, async () => {
        const { host, user, enrolled } = await approved(where);
        await notp(host, 'revoke', '--user', user.name, '--yes');
        await server.stop();
        for (const proof of [enrolled.recovery[0] ?? '', pair(enrolled)])
          assert.equal(outageRecordIn(host, await host.pam(user.name, proof)).reason, 'revoked');
      });

      for (const [how, replace, refused] of [
        ['enrolled the user again', async (host: PamWorld, user: TestUser) => (await host.enroll(user)).recovery[0] ?? '', undefined],
        // An import over another secret begins with the codes of the present as used.
        ['imported another secret', imported, 'replayed'],
      ] as const)
        it(`let a lost phone in, and not the new one, after root had ${how} on this very host, where ${kept}`, async () => {
          const { host, user, enrolled } = await approved(where);
          const anew = await replace(host, user);
          await server.stop();
          for (const proof of [enrolled.recovery[0] ?? '', pair(enrolled)])
            assert.equal(outageRecordIn(host, await host.pam(user.name, proof)).reason, 'wrong_code');
          const ran = await host.pam(user.name, anew);
          assert.equal(ran.code === 0 ? undefined : outageRecordIn(host, ran).reason, refused);
        });

      it(`took the old recovery codes, and not the new ones that this host had made, where ${kept}`, async () => {
        const { host, user, enrolled } = await approved(where);
        const { recovery } = JSON.parse(await notp(host, 'recovery', '--user', user.name, '--json')) as Pick<Enrolled, 'recovery'>;
        await server.stop();
        assert.equal(outageRecordIn(host, await host.pam(user.name, enrolled.recovery[0] ?? '')).reason, 'wrong_code');
        for (const proof of [recovery[0] ?? '', pair(enrolled)]) assert.equal((await host.pam(user.name, proof)).code, 0);
      });

      it(`kept a user out whose secret this host had sealed again, where ${kept}`, async () => {
        const { host, user, enrolled } = await approved(where);
        const [spent = '', left = ''] = enrolled.recovery;
        assert.equal((await host.pam(user.name, spent)).code, 0);
        await notp(host, 'reseal', '--user', user.name);
        await server.stop();
        assert.equal(outageRecordIn(host, await host.pam(user.name, spent)).reason, 'replayed');
        assert.equal((await host.pam(user.name, left)).code, 0);
      });

      it(`let a user in who had revoked the login through the service of this host, where ${kept}`, async () => {
        const { host, user, enrolled } = await approved(where);
        const [proof = '', other = ''] = enrolled.recovery;
        const sealed = where === 'store' ? '' : fs.readFileSync(enrolled.file, 'utf8');
        assert.equal(await endThroughService(host, user, sealed, proof), 'done/1');
        await server.stop();
        assert.equal(outageRecordIn(host, await host.pam(user.name, other)).reason, 'revoked');
      });
    }

    it('gets no enrolment of a user who is not approved', async () => {
      const { host, user } = await approved('homes');
      const other = addUser();
      const { recovery } = await host.enroll(other);
      await notp(host, 'store', 'approve', '--remove', '--user', user.name);
      const anew = await host.enroll(user);
      await server.stop();
      assert.equal((await host.pam(other.name, recovery[0] ?? '')).code, 1);
      assert.equal((await host.pam(user.name, anew.recovery[0] ?? '')).code, 1);
    });

    it('lets root revoke when it cannot be written, and root is told', async () => {
      const { host, user, enrolled } = await approved('homes');
      const file = copyOf(host);
      fs.chmodSync(file, 0o644);
      try {
        const { code, stderr } = await run([...SOURCE_NOTP, 'revoke', '--user', user.name, '--yes', '--config', host.config]);
        assert.equal(code, 0, stderr);
        assert.match(
          stderr,
          /notp: error: the change was made, but this host's copy for outages is not up to date and may still let notp-\w+ in: /,
        );
        assert.match(stderr, /notp: hint: see outage-copy in notp doctor, then run notp store refresh\n/);
        assert.ok(stderr.includes(file), stderr);
      } finally {
        fs.chmodSync(file, 0o600);
      }
      assert.equal(host.recordIn((await host.pam(user.name, enrolled.recovery[0] ?? '')).stdout).reason, 'revoked');
    });
  },
);

async function notp(host: PamWorld, ...words: readonly string[]): Promise<string> {
  return await succeed([...SOURCE_NOTP, ...words, '--config', host.config]);
}

/** What another module knew of `user`. Gives two codes. */
async function imported(host: PamWorld, user: TestUser): Promise<string> {
  const file = path.join(scratchFolder('outage-import'), 'google_authenticator');
  const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  fs.writeFileSync(file, `${secret}\n" STEP_SIZE ${String(PERIOD_SECONDS)}\n" TOTP_AUTH\n`, { mode: 0o600 });
  await notp(host, 'import', '--from', 'google-authenticator', '--user', user.name, '--file', file, '--replace');
  return pair({ secret });
}

/** As `notp revoke` without root does. Gives what the service answers. */
async function endThroughService(host: PamWorld, { uid }: TestUser, sealed: string, recovery: string): Promise<unknown> {
  const folder = scratchFolder('outage-service');
  const words = [installNotp(folder), 'serve', String(uid), '--config', host.config];
  const service = await startService({ socket: path.join(folder, 'socket'), service: host.service, words, uid });
  const connection = connectTo(service);
  try {
    const readings = [{ passphrase: undefined, proof: { kind: 'recovery', code: recovery.replaceAll('-', '') } }] as const;
    connection.say(printEnrolQuestion({ step: 'revoke', context: 'ssh', sealed, wrong: '', readings }));
    const answer = JSON.parse((await connection.line()) ?? '{}') as Record<string, unknown>;
    return answer['reason'] ?? answer['notp'];
  } finally {
    connection.close();
  }
}

/** The present code and the next one. */
function pair({ secret }: Pick<Enrolled, 'secret'>): string {
  const options = [`--time-step-size=${String(PERIOD_SECONDS)}s`];
  return [0, PERIOD_SECONDS].map((offsetSeconds) => oathCode(secret, { offsetSeconds, options })).join(' ');
}

function copyOf({ config }: PamWorld): string {
  return /outage_file = "(.*)"/.exec(fs.readFileSync(config, 'utf8'))?.[1] ?? '';
}

/** The record of a refusal in the log of outages. */
function outageRecordIn({ folder }: PamWorld, { code, stdout }: Ran): Recorded {
  assert.equal(code, 1, stdout);
  const ref = /\(ref ([0-9a-f]{8})\)/.exec(stdout)?.[1];
  const lines = fs.readFileSync(`${folder}/log/audit-outage.log`, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Recorded).find((record) => record.ref === ref) ?? assert.fail(stdout);
}
