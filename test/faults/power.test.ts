/** A power failure at any moment of a login or an enrolment, with any part of what was not flushed lost: whoever was let in is so once, with a record. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run } from '../support/process.ts';
import { lacks, oathCode, untilFreshStep, type Enrolled } from '../support/world.ts';
import { LONG, report } from '../trials/trial.ts';
import { afterPowerFailure, changesIn, filesBelow, putFiles, RECORDING, type Change } from './disk.ts';
import { faultWorld, type FaultWorld } from './world.ts';

/** Random choices of what survives at each moment, besides nothing and everything. */
const CHOICES = LONG ? 60 : 2;

interface Recorded {
  readonly changes: readonly Change[];
  readonly files: ReadonlyMap<string, Buffer>;
  readonly stdout: string;
}

describe('after a power failure', { skip: lacks({ root: true, programs: ['strace', 'oathtool'] }) }, () => {
  let world: FaultWorld;
  before(async () => {
    world = await faultWorld('fault-power');
  });

  for (const [log, prepare] of [
    ['a log', () => undefined],
    // As logrotate(8) with `nocreate` leaves it.
    ['no log yet', (): void => fs.renameSync(auditLog(), `${auditLog()}.1`)],
  ] as const)
    it(`in a login, where there is ${log}, no code works twice and none was accepted without a record`, async () => {
      world.restore();
      prepare();
      const code = oathCode(world.enrolled.secret);
      const { changes, files } = await recorded(['pam'], {
        environment: { PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_USER: world.user.name },
        input: code,
      });
      assert.ok(changes.some((change) => change.kind === 'flush' && change.file === auditLog()));
      const result = await everyMoment(changes, files, async (moment) => {
        const accepted = world.records().filter(({ event }) => event === 'login.accepted').length;
        const problem = await world.logProblem();
        const again = await world.judge(code);
        return [
          // The answer comes after the last change.
          moment === changes.length && again !== 'replayed' ? `it was accepted, and now the code comes to ${again}` : '',
          again === 'replayed' && accepted === 0 ? 'it is spent, and there is no record' : '',
          again === 'replayed' || again === 'totp' ? '' : `the code comes to ${again}`,
          problem ?? '',
        ];
      });
      report({
        part: 'faults',
        tried: `a power failure at each moment of a login (${log}), any of what was not flushed lost`,
        ...result.counts,
      });
      assert.deepEqual(result.wrong, []);
    });

  it('in an enrolment the old or the new secret logs in, and the new one where it was said to', async () => {
    world.restore();
    const { changes, files, stdout } = await recorded(['enroll', '--user', world.user.name, '--no-confirm', '--json', '--replace']);
    assert.ok(changes.some(({ kind }) => kind === 'rename'));
    const { secret } = JSON.parse(stdout) as Enrolled;
    const result = await everyMoment(
      changes,
      files,
      async (moment) => {
        const [byOld, byNew] = [await world.judge(oathCode(world.enrolled.secret)), await world.judge(oathCode(secret))];
        return [
          [byOld, byNew].filter((each) => each === 'totp').length === 1 ? '' : `the old secret comes to ${byOld}, the new one to ${byNew}`,
          moment === changes.length && byNew !== 'totp' ? `it was done, and the new secret comes to ${byNew}` : '',
          (await world.logProblem()) ?? '',
        ];
      },
      2,
    );
    report({ part: 'faults', tried: 'a power failure at each moment of an enrolment, any of what was not flushed lost', ...result.counts });
    assert.deepEqual(result.wrong, []);
  });

  function auditLog(): string {
    return path.join(world.pam.folder, 'log/audit.log');
  }

  /** Runs notp once from where things stand, and puts them back. */
  async function recorded(words: readonly string[], options: Parameters<FaultWorld['traced']>[1] = {}): Promise<Recorded> {
    const files = filesBelow(world.folders);
    const { command, options: surroundings, output } = world.traced(words, options);
    const ran = await run([...RECORDING, '-o', output, ...command], surroundings);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    const changes = changesIn(fs.readFileSync(output, 'latin1'), world.folders, (file) => files.has(file));
    // The recording is whole where doing it again gives what is there.
    assert.deepEqual(
      afterPowerFailure(files, changes, changes.length, () => true),
      filesBelow(world.folders),
    );
    return { changes, files, stdout: ran.stdout };
  }

  async function everyMoment(
    changes: readonly Change[],
    files: ReadonlyMap<string, Buffer>,
    wrongAt: (moment: number) => Promise<readonly string[]>,
    every = 1,
  ): Promise<{ readonly counts: { readonly times: number; readonly failed: number }; readonly wrong: readonly string[] }> {
    const wrong: string[] = [];
    let [times, failed] = [0, 0];
    const moments = Array.from({ length: changes.length + 1 }, (_, i) => i).filter((i) => LONG || i % every === 0 || i === changes.length);
    for (const moment of moments) {
      const choices = [() => false, () => true, ...Array.from({ length: CHOICES }, () => (): boolean => Math.random() < 0.5)];
      for (const [i, survives] of choices.entries()) {
        await untilFreshStep(6);
        putFiles(world.folders, afterPowerFailure(files, changes, moment, survives));
        const found = (await wrongAt(moment)).filter((each) => each !== '');
        wrong.push(...found.map((each) => `after ${String(moment)} of ${String(changes.length)} changes, choice ${String(i)}: ${each}`));
        times++;
        if (found.length > 0) failed++;
      }
    }
    return { counts: { times, failed }, wrong };
  }
});
