/**
 * `notp-enroll --batch users.txt --out DIR`: makes a login secret and a hand-out for each user of a list. After any
 * interruption the same command continues: in the end each user has one working enrolment, and its hand-out.
 */
import { shellCommand } from '../../otp/escape.ts';
import { onEndingSignals, type Waiting } from '../../system/bytes.ts';
import type { Config } from '../../system/config.ts';
import { say, sayHint } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { openProgress } from '../../terminal/progress.ts';
import type { KeptFile } from '../../store/store.ts';
import type { User } from '../../system/users.ts';
import { openState, openToSeal, type State } from '../../state/state.ts';
import { peopleIn, readList, type Person } from './batch-list.ts';
import type { Outcome } from './batch-next.ts';
import { batchPlace, type Batch, type BatchOptions } from './batch-plan.ts';
import { hasFailures, summaryOf, type Ended } from './batch-summary.ts';
import { enrolOne, inviteOne, printForecast } from './batch-user.ts';
import { handoutFolder } from './handouts.ts';
import { enableMissingSockets, runOneByOne, refuseSecondRun } from '../one-by-one.ts';

/** Two batches at once would each regard the other's unfinished work as its own. */
const LOCK = 'notp-enroll-batch';

/** The exit code is 0 if every user of the list is enrolled, else 1. Throws if the batch ended early. */
export async function enrollBatch(config: Config, options: BatchOptions, now: () => number): Promise<number> {
  const place = batchPlace(config, options);
  const waiting: Waiting = { deadlineMs: Infinity, interrupt: onEndingSignals() };
  const { people, unfit } = peopleIn(await readList(options.file, waiting), options.file, config);
  if (!options.dryRun) await refuseSecondRun(LOCK, 'batch');
  const folder = options.out === undefined ? undefined : handoutFolder(options.out, { create: !options.dryRun });
  const sealing = !options.each.pending && !options.dryRun;
  const state = await asUser(place.owner, () =>
    sealing ? openToSeal(config, place, 'host', now) : openState(place, now, { create: !options.dryRun }),
  );
  const known = await asUser(place.owner, () => enrolmentsIn(state, options.each.context));
  const kept = config.secretsInStore ? await asUser(place.owner, () => filesIn(state, options.each.context)) : undefined;
  const batch: Batch = { config, options, place, state, known, kept, folder, now };
  const progress = openProgress(people.length, now);
  const ended: Ended[] = [];
  const step = stepOf(batch);
  const early = await runOneByOne(people, {
    ...{ progress, interrupt: waiting.interrupt, unit: 'users', label: ({ user }) => user.name },
    step: async (person) => void ended.push({ user: person.user.name, at: person.at, outcome: await step(person) }),
  });
  state?.store.close();
  // Also after an early end, for the users who were done by then.
  const socketError = options.dryRun ? undefined : await enableMissingSockets(config, usersDone(people, ended), progress);
  progress.end();
  const { context, pending } = options.each;
  say(summaryOf(ended, unfit, { context, folder, pending, dryRun: options.dryRun, total: people.length }));
  const failure = early ?? socketError;
  if (failure !== undefined) {
    sayHint('run the same command again: it continues where this one ended');
    throw failure;
  }
  if (!options.dryRun) sayNext(batch, ended);
  return hasFailures(ended, unfit) ? 1 : 0;
}

/** All enrolments, read once. If another process enrols meanwhile, registering finds the conflict. */
async function enrolmentsIn(state: State | undefined, context: string): Promise<Batch['known']> {
  const all = await state?.store.exclusively((transaction) => transaction.enrolments());
  return new Map((all ?? []).filter((each) => each.context === context).map((each) => [each.user, each]));
}

async function filesIn(state: State | undefined, context: string): Promise<ReadonlyMap<string, KeptFile>> {
  const all = (await state?.store.sealedFiles()) ?? [];
  return new Map(all.filter((each) => each.context === context).map((each) => [each.user, each]));
}

type Step = (person: Person) => Promise<Outcome>;

function stepOf(batch: Batch): Step {
  const { state, options } = batch;
  if (options.dryRun || state === undefined) return (person) => printForecast(batch, person);
  return options.each.pending ? (person) => inviteOne(batch, state, person) : (person) => enrolOne(batch, state, person);
}

/** The users processed so far who are enrolled or invited. */
function usersDone(people: readonly Person[], ended: readonly Ended[]): User[] {
  return people
    .slice(0, ended.length)
    .flatMap(({ user }, i) => (['failed', 'skipped'].includes(ended[i]?.outcome.kind ?? 'failed') ? [] : [user]));
}

function sayNext({ folder, options, config }: Batch, ended: readonly Ended[]): void {
  if (!ended.some(({ outcome }) => outcome.kind === 'made')) return;
  if (options.each.pending) {
    sayHint(config.unenrolled === 'enroll' ? 'the gate asks each to enrol at the next login' : 'each may enrol once, with notp enroll');
  } else if (folder !== undefined) sayHint(shellCommand`give each person their files, then destroy them all: rm -r ${folder}`);
}
