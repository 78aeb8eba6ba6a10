/** The marked block of a PAM file: where it goes, and that the file without it is the file before it, byte for byte. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { outdatedCopies } from '../../src/doctor/pam/inline.ts';
import { moduleLine } from '../../src/doctor/pam/stack.ts';
import { skippedLines, withBlock, withoutBlock, withoutUserEnvironment, type ReadStack } from '../../src/setup/pam-file.ts';
import { ROOT } from '../support/process.ts';

const EVERYBODY = { users: [], groups: [] };
const ALICE = { name: 'alice', uid: 1000, spellings: ['alice'] };
const BOB = { name: 'bob', uid: 1001, spellings: ['bob'] };
const DEBIAN = '# a comment\n@include common-auth\naccount required pam_nologin.so\n@include common-account\n';

/** common-auth of Debian, and what others have. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  'common-auth': ['auth [success=1 default=ignore] pam_unix.so nullok', 'auth requisite pam_deny.so', 'auth required pam_permit.so'],
  'system-auth': [
    'auth required pam_env.so',
    'auth [default=1 ignore=ignore success=ok] pam_localuser.so',
    'auth sufficient pam_unix.so nullok',
    '-auth sufficient /lib/security/pam_sss.so [a b] forward_pass',
    'auth required pam_deny.so',
  ],
  'system-login': ['auth required pam_unix.so', 'auth [success=reset default=ignore] pam_env.so'],
};
const read: ReadStack = (stack, type) => (type === 'auth' ? (OTHERS[stack] ?? []).flatMap((line) => moduleLine(line, type)) : []);

/** The auth lines that hold, with one blank between their words. */
function auth(text: string): string[] {
  const lines = text.split('\n').filter((line) => /^(auth|@include\s+common-auth)/.test(line));
  return lines.map((line) => line.replace(/\s+/g, ' '));
}

describe('the block in a PAM file', () => {
  it('for sshd says what the example says', () => {
    const example = fs.readFileSync(path.join(ROOT, 'examples/pam.d/sshd-notp'), 'utf8');
    assert.deepEqual(auth(withBlock(DEBIAN, { door: 'pam', scope: EVERYBODY, read, before: false }) ?? ''), auth(example));
  });

  it('for sshd has a line before the prompt where a rule may ask for no code, as the example says', () => {
    const example = fs.readFileSync(path.join(ROOT, 'examples/pam.d/sshd-notp'), 'utf8');
    const [before = ''] = /^#auth.*--before$/m.exec(example) ?? [];
    const [branch = '', ...rest] = auth(example);
    const lines = auth(withBlock(DEBIAN, { door: 'pam', scope: EVERYBODY, read, before: true }) ?? '');
    assert.deepEqual(lines, [branch.replace('success=3', 'success=4'), before.slice(1).replace(/\s+/g, ' '), ...rest]);
    // It jumps over the prompt and the code, to the line that sets a credential.
    assert.match(lines[1] ?? '', /success=2 /);
    assert.match(lines[4] ?? '', /^auth sufficient pam_permit\.so$/);
  });

  it('for sudo asks for the code after the password, as the example does', () => {
    const example = fs.readFileSync(path.join(ROOT, 'examples/pam.d/sudo-notp'), 'utf8');
    const lines = auth(withBlock(DEBIAN, { door: 'sudo', scope: EVERYBODY, read, before: false }) ?? '');
    assert.deepEqual(lines, ['@include common-auth', auth(example).at(-1)]);
  });

  it('for sudo is a copy where the stack can be neither included nor a substack: success jumps to the code, failure ends it all', () => {
    const text =
      withBlock('auth\tinclude\tsystem-auth\nsession include x\n', {
        door: 'sudo',
        scope: { users: [BOB], groups: [] },
        read,
        before: false,
      }) ?? '';
    assert.deepEqual(auth(text), [
      'auth [success=ok ignore=ignore new_authtok_reqd=die default=die] pam_env.so',
      'auth [success=ok ignore=ignore default=1] pam_localuser.so',
      'auth [success=2 ignore=ignore new_authtok_reqd=die default=ignore] pam_unix.so nullok',
      'auth [success=ok ignore=ignore new_authtok_reqd=die default=die] pam_deny.so',
      'auth required pam_permit.so',
      'auth [auth_err=ignore ignore=ignore default=1] pam_succeed_if.so quiet uid in 1001',
      'auth [auth_err=1 default=ignore] pam_succeed_if.so quiet user in bob',
      'auth requisite pam_exec.so seteuid quiet quiet_log /usr/bin/notp pam --prompt-tty',
    ]);
    assert.match(text, /^-auth \[success=1 ignore=ignore .*\] \/lib\/security\/pam_sss\.so \[a b\] forward_pass$/m);
    assert.deepEqual(
      outdatedCopies(text, (stack) => read(stack, 'auth')),
      [],
    );
    assert.deepEqual(
      outdatedCopies(text, () => read('common-auth', 'auth')),
      ['system-auth'],
      'doctor finds that it is old',
    );
    assert.equal(withoutBlock(text), 'auth\tinclude\tsystem-auth\nsession include x\n');
  });

  it('for sudo is refused where no line can follow the stack', () => {
    assert.throws(() => withBlock('auth include system-login\n', { door: 'sudo', scope: EVERYBODY, read, before: false }), {
      code: 'refused',
    });
  });

  it('for sudo ends in a failure where a module of any name may fail, or is refused: a wrong password at a RADIUS server came to the code', () => {
    for (const module of ['pam_radius_auth.so', 'pam_exec.so expose_authtok /usr/local/bin/checkpw', 'pam_debug.so auth=auth_err']) {
      const block = (control: string): string => {
        const unknown: ReadStack = (_stack, type) => (type === 'auth' ? moduleLine(`auth ${control} ${module}`, type) : []);
        return withBlock('@include common-auth\n', { door: 'sudo', scope: EVERYBODY, read: unknown, before: false }) ?? '';
      };
      for (const control of ['required', 'requisite', '[success=ok default=bad]'])
        assert.match(auth(block(control))[0] ?? '', /^auth \[success=ok ignore=die .*default=die\]/, control);
      for (const control of ['optional', '[success=ok default=ignore]']) assert.throws(() => block(control), { code: 'refused' }, control);
    }
  });

  it('jumps in sshd over exactly what asks for the code, to the password', () => {
    for (const scope of [EVERYBODY, { users: [ALICE], groups: [] }, { users: [ALICE], groups: ['ops'] }]) {
      const lines = auth(withBlock(DEBIAN, { door: 'pam', scope: scope, read, before: false }) ?? '');
      const password = lines.length - 1;
      assert.match(lines[password] ?? '', /^auth substack common-auth$/);
      for (const [i, line] of lines.entries()) {
        const [, jump] = /(?:success|auth_err)=(\d+)/.exec(line) ?? [];
        if (jump !== undefined) assert.equal(i + 1 + Number(jump), password, line);
      }
    }
  });

  for (const line of [
    '@include common-auth',
    'auth       substack     password-auth',
    'auth\tinclude\tsystem-auth',
    '-auth include system-login',
    'auth include common-auth ',
  ]) {
    it(`takes the place of: ${line}`, () => {
      const text = withBlock(`#%PAM-1.0\n${line}\naccount include x\n`, { door: 'pam', scope: EVERYBODY, read, before: false }) ?? '';
      assert.match(text, new RegExp(`^#%PAM-1\\.0\\n# BEGIN notp.*\\n# was: ${line}\\n[^]*\\n# END notp\\naccount include x\\n$`));
      assert.equal(withoutBlock(text), `#%PAM-1.0\n${line}\naccount include x\n`);
    });
  }

  it('has no place where no line asks for the password, or two do', () => {
    for (const text of ['', '#@include common-auth\n', 'auth required pam_unix.so\n', 'auth include other\n', `${DEBIAN}${DEBIAN}`]) {
      assert.equal(withBlock(text, { door: 'pam', scope: EVERYBODY, read, before: false }), undefined);
    }
  });

  it('takes the place of an older block', () => {
    const older = withBlock(DEBIAN, { door: 'pam', scope: { users: [ALICE], groups: [] }, read, before: false }) ?? '';
    assert.equal(
      withBlock(older, { door: 'pam', scope: EVERYBODY, read, before: false }),
      withBlock(DEBIAN, { door: 'pam', scope: EVERYBODY, read, before: false }),
    );
  });

  it('leaves a file alone whose block has no end', () => {
    const torn = `${DEBIAN}# BEGIN notp\nauth required pam_deny.so\n`;
    assert.equal(withoutBlock(torn), torn);
  });

  it('leaves every other byte as it was', () => {
    const line = fc.string({ unit: 'binary' }).filter((text) => !/\n|BEGIN notp|common-auth|password-auth|system-/.test(text));
    const file = fc.tuple(fc.array(line), fc.array(line));
    fc.assert(
      fc.property(file, fc.constantFrom('pam' as const, 'sudo' as const), ([above, below], door) => {
        const text = [...above, '@include common-auth', ...below].join('\n');
        assert.equal(withoutBlock(withBlock(text, { door, scope: EVERYBODY, read, before: false }) ?? ''), text);
      }),
    );
  });

  it('that takes the environment of the user away stands beside it, and neither is in the way of the other', () => {
    const line = 'session    required     pam_env.so user_readenv=1 envfile=/etc/default/locale';
    const stock = `${DEBIAN}${line}\nsession optional pam_motd.so\n`;
    const closed = withoutUserEnvironment(stock) ?? '';
    const written = closed.split('\n').filter((each) => !each.startsWith('#') && each.includes('pam_env'));
    assert.deepEqual(written, ['session    required     pam_env.so user_readenv=0 envfile=/etc/default/locale']);
    assert.ok(closed.includes(`# was: ${line}\n`));
    assert.equal(withoutUserEnvironment(closed), undefined);
    assert.equal(withoutBlock(withBlock(closed, { door: 'pam', scope: EVERYBODY, read, before: false }) ?? ''), closed);
    for (const text of [DEBIAN, '# session required pam_env.so user_readenv=1\n', 'session required pam_env.so user_readenv=0 debug\n'])
      assert.equal(withoutUserEnvironment(text), undefined);
  });

  it('takes the environment of the user away in whatever words pam_env reads it', () => {
    for (const word of [
      'user_readenv=2',
      'user_readenv=01',
      'user_readenv=+1',
      'user_readenv=-1',
      'user_readenv=1x',
      '[user_readenv= 1]',
      'user_readenv=0 user_readenv=1',
    ]) {
      for (const type of ['session', 'auth', '-session', 'SESSION']) {
        const closed = withoutUserEnvironment(`${type} required pam_env.so ${word} envfile=/x\n`) ?? '';
        const zeros = word.replaceAll(/\[user_readenv=[^\]]*\]|user_readenv=\S*/g, 'user_readenv=0');
        assert.ok(closed.split('\n').includes(`${type} required pam_env.so ${zeros} envfile=/x`), closed);
        assert.equal(withoutUserEnvironment(closed), undefined);
      }
    }
  });

  it('tells the auth lines after it, which a right code passes over', () => {
    const text =
      withBlock(`${DEBIAN}auth required pam_access.so\nauth include postlogin\nsession optional pam_motd.so\n`, {
        door: 'pam',
        scope: EVERYBODY,
        read,
        before: false,
      }) ?? '';
    assert.deepEqual(skippedLines(text), ['auth required pam_access.so']);
  });
});
