/** Accounts without an enrolment: who of them gets in without a code is named, by classes with a count, and who cannot log in at all is not. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { installedServer } from '../../../src/doctor/sshd/servers.ts';
import { examineServer } from '../../../src/doctor/sshd/sshd.ts';
import { userByName } from '../../../src/system/users.ts';
import { ROOT } from '../../support/process.ts';
import { addUser, must, type TestUser } from '../../support/world.ts';
import { pamService } from '../pam/pam-files.ts';
import { NEEDS, sshdWorld, type SshdWorld } from './sshd-world.ts';

const EXEMPT = ['>Match User notp-t*', '>ForceCommand none', '>DisableForwarding no', '>Match all'];
/** The same, and forwarding is closed as for all others. */
const EXEMPT_SESSION = EXEMPT.filter((line) => !line.includes('Forwarding'));
/** A PAM service of these modules. */
const stack = (...modules: string[]): string => pamService(modules.map((module) => `auth sufficient ${module}\n`).join(''));
const GATED_ALONE = ['Match User root', 'ForceCommand /usr/bin/notp gate', 'Match all'];

describe('accounts without an enrolment', { skip: NEEDS }, () => {
  let world: SshdWorld;
  let people: readonly TestUser[];
  before(() => {
    world = sshdWorld();
    people = Array.from({ length: 5 }, () => addUser());
    for (const { home, uid, gid } of people) {
      fs.mkdirSync(path.join(home, '.ssh'));
      fs.writeFileSync(path.join(home, '.ssh/authorized_keys'), 'ssh-ed25519 AAAA\n');
      for (const file of ['.ssh', '.ssh/authorized_keys']) fs.chownSync(path.join(home, file), uid, gid);
    }
  });

  const found = async (
    lines: readonly string[],
    { isBare = false, areRefused = true, covered = new Set<number>(), service = 'sshd' } = {},
  ): Promise<Finding[]> => {
    const installed = installedServer(isBare ? world.write(lines) : world.write(lines, 'gate'));
    assert.ok(installed);
    const server = { ...installed, name: service };
    const user = userByName('root');
    assert.ok(user);
    const persons = people.flatMap(({ name }) => userByName(name) ?? []).map((each) => ({ user: each, enrolments: [] }));
    const hear = { expect: () => undefined, progress: () => undefined };
    const { findings } = await examineServer(server, [{ user, enrolments: [] }], hear, {
      people: persons,
      areRefused,
      covered,
      nowMs: Date.now(),
    });
    return findings.filter(({ user: whose, severity }) => whose === undefined && severity !== 'ok');
  };
  const told = async (lines: readonly string[], options = {}): Promise<string[]> =>
    (await found(lines, options)).map(({ id, severity, detail }) => `${severity} ${id} ${/(\d+) accounts?:/.exec(detail)?.[1] ?? ''}`);

  it('that a Match line exempts are a way around the code, and are named with their count: doctor looked at none of them', async () => {
    assert.deepEqual(await told(EXEMPT), ['fail FC1 5']);
    const [{ detail } = { detail: '' }] = await found(EXEMPT);
    const names = people.map(({ name }) => name);
    assert.ok(detail.includes(`${names.slice(0, 3).join(', ')} and 2 more: with a key or a password alone`), detail);
    assert.deepEqual(await told(['>Match Address 10.0.0.0/8 User notp-t*', '>ForceCommand none', '>Match all']), ['fail FC1 5']);
    assert.deepEqual(await told(['>Match User notp-t*', '>ForceCommand internal-sftp', '>Match all']), ['warn FC1 5']);
  });

  it('that are exempt on one network alone, denied elsewhere or where nobody else is asked, are a way around the code: only a client from outside was asked about', async () => {
    const inside = 'Match Address 10.0.0.0/8';
    const gate = [inside, 'ForceCommand /usr/bin/notp gate', 'Match all'];
    assert.deepEqual(await told(gate, { isBare: true }), ['info not-asked 5']);
    assert.deepEqual(await told([`${inside} User notp-t*`, 'ForceCommand none', ...gate], { isBare: true }), ['fail FC1 5']);
    const denied = [
      `${inside} User notp-t*`,
      'PubkeyAuthentication yes',
      'ForceCommand none',
      'Match User notp-t*',
      'PubkeyAuthentication no',
    ];
    assert.deepEqual(await told([...denied, 'Match all']), ['fail FC1 5']);
    const [{ detail } = { detail: '' }] = await found([...denied, 'Match all']);
    assert.match(detail, /with a key or a password alone, from 10\.0\.0\.0$/);
  });

  it('that are gated but may forward before the code are named with that rule', async () => {
    const forwards = await told(['Match User notp-t*', 'DisableForwarding no', 'AllowTcpForwarding yes', 'Match all']);
    assert.deepEqual(forwards, ['fail FC3 5', 'fail FC4 5', 'info not-enrolled 5']);
  });

  it('that no line covers yet are a remark: a roll-out is no way around anything', async () => {
    assert.deepEqual(await told(GATED_ALONE, { isBare: true }), ['info not-asked 5']);
    // Unless it is for them.
    const covered = new Set(people.slice(0, 2).map(({ uid }) => uid));
    assert.deepEqual(await told(GATED_ALONE, { isBare: true, covered }), ['fail FC1 2', 'info not-asked 3']);
  });

  it('that the gate refuses are counted, unless they may get in or enrol there', async () => {
    assert.deepEqual(await told([]), ['info not-enrolled 5']);
    assert.deepEqual(await told([], { areRefused: false }), []);
  });

  it('that plant a loop of symlinks for their keys, or whose home root cannot see, count as able: one symlink ended doctor', async () => {
    for (const plant of [
      'ln -s authorized_keys .ssh/authorized_keys',
      'rm -r .ssh; ln -s .ssh .ssh',
      'rm .ssh; mkdir -m 700 .ssh; mkfifo .ssh/authorized_keys',
    ])
      for (const { home, name } of people.slice(0, 1)) {
        must(['sh', '-c', `cd ${home}; rm -f .ssh/authorized_keys; ${plant}; chown -hR ${name} .ssh`]);
        assert.deepEqual(await told(EXEMPT), [plant.includes('mkfifo') ? 'fail FC1 4' : 'fail FC1 5'], plant);
      }
    const [{ home, name } = { home: '', name: '' }] = people;
    must(['sh', '-c', `cd ${home}; rm -r .ssh; mkdir .ssh; echo key >.ssh/authorized_keys; chown -R ${name} .; chmod 700 .`]);
    const script = `import { hasKeyLogin } from '${ROOT}/src/doctor/sshd/can-log-in.ts';
      import { userByName } from '${ROOT}/src/system/users.ts';
      console.log(await hasKeyLogin(userByName('${name}'), new Map([['authorizedkeysfile', ['.ssh/authorized_keys']]])));`;
    const squashed = ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--'];
    assert.equal(must([...squashed, process.execPath, '--input-type=module', '--eval', script]).trim(), 'true');
  });

  it('that cannot log in are not counted: by name, group, date, shell, or as they have neither key nor password', async () => {
    const [denied, expired, nologin, keyless] = people;
    assert.ok(denied && expired && nologin && keyless);
    must(['chage', '--expiredate', '1', expired.name]);
    must(['usermod', '--shell', '/usr/sbin/nologin', nologin.name]);
    fs.rmSync(path.join(keyless.home, '.ssh/authorized_keys'));
    assert.deepEqual(await told([`DenyUsers ${denied.name}`, ...EXEMPT_SESSION]), ['fail FC1 1']);
    assert.deepEqual(await told(['AllowUsers root', ...EXEMPT]), []);
    assert.deepEqual(await told(['AllowGroups root', ...EXEMPT]), []);
    assert.deepEqual(await told(['PubkeyAuthentication no', ...EXEMPT]), []);
  });

  it('that have no shell are able where sshd itself serves their files, or forwards for them: no shell passed for no login', async () => {
    const [user] = people;
    assert.ok(user);
    const alone = (...lines: string[]): string[] => ['AllowUsers root ' + user.name, ...lines];
    fs.writeFileSync(path.join(user.home, '.ssh/authorized_keys'), 'ssh-ed25519 AAAA\n');
    for (const shell of ['/usr/sbin/nologin', '/bin/false']) {
      must(['usermod', '--shell', shell, user.name]);
      assert.deepEqual(await told(alone(...EXEMPT)), ['fail FC1 1']);
      assert.deepEqual(await told(alone(...EXEMPT_SESSION)), []);
      assert.deepEqual(await told(alone('Subsystem sftp /usr/lib/openssh/sftp-server', ...EXEMPT_SESSION)), []);
      assert.deepEqual(await told(alone('Subsystem sftp internal-sftp', ...EXEMPT_SESSION)), ['fail FC1 1']);
      const forwards = ['Match User notp-t*', 'DisableForwarding no', 'AllowTcpForwarding yes', 'Match all'];
      assert.deepEqual(await told(alone(...forwards)), ['fail FC3 1', 'fail FC4 1', 'info not-enrolled 1']);
      // In place of the subsystem sshd has that shell run the gate.
      assert.deepEqual(await told(alone('Subsystem sftp internal-sftp')), []);
    }
    must(['usermod', '--shell', '/bin/bash', user.name]);
  });

  it('that have no password in shadow(5) may have one elsewhere, unless pam_unix alone is asked: Kerberos let them in without a word', async () => {
    const user = addUser();
    const [person] = people;
    assert.ok(person);
    people = [user];
    const lines = [`AllowUsers ${user.name}`, 'UsePAM yes', 'KbdInteractiveAuthentication yes', ...EXEMPT_SESSION];
    for (const hash of ['*', '!', '!$y$j9T$x$y', '!*']) {
      must(['usermod', '--password', hash, user.name]);
      assert.deepEqual(await told(lines, { service: stack('pam_env.so', 'pam_unix.so nullok', 'pam_permit.so') }), [], hash);
      for (const module of ['pam_krb5.so', 'pam_sss.so', 'pam_exec.so expose_authtok /opt/check', 'pam_of_ours.so'])
        assert.deepEqual(await told(lines, { service: stack(module, 'pam_unix.so') }), ['fail FC1 1'], `${hash} ${module}`);
    }
    const service = stack('pam_krb5.so');
    assert.deepEqual(await told(['UsePAM no', ...lines], { service }), []);
  });
});
