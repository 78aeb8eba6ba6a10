/** All ways through a PAM stack, however many lines it has. */
import * as assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { copyOf } from '../../../src/doctor/pam/inline.ts';
import { asksAfterFailure, branchOpensWithout, endsOf, opensWithCode, opensWithoutCode } from '../../../src/doctor/pam/paths.ts';
import { moduleLine, type PamLine } from '../../../src/doctor/pam/stack.ts';

const CODE = 'auth requisite pam_exec.so seteuid quiet /usr/bin/notp pam --prompt-tty';
const STOCK = ['auth [success=1 default=ignore] pam_unix.so', 'auth requisite pam_deny.so', 'auth required pam_permit.so'];
/** What authselect writes for sssd with faillock, fingerprint, smart card, GSSAPI, U2F and the keyring of GNOME. */
const AUTHSELECT = [
  'auth required pam_env.so',
  'auth required pam_faildelay.so delay=2000000',
  'auth required pam_faillock.so preauth silent',
  'auth sufficient pam_u2f.so cue',
  'auth [success=1 default=ignore] pam_succeed_if.so service notin login:gdm:xdm quiet use_uid',
  'auth [success=done authinfo_unavail=ignore user_unknown=ignore ignore=ignore default=die] pam_sss.so try_cert_auth',
  'auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular',
  'auth [default=1 ignore=ignore success=ok] pam_localuser.so',
  'auth [default=2 ignore=ignore success=ok] pam_localuser.so',
  'auth [success=done authinfo_unavail=ignore user_unknown=ignore ignore=ignore default=die] pam_sss.so try_cert_auth',
  'auth sufficient pam_fprintd.so',
  'auth sufficient pam_unix.so nullok',
  'auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular',
  'auth sufficient pam_sss_gss.so',
  'auth sufficient pam_sss.so forward_pass',
  'auth required pam_faillock.so authfail',
  'auth optional pam_gnome_keyring.so only_if=login auto_start',
  'auth required pam_deny.so',
];

function read(lines: readonly string[]): PamLine[] {
  return lines.flatMap((line) => moduleLine(line, 'auth'));
}

function judge(lines: readonly PamLine[]): readonly unknown[] {
  const whole = [...lines, ...read([CODE])];
  return [
    opensWithoutCode(whole, { firstPass: false, exempt: 'untold' }),
    opensWithCode(whole),
    asksAfterFailure(whole),
    branchOpensWithout(lines),
    [...endsOf(lines)].toSorted(),
  ];
}

describe('a long PAM stack', () => {
  it("of authselect's 18 lines ended doctor and setup with a stack overflow: it is judged, and copied", () => {
    const lines = read(AUTHSELECT);
    assert.deepEqual(judge(lines), [true, false, true, undefined, ['no']]);
    const copy = copyOf('system-auth', lines) ?? [];
    assert.equal(copy.length, AUTHSELECT.length + 3);
    assert.deepEqual(judge(read(copy)).slice(0, 3), [false, true, false]);
  });

  it('is judged as a short one where the further lines decide nothing: each was a factor of more ways', () => {
    const short = judge(read(STOCK));
    assert.deepEqual(short, [false, true, false, undefined, ['yes']]);
    for (const more of [10, 2_000]) {
      const lines = read([...STOCK, ...Array.from({ length: more }, () => 'auth optional pam_group.so')]);
      assert.deepEqual(judge(lines), short, String(more));
      assert.deepEqual(
        judge([{ kind: 'substack', lines }]),
        [false, true, true, undefined, ['no', 'yes']],
        'in a substack a wrong password goes on',
      );
    }
  });
});
