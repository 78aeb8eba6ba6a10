/** Where each user keeps their own state, no store tells who is enrolled: their sealed files do. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/doctor.ts';
import { run } from '../../support/process.ts';
import { haveHost } from '../../support/host-lock.ts';
import { addUser, SOURCE_NOTP, type TestUser } from '../../support/world.ts';
import { detailOf, NEEDS, sshdWorld, wrong, type SshdWorld } from '../sshd/sshd-world.ts';

/** More than is read of what getent(1) lists. */
const TOO_MANY_BYTES = 8 * 1024 * 1024;

describe('doctor, where each user keeps their own state', { skip: NEEDS }, () => {
  let world: SshdWorld;
  let config: string;
  let alice: TestUser;
  let bob: TestUser;

  before(async () => {
    haveHost('alone');
    world = sshdWorld();
    config = path.join(world.folder, 'notp.toml');
    fs.writeFileSync(config, 'context = ["ssh", "phone"]\n[store]\nurl = "user"\n[audit]\njournal = false\n', { mode: 0o644 });
    [alice, bob] = [addUser(), addUser()];
    const passphrase = path.join(world.folder, 'passphrase');
    fs.writeFileSync(passphrase, 'correct horse\n', { mode: 0o600 });
    const words = ['--user', alice.name, '--passphrase-file', passphrase, '--no-confirm', '--json', '--config', config];
    const { code, stderr } = await run([...SOURCE_NOTP, 'enroll', 'phone', '--seal', 'passphrase', ...words]);
    assert.equal(code, 0, stderr);
  });

  const doctor = async (
    sshdConfig: string,
    { before: first = 'true' } = {},
  ): Promise<{ code: number | null; findings: Finding[]; names: string[] }> => {
    const words = [...SOURCE_NOTP, 'doctor', '--config', config, '--sshd-config', sshdConfig, '--json'];
    const { code, stdout, stderr } = await run(['unshare', '--mount', 'sh', '-c', `${first} && exec "$@"`, world.folder, ...words]);
    assert.equal(stderr, '');
    const lines = stdout.trimEnd().split('\n');
    const findings = lines.map((line) => JSON.parse(line) as Finding);
    return { code, findings, names: [...new Set(findings.flatMap(({ user }) => user ?? []))] };
  };
  const exempt = ({ name }: TestUser): string => world.write([`Match User ${name}`, 'ForceCommand none', 'Match all'], 'gate');

  it('finds the way around the gate of a user with a sealed file, and of no other', async () => {
    const { code, findings } = await doctor(exempt(alice));
    assert.ok(wrong(findings).includes(`FC1 ${alice.name}`), JSON.stringify(findings));
    assert.equal(code, 1);
    assert.match(detailOf(findings, 'people-listed'), new RegExp(`^${String(peopleWithSealedFile())} of the \\d+ users`));
    const other = await doctor(exempt(bob));
    assert.deepEqual(other.names, []);
  });

  it('says that who is enrolled is not known where there are too many to list, and not that there is no way', async () => {
    const entry = 'somebody:x:3000000:3000000::/nonexistent:/bin/sh\n';
    const passwd = fs.readFileSync('/etc/passwd', 'utf8') + entry.repeat(TOO_MANY_BYTES / entry.length);
    fs.writeFileSync(path.join(world.folder, 'passwd'), passwd);
    const { code, findings } = await doctor(exempt(alice), { before: 'mount --bind "$0/passwd" /etc/passwd' });
    assert.ok(wrong(findings).includes('people-unseen'), JSON.stringify(findings));
    assert.ok(code === 3 || findings.some(({ severity }) => severity === 'fail'));
  });
});

/** How many have a sealed file here: alice, and whoever this host had before. */
function peopleWithSealedFile(): number {
  const homes = fs
    .readFileSync('/etc/passwd', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(':')[5] ?? '');
  return homes.filter((home) => ['ssh', 'phone'].some((context) => fs.existsSync(path.join(home, '.notp', context)))).length;
}
