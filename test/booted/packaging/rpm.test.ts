/** The RPM, installed, removed and installed again by rpm itself on a booted host, as far as a Debian system can stand in for one of Red Hat. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Container } from '../../support/container.ts';
import { addContainerUser, sshIn } from '../../support/container-ssh.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { lacks, must, scratchFolder, type Enrolled, type TestUser } from '../../support/world.ts';
import { phoneOf, type Phone } from '../service/world.ts';
import { build } from '../../support/built-package.ts';
import { bootWithout, loginFiles, PACKAGE_NEEDS } from '../../packaging/package-world.ts';

const NEEDS = { ...PACKAGE_NEEDS, programs: [...PACKAGE_NEEDS.programs, 'rpmbuild', 'rpm'] } as const;
/** A package with one file in /etc/pam.d. */
const OTHER = `Name: other-program
Version: 1
Release: 1
Summary: a test
License: none
BuildArch: noarch
%description
%install
mkdir -p %{buildroot}/etc/pam.d
echo 'auth required pam_deny.so' >%{buildroot}/etc/pam.d/other-program
%files
/etc/pam.d/other-program
`;
const DROP_IN = 'etc/ssh/sshd_config.d/10-notp-gate.conf';

describe('the RPM', { skip: lacks(NEEDS) }, () => {
  let container: Container;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    const folder = scratchFolder('rpm');
    build('package', '--formats', 'rpm', '--compression', 'none', '--to', folder);
    const [name = ''] = fs.readdirSync(folder).filter((each) => each.endsWith('.rpm'));
    fs.writeFileSync(path.join(folder, 'other.spec'), OTHER);
    must(['rpmbuild', '-bb', '--quiet', '--define', `_topdir ${folder}/other`, path.join(folder, 'other.spec')]);
    const other = path.join(folder, 'other/RPMS/noarch/other-program-1-1.noarch.rpm');
    container = await bootWithout('rpm', { 'notp.rpm': path.join(folder, name), 'other.rpm': other });
    alice = await addContainerUser(container, 'alice');
  });

  /** On Debian rpm knows none of the installed packages. */
  const rpm = async (...words: string[]): Promise<Ran> => await container.run(['rpm', '--force-debian', '--nodeps', ...words]);
  const install = async (): Promise<void> => {
    const { code, stdout, stderr } = await rpm('--install', '/srv/notp.rpm');
    assert.deepEqual([code, stdout], [0, ''], stderr);
  };
  const logsIn = async (): Promise<boolean> => {
    const send = { sshOptions: ['-o', 'SendEnv=LC_NOTP'], environment: { LC_NOTP: phone.recoveryCode() } };
    return (await sshIn(container, alice, ['echo in'], send)).stdout === 'in\n';
  };
  const isRefused = async (named: string): Promise<void> => {
    const files = loginFiles(container);
    const { code, stderr } = await rpm('--erase', 'notp');
    assert.notEqual(code, 0);
    assert.match(stderr, /notp: error: logins need notp/);
    assert.ok(stderr.includes(` ${named}\n`), stderr);
    assert.deepEqual(loginFiles(container), files);
  };

  it('is installed, and not removed while sshd calls notp, in whatever form', async () => {
    await install();
    await container.must(['notp', 'host-key', 'init']);
    phone = phoneOf(JSON.parse(await container.must(['notp-enroll', 'alice', '--no-confirm', '--json', '--recovery', '20'])) as Enrolled);
    await container.must(['notp', 'setup', 'gate', '--user', 'alice', '--apply', '--confirm-within', 'never']);
    assert.equal(await logsIn(), true);
    await isRefused(`/${DROP_IN}`);
    const file = path.join(container.root, DROP_IN);
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replaceAll('/usr/bin/notp', '/bin/notp'));
    await isRefused(`/${DROP_IN}`);
    await container.must(['chmod', '-x', '/usr/bin/notp']);
    await isRefused(`/${DROP_IN}`);
    await container.must(['chmod', '+x', '/usr/bin/notp']);
    assert.equal(await logsIn(), true);
  });

  it('starts doctor after other packages with a file in /etc/pam.d, installed and removed', async () => {
    const started = async (): Promise<string> =>
      await container.must([
        'systemctl',
        'show',
        '--value',
        '--property=ActiveState,InactiveExitTimestampMonotonic',
        'notp-doctor.service',
      ]);
    const settled = async (): Promise<string> => {
      for (const deadline = Date.now() + 60_000; ; await sleep(200)) {
        const now = await started();
        if (!now.includes('activating')) return now;
        assert.ok(Date.now() < deadline, now);
      }
    };
    assert.equal(await container.must(['systemctl', 'is-active', 'notp-doctor.timer', 'notp-doctor.path']), 'active\nactive\n');
    await container.must(['systemctl', 'stop', 'notp-doctor.path']);
    for (const words of [
      ['--install', '/srv/other.rpm'],
      ['--erase', 'other-program'],
    ]) {
      const earlier = await settled();
      const { code, stderr } = await rpm(...words);
      assert.deepEqual([code, stderr], [0, '']);
      for (const deadline = Date.now() + 60_000; (await started()) === earlier; await sleep(200)) assert.ok(Date.now() < deadline, earlier);
    }
    await container.must(['systemctl', 'start', 'notp-doctor.path']);
  });

  it('enables by an upgrade what the version before had not, and nothing that somebody has disabled: doctor never ran', async () => {
    const units = ['notp-doctor.timer', 'notp-doctor.path'];
    const upgrade = async (): Promise<string> => {
      const { code, stderr } = await rpm('--upgrade', '--replacepkgs', '/srv/notp.rpm');
      assert.equal(code, 0, stderr);
      return (await container.run(['systemctl', 'is-enabled', ...units])).stdout;
    };
    await container.must(['systemctl', 'disable', '--quiet', '--now', ...units]);
    assert.equal(await upgrade(), 'disabled\ndisabled\n');
    await container.must(['rm', ...units.map((unit) => `/usr/lib/systemd/system/${unit}`)]);
    assert.equal(await upgrade(), 'enabled\nenabled\n');
    assert.equal(await container.must(['systemctl', 'is-active', ...units]), 'active\nactive\n');
  });

  it('is removed and installed again: users at the gate get in at once, and not only after a boot', async () => {
    await container.must(['notp', 'setup', 'undo', '--force']);
    const { code, stderr } = await rpm('--erase', 'notp');
    assert.equal(code, 0, stderr);
    const units = await container.must(['systemctl', 'list-units', '--plain', '--no-legend', 'notp*']);
    assert.equal(units, '');
    await install();
    await container.must(['notp', 'setup', 'gate', '--user', 'alice', '--apply', '--confirm-within', 'never']);
    assert.equal(await logsIn(), true);
  });
});
