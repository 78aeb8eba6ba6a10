/** A booted host with one door in order, and what is done there with a row of the table: seeded, found, mended, and put back. */
import * as assert from 'node:assert/strict';
import type { Finding } from '../../../../src/doctor/finding.ts';
import { addContainerUser } from '../../../support/container-ssh.ts';
import type { Container } from '../../../support/container.ts';
import { oathCode, type Enrolled } from '../../../support/world.ts';
import { assertDone } from '../../setup/world.ts';
import type { Good } from './good.ts';
import { PRELUDE, type Seed } from './seed.ts';
import { comesIn, PASSWORD, writeAskpass } from './ways.ts';

/** The clock is that of the machine; whether somebody synchronises it, may change at any time. */
const CLOCK = 'clock-synchronised';
/** Mended by one more command. */
const RELOADS = ['sshd-reload', 'unit-reload'];
/** A copy, as that of the doors is broken at times. */
const NOTP = '/opt/copy/notp';
/** Of stacks that are only looked at. */
const MODULES = 'pam_sss.so pam_winbind.so pam_krb5.so pam_systemd_home.so';
const SEEDED = '/etc/ssh/sshd_config.d/05-seed.conf';
/** /etc as it was, and what reads it told. */
const RESTORE = `rsync -a --delete --itemize-changes /root/etc/ /etc/ >/root/changed
! grep -q ' systemd/' /root/changed || systemctl daemon-reload
! grep -q ' ssh/\\| \\./$' /root/changed || reload
! grep -q ' \\(systemd\\|notp\\)/' /root/changed || stop`;

export interface Seeding {
  /** What doctor finds that is not in order. */
  doctor(): Promise<Finding[]>;
  /** Asserts that doctor names each of them, that their fixes mend all of it, and what the logins before and after are. */
  mends(seeds: readonly Seed[]): Promise<void>;
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
  // Each login would start one, which takes longer than the login.
  await container.must(['systemctl', '--quiet', 'mask', 'user@.service']);
  // What starts doctor by itself is on as with the package, but starts nothing here.
  const unit = '/etc/systemd/system/notp-doctor.service.d';
  await container.must(['sh', '-c', `mkdir -p ${unit}; printf '[Service]\\nExecStart=\\nExecStart=/bin/true\\n' >${unit}/seeds.conf`]);
  await container.must(['sh', '-c', 'systemctl daemon-reload; systemctl --quiet enable --now notp-doctor.timer notp-doctor.path']);
  await container.must(['sh', '-c', `cd "$(dirname "$(find /usr/lib -name pam_permit.so | head -n 1)")" && touch ${MODULES}`]);
}

/** A code of a new secret, which nobody has used. */
export async function newCode(container: Container, user: string, notp = 'notp'): Promise<string> {
  const json = await container.must([notp, 'enroll', '--user', user, '--replace', '--no-confirm', '--json']);
  return oathCode((JSON.parse(json) as Enrolled).secret);
}

/** Opens one door for everybody. */
export async function seedingOn(container: Container, door: 'gate' | 'pam' | 'sudo'): Promise<Seeding> {
  const sh = async (script: string): Promise<void> => void (await container.run(['sh', '-c', `${PRELUDE}${script}`]));
  const doctor = async (clock?: string): Promise<Finding[]> => {
    const faked = clock === undefined ? [] : ['env', 'NO_FAKE_STAT=1', 'faketime', '--exclude-monotonic', '-f', clock];
    const { stdout } = await container.run([...faked, NOTP, 'doctor', '--json'], { timeoutMs: 60_000 });
    const findings = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Finding);
    return findings.filter(({ severity, id }) => severity !== 'ok' && !(id === CLOCK && severity === 'info'));
  };
  assertDone(await container.run(['notp', 'setup', door, '--apply', '--confirm-within', 'never']));
  await sh('rm -rf /root/etc; cp -a /etc /root/etc; sleep 0.4');
  const usual = (await doctor()).map(keyOf);
  const besides = (findings: readonly Finding[]): Finding[] => findings.filter((finding) => !usual.includes(keyOf(finding)));

  return {
    doctor: async () => await doctor(),
    mends: async (seeds) => {
      const codes = new Map<Seed, string>();
      for (const seed of seeds) if (needsCode(seed)) codes.set(seed, await newCode(container, seed.keepsOut ?? seed.letsIn ?? '', NOTP));
      await sh(seeds.map(({ script }) => script).join('\n') + sshdLines(seeds));
      try {
        const all = await doctor(seeds[0]?.clock);
        const found = besides(all);
        const fixes = seeds.map((seed) => [seed, named(seed, seed.isUsual === true ? all : found)] as const);
        const next = seeds.flatMap((seed) => seed.next ?? []);
        if (next.length > 0) await sh(next.join('\n'));
        for (const seed of seeds) await assertTried(container, seed, { isMended: false, code: codes.get(seed) });
        // Whatever is found is mended: what is to be read again, last.
        await sh(`${fixes.map(([seed, finding]) => scriptOf(seed, finding)).join('\n')}\n${reloadsIn(found)}`);
        const mended = await doctor();
        const reloads = reloadsIn(mended);
        if (reloads !== '') await sh(reloads);
        const later = reloads === '' ? mended : await doctor();
        const stays = seeds.flatMap(({ leaves = [] }) => leaves);
        for (const { id, detail, what } of seeds.filter(({ isUsual }) => isUsual === true))
          assert.equal(
            later.find((each) => each.id === id && each.detail.includes(detail ?? '')),
            undefined,
            what,
          );
        const left = besides(later).filter(({ id }) => !stays.includes(id));
        assert.deepEqual(left.map(keyOf), [], JSON.stringify(left, undefined, 2));
        for (const seed of seeds)
          await assertTried(container, seed, {
            isMended: true,
            code: needsCode(seed) ? await newCode(container, seed.keepsOut ?? seed.letsIn ?? '', NOTP) : undefined,
          });
      } finally {
        await sh(`${seeds.map(({ clean = '' }) => clean).join('\n')}\n${RESTORE}`);
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

/** The fixes of those that say what is to be read again, as a script. */
function reloadsIn(findings: readonly Finding[]): string {
  return findings.flatMap(({ id, fix }) => (RELOADS.includes(id) ? [fix.split(',')[0]] : [])).join('\n');
}

function needsCode({ keepsOut, way }: Seed): boolean {
  return keepsOut !== undefined || way?.typed === 'code';
}

/** The finding about the seed. */
function named(seed: Seed, found: readonly Finding[]): Finding {
  const isFailure = seed.letsIn !== undefined && seed.port === undefined && seed.isWarning !== true;
  const finding = found.find(
    ({ id, fix, detail, severity }) =>
      id === seed.id && fix.includes(seed.fix) && detail.includes(seed.detail ?? '') && (!isFailure || severity === 'fail'),
  );
  assert.ok(finding, `${seed.what}: ${JSON.stringify(found, undefined, 2)}`);
  return finding;
}

/** Asserts what can be done before the fix, and not after it, or the other way round. */
async function assertTried(
  container: Container,
  { what, letsIn, way, port, keepsOut, sudoer, sudo, writable, readable }: Seed,
  { isMended, code }: { readonly isMended: boolean; readonly code: string | undefined },
): Promise<void> {
  if (letsIn !== undefined) assert.equal(await comesIn(container, letsIn, { way, port, code }), !isMended, `${what}: ${letsIn} comes in`);
  if (keepsOut !== undefined) assert.equal(await comesIn(container, keepsOut, { code }), isMended, `${what}: the right code logs in`);
  if (sudoer !== undefined) assert.equal(await becomesRoot(container, sudoer, sudo), !isMended, `${what}: ${sudoer} becomes root`);
  for (const [file, how] of [
    [writable, '-w'],
    [readable, '-r'],
  ] as const)
    if (file !== undefined)
      assert.equal((await container.run(['test', how, file], { as: 'alice', cwd: '/' })).code === 0, !isMended, `alice: ${how} ${file}`);
}

async function becomesRoot(container: Container, user: string, options: readonly string[] = ['-n']): Promise<boolean> {
  const ran = await container.run(['sudo', '-k', ...options, 'id', '-u'], { as: user, cwd: '/', input: `${PASSWORD}\n` });
  return ran.stdout === '0\n';
}

/** Their lines of sshd_config as a script, if there are some. */
function sshdLines(seeds: readonly Seed[]): string {
  const lines = [...seeds.flatMap(({ lines: own = [] }) => own), ...new Set(seeds.flatMap(({ rest = [] }) => rest))];
  return lines.length === 0 ? '' : `\nsshd ${lines.map((each) => `'${each}'`).join(' ')}`;
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
  if (how === 'line') return `printf '%s\\n' ${lines.join(' ')} >>/etc/ssh/sshd_config.d/00-fix.conf; reload`;
  return `{ head -n 1 ${SEEDED}; printf '%s\\n' ${lines.join(' ')}; tail -n +2 ${SEEDED}; } >/root/block; cat /root/block >${SEEDED}; reload`;
}
