/** People: login shells that read files before the gate, and keys whose own command= would be lost. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { examineKeys } from '../../src/doctor/keys.ts';
import { examineShells } from '../../src/doctor/shells.ts';
import { userByName, userByUid, type User } from '../../src/system/users.ts';
import { addUser, must } from '../support/world.ts';
import { NEEDS, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';

describe('login shells', () => {
  it('that can be kept from the files of the user are in order, and those that let nobody in', () => {
    assert.deepEqual(shells('/bin/bash', '/bin/sh', '/usr/sbin/nologin', '/bin/false'), []);
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
  const examine = async (lines: readonly string[]): Promise<string[]> => {
    const { perUser } = await world.examine(world.write(lines, 'gate'), { names: [user.name] });
    return wrong(await examineKeys([{ user, enrolments: [] }], perUser));
  };

  it('are lost where the gate is not told the key, and kept where it is (FC13)', async () => {
    put(`${key}\nrestrict,command="rsync --server" ${key}`);
    assert.deepEqual(await examine(['ExposeAuthInfo no']), [`FC13 ${user.name}`]);
    assert.deepEqual(await examine([]), []);
  });

  it('are none where the word stands elsewhere', async () => {
    put(`# command="x" ${key}\nenvironment="A=command=\\"b\\"" ${key}\n${key.trim()} command="comment"\n`);
    assert.deepEqual(await examine(['ExposeAuthInfo no']), []);
  });

  it('are lost where the gate does not look for them: in another file of sshd', async () => {
    put(key);
    put(`command="true" ${key}`, path.join(world.folder, user.name));
    assert.deepEqual(await examine([`AuthorizedKeysFile .ssh/authorized_keys ${world.folder}/%u`]), [`FC13 ${user.name}`]);
  });

  it('are not known where a program gives the keys', async () => {
    put(key);
    assert.deepEqual(await examine(['AuthorizedKeysCommand /usr/bin/true', 'AuthorizedKeysCommandUser nobody']), [`FC13 ${user.name}`]);
  });

  it('are not known where the file cannot be read, which is said', async () => {
    fs.rmSync(path.join(user.home, '.ssh/authorized_keys'));
    fs.mkdirSync(path.join(user.home, '.ssh/authorized_keys'));
    assert.deepEqual(await examine([]), []);
    assert.deepEqual(await examine(['ExposeAuthInfo no']), [`FC13 ${user.name}`]);
    fs.rmdirSync(path.join(user.home, '.ssh/authorized_keys'));
    must(['mkfifo', '-m', '666', path.join(user.home, '.ssh/authorized_keys')]);
    assert.deepEqual(await examine(['ExposeAuthInfo no']), [`FC13 ${user.name}`], 'and a FIFO is not waited for');
    fs.rmSync(path.join(user.home, '.ssh/authorized_keys'));
    assert.deepEqual(await examine(['ExposeAuthInfo no']), []);
  });

  it('aside, a ~/.ssh/environment that sshd reads is named', async () => {
    put('NODE_OPTIONS=--require=/tmp/x\n', path.join(user.home, '.ssh/environment'));
    assert.deepEqual(await examine([]), []);
    assert.deepEqual(await examine(['PermitUserEnvironment yes']), [`user-environment ${user.name}`]);
  });
});

function shells(...all: readonly string[]): string[] {
  return wrong(examineShells(all.map((shell, i) => ({ user: { ...userByUid(0), name: `u${String(i)}`, shell }, enrolments: [] }))));
}
