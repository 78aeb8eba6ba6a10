/** Doctor goes on by itself: what changes on a host with the package is in the log, in the journal and at root's login, and nothing else is. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Container } from '../../support/container.ts';
import { addContainerUser, sshInTerminal } from '../../support/container-ssh.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { lacks, must, scratchFolder, type Enrolled, type TestUser } from '../../support/world.ts';
import { phoneOf, type Phone } from '../service/world.ts';
import { builtPackage } from '../../support/built-package.ts';
import { bootWithout, debIn, PACKAGE_NEEDS } from '../../packaging/package-world.ts';

const SERVICE = 'notp-doctor.service';
const STARTED_BY = ['notp-doctor.timer', 'notp-doctor.path'];
const KEPT = '/var/lib/notp-doctor';
const LINK = '/etc/motd.d/notp-doctor';
const OPEN = 'etc/ssh/sshd_config.d/05-open.conf';
/** systemd's message that a unit was started (or has ended, for one that does something once): SD_MESSAGE_UNIT_STARTED. */
const DONE = '39f53479d3a045ac8e11786248231fbf';
const PATIENCE_MS = 60_000;

/** A package with one file in /etc/pam.d. */
function packageWithPamFile(): string {
  const tree = path.join(scratchFolder('other'), 'tree');
  const write = (name: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
    fs.writeFileSync(path.join(tree, name), text);
  };
  write('etc/pam.d/other-program', 'auth required pam_deny.so\n');
  write('DEBIAN/conffiles', '/etc/pam.d/other-program\n');
  write(
    'DEBIAN/control',
    'Package: other-program\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: a test\n',
  );
  must(['dpkg-deb', '--root-owner-group', '-Znone', '--build', tree, `${tree}.deb`]);
  return `${tree}.deb`;
}

describe('doctor that goes on', { skip: lacks(PACKAGE_NEEDS) }, () => {
  let container: Container;
  let alice: TestUser;
  let root: Phone;

  before(async () => {
    container = await bootWithout('goes-on', { 'notp.deb': debIn(builtPackage()), 'other.deb': packageWithPamFile() });
    alice = await addContainerUser(container, 'alice');
    await container.must(['sh', '-c', 'cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys']);
    await apt('install', '/srv/notp.deb');
  });

  const apt = async (...words: string[]): Promise<void> => {
    const environment = { DEBIAN_FRONTEND: 'noninteractive' };
    const { code, stdout, stderr } = await container.run(['apt-get', '--quiet', '--yes', ...words], { environment });
    assert.equal(code, 0, stdout + stderr);
  };
  const show = async (unit: string, property: string): Promise<string> =>
    (await container.must(['systemctl', 'show', '--value', `--property=${property}`, unit])).trim();
  const inside = (name: string): string => path.join(container.root, name);
  const sh = async (script: string): Promise<string> => await container.must(['sh', '-c', script]);
  const reloaded = async (name: string, text: string | undefined): Promise<void> => {
    if (text === undefined) fs.rmSync(inside(name));
    else fs.writeFileSync(inside(name), text);
    await container.must(['systemctl', 'reload', 'ssh']);
  };
  /** Whose code sshd does not ask for any more. */
  const exempt = async (): Promise<void> => await reloaded(OPEN, 'Match User alice\n  AuthenticationMethods publickey\nMatch all\n');
  const mend = async (): Promise<void> => await reloaded(OPEN, undefined);

  /** The details of the records about doctor. */
  const records = async (): Promise<string[]> => {
    const { stdout } = await container.run(['notp', 'audit', '--event', 'doctor.changed', '--json']);
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { detail: string }).detail]));
  };
  /** Priority and text of the lines of the journal. */
  const journal = async (): Promise<string[]> => {
    await container.must(['journalctl', '--sync']);
    const { stdout } = await container.run(['journalctl', '--quiet', '--identifier=notp', '--output=json']);
    const lines = stdout.split('\n');
    const said = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as { PRIORITY: string; MESSAGE: string });
    return said.filter(({ MESSAGE }) => MESSAGE.startsWith('notp doctor: ')).map(({ PRIORITY, MESSAGE }) => `${PRIORITY} ${MESSAGE}`);
  };
  const runs = async (): Promise<number> => {
    await container.must(['journalctl', '--sync']);
    const { stdout } = await container.run(['journalctl', '--quiet', '--output=cat', `UNIT=${SERVICE}`, `MESSAGE_ID=${DONE}`]);
    return stdout.split('\n').filter((line) => line !== '').length;
  };
  const until = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
    for (const deadline = Date.now() + PATIENCE_MS; !(await isSo()); await sleep(200)) {
      if (Date.now() > deadline) assert.fail(`${what}: ${(await records()).join('\n')}\n${(await journal()).join('\n')}`);
    }
  };
  /** Waits until nothing runs and nothing is about to: twice in a row, as a change may still be on its way. */
  const still = async (): Promise<void> => {
    let calm = 0;
    await until('it goes on and on', async () => {
      const isIdle = ['inactive', 'failed'].includes(await show(SERVICE, 'ActiveState')) && (await show(SERVICE, 'Job')) === '';
      calm = isIdle ? calm + 1 : 0;
      return calm > 3;
    });
  };
  /** Waits for a record that matches, and for the line in the journal beside it. */
  const isTold = async (said: RegExp): Promise<void> => {
    await until(String(said), async () => said.test((await records()).at(-1) ?? ''));
    await still();
  };
  const kept = (): { readonly inode: bigint; readonly text: string } => {
    const file = inside(`${KEPT}/answer`);
    return { inode: fs.statSync(file, { bigint: true }).ino, text: fs.readFileSync(file, 'utf8') };
  };
  const changes = async (...words: string[]): Promise<Ran> => await container.run(['notp', 'doctor', '--changes', ...words]);

  it('is watched for by a timer and a path unit, which the package enables and starts', async () => {
    assert.equal(await container.must(['systemctl', 'is-enabled', ...STARTED_BY]), 'enabled\nenabled\n');
    assert.equal(await container.must(['systemctl', 'is-active', ...STARTED_BY]), 'active\nactive\n');
    assert.match(await container.must(['systemctl', 'list-timers', '--no-legend', 'notp-doctor.timer']), /^\w{3} \d{4}-/);
    // Its hour is any, and the tests below count what the others start.
    await container.must(['systemctl', 'stop', 'notp-doctor.timer']);
    const { stdout, stderr } = await container.run(['systemd-analyze', 'verify', SERVICE, ...STARTED_BY]);
    assert.doesNotMatch(stdout + stderr, /notp-doctor\.(?!service: Command 'man)/);
  });

  it('keeps an answer and says what there is: journal alone before anybody is enrolled, then the log too', async () => {
    await container.must(['systemctl', 'start', SERVICE]);
    await still();
    assert.match((await journal()).at(-1) ?? '', /^3 notp doctor: 2 failed, .*; new: no-gate \(Nothing asks for a code at sshd: /);
    assert.deepEqual(await records(), []);
    await container.must(['notp', 'host-key', 'init']);
    await container.must(['notp-enroll', 'alice', '--no-confirm', '--json']);
    root = phoneOf(JSON.parse(await container.must(['notp-enroll', 'root', '--no-confirm', '--json'])) as Enrolled);
    await reloaded('etc/ssh/sshd_config.d/06-root.conf', 'PermitRootLogin yes\n');
    await container.must(['notp', 'setup', 'pam', '--apply', '--confirm-within', 'never']);
    // It may look once before sshd has read what setup wrote, and once more afterwards.
    await until('it is not told', async () => {
      const all = await records();
      return all.some((record) => /; gone: no-gate/.test(record)) && /^0 failed, 0 warnings, \d remarks; /.test(all.at(-1) ?? '');
    });
    await still();
    assert.match((await journal()).at(-1) ?? '', /^5 notp doctor: 0 failed/);
    const { stdout, code } = await container.run(['notp', 'doctor']);
    assert.equal(code, 0, stdout);
    assert.deepEqual((await sh(`stat --format '%a %U %n' ${KEPT} ${KEPT}/*`)).split('\n'), [
      `700 root ${KEPT}`,
      `600 root ${KEPT}/answer`,
      '',
    ]);
  });

  it('writes nothing where nothing changed', async () => {
    const earlier = { kept: kept(), records: await records(), journal: await journal(), runs: await runs() };
    const beforeMs = fs.statSync(inside(`${KEPT}/answer`)).mtimeMs;
    await container.must(['systemctl', 'start', SERVICE]);
    await sh('touch /etc/pam.d/sshd');
    await until('no run', async () => (await runs()) >= earlier.runs + 2);
    await still();
    assert.ok(fs.statSync(inside(`${KEPT}/answer`)).mtimeMs > beforeMs);
    assert.deepEqual([kept(), await records(), await journal()], [earlier.kept, earlier.records, earlier.journal]);
    const { code, stdout, stderr } = await changes();
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^Nothing has changed: 0 failed, 0 warnings, \d remarks\.$/m);
    assert.deepEqual(await changes('--json'), { code: 0, signal: null, stdout: '', stderr: '' });
    assert.deepEqual([kept(), await records(), await journal()], [earlier.kept, earlier.records, earlier.journal]);
  });

  it('has the time of its run and what it found in the metrics, which a unit writes', async () => {
    await container.must(['systemctl', 'start', 'notp-metrics.service']);
    assert.equal(await sh("stat --format '%a %U' /run/notp/notp.prom"), '644 root\n');
    const text = await sh('cat /run/notp/notp.prom');
    assert.match(text, /^notp_doctor_findings\{severity="fail"\} 0$/m);
    assert.match(text, /^notp_up\{part="doctor"\} 1$/m);
    const lastRun = Number(/^notp_doctor_last_run_timestamp_seconds (.*)$/m.exec(text)?.[1]);
    assert.ok(Math.abs(lastRun - fs.statSync(inside(`${KEPT}/answer`)).mtimeMs / 1000) < 0.01, String(lastRun));
    assert.equal((await container.run(['systemctl', 'is-enabled', 'notp-metrics.timer'])).stdout, 'disabled\n');
    const { stdout, stderr } = await container.run(['systemd-analyze', 'verify', 'notp-metrics.service', 'notp-metrics.timer']);
    assert.doesNotMatch(stdout + stderr, /notp-metrics\.(?!service: Command 'man)/);
  });

  it('does not run while the host boots', async () => {
    const [earlier, ofTimer] = [await runs(), inside('etc/systemd/system/notp-doctor.timer')];
    fs.symlinkSync('/dev/null', ofTimer);
    await container.reboot();
    assert.equal(await container.must(['systemctl', 'is-active', 'notp-doctor.path']), 'active\n');
    assert.match(await sh('cat /run/sshd.pid'), /^\d+$/m);
    await still();
    assert.equal(await runs(), earlier);
    fs.rmSync(ofTimer);
    await container.must(['systemctl', 'daemon-reload']);
  });

  it('names an exemption that was written to sshd_config.d, and calls it gone when it is, without anybody running doctor', async () => {
    await exempt();
    await isTold(/^[1-9] failed, .*; new: P2\b.*; gone: none$/);
    assert.match((await journal()).at(-1) ?? '', /^3 notp doctor: [1-9] failed, .*; new: .*P2 \(.*alice.*; gone: none$/);
    await mend();
    await isTold(/^0 failed, .*; new: none; gone: P2\b/);
    assert.match((await journal()).at(-1) ?? '', /^5 .*; gone: P2 \(/);
  });

  it('names what sshd has not read yet, and calls it gone after a reload alone', async () => {
    fs.writeFileSync(inside('etc/ssh/sshd_config.d/20-log.conf'), 'LogLevel VERBOSE\n');
    await isTold(/new: sshd-reload; gone: none$/);
    await container.must(['systemctl', 'reload', 'ssh']);
    await isTold(/new: none; gone: sshd-reload$/);
  });

  it('runs once or twice where ten files change in a second, and outlasts a thousand changes', async () => {
    const earlier = await runs();
    for (let i = 0; i < 10; i++) {
      fs.writeFileSync(inside(`etc/security/burst-${String(i)}`), '');
      await sleep(80);
    }
    await until('no run', async () => (await runs()) > earlier);
    await still();
    const burst = (await runs()) - earlier;
    assert.ok(burst === 1 || burst === 2, String(burst));
    await sh('for i in $(seq 1000); do echo > /etc/security/burst-0; done; rm /etc/security/burst-*');
    await until('no run', async () => (await runs()) > earlier + burst);
    await still();
    assert.equal(await container.must(['systemctl', 'is-active', 'notp-doctor.path']), 'active\n');
    assert.ok((await runs()) - earlier - burst <= 3);
  });

  /** Has doctor, which asks it after sshd, run `script` in it. */
  const inTimedatectl = async (script: string): Promise<void> => {
    await sh('mv /usr/bin/timedatectl /usr/bin/timedatectl.real');
    fs.writeFileSync(inside('usr/bin/timedatectl'), `#!/bin/sh\n${script}\nexec timedatectl.real "$@"\n`, { mode: 0o755 });
  };
  const restoreTimedatectl = async (): Promise<void> => {
    await sh('mv /usr/bin/timedatectl.real /usr/bin/timedatectl');
  };

  it('sees what changes while it looks, when systemd watches nothing', async () => {
    await inTimedatectl(
      `[ -e /run/once ] || { touch /run/once; echo 'Match User alice\n  AuthenticationMethods publickey\nMatch all' > /${OPEN}; systemctl reload ssh; }`,
    );
    await container.must(['systemctl', 'start', SERVICE]);
    await restoreTimedatectl();
    assert.match((await records()).at(-1) ?? '', /new: P2\b/);
    await mend();
    await isTold(/new: none; gone: P2\b/);
  });

  it('says that doctor could not run, and why: a crash, and a configuration that cannot be read', async () => {
    await inTimedatectl('kill -SEGV $PPID');
    const earlier = (await journal()).length;
    for (let i = 0; i < 2; i++) {
      assert.notEqual((await container.run(['systemctl', 'start', SERVICE])).code, 0);
      assert.equal(await show(SERVICE, 'Result'), 'exit-code');
    }
    await restoreTimedatectl();
    assert.match((await records()).at(-1) ?? '', /^1 failed, .*; new: doctor; gone: none$/);
    assert.match((await journal()).at(-1) ?? '', /^3 .*new: doctor \(notp doctor could not run: it ended with SIGSEGV/);
    assert.equal((await journal()).length, earlier + 1);
    await container.must(['systemctl', 'start', SERVICE]);
    await isTold(/^0 failed, .*; new: none; gone: doctor$/);
    const [toml, text] = [inside('etc/notp/notp.toml'), fs.readFileSync(inside('etc/notp/notp.toml'), 'utf8')];
    fs.writeFileSync(toml, 'nonsense = 1\n');
    await until('it is not told', async () =>
      /^3 .*new: doctor \(.*could not check anything: .*nonsense/.test((await journal()).at(-1) ?? ''),
    );
    await still();
    fs.writeFileSync(toml, text);
    await until('it is not gone', async () => /gone: doctor \(/.test((await journal()).at(-1) ?? ''));
    await still();
  });

  it('runs after a package with a file in /etc/pam.d, installed or installed again, unless the path unit is disabled', async () => {
    await container.must(['systemctl', 'stop', 'notp-doctor.path']);
    for (const words of [['install'], ['install', '--reinstall']]) {
      const earlier = await runs();
      await apt(...words, '/srv/other.deb');
      await until('no run', async () => (await runs()) > earlier);
      await still();
      assert.equal(await runs(), earlier + 1);
    }
    await container.must(['systemctl', '--quiet', 'disable', 'notp-doctor.path']);
    const earlier = await runs();
    await apt('install', '--reinstall', '/srv/other.deb');
    await still();
    assert.equal(await runs(), earlier);
    await container.must(['systemctl', '--quiet', 'enable', '--now', 'notp-doctor.path']);
  });

  it('does not believe an answer that is damaged or not root’s alone: it says so, and everything is new', async () => {
    for (const [change, why] of [
      [`sed -i s,answer/1,answer/2, ${KEPT}/answer`, 'must be one of doctor-answer/1'],
      [`chmod 644 ${KEPT}/answer`, 'has mode 0644'],
      [`ln ${KEPT}/answer ${KEPT}/other`, 'has more than one name'],
      [`rm -f ${KEPT}/*; ln -s /etc/hostname ${KEPT}/answer`, 'is a symlink'],
      [`rm ${KEPT}/answer; mkfifo ${KEPT}/answer`, 'is no regular file'],
    ] as const) {
      await sh(change);
      const { code, stdout, stderr } = await changes();
      assert.equal(code, 0, stderr);
      assert.ok(stderr.includes(why), `${change}: ${stderr}`);
      assert.match(stdout, /^New:\ninfo /m);
      assert.match((await changes()).stdout, /^Nothing has changed/);
      assert.equal(fs.statSync(inside(`${KEPT}/answer`)).mode & 0o7777, 0o600);
    }
    const earlier = await records();
    await sh(`rm ${KEPT}/answer; chown alice ${KEPT}`);
    const { code, stderr } = await changes();
    assert.equal(code, 3);
    assert.match(stderr, /belongs to somebody else/);
    assert.deepEqual([fs.existsSync(inside(`${KEPT}/answer`)), await records()], [false, earlier]);
    await sh(`chown root ${KEPT}`);
    assert.equal((await changes()).code, 0);
  });

  const MAN = fs.readFileSync(path.join(import.meta.dirname, '../../../man/notp-doctor.8'), 'utf8');
  /** The command of the manual that turns it on, as it stands there. */
  const fromManual = (file: string): string => new RegExp(String.raw`^\.Dl (.*${file}.*)$`, 'm').exec(MAN)?.[1] ?? 'false';
  /** What somebody sees who logs in by key, and types `code` where it is asked for. */
  const seenBy = async (user: TestUser, code?: string): Promise<string> => {
    const terminal = sshInTerminal(container, user, [], { sshOptions: ['-o', 'NumberOfPasswordPrompts=1', '-o', 'ConnectionAttempts=10'] });
    if (code !== undefined) {
      await terminal.expect(/Password: /);
      terminal.send(`${code}\r`);
    }
    await terminal.expect(/[#$] $/);
    terminal.send('echo "the e"nd; exit\r');
    await terminal.expect(/^the end/m);
    await terminal.exited;
    return terminal.output();
  };
  const SAID = /notp doctor found [1-9] failures? since \d{4}-\d\d-\d\d: .*P2.*\r\nRun notp doctor as root: .*\r\n/;
  const ROOT: TestUser = { name: 'root', uid: 0, gid: 0, home: '/root' };

  it('is told to root at login where that is turned on, to nobody else, and not where all is well', async () => {
    await exempt();
    await isTold(/new: P2\b/);
    assert.doesNotMatch(await seenBy(ROOT, root.recoveryCode()), /doctor/);
    await sh(fromManual('/etc/motd.d'));
    assert.match(await seenBy(ROOT, root.recoveryCode()), SAID);
    assert.doesNotMatch(await seenBy(alice), /doctor/);
    assert.notEqual((await container.run(['cat', LINK], { as: 'alice' })).code, 0);
    await sh(`mv ${LINK} /root/link`);
    await sh(fromManual('/etc/profile.d'));
    assert.match(await seenBy(ROOT, root.recoveryCode()), SAID);
    assert.equal(await container.must(['bash', '--login', '-c', 'true']), '');
    assert.doesNotMatch(await seenBy(alice), /doctor/);
    await mend();
    await isTold(/gone: P2\b/);
    await sh(`mv /root/link ${LINK}`);
    assert.doesNotMatch(await seenBy(ROOT, root.recoveryCode()), /doctor/);
    await sh('rm /etc/profile.d/notp-doctor.sh');
  });

  it('ends with the package: a removal stops it, and a purge leaves nothing of it', async () => {
    await container.must(['notp', 'setup', 'undo', '--force']);
    await container.must(['systemctl', 'start', '--no-block', SERVICE]);
    await apt('remove', 'notp');
    await sh('touch /etc/pam.d/sshd');
    assert.equal(await container.must(['systemctl', 'list-units', '--plain', '--no-legend', 'notp*']), '');
    assert.equal(fs.existsSync(inside(`${KEPT}/answer`)), true);
    await apt('purge', 'notp');
    assert.equal(await sh("find /etc /var/lib /usr/lib/systemd -path /var/lib/dpkg -prune -o -name '*notp*' -print"), '');
  });
});
