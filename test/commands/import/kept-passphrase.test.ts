/** With `secrets = "store"` a login was sealed by a passphrase, which no door asks for, so that its user was locked out. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { PASSPHRASE, pamWorld, type PamWorld } from '../../doors/pam-world.ts';
import { run, type Ran } from '../../support/process.ts';
import { addUser, lacks, must, SOURCE_NOTP } from '../../support/world.ts';
import { assertRefused } from '../codes/own-codes.ts';

const ONLY_HOST = /with secrets = "store" the store keeps only host-sealed secrets\n/;

describe(
  'a login that a passphrase seals, where the store keeps the sealed files',
  { skip: lacks({ root: true, programs: ['oathtool'] }) },
  () => {
    let world: PamWorld;
    let passphrase: string;
    let config: string;
    before(async () => {
      world = await pamWorld('kept-passphrase');
      config = fs.readFileSync(world.config, 'utf8');
      passphrase = path.join(world.folder, 'passphrase');
      fs.writeFileSync(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
    });
    const keep = (inStore: boolean): void => {
      fs.writeFileSync(world.config, inStore ? `secrets = "store"\n${config}` : config);
    };
    const notp = (...words: string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', world.config]);

    it('was imported, and never logged in', async () => {
      keep(true);
      const user = addUser();
      const file = path.join(world.folder, user.name);
      const [, secret = ''] = /^Base32 secret: (\S+)$/m.exec(must(['oathtool', '--verbose', randomBytes(20).toString('hex')])) ?? [];
      fs.writeFileSync(file, `${secret}\n" TOTP_AUTH\n11111111\n`, { mode: 0o600 });
      const words = ['import', '--from', 'google-authenticator', '--user', user.name, '--file', file];
      assertRefused(await notp(...words, '--seal', 'passphrase', '--passphrase-file', passphrase), 1, ONLY_HOST);
      const { code, stderr } = await notp(...words);
      assert.equal(code, 0, stderr);
      assertRefused(await notp(...words, '--seal', 'passphrase', '--passphrase-file', passphrase, '--replace'), 1, ONLY_HOST);
      assert.equal((await world.pam(user.name, '11111111')).code, 0);
    });

    it('was left in its home, and the hints threw the phone away', async () => {
      keep(false);
      const [user, other] = [addUser(), addUser()];
      const enrolled = await world.enrollWithPassphrase(user);
      await world.enroll(other);
      keep(true);
      const mending = `notp reseal ssh --user ${user.name} --seal host --passphrase-file FILE`;
      const copied = await notp('store', 'copy', '--dry-run', `sqlite:${world.folder}/var/state.db`, `sqlite:${world.folder}/var/other.db`);
      assert.match(copied.stderr, new RegExp(`Logins that a passphrase seals: [^\\n]*\\n  ${mending}\\n`));
      assert.doesNotMatch(copied.stderr, new RegExp(other.name));
      const all = await notp('reseal', '--all');
      assert.equal(all.code, 1);
      assert.match(all.stderr, new RegExp(`error: ${user.name} ssh: a passphrase seals it, [^\\n]*\\nnotp: hint: ${mending}\\n`));
      assert.match((await notp('status', '--user', user.name)).stdout, new RegExp(`\\n +run +${mending}\\n`));
      const doctor = await notp('doctor', '--json');
      const findings = doctor.stdout.split('\n').filter((line) => line.includes(`"user":"${user.name}"`));
      assert.deepEqual(
        findings.map((line) => (JSON.parse(line) as { fix: string }).fix),
        [mending],
      );
      const again = ['--user', user.name, '--seal', 'passphrase', '--passphrase-file', passphrase, '--new-passphrase-file', passphrase];
      assertRefused(await notp('reseal', ...again), 1, new RegExp(`${ONLY_HOST.source}notp: hint: ${mending}\n`));
      const mended = await notp(...mending.replace('FILE', passphrase).split(' ').slice(1));
      assert.equal(mended.code, 0, mended.stderr);
      assert.equal((await world.pam(user.name, enrolled.recovery[0] ?? '')).code, 0);
      assert.equal((await notp('reseal', '--all')).code, 0);
    });
  },
);
