/** Debian 13 with OpenSSH 10 and the package: enrolment, a login at each door, and doctor, which is silent where all is well and not elsewhere. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { messageIdOf } from '../../../../src/audit/journal-entry.ts';
import { debIn } from '../../../packaging/package-world.ts';
import { builtPackage } from '../../../support/built-package.ts';
import { addContainerUser } from '../../../support/container-ssh.ts';
import type { Container } from '../../../support/container.ts';
import { bootDebian, DEBIAN_NEEDS } from '../../../support/debian.ts';
import { ROOT } from '../../../support/process.ts';
import { lacks } from '../../../support/world.ts';
import { answer, assertDone } from '../../setup/world.ts';
import { GATE_SEEDS } from './gate.ts';
import { OPENSSH_10_SEEDS } from './openssh-10.ts';
import { PAM_SEEDS } from './pam.ts';
import type { Seed } from './seed.ts';
import { keyOf, newCode, prepareForSeeds, seedingOn, type Seeding } from './seeding.ts';
import { comesIn } from './ways.ts';

const PASSWORD = 'login secret';
/** Some of each kind; sshd 10 is three programs, and reloads and tells its configuration by other code. */
const AT_GATE = [
  '`ForceCommand none` for all',
  'an exemption that was loaded and then deleted',
  'a variable of ssh.service takes the gate away',
  'the program of sshd was replaced while it runs',
];
const AT_PAM = ['`AuthenticationMethods any`', '`sufficient pam_permit` before the code', 'the stack of another release'];

describe('Debian 13', { skip: lacks(DEBIAN_NEEDS) }, () => {
  let container: Container;

  before(async () => {
    container = await bootDebian('trixie', 'trixie', (root) => {
      fs.copyFileSync(debIn(builtPackage()), path.join(root, 'srv/notp.deb'));
      const dropIns = path.join(root, 'etc/systemd/system/notp@.service.d');
      fs.mkdirSync(dropIns);
      fs.copyFileSync(path.join(ROOT, 'systemd/journal-fields.conf'), path.join(dropIns, 'journal-fields.conf'));
    });
    for (const user of ['alice', 'bob']) await addContainerUser(container, user);
    assertDone(await container.run(['dpkg', '--install', '/srv/notp.deb']));
    await container.must(['notp', 'host-key', 'init']);
    await prepareForSeeds(container);
  });
  after(async () => {
    await container.stop();
  });

  it('has OpenSSH 10, and no unit of it has failed', async () => {
    assert.match(await container.must(['cat', '/etc/os-release']), /^VERSION_ID="13"$/m);
    assert.match((await container.run(['sshd', '-V'])).stderr, /^OpenSSH_10\./);
    assert.equal((await container.run(['systemctl', '--failed', '--quiet'])).stdout, '');
  });

  for (const [door, seeds, what] of [
    ['gate', GATE_SEEDS, AT_GATE],
    ['pam', [...PAM_SEEDS, ...OPENSSH_10_SEEDS], [...AT_PAM, ...OPENSSH_10_SEEDS.map((seed) => seed.what)]],
  ] as const)
    describe(`with notp setup ${door}`, () => {
      let seeding: Seeding;
      before(async () => {
        seeding = await seedingOn(container, door);
      });
      after(async () => {
        assertDone(await container.run(['notp', 'setup', 'undo']));
      });

      it('lets in those who are enrolled with key and code, and nobody with the key alone', async () => {
        for (const user of ['alice', 'bob']) assert.equal(await comesIn(container, user, { code: await newCode(container, user) }), true);
        for (const user of ['alice', 'carol']) assert.equal(await comesIn(container, user), false);
      });

      it('has the logins in the journal with fields to search for', async () => {
        await container.must(['journalctl', '--sync']);
        const matches = ['NOTP_USER=alice', 'NOTP_EVENT=login.accepted', `NOTP_DOOR=${door}`];
        const lines = (await container.must(['journalctl', '--output=json', ...matches])).trimEnd().split('\n');
        const entry = JSON.parse(lines.at(-1) ?? '') as Readonly<Record<string, string>>;
        const shown = ['MESSAGE_ID', 'PRIORITY', 'SYSLOG_IDENTIFIER', 'NOTP_RESULT', 'NOTP_METHOD', '_TRANSPORT'].map(
          (name) => entry[name],
        );
        assert.deepEqual(shown, [messageIdOf('login.accepted'), '6', 'notp', 'accepted', 'totp', 'journal']);
        assert.match(entry['_SYSTEMD_UNIT'] ?? '', /^notp@(judge|\d+)\.service$/);
        assert.equal((JSON.parse(entry['MESSAGE'] ?? '{}') as { ref?: string }).ref, entry['NOTP_REF']);
      });

      it('draws no warning of doctor', async () => {
        assert.deepEqual((await seeding.doctor()).filter(({ severity }) => severity !== 'info').map(keyOf), []);
      });

      for (const seed of what.map((each) => named(each, seeds)))
        it(`is found and mended: ${seed.what}`, async () => {
          await seeding.mends([seed]);
        });
    });

  it('asks for the code after the password of sudo', async () => {
    await container.must(['chpasswd'], { input: `alice:${PASSWORD}\n` });
    await container.must(['usermod', '--append', '--groups', 'sudo', 'alice']);
    assertDone(await container.run(['notp', 'setup', 'sudo', '--apply', '--confirm-within', 'never']));
    const code = await newCode(container, 'alice');
    const terminal = container.inTerminal(['sudo', '-k', 'id', '-u'], { as: 'alice' });
    await answer(terminal, /password for alice: /, PASSWORD);
    await answer(terminal, /One-time code: /, code);
    assert.equal(await terminal.exited, 0, terminal.output());
  });
});

function named(what: string, seeds: readonly Seed[]): Seed {
  const seed = seeds.find((each) => each.what === what);
  if (seed === undefined) throw new Error(`there is no seed called ${what}`);
  return seed;
}
