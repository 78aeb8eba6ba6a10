/** People: login shells that read files before the gate, and keys whose own command= would be lost. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { examineKeys } from '../../../src/doctor/sshd/keys.ts';
import type { Person } from '../../../src/doctor/people.ts';
import { examineShells, unsafeShells } from '../../../src/doctor/host/shells.ts';
import { defaultConfig } from '../../../src/system/config.ts';
import { userByName, userByUid, type User } from '../../../src/system/users.ts';
import { addUser, must, scratchFolder } from '../../support/world.ts';
import { NEEDS, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';

const { gate } = defaultConfig();
/** Of a gate that is to do without the key. */
const untold = { ...gate, exposeAuthInfo: false };

describe('login shells', () => {
  it('that can be kept from the files of the user are in order, and those that let nobody in', () => {
    assert.deepEqual(shells('/bin/bash', '/bin/sh', '/usr/bin/fish', '/bin/zsh', '/usr/sbin/nologin', '/bin/false', '/bin/sync'), []);
  });

  it('that read ~/.tcshrc fail, and those that nobody knows are named', () => {
    const found = examineShells(withShells('/bin/tcsh', '/usr/bin/tmux', '/bin/rbash'));
    assert.deepEqual(
      found.map(({ severity }) => severity),
      ['fail', 'warn', 'warn'],
    );
    assert.match(found[1]?.detail ?? '', /notp does not know which files \/usr\/bin\/tmux reads before the gate/);
    assert.match(found[2]?.detail ?? '', /not the gate either: nobody gets in/);
  });

  it('that others than root can change fail, whatever their name: a bash in the home of its user passed', () => {
    const { home, uid } = addUser();
    const shell = path.join(home, 'bash');
    fs.copyFileSync('/bin/sh', shell);
    fs.chownSync(shell, uid, uid);
    fs.chmodSync(shell, 0o755);
    const [found] = examineShells(withShells(shell));
    assert.equal(found?.severity, 'fail');
    assert.match(found.detail, new RegExp(`^${shell} runs before the gate, and ${home} does not belong to root`));
    assert.deepEqual([...unsafeShells([shell, '/bin/bash', '/bin/no-such-shell', shell])], [shell]);
  });

  it('are judged by the file that the entry leads to: a csh under the name of another shell passed', () => {
    const folder = scratchFolder('shells');
    const at = (name: string): string => path.join(folder, name);
    for (const name of ['bsd-csh', 'bash']) fs.copyFileSync('/usr/bin/tcsh', at(name));
    fs.linkSync(at('bash'), at('zsh'));
    fs.symlinkSync('bsd-csh', at('sh'));
    fs.symlinkSync('sh', at('ksh'));
    fs.symlinkSync('ksh', at('nologin'));
    const open = ['bsd-csh', 'bash', 'zsh', 'sh', 'ksh', 'nologin'].map(at);
    assert.deepEqual([...unsafeShells(open)], open);
    const found = examineShells(withShells(...open));
    assert.deepEqual(
      found.map(({ severity }) => severity),
      open.map(() => 'fail'),
    );
    assert.match(found[4]?.detail ?? '', /\/ksh \(bsd-csh\) is a csh/);
    // Of these it is not known what they read.
    fs.writeFileSync(at('dash'), '#!/usr/bin/tcsh\n', { mode: 0o755 });
    fs.symlinkSync('/usr/bin/env', at('fish'));
    fs.symlinkSync('/bin/bash', at('mksh'));
    const others = examineShells(withShells(at('dash'), at('fish'), at('mksh')));
    assert.deepEqual(
      others.map(({ detail }) => /notp does not know|is not in/.exec(detail)?.[0]),
      ['notp does not know', 'notp does not know', 'is not in'],
    );
  });

  it('are named: tcsh and csh, one that is not there, one that is not in /etc/shells (FC11)', () => {
    assert.deepEqual(shells('/bin/tcsh', '/bin/csh', '/usr/bin/no-such-shell', '/usr/bin/env', '/bin/bash'), [
      'FC11 u0',
      'FC11 u1',
      'FC11 u2',
      'FC11 u3',
    ]);
  });
});

describe('keys with command=', { skip: NEEDS }, () => {
  let world: SshdWorld;
  let user: User;
  let key: string;
  before(() => {
    world = sshdWorld();
    const added = addUser();
    user = userByName(added.name) ?? userByUid(0);
    fs.mkdirSync(path.join(user.home, '.ssh'), { mode: 0o700 });
    fs.chownSync(path.join(user.home, '.ssh'), user.uid, user.gid);
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.join(world.folder, 'key')]);
    key = fs.readFileSync(path.join(world.folder, 'key.pub'), 'utf8');
  });
  const put = (text: string, file = path.join(user.home, '.ssh/authorized_keys')): void => {
    fs.writeFileSync(file, text, { mode: 0o600 });
    fs.chownSync(file, user.uid, user.gid);
  };
  const examine = async (lines: readonly string[], own = gate): Promise<string[]> => wrong(await find(lines, own));
  const find = async (lines: readonly string[], own = gate): Promise<Finding[]> => {
    const { perUser } = await world.examine(world.write(lines, 'gate'), { names: [user.name] });
    return await examineKeys([{ user, enrolments: [] }], perUser, own);
  };

  it('are lost where the gate is not told the key, and kept where it is (FC13)', async () => {
    put(`${key}\nrestrict,command="rsync --server" ${key}`);
    assert.deepEqual(await examine(['ExposeAuthInfo no'], untold), [`FC13 ${user.name}`]);
    assert.deepEqual(await examine([]), []);
  });

  it('are none where the word stands elsewhere', async () => {
    put(`# command="x" ${key}\nenvironment="A=command=\\"b\\"" ${key}\n${key.trim()} command="comment"\n`);
    assert.deepEqual(await examine(['ExposeAuthInfo no'], untold), []);
  });

  it('and without are refused in a file of sshd that the gate does not read, which the line for notp.toml mends', async () => {
    put(key);
    const file = path.join(world.folder, user.name);
    const lines = [`AuthorizedKeysFile .ssh/authorized_keys ${world.folder}/%u`];
    put(key, file);
    const [refused] = (await find(lines)).filter(({ id }) => id === 'FC13');
    assert.equal(refused?.severity, 'fail');
    assert.match(refused.detail, new RegExp(`sshd reads .*/authorized_keys, then ${file}; the gate reads .*/authorized_keys2`));
    const [, list = ''] = /^under \[gate\] in notp\.toml: authorized_keys = (\[.*\])$/.exec(refused.fix) ?? [];
    assert.deepEqual(await examine(lines, { ...gate, authorizedKeys: JSON.parse(list) as string[] }), []);
    fs.rmSync(file);
  });

  it('stand in a file that sshd never reads, or reads later: it would overrule the limit that the administrator set (FC13)', async () => {
    put(key);
    const own = `${world.folder}/%u`;
    const judge = async (line: string, ...authorizedKeys: string[]): Promise<string[]> =>
      (await find([line], { ...gate, authorizedKeys })).filter(({ severity }) => severity === 'fail').map(({ fix }) => fix);
    const one = `AuthorizedKeysFile ${own}`;
    const two = `AuthorizedKeysFile ${own} .ssh/authorized_keys`;
    assert.deepEqual(await judge(one, '.ssh/authorized_keys', own), [listing(own)]);
    assert.deepEqual(await judge(two, '.ssh/authorized_keys', own), [listing(own, '.ssh/authorized_keys')]);
    assert.deepEqual(await judge('AuthorizedKeysFile none', own), [listing()]);
    assert.deepEqual(await judge('AuthorizedKeysFile none'), []);
    assert.deepEqual(await judge(one, own), []);
    assert.deepEqual(await judge(two, own, '%h/.ssh/authorized_keys'), [], 'the same file in other words');
    const trusting = { ...gate, trustedUserCaKeys: '/etc/ssh/ca.pub', authorizedPrincipals: '/etc/ssh/principals/%u' };
    assert.match((await find([], trusting))[0]?.fix ?? '', /trusted_user_ca_keys = "" and authorized_principals = ""$/);
  });

  it('are not told by sshd: that fails by itself, unless notp.toml says so, and the two must agree (FC13)', async () => {
    put(key);
    const fixes = async (line: string, own: typeof gate): Promise<string[]> =>
      (await find([line], own)).filter(({ severity }) => severity === 'fail').map(({ fix }) => fix);
    assert.deepEqual(await fixes('ExposeAuthInfo no', gate), ['ExposeAuthInfo yes']);
    assert.deepEqual(await fixes('ExposeAuthInfo yes', untold), ['under [gate] in notp.toml: expose_auth_info = true']);
    assert.deepEqual(await fixes('ExposeAuthInfo no', untold), []);
    put(`no-such-option ${key}`);
    assert.deepEqual(await fixes('ExposeAuthInfo no', untold), ['ExposeAuthInfo yes'], 'a line that cannot be read may have a limit');
  });

  it('are not there for a folder in their place, and that locks the user out: doctor fails, which setup counts', async () => {
    put(key);
    const folder = path.join(user.home, '.ssh/authorized_keys2');
    fs.mkdirSync(folder);
    const found = (await find([])).filter(({ id }) => id === 'FC13');
    fs.rmdirSync(folder);
    assert.deepEqual(
      found.map(({ severity }) => severity),
      ['fail'],
    );
    assert.match(found[0]?.detail ?? '', new RegExp(folder));
  });

  it('and certificates are refused whose authority or principals the gate does not know, or a program names', async () => {
    put('');
    const lines = [`TrustedUserCAKeys ${world.folder}/key.pub`, 'AuthorizedPrincipalsFile /etc/ssh/principals/%u'];
    const [found] = (await find(lines)).filter(({ id }) => id === 'FC13');
    assert.equal(found?.severity, 'fail');
    const [, authorities = '', principals = ''] = /trusted_user_ca_keys = "(.*)" and authorized_principals = "(.*)"$/.exec(found.fix) ?? [];
    const known = { ...gate, trustedUserCaKeys: authorities, authorizedPrincipals: principals };
    assert.deepEqual(await examine(lines, known), []);
    const program = [...lines, 'AuthorizedPrincipalsCommand /usr/bin/true', 'AuthorizedPrincipalsCommandUser nobody'];
    assert.deepEqual(await examine(program, known), [`FC13 ${user.name}`]);
  });

  it('are refused where a program gives the keys: all of a user who has no others', async () => {
    const lines = ['AuthorizedKeysCommand /usr/bin/true', 'AuthorizedKeysCommandUser nobody'];
    const severities = async (more: readonly string[] = [], own = gate): Promise<string[]> =>
      (await find([...lines, ...more], own)).filter(({ id }) => id === 'FC13').map(({ severity }) => severity);
    put(key);
    assert.deepEqual(await severities(), ['warn']);
    put('');
    assert.deepEqual(await severities(), ['fail']);
    assert.deepEqual(
      await severities(['ExposeAuthInfo no'], untold),
      ['warn'],
      'without the key nothing is refused, and its command= is lost',
    );
  });

  it('are not known where the file cannot be read, which is said', async () => {
    fs.rmSync(path.join(user.home, '.ssh/authorized_keys'));
    fs.mkdirSync(path.join(user.home, '.ssh/authorized_keys'));
    assert.deepEqual(await examine([]), [`FC13 ${user.name}`]);
    assert.deepEqual(await examine(['ExposeAuthInfo no'], untold), [`FC13 ${user.name}`]);
    fs.rmdirSync(path.join(user.home, '.ssh/authorized_keys'));
    must(['mkfifo', '-m', '666', path.join(user.home, '.ssh/authorized_keys')]);
    assert.deepEqual(await examine(['ExposeAuthInfo no'], untold), [`FC13 ${user.name}`], 'and a FIFO is not waited for');
    fs.rmSync(path.join(user.home, '.ssh/authorized_keys'));
    assert.deepEqual(await examine(['ExposeAuthInfo no'], untold), []);
  });

  it('aside, a ~/.ssh/environment that sshd reads is named', async () => {
    put('NODE_OPTIONS=--require=/tmp/x\n', path.join(user.home, '.ssh/environment'));
    assert.deepEqual(await examine([]), []);
    assert.deepEqual(await examine(['PermitUserEnvironment yes']), [`user-environment ${user.name}`]);
  });
});

/** The fix that lists these files. */
function listing(...files: readonly string[]): string {
  return `under [gate] in notp.toml: authorized_keys = ${JSON.stringify(files).replace(',', ', ')}`;
}

function shells(...all: readonly string[]): string[] {
  return wrong(examineShells(withShells(...all)));
}

function withShells(...all: readonly string[]): Person[] {
  return all.map((shell, i) => ({ user: { ...userByUid(0), name: `u${String(i)}`, shell }, enrolments: [] }));
}
