/** Each misconfiguration of the table in docs/doctor.md, seeded on a booted host: doctor names it, its fix is applied, and the host is as before. */
import * as assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Finding } from '../../../../src/doctor/finding.ts';
import { CONTAINER_NEEDS } from '../../../support/container.ts';
import { CLIENT_KEY } from '../../../support/container-root.ts';
import { addContainerUser } from '../../../support/container-ssh.ts';
import { lacks, oathCode, type Enrolled } from '../../../support/world.ts';
import { assertDone, bootHost, type Host } from '../../setup/world.ts';
import { GATE_SEEDS } from './gate.ts';
import { GOOD } from './good.ts';
import { PAM_SEEDS, SUDO_SEEDS } from './pam.ts';
import { PRELUDE, type Seed } from './seed.ts';

const NEEDS = { root: true, programs: [...CONTAINER_NEEDS.programs, ...'oathtool rsync sudo fish zsh tcsh'.split(' ')] };
/** The host's clock is nobody's fault here, and these are mended by one more command. */
const CLOCK = 'clock-synchronised';
const RELOADS = ['sshd-reload', 'unit-reload'];
/** A copy, as that of the doors is broken at times. */
const NOTP = '/opt/copy/notp';
/** Of stacks that are only looked at. */
const MODULES = 'pam_sss.so pam_winbind.so pam_krb5.so pam_systemd_home.so';
const ASKPASS = '/usr/local/bin/answer';
/** /etc as it was, and what reads it told. */
const RESTORE = `rsync -a --delete --itemize-changes /root/etc/ /etc/ >/root/changed
! grep -q ' systemd/' /root/changed || systemctl daemon-reload
! grep -q ' ssh/\\| \\./$' /root/changed || reload
! grep -q ' \\(systemd\\|notp\\)/' /root/changed || stop`;

for (const [door, seeds] of [
  ['gate', GATE_SEEDS],
  ['pam', PAM_SEEDS],
  ['sudo', SUDO_SEEDS],
] as const)
  describe(`a host with notp setup ${door}`, { skip: lacks(NEEDS) }, () => {
    let host: Host;
    let usual: readonly string[];

    const sh = async (script: string): Promise<void> => void (await host.container.run(['sh', '-c', `${PRELUDE}${script}`]));
    const doctor = async (): Promise<Finding[]> => {
      const { stdout } = await host.container.run([NOTP, 'doctor', '--json'], { timeoutMs: 60_000 });
      const findings = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Finding);
      return findings.filter(({ severity, id }) => severity !== 'ok' && id !== CLOCK);
    };
    const besides = (findings: readonly Finding[]): Finding[] => findings.filter((finding) => !usual.includes(keyOf(finding)));
    /** Logs in with the key, and with `code` or something else where one is asked for. */
    const logsIn = async (user: string, code?: string): Promise<boolean> => {
      const ssh = ['ssh', '-F', 'none', '-i', CLIENT_KEY, ...OPTIONS, `${user}@127.0.0.1`, 'true'];
      const answers = {
        ANSWER: code ?? 'no code',
        SSH_ASKPASS: ASKPASS,
        SSH_ASKPASS_REQUIRE: 'force',
        ...(code === undefined ? {} : { LC_NOTP: code }),
      };
      return (await host.container.run(ssh, { environment: answers, timeoutMs: 60_000 })).code === 0;
    };
    const freshCode = async (user: string): Promise<string> => {
      const json = await host.container.must([NOTP, 'enroll', '--user', user, '--replace', '--no-confirm', '--json']);
      return oathCode((JSON.parse(json) as Enrolled).secret);
    };

    before(async () => {
      host = await bootHost(`seeded-${door}`);
      await addContainerUser(host.container, 'carol');
      await host.container.must(['useradd', '--create-home', '--shell', '/bin/bash', '--expiredate', '1', 'closed']);
      for (const user of ['alice', 'bob']) await host.container.must(['notp-enroll', user, '--no-confirm', '--json']);
      host.write(ASKPASS, '#!/bin/sh\necho "$ANSWER"\n', 0o755);
      await sh('rm /etc/sudoers.d/alice');
      assertDone(await host.setup(door, '--apply', '--confirm-within', 'never'));
      await sh('cp -a /etc /root/etc; mkdir /opt/copy; cp -p /usr/bin/notp /opt/copy/; sleep 0.4');
      await sh(`cd "$(dirname "$(find /usr/lib -name pam_permit.so | head -n 1)")" && touch ${MODULES}`);
      usual = (await doctor()).map(keyOf);
    });
    after(async () => {
      await host.container.stop();
    });

    it('is in order before anything is seeded', async () => {
      assert.deepEqual((await doctor()).filter(({ severity, id }) => severity !== 'info' && id !== 'no-gate').map(keyOf), []);
    });

    for (const seed of seeds)
      it(`is found and mended: ${seed.what}`, async () => {
        const code = seed.keepsOut === undefined ? '' : await freshCode(seed.keepsOut);
        await sh(seed.script);
        try {
          const found = besides(await doctor());
          const named = found.find(
            ({ id, fix, severity }) => id === seed.id && fix.includes(seed.fix) && (seed.letsIn === undefined || severity === 'fail'),
          );
          assert.ok(named, JSON.stringify(found, undefined, 2));
          if (seed.letsIn !== undefined) assert.equal(await logsIn(seed.letsIn), true, 'the key alone does not log in');
          if (seed.keepsOut !== undefined) assert.equal(await logsIn(seed.keepsOut, code), false, 'the right code logs in');
          await sh(scriptOf(seed, named));
          const mended = await doctor();
          const reloads = mended.filter(({ id }) => RELOADS.includes(id));
          for (const { fix } of reloads) await sh(`${fix.split(',')[0] ?? ''}; sleep 0.4`);
          const left = besides(reloads.length === 0 ? mended : await doctor());
          assert.deepEqual(left.map(keyOf), [], JSON.stringify(left, undefined, 2));
          if (seed.letsIn !== undefined) assert.equal(await logsIn(seed.letsIn), false, 'the key alone logs in');
          if (seed.keepsOut !== undefined)
            assert.equal(await logsIn(seed.keepsOut, await freshCode(seed.keepsOut)), true, 'the right code does not log in');
        } finally {
          await sh(`${seed.clean ?? ''}\n${RESTORE}`);
        }
      });

    for (const good of GOOD.filter((each) => each.door === door))
      it(`draws no warning with ${good.what}`, async () => {
        await sh(good.script);
        try {
          const found = besides(await doctor()).filter(({ severity }) => severity !== 'info');
          assert.deepEqual(found.map(keyOf), [], JSON.stringify(found, undefined, 2));
        } finally {
          await sh(`${good.clean ?? ''}\n${RESTORE}`);
        }
      });
  });

const OPTIONS = [
  'IdentitiesOnly=yes',
  'StrictHostKeyChecking=no',
  'UserKnownHostsFile=/dev/null',
  'LogLevel=ERROR',
  'NumberOfPasswordPrompts=1',
  'SendEnv=LC_NOTP',
].flatMap((option) => ['-o', option]);

function keyOf({ severity, id, user = '', title }: Finding): string {
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

const SEEDED = '/etc/ssh/sshd_config.d/05-seed.conf';
