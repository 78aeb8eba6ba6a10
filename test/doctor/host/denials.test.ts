/** What a policy denies notp is named as long as it is of today; lines as auditd(8) and the kernel write them for SELinux and AppArmor. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { examineDenials } from '../../../src/doctor/host/denials.ts';
import { scratchFolder } from '../../support/world.ts';

const NOW_MS = 1_790_000_000_000;
const avc = (secondsAgo: number, what: string): string => `type=AVC msg=audit(${String(NOW_MS / 1000 - secondsAgo)}.243:24287): ${what}`;
const selinux = (secondsAgo: number, more = '', comm = 'notp'): string =>
  avc(
    secondsAgo,
    `avc:  denied  { write } for  pid=2465 comm="${comm}" name="judge.sock" dev="tmpfs" ino=142443 scontext=system_u:system_r:sshd_t:s0-s0:c0.c1023 tcontext=system_u:object_r:init_var_run_t:s0 tclass=sock_file permissive=0${more}`,
  );
const appArmor = avc(
  60,
  'apparmor="DENIED" operation="open" profile="sshd" name="/var/lib/notp/state.db" pid=711 comm="notp" requested_mask="r" denied_mask="r" fsuid=0 ouid=998',
);

const seen = (...lines: readonly string[]): string[] =>
  examineDenials(NOW_MS, '/nonexistent', () => lines).map(({ severity, id, detail, fix }) => `${severity} ${id} ${detail}: ${fix}`);
const silent = (policies: string[]): string[] =>
  examineDenials(NOW_MS, '/nonexistent', () => 'journalctl ended with 1: no journal', policies).map(
    ({ severity, id, detail }) => `${severity} ${id} ${detail}`,
  );
const ofKernel = (line: string): string => line.replace('type=AVC msg=', 'audit: type=1400 ');

describe('what a policy has denied', () => {
  const file = path.join(scratchFolder('denials'), 'audit.log');
  const told = (...lines: readonly string[]): string[] => {
    fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    return examineDenials(NOW_MS, file, () => []).map(({ id, severity, detail }) => `${severity} ${id} ${detail}`);
  };

  it('to notp is named with the count and the last line', () => {
    const [finding = '', ...others] = told(selinux(600), selinux(300), appArmor);
    assert.deepEqual(others, []);
    assert.match(
      finding,
      /^warn denied 3 in .*audit\.log, the last at \d{4}-.*Z: apparmor="DENIED" operation="open" profile="sshd" name="\/var\/lib\/notp/,
    );
    assert.match(
      told(selinux(60))[0] ?? '',
      /avc: {2}denied {2}\{ write \} for .*comm="notp" name="judge\.sock".*scontext=system_u:system_r:sshd_t/,
    );
  });

  it('to others, days ago or only on paper is not', () => {
    assert.deepEqual(told(selinux(60, '', 'sshd'), selinux(90_000), selinux(60).replace('permissive=0', 'permissive=1')), []);
    assert.deepEqual(
      told('', 'type=AVC nonsense comm="notp" denied', `type=USER_CMD msg=audit(${String(NOW_MS / 1000)}.1:2): comm="notp" denied`),
      [],
    );
  });

  it('is not looked for in what is no file', () => {
    for (const place of ['/nonexistent', '/tmp', '/dev/null'])
      assert.deepEqual(
        examineDenials(NOW_MS, place, () => []),
        [],
      );
  });

  it('is found in the messages of the kernel where no auditd writes them: nobody saw it on Debian', () => {
    const [finding = '', ...others] = seen('usb 1-1: new device', ofKernel(selinux(90_000)), ofKernel(selinux(600)), ofKernel(appArmor));
    assert.deepEqual(others, []);
    assert.match(finding, /^warn denied 2 in the messages of the kernel, the last at .*: apparmor="DENIED".*: journalctl --dmesg --grep /);
    assert.deepEqual(seen(ofKernel(selinux(60, '', 'sshd')), ofKernel(selinux(60).replace('permissive=0', 'permissive=1'))), []);
  });

  it('is said not to be known where a policy is in force and the kernel cannot be asked: that counted as nothing denied', () => {
    assert.deepEqual(silent(['/proc/none', '/etc/passwd']), ['info denied journalctl ended with 1: no journal']);
    assert.deepEqual(silent(['/proc/none']), []);
  });

  it('is looked for on this host without an error', () => {
    assert.ok(Array.isArray(examineDenials(Date.now())));
  });
});
