/** Whether a host may ask for codes is seen from the files of sshd and PAM, and is taken for granted where they cannot be read. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { mayHaveDoor } from '../../src/system/doors.ts';
import { scratchFolder } from '../support/world.ts';

/** A folder like /etc with these files. */
function etcWith(files: Readonly<Record<string, string>>): string {
  const etc = scratchFolder('etc');
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(etc, name)), { recursive: true });
    fs.writeFileSync(path.join(etc, name), content);
  }
  return etc;
}

describe('a host', () => {
  for (const [name, content] of [
    ['ssh/sshd_config', 'Match Group admins\n  ForceCommand /usr/bin/notp gate\n'],
    ['ssh/sshd_config.d/10-notp-gate.conf', 'ForceCommand "/opt/my notp/notp" gate --config /x\n'],
    ['pam.d/sshd', 'auth requisite pam_exec.so expose_authtok stdout quiet /usr/bin/notp pam\n'],
    ['pam.d/sudo', '\tauth requisite pam_exec.so seteuid /usr/bin/notp\tpam --prompt-tty'],
  ] as const) {
    it(`may have a door with ${JSON.stringify(content)} in ${name}`, () => {
      assert.equal(mayHaveDoor(etcWith({ [name]: content })), true);
    });
  }

  it('has none with other files, with remarks and with other programs, or without files', () => {
    const remarks = '# BEGIN notp: written by "notp setup pam"\nauth required pam_unix.so # not notp pam\n';
    const others = 'ForceCommand /usr/bin/notp-enroll\nForceCommand /usr/bin/gate\nauth required pam_notp.so\n';
    assert.equal(mayHaveDoor(etcWith({ 'ssh/sshd_config': others, 'pam.d/sshd': remarks, 'pam.conf': 'notp pam' })), false);
    assert.equal(mayHaveDoor(etcWith({})), false);
  });

  it('may have one in what cannot be read', () => {
    const etc = etcWith({ 'pam.d/sshd': '' });
    fs.symlinkSync('round', path.join(etc, 'pam.d/round'));
    assert.equal(mayHaveDoor(etc), true);
    assert.equal(mayHaveDoor(etcWith({ 'ssh/sshd_config': '#'.repeat(256 * 1024 + 1) })), true);
  });
});
