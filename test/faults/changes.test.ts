/** An enrolment, new recovery codes, a reseal and a new host key in which any one call on a file fails, or is the last: what logged in before still does, or what was handed out. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { run } from '../support/process.ts';
import { lacks, oathCode, untilFreshStep, type Enrolled } from '../support/world.ts';
import { LONG, report } from '../trials/trial.ts';
import { callsOf, errorsOf, runWith, type Call, type Fault } from './calls.ts';
import { rotating, some, tally } from './tally.ts';
import { faultWorld, type FaultWorld } from './world.ts';

interface Change {
  readonly what: string;
  readonly words: (user: string) => readonly string[];
  /** How many calls are hurt in each way. */
  readonly count: number;
}

const CHANGES: readonly Change[] = [
  { what: 'an enrolment', words: (user) => ['enroll', '--user', user, '--no-confirm', '--json', '--replace'], count: 8 },
  { what: 'new recovery codes', words: (user) => ['recovery', '--user', user, '--json'], count: 5 },
  { what: 'a reseal', words: (user) => ['reseal', '--user', user, '--json'], count: 5 },
  { what: 'a new host key', words: () => ['host-key', 'rotate'], count: 5 },
];
/** What `enroll` and `recovery` hand out. */
type HandedOut = Partial<Pick<Enrolled, 'secret' | 'recovery'>>;

describe('a change', { skip: lacks({ root: true, programs: ['strace', 'oathtool'] }) }, () => {
  let world: FaultWorld;
  before(async () => {
    world = await faultWorld('fault-change');
  });

  for (const change of CHANGES) {
    it(`that is ${change.what} leaves what logs in, whatever error one of its calls ends with and wherever it is killed`, async () => {
      world.restore();
      const recorded = await callsOf(world.traced(change.words(world.user.name)), { all: LONG });
      assert.equal(recorded.ran.code, 0, recorded.ran.stderr);
      assert.ok(
        recorded.calls.some(({ name }) => name === 'rename'),
        'nothing came into its place',
      );
      const errors = await tally(some(recorded.calls, change.count), async (call, i) => {
        const wrong: string[] = [];
        for (const error of rotating(errorsOf(call), i)) wrong.push(...(await hurt(change, call, `error=${error}`)));
        return wrong;
      });
      report({ part: 'faults', tried: `an error at a call on a file in ${change.what}`, ...errors.counts });
      const kills = await tally(some(recorded.calls, change.count), (call) => hurt(change, call, 'signal=KILL'));
      report({ part: 'faults', tried: `\`kill -9\` at a call on a file in ${change.what}`, ...kills.counts });
      assert.deepEqual([...errors.wrong, ...kills.wrong], []);
    });
  }

  async function hurt({ words }: Change, call: Call, fault: Fault): Promise<string[]> {
    world.restore();
    const traced = world.traced(words(world.user.name));
    const { ran, hit } = await runWith(traced, call, fault);
    // What Node.js itself ends at another call is as good as killed.
    const isKilled = fault === 'signal=KILL' || !hit;
    const given = handedOut(ran.stdout);
    const wrong = [
      ...(await enters(given, ran.code === 0)),
      (await world.logProblem()) ?? '',
      isKilled ? '' : world.drafts().join(),
      ran.code !== 0 && !isKilled && ran.stderr === '' ? 'it failed without a word' : '',
      ...(await afterwards(traced)),
    ];
    return wrong.filter((each) => each !== '').map((each) => `${fault} at ${call.shown}: ${each}`);
  }

  /** What is wrong with who gets in: with what was there before, or with what was handed out where it came into its place. */
  async function enters(given: HandedOut, done: boolean): Promise<string[]> {
    const { secret: old, recovery: oldCodes } = world.enrolled;
    await untilFreshStep(6);
    const byOld = await world.judge(oathCode(old));
    const byNew = given.secret === undefined ? '' : await world.judge(oathCode(given.secret));
    const recovered = [await world.judge(oldCodes[0] ?? '')];
    if (given.recovery !== undefined) recovered.push(await world.judge(given.recovery[0] ?? ''));
    return [
      [byOld, byNew].filter((each) => each === 'totp').length === 1 ? '' : `the old secret comes to ${byOld}, the new one to ${byNew}`,
      recovered.filter((each) => each === 'recovery').length === 1 ? '' : `recovery codes come to ${recovered.join()}`,
      done && given.secret !== undefined && byNew !== 'totp' ? 'it was done, and the new secret does not log in' : '',
      done && given.recovery !== undefined && recovered[1] !== 'recovery' ? 'it was done, and the new recovery codes do not log in' : '',
    ];
  }

  /** The same change once more, with nothing at fault. */
  async function afterwards({ command, options }: ReturnType<FaultWorld['traced']>): Promise<string[]> {
    const { code, stderr } = await run(command, options);
    return [
      code === 0 ? '' : `the next try: ${stderr}`,
      fs.existsSync(world.enrolled.file) ? '' : 'the sealed file is gone',
      // A fresh draft of a sealed file may be somebody else's.
      ...world
        .drafts()
        .filter((draft) => !draft.startsWith('.ssh.'))
        .map((draft) => `left behind: ${draft}`),
    ];
  }
});

function handedOut(stdout: string): HandedOut {
  return stdout.endsWith('}\n') ? (JSON.parse(stdout) as HandedOut) : {};
}
