/** All ways through a PAM stack, however many lines it has. */
import * as assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { copyOf } from '../../../src/doctor/pam/inline.ts';
import { asksAfterFailure, branchOpensWithout, endsOf, opensWithCode, opensWithoutCode } from '../../../src/doctor/pam/paths.ts';
import { moduleLine, pamStack, type PamLine } from '../../../src/doctor/pam/stack.ts';
import { run } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { pamService, rewriteService } from './pam-files.ts';

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
    opensWithoutCode(whole, { firstPass: false, exempt: 'unknown' }),
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

describe('a PAM stack that libpam opens without a code', { skip: lacks({ root: true, programs: ['pamtester'] }) }, () => {
  const [outer, middle, inner] = [pamService(''), pamService(''), pamService('')];
  const opens = async (): Promise<boolean> => (await run(['pamtester', outer, 'root', 'authenticate'], { input: '' })).code === 0;
  const isTold = (): boolean => {
    const lines = pamStack(outer, 'auth') ?? [];
    const whom = [undefined, 'unknown', { name: 'root', uid: 0, groups: ['root'] }] as const;
    return whom.some((exempt) => opensWithoutCode(lines, { firstPass: false, exempt }));
  };

  it('is told where a substack resets what was said: that goes back to the yes before it, and notp took it for nothing', async () => {
    rewriteService(middle, ['auth [default=ignore] pam_deny.so', 'auth [default=reset] pam_debug.so auth=success']);
    rewriteService(outer, ['auth required pam_permit.so', `auth substack ${middle}`]);
    assert.deepEqual([await opens(), isTold()], [true, true]);
  });

  it('is told in any form', async () => {
    const action = fc.constantFrom('ok', 'done', 'bad', 'die', 'ignore', 'reset', '1', '2', '3');
    const answers = ['success', 'auth_err', 'ignore', 'perm_denied', 'user_unknown', 'system_err', 'default'];
    const pairs = fc.uniqueArray(fc.tuple(fc.constantFrom(...answers), action), { minLength: 1, maxLength: 4, selector: ([name]) => name });
    const control = fc.oneof(
      fc.constantFrom('required', 'requisite', 'sufficient', 'optional'),
      pairs.map((all) => `[${all.map((pair) => pair.join('=')).join(' ')}]`),
    );
    const module = fc.constantFrom(
      ...['pam_permit.so', 'pam_permit.so', 'pam_deny.so', 'pam_exec.so quiet /nonexistent/notp pam'],
      ...['pam_succeed_if.so quiet uid >= 1000', 'pam_succeed_if.so quiet uid in 0:1', 'pam_succeed_if.so quiet user in x:y'],
      ...['success', 'auth_err', 'ignore', 'perm_denied'].map((says) => `pam_debug.so auth=${says}`),
    );
    const line = fc.tuple(control, module).map(([how, what]) => `auth ${how} ${what}`);
    const linesWith = (below: string): fc.Arbitrary<string[]> => {
      const way = fc.constantFrom(`auth include ${below}`, `auth substack ${below}`);
      return fc.array(fc.oneof({ weight: 5, arbitrary: line }, way), { minLength: 1, maxLength: 6 });
    };
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(
        linesWith(middle),
        linesWith(inner),
        fc.array(line, { minLength: 1, maxLength: 4 }),
        async (first, second, third) => {
          rewriteService(inner, third);
          rewriteService(middle, second);
          rewriteService(outer, first);
          if (!(await opens())) return;
          opened++;
          assert.ok(isTold(), [...first, '--', ...second, '--', ...third].join('\n'));
        },
      ),
      { numRuns: 500 },
    );
    assert.ok(opened > 20, String(opened));
  });
});
