/** PAM stacks: doctor walks every way through them and names those that lead past the code. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { examinePam, pamPrograms } from '../../../src/doctor/pam/pam.ts';
import { examineUserEnvironment } from '../../../src/doctor/pam/environment.ts';
import { FIRST_PASS, pamStack, servicesWithNotp } from '../../../src/doctor/pam/stack.ts';
import { withBlock } from '../../../src/setup/pam-file.ts';
import type { Scope } from '../../../src/setup/scope.ts';
import { groupsOf, userByUid, type User } from '../../../src/system/users.ts';
import { lacks, scratchFolder } from '../../support/world.ts';
import { exampleStack, pamService } from './pam-files.ts';
import { detailOf, wrong } from '../sshd/sshd-world.ts';

const CODE = 'auth requisite pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam';
const PERMIT = 'auth sufficient pam_permit.so';
const FIRST = `auth [success=2 default=ignore] pam_exec.so quiet quiet_log ${FIRST_PASS}`;
const UNIX = 'auth required pam_unix.so';
/** The password as Debian's common-auth asks for it. */
const STOCK = ['auth [success=1 default=ignore] pam_unix.so', 'auth requisite pam_deny.so', 'auth required pam_permit.so'];
const SSS = 'auth required pam_sss.so';
const ENV = 'auth required pam_env.so';
const SUDO_CODE = 'auth requisite pam_exec.so seteuid quiet /usr/bin/notp pam --prompt-tty';

function found(lines: readonly string[], sshd = true): string[] {
  return wrong(examinePam({ name: pamService(`${lines.join('\n')}\n`), sshd }));
}

function foundFor(stack: string, users: readonly User[], sshd = true): string[] {
  const findings = examinePam({ name: pamService(stack), sshd, users });
  return findings.map(({ id, severity, user }) => [severity, id, ...(user === undefined ? [] : [user])].join(' '));
}

/** Whether sshd is said to drop a login after the right code. */
function dropped(...lines: readonly string[]): string[] {
  const findings = examinePam({ name: pamService(lines.join('\n')), sshd: true });
  return findings.filter(({ title }) => title.startsWith('sshd drops')).map(({ id }) => id);
}

/** What `notp setup pam` writes into Debian's stack. */
function block(scope: Scope): string {
  return withBlock('@include common-auth\n', { door: 'pam', scope, read: () => [], before: false }) ?? '';
}

const before = (control: string): string => `auth ${control} pam_exec.so quiet /usr/bin/notp pam --before`;

describe('a PAM stack', { skip: lacks({ root: true }) }, () => {
  it('of the examples is in order, and names its program', () => {
    for (const [file, sshd] of [
      ['sshd-notp', true],
      ['sudo-notp', false],
    ] as const) {
      const name = pamService(exampleStack(file));
      const findings = examinePam({ name, sshd });
      assert.deepEqual(wrong(findings), [], JSON.stringify(findings));
      assert.deepEqual(
        findings.map(({ id }) => id),
        ['P7', 'P9'],
      );
      assert.deepEqual([...new Set(pamPrograms({ name, sshd }))], ['/usr/bin/notp']);
    }
  });

  it('with a line for the rules before the code is in order, as setup writes it and after the password of sudo', () => {
    const text = withBlock('@include common-auth\n', { door: 'pam', scope: { users: [], groups: [] }, read: () => [], before: true }) ?? '';
    assert.deepEqual(found(text.split('\n')), []);
    assert.deepEqual(found(['@include common-auth', before('[success=1 default=ignore]'), SUDO_CODE], false), []);
  });

  it('with a line for the rules is told where that takes the place of the first factor or of the code', () => {
    const jump = before('[success=1 default=ignore]');
    for (const [lines, sshd] of [
      // There is no line for the code.
      [[jump, PERMIT], true],
      // A wrong password goes on to it.
      [['auth sufficient pam_unix.so', before('sufficient'), SUDO_CODE], false],
      // Where it says no, nobody gets in.
      [[before('required'), CODE, PERMIT], true],
      // It jumps further than it should, or the other way round lets everybody in.
      [[before('[success=ignore default=1]'), CODE, PERMIT], true],
    ] as const)
      assert.ok(found(lines, sshd).includes('P7'), lines.join('\n'));
  });

  it('with key and code alone is in order', () => {
    assert.deepEqual(found([CODE, PERMIT]), []);
  });

  it('that starts notp under a profile of AppArmor is in order, and names the program behind it: it passed for one that asks nothing', () => {
    const confined = CODE.replace('/usr/bin/notp', '/usr/bin/aa-exec -p notp-pam -- /usr/bin/notp');
    assert.deepEqual(found([confined, PERMIT]), []);
    assert.deepEqual(pamPrograms({ name: pamService(`${confined}\n`), sshd: true }), ['/usr/bin/notp']);
    assert.ok(found([confined.replace('/usr/bin/aa-exec', '/home/x/aa-exec'), PERMIT]).includes('P7'));
  });

  it('is named with the lines of each path past the code, one for each line that opens it', () => {
    const name = pamService(
      ['auth sufficient pam_rootok.so', 'auth [success=done default=ignore] pam_localuser.so', CODE, PERMIT].join('\n'),
    );
    const paths = detailOf(examinePam({ name, sshd: true }), 'P7').split('\n');
    assert.deepEqual(
      paths.map((detail) => detail.replace(/^.* without notp: /, '').replaceAll(`/etc/pam.d/${name}`, '')),
      [':1 pam_rootok.so success', ':2 pam_localuser.so success'],
    );
  });

  it('that no module lets through in pam_setcred is named: sshd dropped the login after the right code', () => {
    assert.deepEqual(dropped(CODE), ['P7']);
    assert.deepEqual(dropped(CODE, 'auth optional pam_echo.so file=/etc/issue'), ['P7']);
    assert.deepEqual(dropped('auth required pam_succeed_if.so uid > 0', CODE), ['P7']);
    assert.deepEqual(dropped(CODE, 'auth [success=ok default=die] pam_echo.so file=/etc/issue', PERMIT), ['P7']);
    assert.deepEqual(dropped(CODE, PERMIT), []);
    assert.deepEqual(dropped(CODE, 'auth optional pam_cap.so'), []);
  });

  it('whose account or session lines refuse everybody is named: the right code was in vain', () => {
    for (const type of ['account', 'session']) {
      const refusing = `${type} requisite pam_deny.so\n${type} required pam_permit.so`;
      assert.deepEqual(found([CODE, PERMIT, refusing]), ['P7'], type);
      assert.deepEqual(found([CODE, PERMIT, `${type} [success=1 default=ignore] pam_unix.so\n${refusing}`]), [], type);
    }
  });

  it("in Red Hat's layout is in order: substacks, and a password-auth of its own", () => {
    const passwordAuth = ['auth required pam_env.so', 'auth sufficient pam_unix.so nullok', 'auth required pam_deny.so'];
    const included = pamService(passwordAuth.join('\n'));
    const stack = [
      FIRST.replace('success=2', 'success=3'),
      'auth optional pam_echo.so file=/etc/notp/prompt',
      CODE,
      PERMIT,
      `auth substack ${included}`,
    ];
    assert.deepEqual(found(stack), []);
    // At sudo the code would be asked for after a wrong password, which ends only the substack.
    assert.deepEqual(found([`auth substack ${included}`, SUDO_CODE], false), ['P7']);
    // Included in place of a substack, its `sufficient` ends everything before the code.
    assert.deepEqual(found([`auth include ${included}`, SUDO_CODE], false), ['P7', 'P7']);
  });

  const holes: readonly (readonly [string, readonly string[]])[] = [
    ['a wrong code does not count', [CODE.replace('requisite', 'optional'), PERMIT]],
    ['a right code ends the login of setcred', [CODE.replace('requisite', '[success=ok default=die]'), PERMIT]],
    ['a code is one way of several', [CODE.replace('requisite', 'sufficient'), 'auth required pam_unix.so']],
    [
      'the branch is open where notp fails',
      ['auth [success=ignore default=2] pam_exec.so quiet /usr/bin/notp pam --first-pass', CODE, PERMIT, 'auth required pam_permit.so'],
    ],
    ['the first pass jumps to a permit', [FIRST.replace('default=ignore', 'default=2'), CODE, PERMIT, 'auth required pam_permit.so']],
    ['the first pass lands on a permit: a code alone logged in', [FIRST.replace('success=2', 'success=1'), CODE, PERMIT, UNIX]],
    ['the first pass ends the stack with a yes', [FIRST.replace('success=2', 'success=done'), CODE, PERMIT, UNIX]],
    ['the first pass leads to the code', [FIRST.replace('success=2', 'success=ignore'), CODE, PERMIT, UNIX]],
    ['the password of the first pass need not be right', [FIRST, CODE, PERMIT, 'auth optional pam_unix.so', 'auth required pam_permit.so']],
    ['the password of the first pass is not asked for where it is not known', [FIRST, CODE, PERMIT, ENV, `${SSS} ignore_unknown_user`]],
    ['the first pass only looks at the account', [FIRST, CODE, PERMIT, 'auth required pam_localuser.so']],
    ['notp is handed nothing', [CODE.replace('expose_authtok ', ''), PERMIT]],
    ['the program is not absolute', [CODE.replace('/usr/bin/notp', 'notp'), PERMIT]],
    ['another phase is meant', [CODE.replace('quiet', 'type=session quiet'), PERMIT]],
    ['nothing has a credential to set', [CODE]],
    ['sshd is to ask on a terminal', [SUDO_CODE, PERMIT]],
    [
      'a failure that is told apart leads past the code',
      ['auth [authinfo_unavail=2 default=die] pam_debug.so', CODE, PERMIT, 'auth required pam_permit.so'],
    ],
    ['the code never suffices', [CODE, 'auth required pam_deny.so']],
    ['an included file is missing', ['@include notp-test-no-such-file', CODE, PERMIT]],
  ];
  for (const [what, lines] of holes) {
    it(`in which ${what} is named`, () => {
      const ids = new Set(found(lines));
      assert.deepEqual([...ids], ['P7']);
    });
  }

  it('whose first pass asks for a password in any layout is in order, and by a module that is not known draws a warning', () => {
    const stacks = [
      [UNIX],
      [ENV, UNIX],
      [ENV, SSS],
      ['auth sufficient pam_unix.so', 'auth sufficient pam_sss.so', 'auth required pam_deny.so'],
    ];
    for (const stack of stacks) assert.deepEqual(found([FIRST, CODE, PERMIT, ...stack]), [], stack.join());
    const name = pamService([FIRST, CODE, PERMIT, ENV, 'auth required pam_radius_auth.so', ''].join('\n'));
    const findings = examinePam({ name, sshd: true });
    assert.deepEqual(
      findings.map(({ id, severity }) => `${severity} ${id}`),
      ['warn P7', 'ok P9'],
    );
    assert.ok(detailOf(findings, 'P7').includes(`/etc/pam.d/${name}:1`));
  });

  it('at sudo draws a warning where the code is asked for behind modules that notp does not know: after a wrong password at a RADIUS server the code alone was root', () => {
    const RADIUS = 'pam_radius_auth.so';
    const stacks: readonly (readonly [readonly string[], string])[] = [
      [[`auth optional ${RADIUS}`], 'a module has failed'],
      [[`auth required ${RADIUS}`], 'a module has failed'],
      [[`auth [success=1 default=ignore] ${RADIUS}`, 'auth required pam_permit.so'], 'a module has failed'],
      [['auth optional pam_exec.so expose_authtok quiet /usr/local/bin/checkpw'], 'a module has failed'],
      [[`auth required ${RADIUS}`, 'auth required pam_unix.so'], 'a module has failed'],
      [[`auth [success=ok default=die] ${RADIUS}`], 'through modules that may not ask'],
      [['auth [success=1 default=ignore] pam_localuser.so', UNIX.replace('required', '[success=ok default=die]')], 'without any line'],
      [[], 'without any line'],
    ];
    for (const [lines, why] of stacks) {
      const findings = examinePam({ name: pamService([...lines, SUDO_CODE, ''].join('\n')), sshd: false });
      const told = findings.filter(({ id, detail }) => id === 'P7' && detail.includes(why));
      assert.deepEqual([lines, told.map(({ severity }) => severity)], [lines, ['warn']]);
    }
    const passed = [
      'auth [success=2 default=ignore] pam_unix.so',
      `auth [success=1 default=ignore] ${RADIUS}`,
      'auth requisite pam_deny.so',
    ];
    const both = examinePam({ name: pamService([...passed, 'auth required pam_permit.so', SUDO_CODE, ''].join('\n')), sshd: false });
    assert.deepEqual(
      both.map(({ id, severity }) => `${severity} ${id}`),
      ['warn P7', 'ok P9'],
      'a second factor after a first that failed is no failure',
    );
  });

  describe('with the conditions of setup', () => {
    const dora: User = { name: 'dora', uid: 30_004, gid: 30_004, home: '/nonexistent', shell: '/bin/sh' };
    const own = block({ users: [{ name: 'dora', uid: 30_004, spellings: ['dora'] }], groups: [] });
    it('is in order for whom they name, by uid or by name, and fails for an enrolled user who is in neither', () => {
      for (const user of [dora, { ...dora, uid: 39_999 }, { ...dora, name: 'dora2' }])
        assert.deepEqual(foundFor(own, [user]), ['ok P7', 'ok P9']);
      const name = pamService(own);
      const findings = examinePam({ name, sshd: true, users: [dora, { ...dora, name: 'erin', uid: 30_005 }] });
      assert.deepEqual(wrong(findings), ['P7 erin']);
      assert.match(detailOf(findings, 'P7'), /neither uid 30005 nor the name "erin"/);
    });

    it('that go by the uid alone fail after it has changed: key and password let dora in', () => {
      const byUid = own.replace(/^auth .* uid in .*\n/m, '').replace('user in dora', 'uid in 30004');
      assert.deepEqual(foundFor(byUid, [dora]), ['ok P7', 'ok P9']);
      assert.deepEqual(foundFor(byUid, [{ ...dora, uid: 39_999 }]), ['fail P7 dora', 'ok P9']);
    });

    it('goes by the groups of each name', () => {
      const root = userByUid(0);
      const group = groupsOf(root)[0] ?? '';
      const byGroup = block({ users: [], groups: [group] });
      assert.deepEqual(foundFor(byGroup, [root]), ['ok P7', 'ok P9']);
      assert.deepEqual(foundFor(byGroup, [dora]), ['fail P7 dora', 'ok P9']);
    });

    it('says of sudo whom they ask for no code', () => {
      const condition = 'auth [auth_err=1 default=ignore] pam_succeed_if.so quiet uid in 7\n';
      const lines = exampleStack('sudo-notp').replace(/^auth .*--prompt-tty$/m, `${condition}$&`);
      assert.deepEqual(foundFor(lines, [dora], false), ['info P7', 'ok P9']);
      assert.deepEqual(foundFor(lines, [{ ...dora, uid: 7 }], false), ['ok P7', 'ok P9']);
    });

    it('draws a warning with any other condition that leads past the code: all but nobody were let in', () => {
      for (const condition of ['user = nobody', 'use_uid uid in 30004', 'uid >= 1000 uid in 30004'])
        assert.deepEqual(foundFor(own.replace('uid in 30004', condition).replace('auth_err=ignore', 'auth_err=5'), [dora]), [
          'warn P7',
          'ok P9',
        ]);
      assert.deepEqual(foundFor(own.replace('auth_err=4', 'auth_err=4 service_err=4'), [dora]), ['warn P7', 'ok P9']);
    });
  });

  it('in which a sufficient password stands before the code is named for each: notp is asked after a wrong password, reads that, or is not asked at all', () => {
    assert.deepEqual(found(['auth sufficient pam_unix.so', CODE, PERMIT]), ['P7', 'P7', 'P9']);
  });

  it("with the branch of sshd's first pass is named where no sshd uses it: there every pass is the first", () => {
    const findings = examinePam({ name: pamService(exampleStack('sshd-notp')), sshd: false });
    assert.deepEqual(
      findings.map(({ id, severity }) => `${severity} ${id}`),
      ['warn P7', 'ok P9'],
    );
  });

  it('that hands notp the password is named with both lines', () => {
    const name = pamService(['auth required pam_unix.so', CODE, PERMIT].join('\n'));
    const findings = examinePam({ name, sshd: true });
    assert.deepEqual(wrong(findings), ['P7', 'P9']);
    assert.match(detailOf(findings, 'P7'), /from a wrong password to .*:2/);
    assert.match(detailOf(findings, 'P9'), new RegExp(`/etc/pam.d/${name}:1: pam_unix.so asks before /etc/pam.d/${name}:2`));
  });

  it('reads comments, continued lines, brackets with escapes, dashes and any case as libpam does', () => {
    const lines = [
      '# auth sufficient pam_permit.so \\',
      'AUTH requisite \\ ',
      '# in between',
      '',
      ' pam_exec.so expose_authtok quiet /usr/bin/notp pam # sufficient \\',
      '-auth [default=ignore] pam_no_such.so#',
      PERMIT,
    ];
    assert.deepEqual(found(lines), []);
    const name = pamService(lines.join('\n'));
    assert.deepEqual(
      pamStack(name, 'auth')?.map((line) => line.kind === 'module' && [line.control, line.module, line.where.split(':').at(-1)]),
      [
        ['requisite', 'pam_exec.so', '2'],
        ['default=ignore', 'pam_no_such.so', '6'],
        ['sufficient', 'pam_permit.so', '7'],
      ],
    );
  });

  it('lets somebody in by a line that is written over several lines, or included in capitals', () => {
    const inner = pamService('auth sufficient pam_permit.so\n');
    for (const way of ['auth \\\n sufficient \\\n pam_permit.so', `@INCLUDE ${inner}`, `auth Include ${inner}`])
      assert.deepEqual(found([way, CODE, PERMIT]), ['P7'], way);
  });

  const calls: Readonly<Record<string, string>> = {
    'the branch in place of the code': '/usr/bin/notp pam --first-pass --prompt-tty',
    'a shell, whose command is "notp" alone': 'sh -c "/usr/bin/notp pam"',
    'a shell with an absolute path': '/bin/sh -c /usr/bin/notp pam --prompt-tty',
    'an option in place of the command': '/usr/bin/notp --version pam',
    'an option that only tells': '/usr/bin/notp pam --help',
    'another command': '/usr/bin/notp list pam',
    'its second name': '/usr/bin/notp-enroll pam',
    'no word at all': '/usr/bin/notp',
    env: '/usr/bin/env notp pam',
    brackets: '[/usr/bin/notp pam]',
    'capitals before it': 'Quiet /usr/bin/notp pam --prompt-tty',
    'what the tree runs': '/usr/bin/node /usr/lib/notp/notp.cjs pam --prompt-tty',
  };
  for (const [what, call] of Object.entries(calls)) {
    it(`that starts notp without a code is named, also at sudo, alone and beside a line for the code: ${what}`, () => {
      const line = `auth requisite pam_exec.so seteuid quiet ${call}`;
      const name = pamService(`auth required pam_unix.so\n${line}\n`);
      assert.ok(servicesWithNotp().includes(name));
      for (const sshd of [true, false]) {
        const findings = examinePam({ name, sshd });
        assert.deepEqual(wrong(findings), ['P7']);
        assert.ok(detailOf(findings, 'P7').includes(`/etc/pam.d/${name}:2`));
      }
      const beside = examinePam({ name: pamService(['auth requisite pam_unix.so', line, SUDO_CODE, ''].join('\n')), sshd: false });
      assert.ok(detailOf(beside, 'P7').includes(':2'), JSON.stringify(beside));
    });
  }

  it('that starts notp by another name is named', () => {
    const program = path.join(scratchFolder('alias'), 'otp');
    fs.writeFileSync(path.join(path.dirname(program), 'notp'), '', { mode: 0o755 });
    fs.symlinkSync('notp', program);
    assert.deepEqual(found([`auth requisite pam_exec.so seteuid quiet ${program} pam --prompt-tty`], false), ['P7']);
  });

  it('that starts notp where no code is asked for is named: in account, session and password', () => {
    for (const type of ['account', 'session', 'password']) {
      const name = pamService(`${type} required pam_exec.so /usr/bin/notp pam --prompt-tty\n`);
      assert.ok(servicesWithNotp().includes(name), type);
      assert.deepEqual(wrong(examinePam({ name, sshd: false })), ['P7'], type);
    }
  });

  it('with the branch of the first pass alone is named', () => {
    for (const sshd of [true, false])
      assert.deepEqual(wrong(examinePam({ name: pamService(`${FIRST}\nauth required pam_unix.so\n`), sshd })), ['P7']);
  });

  it('that cannot be read is looked at where it names notp, and named', () => {
    const name = pamService(`@include notp-test-no-such-file\n${SUDO_CODE}\n`);
    assert.ok(servicesWithNotp().includes(name));
    assert.deepEqual(wrong(examinePam({ name, sshd: false })), ['P7']);
  });

  it('that only has a file of notp as an argument is none of its services, and its configuration may be named', () => {
    const other = pamService('auth required pam_exec.so /usr/bin/mail-hook /etc/notp/notp.toml /var/log/notp/audit.log\n');
    assert.ok(!servicesWithNotp().includes(other));
    for (const words of ['--config /etc/notp/x.toml', '--config=/etc/notp/x.toml'])
      assert.deepEqual(found([`${CODE} ${words}`, PERMIT]), []);
  });

  it('is no service where dpkg or rpm laid it aside: doctor warned of it after an upgrade', () => {
    for (const suffix of ['.dpkg-old', '.dpkg-dist', '.ucf-old', '.rpmsave', '.rpmnew', '~'])
      assert.ok(!servicesWithNotp().includes(pamService(exampleStack('sshd-notp'), suffix)), suffix);
    const other = pamService(exampleStack('sshd-notp'), '.dpkg-older');
    assert.ok(servicesWithNotp().includes(other));
  });

  it('lets root alone past by pam_rootok where the program keeps its caller, and anybody elsewhere', () => {
    const folder = scratchFolder('pam');
    const foundAt = (name: string, first: string): string[] => {
      const file = path.join(folder, name);
      fs.writeFileSync(file, ['auth required pam_shells.so', `auth ${first}`, ...STOCK, SUDO_CODE, ''].join('\n'));
      return wrong(examinePam({ name: file, sshd: name === 'sshd' }));
    };
    for (const name of ['su', 'su-l', 'chfn', 'chsh']) {
      assert.deepEqual(foundAt(name, 'sufficient pam_rootok.so'), [], name);
      assert.deepEqual(foundAt(name, '[success=4 default=ignore] pam_rootok.so'), [], name);
      assert.deepEqual(foundAt(name, 'required pam_rootok.so'), [], name);
      assert.deepEqual(foundAt(name, 'sufficient pam_wheel.so trust'), ['P7'], name);
    }
    // They begin as root, whoever asks.
    for (const name of ['login', 'cron']) assert.deepEqual(foundAt(name, 'sufficient pam_rootok.so'), ['P7'], name);
  });

  it('of sshd is named for every line that asks on a terminal, the second too: password and code never logged in', () => {
    const included = pamService([...STOCK, SUDO_CODE, ''].join('\n'));
    const findings = examinePam({ name: pamService([FIRST, CODE, PERMIT, `auth substack ${included}`, ''].join('\n')), sshd: true });
    assert.deepEqual(wrong(findings), ['P7']);
    assert.match(detailOf(findings, 'P7'), new RegExp(`/etc/pam.d/${included}:4: sshd has no terminal yet`));
  });

  it('is looked at wherever notp stands in it', () => {
    const name = pamService(`${SUDO_CODE}\n`);
    assert.ok(servicesWithNotp().includes(name));
    assert.ok(!servicesWithNotp().includes('other'));
  });
});

/** What is found where `line` is all of a stack. */
function environmentOf(line: string): readonly string[] {
  return wrong(examineUserEnvironment(pamService(`${line}\n`)));
}

describe("the user's ~/.pam_environment", { skip: lacks({ root: true }) }, () => {
  it('is named where a stack reads it, in an included file too (FC12)', () => {
    const inner = pamService('session required pam_env.so user_readenv=1 envfile=/etc/default/locale\n');
    const findings = examineUserEnvironment(pamService(`auth required pam_unix.so\nsession include ${inner}\n`));
    assert.deepEqual(wrong(findings), ['FC12']);
    assert.ok(detailOf(findings, 'FC12').includes(`/etc/pam.d/${inner}:1`));
  });

  it('is named in whatever words pam_env reads it, and with each variable that leads into the home (FC12)', () => {
    for (const word of ['=2', '=01', '=+1', '=-1', '=11', '=1x', '=0 user_readenv=1'])
      assert.deepEqual(environmentOf(`auth required pam_env.so user_readenv${word}`), ['FC12'], word);
    assert.deepEqual(environmentOf('session required pam_env.so [user_readenv= 1]'), ['FC12']);
    for (const word of ['=0', '=', '=x1', '=1 user_readenv=0'])
      assert.deepEqual(environmentOf(`session required pam_env.so user_readenv${word}`), [], word);
    const file = path.join(scratchFolder('pam-env'), 'pam_env.conf');
    for (const [text, ids] of [
      ['XDG_DATA_DIRS DEFAULT=/usr/share:@{HOME}/data\n', ['FC12']],
      ['BASH_ENV DEFAULT= \\\n @{HOME}/x\n', ['FC12']],
      ['# BASH_ENV DEFAULT=@{HOME}/x\nPATH OVERRIDE=@{HOME}/bin:${PATH}\nLANG DEFAULT=C\n', []],
    ] as const) {
      fs.writeFileSync(file, text);
      assert.deepEqual(environmentOf(`session required pam_env.so conffile=${file}`), ids, text);
    }
  });

  it('is not where it does not, nor in the example', () => {
    assert.deepEqual(wrong(examineUserEnvironment(pamService('session required pam_env.so user_readenv=0\n#user_readenv=1\n'))), []);
    assert.deepEqual(wrong(examineUserEnvironment(pamService(exampleStack('sshd-notp')))), []);
  });

  it('is named for the stack that Debian 12 ships', () => {
    const shipped = fs.readFileSync('/etc/pam.d/sshd', 'utf8');
    assert.deepEqual(wrong(examineUserEnvironment('sshd')), /^session.*user_readenv=1/m.test(shipped) ? ['FC12'] : []);
  });
});
