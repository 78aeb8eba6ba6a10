/**
 * The upgrade of OpenSSH, PAM and sudo from Debian 12 to 13, with both answers to dpkg's question about /etc/pam.d/sshd: logins before, between
 * and after, and what doctor says each time. With the maintainer's version key and password logged in, and nobody said so.
 * It takes minutes, and the downloads of a whole release, so it is a part of the long run alone (NOTP_TRIALS=long).
 */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { debIn } from '../../packaging/package-world.ts';
import { builtPackage } from '../../support/built-package.ts';
import { addContainerUser } from '../../support/container-ssh.ts';
import type { Container } from '../../support/container.ts';
import { bootDebian, DEBIAN_NEEDS } from '../../support/debian.ts';
import { sleep } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { LONG } from '../../trials/trial.ts';
import { assertDone } from '../setup/world.ts';
import { newCode } from './seeded/seeding.ts';
import { BY_PASSWORD, comesIn, PASSWORD, writeAskpass } from './seeded/ways.ts';

const FOR_GOOD = ['--apply', '--confirm-within', 'never'];
const PATIENCE_MS = 60_000;

const ANSWERS = [
  { answer: 'keep the file as it is', option: '--force-confold', losesPam: false },
  { answer: "take the maintainer's file", option: '--force-confnew', losesPam: true },
];

for (const { answer, option, losesPam } of LONG ? ANSWERS : [])
  describe(`an upgrade of Debian 12 to 13 that is told to ${answer}`, { skip: lacks(DEBIAN_NEEDS) }, () => {
    let container: Container;

    before(async () => {
      container = await bootDebian('bookworm', 'upgrade', (root) => {
        fs.copyFileSync(debIn(builtPackage()), path.join(root, 'srv/notp.deb'));
      });
      for (const user of ['alice', 'bob']) await addContainerUser(container, user);
      await container.must(['chpasswd'], { input: `bob:${PASSWORD}\n` });
      writeAskpass(container);
      assertDone(await container.run(['dpkg', '--install', '/srv/notp.deb']));
      await container.must(['notp', 'host-key', 'init']);
      for (const user of ['alice', 'bob']) await container.must(['notp-enroll', user, '--no-confirm', '--json']);
      // alice's codes are asked for by the gate, bob's by PAM.
      assertDone(await container.run(['notp', 'setup', 'gate', '--user', 'alice', ...FOR_GOOD]));
      assertDone(await container.run(['notp', 'setup', 'pam', '--user', 'bob', ...FOR_GOOD]));
    });
    after(async () => {
      await container.stop();
    });

    const upgrade = async (...packages: string[]): Promise<void> => {
      const words = [
        'apt-get',
        '--quiet',
        '--yes',
        '--no-download',
        '--no-install-recommends',
        '-o',
        `Dpkg::Options::=${option}`,
        'install',
        ...packages,
      ];
      const ran = await container.run(words, { environment: { DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs: 300_000 });
      assertDone(ran);
    };
    const wrong = async (): Promise<string[]> => {
      const { stdout } = await container.run(['notp', 'doctor', '--json']);
      const findings = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Finding]));
      const serious = findings.filter(({ severity }) => severity === 'fail' || severity === 'warn');
      return serious.map(({ id, severity, user = '', title, detail }) => [severity, id, user, title, detail].join(' '));
    };
    /** Logins of both with their codes, and without. */
    const asksBoth = async (): Promise<void> => {
      for (const user of ['alice', 'bob']) {
        assert.equal(await comesIn(container, user, { code: await newCode(container, user) }), true, `${user} with a code`);
        assert.equal(await comesIn(container, user), false, `${user} without one`);
      }
      assert.equal(await comesIn(container, 'bob', { way: BY_PASSWORD }), false, 'bob with key and password');
    };

    it('begins on a host in order', async () => {
      assert.match((await container.run(['sshd', '-V'])).stderr, /OpenSSH_9\.2/);
      await asksBoth();
      assert.deepEqual(await wrong(), []);
    });

    it('asks for codes between the upgrade of the C library and that of PAM and OpenSSH, which come together', async () => {
      await upgrade('libc6');
      await asksBoth();
      assert.deepEqual(await wrong(), []);
    });

    it('comes to OpenSSH 10', async () => {
      await upgrade('openssh-server', 'openssh-client', 'libpam-modules', 'libpam-runtime', 'sudo');
      assert.match((await container.run(['sshd', '-V'])).stderr, /OpenSSH_10\./);
      assert.equal(await container.must(['dpkg', '--audit']), '');
    });

    if (losesPam) {
      it('leaves PAM without a line for the code, which doctor says by itself', async () => {
        assert.equal(await comesIn(container, 'bob', { way: BY_PASSWORD }), true, 'bob with key and password');
        assert.equal(await comesIn(container, 'alice'), false, 'alice without a code');
        assert.equal(await comesIn(container, 'alice', { code: await newCode(container, 'alice') }), true, 'alice with a code');
        assert.match((await wrong()).join('\n'), /^fail FC1 bob /m);
        const told = ['sh', '-c', "notp audit --event doctor.changed --lines 1 | grep -q 'fail'"];
        for (const deadline = Date.now() + PATIENCE_MS; (await container.run(told)).code !== 0; await sleep(500))
          assert.ok(Date.now() < deadline, await container.must(['notp', 'audit', '--event', 'doctor.changed']));
      });

      it('is mended by the fix', async () => {
        assertDone(await container.run(['notp', 'setup', 'pam', '--user', 'bob', ...FOR_GOOD]));
      });
    }

    it('ends on a host in order', async () => {
      await asksBoth();
      assert.deepEqual(await wrong(), []);
    });
  });
