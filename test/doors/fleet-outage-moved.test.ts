/** Codes that a host took in an outage worked again once they were reported, where the secret had been imported for another context meanwhile. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run } from '../support/process.ts';
import { addUser, lacks, must, SOURCE_NOTP } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import type { PamWorld } from './pam-world.ts';

const EMERGENCY = ['11111111', '22222222', '33333333', '44444444'] as const;

const on = async ({ config }: PamWorld, ...words: string[]): Promise<string> => {
  const { code, stdout, stderr } = await run([...SOURCE_NOTP, ...words, '--config', config]);
  assert.equal(code, 0, stderr);
  return stdout;
};
const reasonOf = async (host: PamWorld, name: string, proof: string): Promise<string> => {
  const { code, stdout } = await host.pam(name, proof);
  return code === 0 ? 'in' : String(host.recordIn(stdout).reason);
};

describe(
  'emergency codes that were used in an outage, of a secret that another context has by then',
  { skip: lacksPostgres() === false ? lacks({ root: true, programs: ['oathtool', 'openssl'] }) : lacksPostgres() },
  () => {
    let server: Postgres;
    let cut: PamWorld;
    let other: PamWorld;
    before(async () => {
      server = await startPostgres('outage-moved');
      server.createDatabase(FLEET_DATABASE);
      const options = { hostKey: randomBytes(32), top: 'secrets = "store"\ncontext = ["ssh", "b"]' };
      cut = await fleetHost(server, 'cut', { ...options, outage: true });
      other = await fleetHost(server, 'other', options);
    });
    for (const [what, words] of [
      ['where the first one was revoked', ['revoke', 'ssh', '--yes']],
      ['where the first one has another secret', ['enroll', 'ssh', '--no-confirm', '--replace', '--json']],
    ] as const)
      it(`worked again ${what}, and no conflict was told`, async () => {
        const user = addUser();
        const [, secret = ''] = /^Base32 secret: (\S+)$/m.exec(must(['oathtool', '--verbose', randomBytes(20).toString('hex')])) ?? [];
        const file = path.join(other.folder, user.name);
        fs.writeFileSync(file, [secret, '" TOTP_AUTH', ...EMERGENCY, ''].join('\n'), { mode: 0o600 });
        const importFor = (context: string): Promise<string> =>
          on(other, 'import', context, '--from', 'google-authenticator', '--user', user.name, '--file', file);
        await importFor('ssh');
        await on(cut, 'store', 'approve', '--user', user.name);
        await server.stop();
        assert.equal((await cut.pam(user.name, `${EMERGENCY[0]} ${EMERGENCY[1]}`)).code, 0);
        await server.start();
        await on(other, ...words, '--user', user.name);
        await importFor('b');
        assert.equal(await reasonOf(other, user.name, EMERGENCY[0]), 'in');
        await on(cut, 'store', 'refresh');
        for (const host of [other, cut]) {
          await on(other, 'unlock', '--user', user.name);
          assert.equal(await reasonOf(host, user.name, EMERGENCY[1]), 'replayed');
        }
        await on(other, 'unlock', '--user', user.name);
        assert.equal(await reasonOf(cut, user.name, EMERGENCY[2]), 'in');
        const told = cut.records().filter((each) => each.user === user.name && each.event === 'outage.conflict');
        assert.deepEqual(
          told.map(({ detail }) => detail),
          ['a recovery code was accepted on two hosts'],
        );
      });
  },
);
