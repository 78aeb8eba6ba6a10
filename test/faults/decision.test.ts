/** A decision in which any one call on a file fails, or is the last: nobody gets in by it twice, without a record, or at all where it cannot be decided. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Ran } from '../support/process.ts';
import { lacks, oathCode, untilFreshStep } from '../support/world.ts';
import { LONG, report } from '../trials/trial.ts';
import { callsOf, errorsOf, runBehind, runWith, type Call, type Fault, type Traced } from './calls.ts';
import { faultWorld, type FaultWorld } from './world.ts';
import { askedOfService } from './service.ts';
import { rotating, some, tally } from './tally.ts';

/** Now and then the program makes some calls of that name more or less before it. */
const OFFSETS = [0, 0, 0, 1, -1, 2, -2, 3, -3, 4, -4, 0, 5, -5, 6, -6, 0, 1, -1, 7, -7, 8, -8];

interface Decider {
  readonly what: string;
  /** What it is called in the tables. */
  readonly shown: string;
  readonly login: (world: FaultWorld, code: string) => Traced;
  /** A trace that shows none of these would test nothing. */
  readonly touched: readonly RegExp[];
}

const STATE = [/^fsync\(<.*audit\.log>/, /^pwrite64\(<.*state\.db>/, /^openat\(.*host\.key/];
const DECIDERS: readonly Decider[] = [
  {
    what: 'a decision at the PAM door',
    shown: 'a decision',
    login: (world, code) =>
      world.traced(['pam'], { environment: { PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_USER: world.user.name }, input: code }),
    touched: [...STATE, /^read\(<.*\/ssh>/],
  },
  { what: 'a decision of the service', shown: 'a decision of the service', login: askedOfService, touched: STATE },
];

for (const { what, shown, login, touched } of DECIDERS) {
  describe(what, { skip: lacks({ root: true, programs: ['strace', 'oathtool', 'prlimit', 'python3'] }) }, () => {
    let world: FaultWorld;
    let calls: readonly Call[];

    before(async () => {
      world = await faultWorld('fault-decision');
      await untilFreshStep(15);
      const recorded = await callsOf(login(world, oathCode(world.enrolled.secret)), { all: LONG });
      assert.equal(recorded.ran.code, 0, recorded.ran.stdout + recorded.ran.stderr);
      ({ calls } = recorded);
      for (const seen of touched)
        assert.ok(
          calls.some((call) => seen.test(call.shown)),
          String(seen),
        );
    });

    it('is refused or holds, whatever error one of its calls ends with', async () => {
      const failed = await tally(some(calls, 10), async (call, i) => {
        const wrong: string[] = [];
        for (const error of rotating(errorsOf(call), i)) wrong.push(...(await hurt(call, `error=${error}`)));
        return wrong;
      });
      report({
        part: 'faults',
        tried: `an error (EIO, ENOSPC, EROFS, EACCES, EMFILE, …) at a call on a file in ${shown}`,
        ...failed.counts,
      });
      assert.deepEqual(failed.wrong, []);
    });

    it('is refused or holds, wherever it is killed', async () => {
      const failed = await tally(some(calls, 10), (call) => hurt(call, 'signal=KILL'));
      report({ part: 'faults', tried: `\`kill -9\` at a call on a file in ${shown}`, ...failed.counts });
      assert.deepEqual(failed.wrong, []);
    });

    it('is refused or holds, where a limit cuts its writes short, to the log and to the state', async () => {
      world.restore();
      const [log, database] = ['log/audit.log', 'var/state.db'].map((file) => fs.statSync(path.join(world.pam.folder, file)).size) as [
        number,
        number,
      ];
      const lengths = [log, log + 1, log + 100, log + 300, log + 400, 4096, 4700, 8192, 9000, 12_800, 13_000, database - 1, database];
      let failed = 0;
      const wrong: string[] = [];
      for (const length of lengths) {
        const found = await wrongAfter((traced) => runBehind(traced, ['prlimit', `--fsize=${String(length)}`]));
        if (found.length > 0) failed++;
        wrong.push(...found.map((each) => `files of at most ${String(length)} bytes: ${each}`));
      }
      report({ part: 'faults', tried: `a write of ${shown} that is cut short`, times: lengths.length, failed });
      assert.deepEqual(wrong, []);
    });

    async function hurt(call: Call, fault: Fault): Promise<string[]> {
      const came: boolean[] = [];
      const wrong: string[] = [];
      for (const offset of OFFSETS) {
        if (came.includes(true)) break;
        wrong.push(
          ...(await wrongAfter(async (traced) => {
            const { ran, hit } = await runWith(traced, { ...call, ordinal: Math.max(1, call.ordinal + offset) }, fault);
            came.push(hit);
            return ran;
          })),
        );
      }
      return [...(came.includes(true) ? [] : ['the call never came']), ...wrong].map((each) => `${fault} at ${call.shown}: ${each}`);
    }

    /** What is wrong after a login with a right code that `attempt` makes; nothing where all promises hold. */
    async function wrongAfter(attempt: (traced: Traced) => Promise<Ran>): Promise<string[]> {
      world.restore();
      await untilFreshStep(6);
      const code = oathCode(world.enrolled.secret);
      const ran = await attempt(login(world, code));
      const problem = await world.logProblem();
      const again = await world.judge(code);
      // What the file did not take came to it with the record of this try.
      const recorded = world.records().filter(({ event }) => event === 'login.accepted').length - (again === 'totp' ? 1 : 0);
      const next = await world.judge(oathCode(world.enrolled.secret, { offsetSeconds: 30 }));
      const entered = ran.code === 0;
      const wrong = [
        entered && recorded === 0 ? 'accepted without a record' : '',
        again === 'replayed' && recorded === 0 ? 'spent without a record' : '',
        again !== 'replayed' && again !== 'totp' ? `the code then comes to ${again}` : '',
        entered && again === 'totp' ? 'accepted twice' : '',
        next === 'totp' ? '' : `the next code comes to ${next}`,
        problem ?? '',
        !entered && ran.code !== null && ran.stdout === '' && ran.stderr === '' ? 'refused without a word' : '',
      ];
      return wrong.filter((each) => each !== '');
    }
  });
}
