/** A stack that is written so that a line can follow it: with the real libpam, the line runs where the stack succeeds, and only there. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { inlined } from '../../../src/doctor/pam/inline.ts';
import { asksAfterFailure, opensWithoutCode } from '../../../src/doctor/pam/paths.ts';
import { pamStack } from '../../../src/doctor/pam/stack.ts';
import { run } from '../../support/process.ts';
import { lacks, scratchFolder } from '../../support/world.ts';
import { pamService, rewriteService } from './pam-files.ts';

const NEEDS = lacks({ root: true, programs: ['pamtester'] });
const folder = scratchFolder('pam-inline');
const marker = path.join(folder, 'asked');
const CODE = `auth requisite pam_exec.so quiet /usr/bin/touch ${marker}`;
const NOTP = 'auth requisite pam_exec.so seteuid quiet /usr/bin/notp pam --prompt-tty';

/** As authselect writes system-auth; `debug` answers for the modules that Debian lacks or that would ask. */
const SYSTEM_AUTH: Readonly<Record<string, (unix: string, sss: string) => readonly string[]>> = {
  minimal: (unix) => [
    'auth required pam_env.so',
    'auth required pam_faildelay.so delay=1',
    `auth sufficient ${unix}`,
    'auth required pam_deny.so',
  ],
  'with sssd and faillock': (unix, sss) => [
    'auth        required                                     pam_env.so',
    'auth        required                                     pam_faildelay.so delay=1',
    'auth        [default=1 ignore=ignore success=ok]         pam_debug.so auth=success',
    'auth        [default=1 ignore=ignore success=ok]         pam_localuser.so',
    `auth        sufficient                                   ${unix}`,
    'auth        [default=1 ignore=ignore success=ok]         pam_debug.so auth=success',
    `auth        sufficient                                   ${sss} forward_pass`,
    'auth        required                                     pam_debug.so auth=auth_err',
    'auth        required                                     pam_deny.so',
  ],
  'with a fingerprint': (unix, sss) => [
    'auth required pam_env.so',
    `auth [success=done ignore=ignore default=bad] ${sss}`,
    `auth sufficient ${unix}`,
    'auth required pam_deny.so',
  ],
  'with a smart card': (unix, sss) => [
    'auth [success=3 ignore=ignore default=ignore] pam_debug.so auth=ignore',
    `auth [success=done authinfo_unavail=ignore ignore=ignore default=die] ${sss}`,
    `auth sufficient ${unix}`,
    'auth requisite pam_deny.so',
    'auth required pam_permit.so',
  ],
  'of SUSE': (unix) => ['auth required pam_env.so', `auth required ${unix} try_first_pass`],
  'of Arch': (unix) => [
    'auth required pam_debug.so auth=success',
    '-auth [success=2 default=ignore] pam_no_such.so',
    `auth [success=1 default=bad] ${unix}`,
    'auth [default=die] pam_debug.so auth=auth_err',
    'auth optional pam_permit.so',
    'auth required pam_env.so',
  ],
};

/** What libpam says to the stack, and whether it came to the line for the code. */
async function ask(service: string): Promise<{ opens: boolean; asked: boolean }> {
  fs.rmSync(marker, { force: true });
  const { code } = await run(['pamtester', service, 'root', 'authenticate', 'setcred(PAM_ESTABLISH_CRED)'], { input: '' });
  return { opens: code === 0, asked: fs.existsSync(marker) };
}

describe('a stack with a line after it', { skip: NEEDS }, () => {
  const inner = pamService('');
  const outer = pamService('');
  /** Asserts that the code is asked for where the stack alone opens, and nowhere else; false where it has no such form. */
  const holds = async (lines: readonly string[], { exactly }: { exactly: boolean }): Promise<boolean> => {
    rewriteService(inner, lines);
    const flat = inlined(pamStack(inner, 'auth') ?? []);
    if (flat === undefined) return false;
    const alone = await ask(inner);
    rewriteService(outer, [...flat, CODE]);
    const found = await ask(outer);
    const what = [...lines, '->', ...flat].join('\n');
    assert.equal(found.asked, found.opens, what);
    if (exactly || found.opens) assert.equal(found.opens, alone.opens, what);
    return true;
  };

  /** Whether the code is asked for too late, and whether it is passed by, by what doctor knows of PAM. */
  const judge = (lines: readonly string[]): [boolean, boolean] => {
    rewriteService(outer, [...lines, NOTP]);
    const read = pamStack(outer, 'auth') ?? [];
    return [asksAfterFailure(read), opensWithoutCode(read, { firstPass: false })];
  };

  for (const [name, stack] of Object.entries(SYSTEM_AUTH)) {
    it(`goes on where a first factor passed, and ends where none did: system-auth ${name}`, async () => {
      for (const unix of ['success', 'auth_err', 'user_unknown', 'authinfo_unavail', 'conv_err'])
        for (const sss of ['success', 'auth_err', 'ignore'])
          assert.ok(
            await holds(stack(`pam_debug.so auth=${unix} cred=success`, `pam_debug.so auth=${sss} cred=success`), { exactly: true }),
          );
    });

    it(`is found by doctor where it is a substack, and not as it is written: ${name}`, () => {
      rewriteService(inner, stack('pam_unix.so', 'pam_sss.so'));
      const flat = inlined(pamStack(inner, 'auth') ?? []) ?? [];
      assert.deepEqual(judge([`auth substack ${inner}`]), [true, false]);
      assert.deepEqual(judge(flat), [false, false]);
      // That of Arch can be included: it has no `sufficient`, and dies where the password is wrong.
      assert.deepEqual(judge([`auth include ${inner}`]).includes(true), name !== 'of Arch');
    });
  }

  it('was asked for its code after a failure in a substack, which ends only that', async () => {
    rewriteService(inner, ['auth requisite pam_deny.so']);
    rewriteService(outer, [`auth substack ${inner}`, CODE]);
    assert.deepEqual(await ask(outer), { opens: false, asked: true });
    // No control in brackets can say more of a substack: libpam takes the word for a module.
    rewriteService(outer, [`auth [success=ok default=die] substack ${inner}`, CODE]);
    rewriteService(inner, ['auth required pam_permit.so']);
    assert.equal((await ask(outer)).opens, false);
  });

  for (const lines of [
    ['auth [new_authtok_reqd=ignore default=done] pam_debug.so auth=new_authtok_reqd'],
    ['auth [success=ok new_authtok_reqd=1 default=die] pam_debug.so auth=new_authtok_reqd', 'auth required pam_permit.so'],
  ])
    it(`was open with a code alone where a password that has to be changed is named: ${lines.join(', ')}`, async () => {
      rewriteService(inner, lines);
      assert.equal((await ask(inner)).opens, false);
      await holds(lines, { exactly: true });
    });

  it('takes a right password for one where it has to be changed, as Gentoo names it', () => {
    const lines = [
      'auth [success=1 new_authtok_reqd=1 ignore=ignore default=bad] pam_unix.so',
      'auth [default=die] pam_faillock.so authfail',
      'auth optional pam_permit.so',
    ];
    assert.deepEqual(judge(lines), [false, false]);
  });

  it('of any form goes on where it opens, and nowhere else, or has no such form', async () => {
    const answer = fc.constantFrom('success', 'success', 'auth_err', 'ignore', 'new_authtok_reqd', 'user_unknown');
    const action = fc.constantFrom('ok', 'done', 'bad', 'die', 'ignore', '1', '2', '3');
    const brackets = fc.record({ success: action, new_authtok_reqd: action, user_unknown: action, default: action }).map(
      (pairs) =>
        `[${Object.entries(pairs)
          .map((pair) => pair.join('='))
          .join(' ')}]`,
    );
    const control = fc.oneof(fc.constantFrom('required', 'requisite', 'sufficient', 'optional'), brackets);
    const line = fc.tuple(control, answer).map(([how, says]) => `auth ${how} pam_debug.so auth=${says} cred=success`);
    const last = fc.constantFrom('auth required pam_deny.so', 'auth required pam_permit.so', 'auth requisite pam_debug.so auth=success');
    // Where the last line alone decides, an answer of it that does not count refuses, which it did only in some ways.
    let written = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 6 }), last, async (lines, end) => {
        if (await holds([...lines, end], { exactly: false })) written++;
      }),
      { numRuns: 200 },
    );
    assert.ok(written > 50, String(written));
  });
});
