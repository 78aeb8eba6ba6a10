/** Trust: who else could change what decides is named, down to a folder above it and through links. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { tryGate, tryPam } from '../../../src/doctor/host/try-program.ts';
import { examineHostKeys, isKeyLost } from '../../../src/doctor/host/host-key.ts';
import { examinePlaces, examineProgram, whyUntrusted } from '../../../src/doctor/host/trust.ts';
import { statePlace } from '../../../src/state/place.ts';
import { readConfig } from '../../../src/system/config.ts';
import { userByUid, type User } from '../../../src/system/users.ts';
import { run } from '../../support/process.ts';
import { addUser, installTree, lacks, must, scratchFolder, serviceUser, SOURCE_NOTP, writeConfig } from '../../support/world.ts';
import { detailOf, wrong } from '../sshd/sshd-world.ts';

describe('a program', { skip: lacks({ root: true }) }, () => {
  let folder: string;
  let notp: string;
  before(() => {
    folder = scratchFolder('trust');
    notp = installTree(folder);
  });

  it('that root alone can change is in order, in a sticky folder too', () => {
    assert.equal(whyUntrusted(notp), undefined);
    assert.equal(examineProgram('FC1', notp).severity, 'ok');
    assert.equal(examineProgram('P8', '/usr/bin/env').severity, 'ok');
  });

  for (const [what, change, undo] of [
    ['itself can be written by others', () => fs.chmodSync(notp, 0o775), () => fs.chmodSync(notp, 0o755)],
    ['belongs to somebody else', () => fs.chownSync(notp, 65534, 65534), () => fs.chownSync(notp, 0, 0)],
    ['lies in a folder that others write', () => fs.chmodSync(folder, 0o757), () => fs.chmodSync(folder, 0o755)],
    [
      'runs a file that others write',
      () => fs.chmodSync(path.join(folder, 'dist/notp.cjs'), 0o666),
      () => fs.chmodSync(path.join(folder, 'dist/notp.cjs'), 0o644),
    ],
    ['is not there', () => fs.renameSync(notp, `${notp}.away`), () => fs.renameSync(`${notp}.away`, notp)],
  ] as const) {
    it(`that ${what} is named`, () => {
      change();
      const found = examineProgram('FC1', notp);
      undo();
      assert.equal(found.severity, 'fail');
      assert.ok(found.detail.includes(folder), found.detail);
    });
  }

  it('is followed through links, and the folders that they lead to', () => {
    const open = path.join(folder, 'open');
    fs.mkdirSync(open);
    fs.chmodSync(open, 0o777);
    fs.symlinkSync('open', path.join(folder, 'link'));
    fs.writeFileSync(path.join(open, 'notp'), '', { mode: 0o755 });
    assert.match(whyUntrusted(path.join(folder, 'link/notp')) ?? '', /open can be written by others/);
    fs.symlinkSync('round', path.join(folder, 'round'));
    assert.match(whyUntrusted(path.join(folder, 'round')) ?? '', /leads nowhere/);
  });

  it('is run without a code, and must refuse (FC17)', () => {
    const gate = (text: string): string => {
      const file = path.join(folder, 'gate');
      fs.writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      return `${file} gate`;
    };
    assert.equal(tryGate(`${notp} gate`).severity, 'ok');
    assert.equal(tryGate(gate('exit 1')).severity, 'ok');
    for (const text of ['exit 0', 'exec sh -c "$SSH_ORIGINAL_COMMAND"', 'exit 127', 'kill -9 $$'])
      assert.equal(tryGate(gate(text)).severity, 'fail', text);
    assert.equal(tryGate(gate('[ "$(id -u)" = 0 ]')).severity, 'ok', 'it is not root who tries');
    assert.match(tryGate(`${folder}/none gate`).detail, /ENOENT/);
  });

  it('that PAM starts must start, say no, and read nothing: one that could not refused everybody, and all was in order', () => {
    assert.equal(tryPam(notp).severity, 'ok');
    const program = path.join(folder, 'pam-program');
    fs.writeFileSync(program, '#!/bin/sh\nexit "${PAM_USER:-1}"\n', { mode: 0o700 });
    assert.equal(tryPam(program).severity, 'ok');
    fs.chmodSync(program, 0o644);
    const { severity, fix } = tryPam(program);
    assert.deepEqual([severity, fix], ['fail', `chmod 755 ${program}`]);
    assert.match(tryGate(`${program} gate`).fix, new RegExp(`^chmod 755 ${program}$`));
    fs.writeFileSync(program, '#!/bin/sh\n');
    fs.chmodSync(program, 0o755);
    assert.match(tryPam(program).title, /says yes/);
  });

  it('on a mount without programs is told with the mount', () => {
    const place = path.join(folder, 'noexec');
    fs.mkdirSync(place);
    must(['mount', '-t', 'tmpfs', '-o', 'noexec,mode=755', 'notp-test', place]);
    try {
      fs.writeFileSync(path.join(place, 'notp'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      for (const { fix } of [tryPam(path.join(place, 'notp')), tryGate(`${place}/notp gate`)])
        assert.equal(fix, `mount -o remount,exec ${place}, and remove noexec in /etc/fstab`);
    } finally {
      must(['umount', place]);
    }
  });
});

async function lost(config: string): Promise<boolean> {
  return await isKeyLost(readConfig(config), statePlace(readConfig(config), userByUid(0)), Date.now);
}

describe('the places of the service', { skip: lacks({ root: true }) }, () => {
  let folder: string;
  let config: string;
  let service: User;
  const examine = (): ReturnType<typeof examinePlaces> => [
    ...examinePlaces(readConfig(config), service, userByUid(0)),
    ...examineHostKeys(readConfig(config), service, false),
  ];
  before(async () => {
    folder = scratchFolder('places');
    service = userByUid(serviceUser().uid);
    config = writeConfig(folder, { top: `socket = "${folder}/run/%U.sock"` });
    assert.equal((await run([...SOURCE_NOTP, 'host-key', 'init', '--config', config])).code, 0);
    fs.mkdirSync(path.join(folder, 'run'), { mode: 0o755 });
  });

  it('are in order as notp makes them', () => {
    const findings = examine();
    assert.deepEqual(wrong(findings), [], JSON.stringify(findings));
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['state-folder', 'state-file', 'log-folder', 'log-file', 'socket-folder', 'host-key'],
    );
  });

  for (const [id, name, mode] of [
    ['state-folder', 'var', 0o750],
    ['state-file', 'var/state.db', 0o644],
    ['log-folder', 'log', 0o722],
    ['log-file', 'log/audit.log', 0o640],
    ['socket-folder', 'run', 0o777],
    ['host-key', 'etc/host.key', 0o644],
  ] as const) {
    it(`are named where ${name} has mode ${mode.toString(8)}, and where it is somebody else's`, () => {
      const file = path.join(folder, name);
      const earlier = fs.statSync(file);
      fs.chmodSync(file, mode);
      assert.deepEqual(wrong(examine()), [id]);
      fs.chmodSync(file, earlier.mode);
      fs.chownSync(file, addedUser(), earlier.gid);
      assert.deepEqual(wrong(examine()), [id]);
      fs.chownSync(file, earlier.uid, earlier.gid);
      assert.deepEqual(wrong(examine()), []);
    });
  }

  for (const [id, key] of [
    ['state-folder', 'database'],
    ['log-folder', 'log'],
    ['socket-folder', 'socket'],
  ] as const) {
    it(`are named where a folder above the ${id} can be written by others, or is somebody else's`, () => {
      const above = path.join(folder, `above-${id}`);
      const deep = path.join(above, 'deep');
      fs.mkdirSync(path.join(deep, 'it'), { recursive: true });
      fs.chmodSync(path.join(deep, 'it'), id === 'socket-folder' ? 0o755 : 0o700);
      const read = readConfig(config);
      const moved = {
        database: { ...read, store: { kind: 'sqlite', path: `${deep}/it/state.db` } } as const,
        log: { ...read, audit: { ...read.audit, file: `${deep}/it/audit.log` } },
        socket: { ...read, socket: `${deep}/it/%U.sock` },
      }[key];
      const found = (): string[] => wrong(examinePlaces(moved, service, userByUid(0)));
      assert.deepEqual(found(), []);
      for (const each of [above, deep]) {
        for (const mode of [0o757, 0o775]) {
          fs.chmodSync(each, mode);
          assert.deepEqual(found(), mode === 0o775 && key === 'log' ? [] : [id], 'a group may write /var/log on Debian');
        }
        fs.chmodSync(each, 0o755);
        fs.chownSync(each, addedUser(), 0);
        assert.deepEqual(found(), [id]);
        fs.chownSync(each, service.uid, 0);
        assert.deepEqual(found(), key === 'socket' ? [id] : [], 'the service may own what is above its own');
        fs.chownSync(each, 0, 0);
      }
      fs.chmodSync(above, 0o1777);
      assert.deepEqual(found(), [], 'nobody exchanges what is not theirs in a sticky folder');
    });
  }

  it('are named where the state is missing or a link', () => {
    fs.renameSync(path.join(folder, 'var'), path.join(folder, 'away'));
    assert.match(detailOf(examine(), 'state-folder'), /is not there/);
    fs.symlinkSync('away', path.join(folder, 'var'));
    assert.match(detailOf(examine(), 'state-folder'), /is a symlink/);
    fs.unlinkSync(path.join(folder, 'var'));
    fs.renameSync(path.join(folder, 'away'), path.join(folder, 'var'));
  });

  it('are named where the host key is missing or short, and in order where it is kept encrypted', async () => {
    const key = path.join(folder, 'etc/host.key');
    const bytes = fs.readFileSync(key);
    fs.truncateSync(key, 16);
    assert.match(detailOf(examine(), 'host-key'), /must be 32 bytes/);
    fs.unlinkSync(key);
    assert.deepEqual(wrong(examine()), ['host-key']);
    // A new one beside the state of the lost one was advised, which the unit at boot refuses to make.
    assert.deepEqual([await lost(config), await lost(writeConfig(scratchFolder('places-new')))], [true, false]);
    assert.match(examineHostKeys(readConfig(config), service, true)[0]?.fix ?? '', /^bring it back from its copy first: /);
    fs.writeFileSync(`${key}.cred`, 'sealed', { mode: 0o600 });
    assert.deepEqual(wrong(examine()), []);
    fs.chmodSync(`${key}.cred`, 0o666);
    assert.deepEqual(wrong(examine()), ['host-key']);
    fs.unlinkSync(`${key}.cred`);
    fs.writeFileSync(key, bytes, { mode: 0o400 });
    fs.chownSync(key, service.uid, service.gid);
  });

  let stranger: number | undefined;
  function addedUser(): number {
    stranger ??= addUser().uid;
    return stranger;
  }
});
