/** What sudoers says beside the code of sudo, as sudo's own program reads it: who is asked for none, and for whose. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { askedBySudo, examineSudoers } from '../../../src/doctor/pam/sudoers.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import { lacks, scratchFolder } from '../../support/world.ts';
import { pamService } from './pam-files.ts';

const CODE = 'auth required pam_unix.so\nauth requisite pam_exec.so seteuid quiet /usr/bin/notp pam --prompt-tty\n';

/** In a file that another one includes, with the service that asks. */
function found(...lines: readonly string[]): readonly Finding[] {
  const folder = scratchFolder('sudoers');
  fs.mkdirSync(path.join(folder, 'd'));
  const file = path.join(folder, 'sudoers');
  fs.writeFileSync(file, `Defaults env_reset\n@includedir ${folder}/d\nroot ALL=(ALL:ALL) ALL\n`, { mode: 0o440 });
  fs.writeFileSync(path.join(folder, 'd/local'), lines.map((line) => `${line}\n`).join(''), { mode: 0o440 });
  return examineSudoers({ sudoers: file });
}

describe('sudoers beside the code of sudo', { skip: lacks({ root: true, programs: ['cvtsudoers', 'visudo'] }) }, () => {
  let asks: string;
  let silent: string;
  before(() => {
    asks = pamService(CODE);
    silent = pamService('auth required pam_unix.so\n');
  });

  const told = (...lines: readonly string[]): string[] =>
    found(`Defaults pam_service=${asks}, pam_login_service=${asks}`, ...lines).map(({ severity, detail }) => `${severity}: ${detail}`);

  it('is in order where nobody is exempt, whatever is said in names and texts', () => {
    const [only = '', ...more] = told(
      'Defaults passprompt="!authenticate, targetpw, exempt_group=x, pam_service=y"',
      'Defaults !targetpw, !rootpw, !runaspw',
      'Defaults timestamp_timeout=5',
      '"NOPASSWD: x" ALL=(ALL) ALL',
      '%adm ALL=(root) PASSWD: /bin/ls',
    );
    assert.match(only, /^ok: /);
    assert.deepEqual(more, []);
  });

  for (const [line, shown] of [
    ['Defaults targetpw', 'Defaults: targetpw'],
    ['Defaults env_keep += "X", rootpw', 'Defaults: rootpw'],
    ['Defaults:alice runaspw', 'alice Defaults: runaspw'],
    ['Defaults timestamp_timeout=-1', 'Defaults: timestamp_timeout=-1'],
    ['Defaults:alice timestamp_timeout=600', 'alice Defaults: timestamp_timeout=600'],
    ['Defaults exempt_group=adm', 'Defaults: exempt_group=adm'],
    ['Defaults>root !authenticate', 'root Defaults: !authenticate'],
    ['%adm ALL=(root) NOPASSWD: /bin/ls, PASSWD: /bin/cat', '%adm /bin/ls: !authenticate'],
    ['erin ALL=(ALL) /bin/echo "x, NOPASSWD: /bin/id, /bin/echo y"', 'erin /bin/id, /bin/echo y": !authenticate'],
    ['erin ALL=(ALL) NOPASSWD: ALL, !/bin/sh', 'erin ALL, !/bin/sh: !authenticate'],
  ] as const) {
    it(`is warned of with whom it is about: ${line}`, () => {
      assert.deepEqual(told(line), [`warn: ${shown}`]);
    });
  }

  it('is warned of whom an alias means, and of a line that goes on in the next', () => {
    const many = Array.from({ length: 60 }, (_, i) => `user${String(i)}`);
    const [only = '', ...more] = told(`User_Alias ADMINS = ${many.join(', ')}`, 'ADMINS ALL=(ALL) \\', '  NOPASSWD: ALL');
    assert.match(only, /^warn: user0, user1, .*user59 ALL: !authenticate$/);
    assert.deepEqual(more, []);
  });

  it('is read where sudo.conf says, and said to be a part where another policy decides', () => {
    const folder = scratchFolder('sudoers-conf');
    const [sudoers, other, conf] = ['sudoers', 'other', 'sudo.conf'].map((name) => path.join(folder, name)) as [string, string, string];
    fs.writeFileSync(sudoers, 'root ALL=(ALL) ALL\n');
    fs.writeFileSync(other, 'erin ALL=(ALL) NOPASSWD: ALL\n');
    for (const [line, expected] of [
      ['# Plugin sudoers_policy sudoers.so sudoers_file=/nowhere', `ok ${sudoers}`],
      ['Plugin sudoers_policy sudoers.so\nPlugin sudoers_io sudoers.so\nPlugin sudoers_audit sudoers.so', `ok ${sudoers}`],
      [`Plugin sudoers_policy /usr/libexec/sudo/sudoers.so \\\n sudoers_file=${other}`, 'warn erin ALL: !authenticate'],
      ['Plugin my_policy mine.so', `warn ${conf}: Plugin my_policy mine.so`],
    ] as const) {
      fs.writeFileSync(conf, `Set disable_coredump false\n${line}\n`);
      assert.deepEqual(
        examineSudoers({ sudoers, conf }, [asks]).map(({ severity, detail }) => `${severity} ${detail}`),
        [expected],
      );
    }
  });

  it('fails where sudo goes through a PAM service that asks for no code', () => {
    for (const setting of ['pam_service', 'pam_login_service', 'pam_askpass_service'])
      for (const line of [`Defaults ${setting}=${silent}`, `Defaults:alice ${setting}="${silent}"`, `Defaults ${setting}=no-such-service`])
        assert.match(told(line).join(), /^fail: .*Defaults: pam_\w+=\S+ \(PAM service \S+\)$/, line);
  });

  it('tells who is asked by sudo here: the last entry that matches counts, and whoever is exempt is not', () => {
    const file = path.join(scratchFolder('sudoers-asked'), 'sudoers');
    const isAsked = (...lines: readonly string[]): boolean | undefined => {
      fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
      return askedBySudo({ sudoers: file })?.({ name: 'erin', uid: 4711, gid: 4711, home: '/', shell: '/bin/sh' }, ['erin', 'wheel']);
    };
    for (const line of [
      'erin ALL=ALL',
      '%wheel ALL=(root) /bin/ls',
      'ALL ALL=ALL',
      '#4711 ALL=ALL',
      '%#4711 ALL=ALL',
      'erin 10.0.0.0/8=ALL',
    ])
      assert.equal(isAsked(line), true, line);
    for (const line of ['bob ALL=ALL', '%adm ALL=ALL', 'erin elsewhere=ALL', 'erin ALL=NOPASSWD: ALL', 'ALL, !erin ALL=ALL'])
      assert.equal(isAsked(line), false, line);
    assert.equal(isAsked('!erin, ALL ALL=ALL'), true);
    assert.equal(isAsked('erin ALL=NOPASSWD: /bin/ls', '%wheel ALL=/bin/cat'), true);
    assert.equal(isAsked('User_Alias OPS = bob, erin', 'OPS ALL=ALL'), true);
    for (const line of ['Defaults !authenticate', 'Defaults:erin !authenticate', 'Defaults exempt_group=wheel'])
      assert.equal(isAsked(line, 'erin ALL=ALL'), false, line);
    for (const line of ['Defaults:bob !authenticate', 'Defaults exempt_group=adm', 'Defaults>root !authenticate'])
      assert.equal(isAsked(line, 'erin ALL=ALL'), true, line);
    assert.equal(isAsked('this is nothing'), undefined);
  });

  it('cannot be looked at where it is malformed, which is said', () => {
    const folder = scratchFolder('sudoers-bad');
    fs.writeFileSync(path.join(folder, 'sudoers'), 'this is nothing\n');
    const findings = examineSudoers({ sudoers: path.join(folder, 'sudoers') }, [asks]);
    assert.deepEqual(
      findings.map(({ severity, detail }) => [severity, detail]),
      [['warn', `/usr/bin/cvtsudoers cannot read ${folder}/sudoers`]],
    );
  });

  it('fails where one of the two services of sudo asks for no code', () => {
    const file = path.join(scratchFolder('sudoers-two'), 'sudoers');
    fs.writeFileSync(file, 'root ALL=(ALL) ALL\n');
    for (const services of [
      [asks, silent],
      [silent, asks],
    ]) {
      const findings = examineSudoers({ sudoers: file }, services);
      assert.deepEqual(
        findings.map(({ severity, detail }) => [severity, detail]),
        [['fail', `PAM service ${silent}, beside ${asks}`]],
      );
    }
    assert.deepEqual(
      examineSudoers({ sudoers: file }, [asks, 'no-such-service']).map(({ severity }) => severity),
      ['ok'],
    );
  });

  it('is only a part of what sudo obeys where a directory service has rules too, which is said', () => {
    const folder = scratchFolder('sudoers-elsewhere');
    const [file, nsswitch] = ['sudoers', 'nsswitch.conf'].map((name) => path.join(folder, name)) as [string, string];
    fs.writeFileSync(file, 'root ALL=(ALL) ALL\n');
    for (const [line, severity] of [
      ['sudoers: files', 'ok'],
      ['#sudoers: sss', 'ok'],
      ['sudoers:\tfiles sss # both', 'info'],
      ['sudoers: ldap', 'info'],
    ] as const) {
      fs.writeFileSync(nsswitch, `passwd: files sss\n${line}\n`);
      assert.deepEqual(
        examineSudoers({ sudoers: file, nsswitch }, [asks]).map((finding) => finding.severity),
        [severity],
        line,
      );
    }
  });

  it('is nothing to look at where no service of sudo asks for a code', () => {
    assert.deepEqual(found('alice ALL=(ALL) NOPASSWD: ALL'), []);
    assert.deepEqual(examineSudoers({ sudoers: '/no/such/file' }), []);
  });
});
