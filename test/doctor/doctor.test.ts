/** The whole examination, as `notp setup` calls it too: what no single family shows. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { examine, type DoctorOptions, type Finding } from '../../src/doctor/doctor.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { readConfig } from '../../src/system/config.ts';
import { run } from '../support/process.ts';
import { haveHost } from '../support/host-lock.ts';
import { addUser, installTree, must, scratchFolder, serviceUser, SOURCE_NOTP, writeConfig } from '../support/world.ts';
import { pamService } from './pam/pam-files.ts';
import { detailOf, NEEDS, sshdWorld, wrong, type SshdWorld } from './sshd/sshd-world.ts';

describe('doctor', { skip: NEEDS }, () => {
  let world: SshdWorld;
  let folder: string;
  before(async () => {
    world = sshdWorld();
    folder = scratchFolder('whole');
    haveHost('alone');
    serviceUser();
    assert.equal((await run([...SOURCE_NOTP, 'host-key', 'init', '--config', writeConfig(folder)])).code, 0);
  });
  const rest = {
    ...{ context: 'ssh', id: 'b'.repeat(32), digest: 'b'.repeat(64), pendingId: '', pendingDigest: '' },
    ...{ state: { lastStep: 0, bucket: { tokens: 5, asOfMs: 0 }, spent: '' }, pendingState: {}, lastAcceptedMs: 0, uid: -1 },
  };
  const active = async (names: readonly string[]): Promise<void> => {
    const store = openSqliteStore(path.join(folder, 'var/state.db'), { create: false });
    await store.exclusively(async (transaction) => {
      for (const user of names) await transaction.insert({ ...rest, user, status: 'active' });
    });
    store.close();
  };
  const found = async (
    sshdConfig: string,
    { top = '', users }: { top?: string; users?: readonly string[] } = {},
  ): Promise<readonly Finding[]> =>
    await examine({ config: readConfig(writeConfig(folder, { top })), users, sshdConfig, now: Date.now, progress: () => undefined });

  it('tells what it does before it looks at any user, and of each answer of sshd', async () => {
    const told: string[] = [];
    const progress: DoctorOptions['progress'] = (doing, of) =>
      void told.push(of === undefined ? doing : `${doing}: ${String(of.done)} of ${String(of.total)}`);
    const listening = { config: readConfig(writeConfig(folder)), now: Date.now, progress };
    await assert.rejects(examine({ ...listening, users: ['no-such-user'], sshdConfig: world.write([]) }), /there is no user/);
    assert.deepEqual(told.splice(0), ['Reading the enrolments']);
    await examine({ ...listening, users: ['root'], sshdConfig: world.write([]) });
    const asked = ['Asking sshd: 0 of 1', 'Asking sshd: 1 of 1'];
    assert.deepEqual(told, ['Reading the enrolments', ...asked, 'Checking PAM, the service and its files']);
  });

  const missing = async (name: string): Promise<string[]> =>
    (await found(world.write([])))
      .filter(({ id, detail }) => id === 'pam-module' && detail.includes(`${name},`))
      .map(({ severity }) => severity);

  it('names a module that is missing where a code is asked for: nobody got in, and all was in order', async () => {
    const block = 'auth requisite pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam\n';
    const stack = (...lines: readonly string[]): string => pamService(`${block}${lines.join('\n')}\n`);
    assert.deepEqual(await missing(stack('auth required pam_permit.so')), []);
    assert.deepEqual(await missing(stack('auth required pam_notp_none.so')), ['fail']);
    assert.deepEqual(await missing(stack('auth required /nowhere/pam_permit.so')), ['fail']);
    assert.deepEqual(await missing(stack('auth sufficient /nowhere/pam_permit.so')), ['fail']);
    assert.deepEqual(await missing(stack('auth [success=1 default=ignore] pam_notp_none.so', 'auth required pam_permit.so')), ['warn']);
    assert.deepEqual(await missing(stack('-auth required pam_notp_none.so', 'auth optional pam_notp_none.so')), []);
    const other = pamService('auth required pam_notp_none.so\n');
    assert.deepEqual(await missing(other), []);
  });

  it('names enrolments of which none is for the context of notp.toml: nobody got in, and all was in order', async () => {
    const { name } = addUser();
    await active([name]);
    const config = world.write(['ForceCommand /usr/bin/notp gate']);
    const told = async (top: string): Promise<string> => detailOf(await found(config, { top, users: [name] }), 'context');
    assert.equal(await told('context = "phone"'), 'notp.toml says context = phone, and the enrolments are for ssh');
    assert.equal(await told('context = ["phone", "ssh"]'), '');
  });

  it('names a gate whose program others can change, and does not run that', async () => {
    const place = scratchFolder('changed');
    const notp = installTree(place);
    const ran = path.join(place, 'ran');
    fs.writeFileSync(notp, `#!/bin/sh\ntouch ${ran}\n`);
    fs.mkdirSync(path.join(place, 'open'));
    fs.chmodSync(place, 0o777);
    const findings = await found(world.write([`ForceCommand ${notp} gate`], 'gate'), { users: ['root'] });
    assert.ok(wrong(findings).includes('FC1'));
    assert.equal(fs.existsSync(ran), false);
    assert.ok(!findings.some(({ id }) => id === 'FC17'));
  });

  it('names the program of a PAM stack that others can change (P8), whatever service it stands in', async () => {
    const place = scratchFolder('pam-program');
    const program = path.join(place, 'notp');
    fs.writeFileSync(program, '', { mode: 0o755 });
    fs.chmodSync(program, 0o757);
    pamService(`auth requisite pam_exec.so seteuid quiet ${program} pam --prompt-tty\n`);
    assert.ok(detailOf(await found(world.write([])), 'P8').includes(`${program} can be written by others`));
  });

  it('names a file that sshd includes and others can change, and a program that PAM runs: whoever writes them writes the rules', async () => {
    const place = scratchFolder('read-by-root');
    const [included, program] = [path.join(place, 'more.conf'), path.join(place, 'check')];
    for (const file of [included, program]) fs.writeFileSync(file, '', { mode: 0o755 });
    const inner = pamService(`session optional pam_exec.so quiet ${program}\n`);
    pamService(`auth requisite pam_exec.so seteuid quiet /usr/bin/notp pam --prompt-tty\nsession include ${inner}\n`);
    const config = world.write([`Include ${included}`]);
    assert.ok(!wrong(await found(config)).includes('read-by-root'));
    for (const file of [included, program]) {
      fs.chmodSync(file, 0o757);
      assert.equal(detailOf(await found(config), 'read-by-root'), `${file}: ${file} can be written by others`);
      fs.chmodSync(file, 0o755);
    }
  });

  it('names the rules that let in', async () => {
    assert.ok(wrong(await found(world.write([]), { top: 'rule = [{ ask = "code", enrol_by = 2099-01-01 }]' })).includes('rules'));
    assert.ok(!wrong(await found(world.write([]))).includes('rules'));
  });

  const aged = async (...lines: readonly string[]): Promise<string[]> =>
    (await found(world.write(lines)))
      .filter(({ id, severity }) => id === 'password-age' && severity !== 'ok')
      .map(({ severity, user = '' }) => `${user} ${severity}`)
      .toSorted();

  it('names a password that expires where it is taken first: it was changed by who knew the old one, before a code was asked for', async () => {
    // The day of the last change and the most days, for chage(1); the last one has no password.
    const names = [
      ['0', '-1'],
      ['2000-01-01', '90'],
      ['', '90'],
      ['', '-1'],
      ['0', '-1'],
    ].map(([day = '', most = ''], i) => {
      const { name } = addUser();
      if (i < 4) must(['usermod', '--password', '$6$salt$hash', name]);
      must(['chage', '--maxdays', most, ...(day === '' ? [] : ['--lastday', day]), name]);
      return name;
    });
    await active(names);
    const expected = names
      .slice(0, 3)
      .map((name, i) => `${name} ${i === 2 ? 'info' : 'warn'}`)
      .toSorted();
    const [off, twice] = ['PasswordAuthentication no', 'AuthenticationMethods keyboard-interactive:pam,keyboard-interactive:pam'];
    assert.deepEqual(await aged('PasswordAuthentication yes', 'KbdInteractiveAuthentication no'), expected);
    assert.deepEqual(await aged('UsePAM yes', twice, off), expected);
    assert.deepEqual(
      await aged('UsePAM yes', 'AuthenticationMethods publickey,keyboard-interactive:pam', 'PasswordAuthentication yes'),
      [],
    );
    assert.deepEqual(await aged(off, 'KbdInteractiveAuthentication no'), []);
    must(['sqlite3', path.join(folder, 'var/state.db'), 'DELETE FROM enrolment']);
  });

  it('names an enrolment of somebody who is no user any more, and looks at no login that is revoked', async () => {
    const revoked = addUser();
    const store = openSqliteStore(path.join(folder, 'var/state.db'), { create: false });
    await store.exclusively(async (transaction) => {
      await transaction.insert({ ...rest, user: 'gone-for-ever', status: 'active' });
      await transaction.insert({ ...rest, user: revoked.name, status: 'revoked' });
      assert.deepEqual(
        (await transaction.enrolments()).map(({ user }) => user),
        ['gone-for-ever', revoked.name],
      );
    });
    store.close();
    const findings = await found(world.write(['ForceCommand /usr/bin/notp gate']));
    assert.deepEqual([...new Set(findings.flatMap(({ user }) => user ?? []))].toSorted(), ['gone-for-ever', 'root']);
    assert.ok(wrong(findings).includes('user-gone gone-for-ever'));
    const severity = async (top: string): Promise<unknown> =>
      (await found(world.write(['ForceCommand /usr/bin/notp gate']), { top })).find(({ id }) => id === 'user-gone')?.severity;
    assert.deepEqual([await severity(''), await severity('rule = [{ ask = "code", enrol_by = 2099-01-01 }]')], ['warn', 'fail']);
    must(['sqlite3', path.join(folder, 'var/state.db'), 'DELETE FROM enrolment']);
  });

  it('looks at an account whose name changed after it was enrolled, by the uid: the key alone let it in and doctor only said that the old name is nobody', async () => {
    const { name, uid } = addUser();
    const store = openSqliteStore(path.join(folder, 'var/state.db'), { create: false });
    const state = { lastStep: 0, bucket: { tokens: 5, asOfMs: 0 }, spent: '' };
    const ids = { id: 'b'.repeat(32), digest: 'b'.repeat(64), pendingId: '', pendingDigest: '', pendingState: {} };
    await store.exclusively(async (transaction) => {
      await transaction.insert({ ...ids, user: 'former-name', context: 'ssh', status: 'active', state, lastAcceptedMs: 0, uid });
    });
    store.close();
    const exempt = world.write([`Match User ${name}`, 'ForceCommand none', 'Match all'], 'gate');
    const findings = await found(exempt);
    assert.ok(wrong(findings).includes(`FC1 ${name}`), JSON.stringify(wrong(findings)));
    for (const each of [findings, await found(exempt, { users: ['former-name'] })]) {
      assert.ok(wrong(each).includes('user-renamed former-name') && !wrong(each).includes('user-gone former-name'));
      assert.ok(detailOf(each, 'user-renamed').includes(name));
    }
    must(['sqlite3', path.join(folder, 'var/state.db'), 'DELETE FROM enrolment']);
  });

  it('refuses a name that is nobody, and gives a finding where sshd has no such file', async () => {
    await assert.rejects(found(world.write([]), { users: ['no-such-user'] }), /there is no user/);
    assert.ok(wrong(await found('/nonexistent/sshd_config')).includes('sshd-unseen'));
  });
});
