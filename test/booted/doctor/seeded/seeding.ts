/** A booted host with one door in order, and what is done there with a row of the table: seeded, found, mended, and put back. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Finding } from '../../../../src/doctor/finding.ts';
import { CLIENT_KEY } from '../../../support/container-root.ts';
import { addContainerUser } from '../../../support/container-ssh.ts';
import type { Container } from '../../../support/container.ts';
import { oathCode, type Enrolled } from '../../../support/world.ts';
import { assertDone } from '../../setup/world.ts';
import type { Good } from './good.ts';
import { PRELUDE, type Seed } from './seed.ts';

/** The host's clock is nobody's fault here, and these are mended by one more command. */
const CLOCK = 'clock-synchronised';
const RELOADS = ['sshd-reload', 'unit-reload'];
/** A copy, as that of the doors is broken at times. */
const NOTP = '/opt/copy/notp';
/** Of stacks that are only looked at. */
const MODULES = 'pam_sss.so pam_winbind.so pam_krb5.so pam_systemd_home.so';
const ASKPASS = '/usr/local/bin/answer';
const SEEDED = '/etc/ssh/sshd_config.d/05-seed.conf';
/** /etc as it was, and what reads it told. */
const RESTORE = `rsync -a --delete --itemize-changes /root/etc/ /etc/ >/root/changed
! grep -q ' systemd/' /root/changed || systemctl daemon-reload
! grep -q ' ssh/\\| \\./$' /root/changed || reload
! grep -q ' \\(systemd\\|notp\\)/' /root/changed || stop`;
const OPTIONS = [
  'IdentitiesOnly=yes',
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'LogLevel=ERROR',
  'NumberOfPasswordPrompts=1',
  'SendEnv=LC_NOTP',
].flatMap((option) => ['-o', option]);

export interface Seeding {
  /** What doctor finds that is not in order. */
  doctor(): Promise<Finding[]>;
  /** Asserts that doctor names it, that its fix mends it, and what the logins before and after are. */
  mends(seed: Seed): Promise<void>;
  /** Asserts that doctor has no warning. */
  passes(good: Good): Promise<void>;
}

/** Makes a host with alice, bob, their keys and a host key, and without a door, ready for seedingOn(): alice and bob are enrolled, carol is not. */
export async function prepareForSeeds(container: Container): Promise<void> {
  await addContainerUser(container, 'carol');
  await container.must(['useradd', '--create-home', '--shell', '/bin/bash', '--expiredate', '1', 'closed']);
  for (const user of ['alice', 'bob']) await container.must(['notp-enroll', user, '--no-confirm', '--json']);
  writeAskpass(container);
  await container.must(['sh', '-c', 'mkdir /opt/copy; cp -p /usr/bin/notp /opt/copy/']);
  // What starts doctor by itself is on as with the package, but starts nothing here.
  const unit = '/etc/systemd/system/notp-doctor.service.d';
  await container.must(['sh', '-c', `mkdir -p ${unit}; printf '[Service]\\nExecStart=\\nExecStart=/bin/true\\n' >${unit}/seeds.conf`]);
  await container.must(['sh', '-c', 'systemctl daemon-reload; systemctl --quiet enable --now notp-doctor.timer notp-doctor.path']);
  await container.must(['sh', '-c', `cd "$(dirname "$(find /usr/lib -name pam_permit.so | head -n 1)")" && touch ${MODULES}`]);
}

/** What answers for ssh in logsIn(). */
export function writeAskpass(container: Container): void {
  fs.writeFileSync(path.join(container.root, ASKPASS), '#!/bin/sh\necho "$ANSWER"\n', { mode: 0o755 });
}

/** Logs in with the key, and with `code` or something else where something is asked for. */
export async function logsIn(container: Container, user: string, code?: string, port = 22): Promise<boolean> {
  const ssh = ['ssh', '-F', 'none', '-p', String(port), '-i', CLIENT_KEY, ...OPTIONS, `${user}@127.0.0.1`, 'true'];
  const answers = {
    ANSWER: code ?? 'no code',
    SSH_ASKPASS: ASKPASS,
    SSH_ASKPASS_REQUIRE: 'force',
    ...(code === undefined ? {} : { LC_NOTP: code }),
  };
  return (await container.run(ssh, { environment: answers, timeoutMs: 60_000 })).code === 0;
}

/** A code of a new secret, which nobody has used. */
export async function newCode(container: Container, user: string, notp = 'notp'): Promise<string> {
  const json = await container.must([notp, 'enroll', '--user', user, '--replace', '--no-confirm', '--json']);
  return oathCode((JSON.parse(json) as Enrolled).secret);
}

/** Opens one door for everybody. */
export async function seedingOn(container: Container, door: 'gate' | 'pam' | 'sudo'): Promise<Seeding> {
  const becomesRoot = async (user: string): Promise<boolean> =>
    (await container.run(['sudo', '-k', '-n', 'true'], { as: user, cwd: '/' })).code === 0;
  const freshCode = async (user: string): Promise<string> => await newCode(container, user, NOTP);
  const sh = async (script: string): Promise<void> => void (await container.run(['sh', '-c', `${PRELUDE}${script}`]));
  const doctor = async (): Promise<Finding[]> => {
    const { stdout } = await container.run([NOTP, 'doctor', '--json'], { timeoutMs: 60_000 });
    const findings = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Finding);
    return findings.filter(({ severity, id }) => severity !== 'ok' && id !== CLOCK);
  };
  assertDone(await container.run(['notp', 'setup', door, '--apply', '--confirm-within', 'never']));
  await sh('rm -rf /root/etc; cp -a /etc /root/etc; sleep 0.4');
  const usual = (await doctor()).map(keyOf);
  const besides = (findings: readonly Finding[]): Finding[] => findings.filter((finding) => !usual.includes(keyOf(finding)));

  return {
    doctor,
    mends: async (seed) => {
      const code = seed.keepsOut === undefined ? '' : await freshCode(seed.keepsOut);
      await sh(seed.script);
      try {
        const found = besides(await doctor());
        const named = found.find(
          ({ id, fix, severity }) =>
            id === seed.id && fix.includes(seed.fix) && (seed.letsIn === undefined || seed.port !== undefined || severity === 'fail'),
        );
        assert.ok(named, JSON.stringify(found, undefined, 2));
        if (seed.letsIn !== undefined)
          assert.equal(await logsIn(container, seed.letsIn, undefined, seed.port), true, 'the key alone does not log in');
        if (seed.sudoer !== undefined) assert.equal(await becomesRoot(seed.sudoer), true, 'sudo asks');
        if (seed.keepsOut !== undefined) assert.equal(await logsIn(container, seed.keepsOut, code), false, 'the right code logs in');
        await sh(scriptOf(seed, named));
        const mended = await doctor();
        const reloads = mended.filter(({ id }) => RELOADS.includes(id));
        for (const { fix } of reloads) await sh(`${fix.split(',')[0] ?? ''}; sleep 0.4`);
        const later = reloads.length === 0 ? mended : await doctor();
        const left = besides(later).filter(({ id }) => seed.leaves?.includes(id) !== true);
        assert.deepEqual(left.map(keyOf), [], JSON.stringify(left, undefined, 2));
        if (seed.letsIn !== undefined)
          assert.equal(await logsIn(container, seed.letsIn, undefined, seed.port), false, 'the key alone logs in');
        if (seed.sudoer !== undefined) assert.equal(await becomesRoot(seed.sudoer), false, 'sudo asks for nothing');
        if (seed.keepsOut !== undefined)
          assert.equal(await logsIn(container, seed.keepsOut, await freshCode(seed.keepsOut)), true, 'the right code does not log in');
      } finally {
        await sh(`${seed.clean ?? ''}\n${RESTORE}`);
      }
    },
    passes: async (good) => {
      await sh(good.script);
      try {
        const found = besides(await doctor()).filter(({ severity }) => severity !== 'info');
        assert.deepEqual(found.map(keyOf), [], JSON.stringify(found, undefined, 2));
      } finally {
        await sh(`${good.clean ?? ''}\n${RESTORE}`);
      }
    },
  };
}

export function keyOf({ severity, id, user = '', title }: Finding): string {
  return [severity, id, user, title].join(' ');
}

/** The fix as a script. */
function scriptOf({ how }: Seed, { fix }: Finding): string {
  if (how === 'run') return fix.replace(/, and remove noexec.*/, '');
  if (how !== 'line' && how !== 'block') return how;
  // "A yes, B no and C no (the reason)" are three lines.
  const lines = fix
    .replace(/ \(.*|, in the Match block.*/, '')
    .split(/, | and /)
    .map((each) => `'${each}'`);
  if (how === 'line') return `printf '%s\\n' ${lines.join(' ')} >/etc/ssh/sshd_config.d/00-fix.conf; reload`;
  return `{ head -n 1 ${SEEDED}; printf '%s\\n' ${lines.join(' ')}; tail -n +2 ${SEEDED}; } >/root/block; cat /root/block >${SEEDED}; reload`;
}
