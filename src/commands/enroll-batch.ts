/**
 * `notp-enroll --batch users.txt --out DIR`: a login secret for each user of a list, and a hand-out for each person.
 * However it is interrupted, the same command again goes on: in the end each user has one enrolment that works, and
 * the hand-out is of that one.
 */
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { NotpError } from '../error.ts';
import type { Waiting } from '../system/bytes.ts';
import { expand, type Config } from '../system/config.ts';
import { say, sayHint } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { openProgress, type Progress } from '../system/progress.ts';
import { onEndingSignals } from '../system/signals.ts';
import { takeLock } from '../system/sole-run.ts';
import { enableSockets, hasService, isSocketEnabled } from '../system/systemd.ts';
import type { User } from '../system/users.ts';
import { openState, type State, type StatePlace } from '../verifier/state.ts';
import { peopleIn, readList, type Person } from './enroll-batch-list.ts';
import type { Outcome } from './enroll-batch-next.ts';
import { batchPlace, type Batch, type BatchOptions } from './enroll-batch-plan.ts';
import { hasFailures, summaryOf, type Ended } from './enroll-batch-summary.ts';
import { enrolOne, inviteOne, tellOne } from './enroll-batch-user.ts';
import { handoutFolder } from './handouts.ts';

/** Two batches at once would each take the other's unfinished work for its own. */
const LOCK = 'notp-enroll-batch';
const SOCKETS_A_CALL = 100;

/** The exit code is 0 when everybody of the list is enrolled, 1 when somebody is not. Throws where it ended early. */
export async function enrollBatch(config: Config, options: BatchOptions, now: () => number): Promise<number> {
  const place = batchPlace(config, options);
  const waiting: Waiting = { deadlineMs: Infinity, interrupt: onEndingSignals() };
  const { people, unfit } = peopleIn(await readList(options.file, waiting), options.file, config);
  if (!options.dryRun) await refuseSecondRun();
  const folder = options.out === undefined ? undefined : handoutFolder(options.out, { create: !options.dryRun });
  const state = await asUser(place.owner, () => openedState(config, place, options, now));
  const known = await asUser(place.owner, () => enrolmentsIn(state, options.each.context));
  const batch: Batch = { config, options, place, state, known, folder, now };
  const progress = openProgress(people.length, now);
  const ended: Ended[] = [];
  const early = await throughAll(people, stepOf(batch), { ended, progress, interrupt: waiting.interrupt });
  state?.store.close();
  // Also for those who were done before it ended early.
  const deaf = options.dryRun ? undefined : await listening(config, people, ended, progress);
  progress.end();
  const { context, pending } = options.each;
  say(summaryOf(ended, unfit, { context, folder, pending, dryRun: options.dryRun, total: people.length }));
  const trouble = early ?? deaf;
  if (trouble !== undefined) {
    sayHint('run the same command again: it goes on where this one ended');
    throw trouble;
  }
  if (!options.dryRun) tellNext(batch, ended);
  return hasFailures(ended, unfit) ? 1 : 0;
}

/** Read once for all: who is quicker meanwhile is heard of when an enrolment begins. */
async function enrolmentsIn(state: State | undefined, context: string): Promise<Batch['known']> {
  const all = await state?.store.exclusively((transaction) => transaction.enrolments());
  return new Map((all ?? []).filter((each) => each.context === context).map((each) => [each.user, each]));
}

type Step = (person: Person) => Promise<Outcome>;

function stepOf(batch: Batch): Step {
  const { state, options } = batch;
  if (options.dryRun || state === undefined) return (person) => tellOne(batch, person);
  return options.each.pending ? (person) => inviteOne(batch, state, person) : (person) => enrolOne(batch, state, person);
}

interface Going {
  /** Takes how it ended for each. */
  readonly ended: Ended[];
  readonly progress: Progress;
  readonly interrupt: AbortSignal;
}

/** One after the other; gives what ended it early, between two users. */
async function throughAll(people: readonly Person[], step: Step, { ended, progress, interrupt }: Going): Promise<Error | undefined> {
  for (const person of people) {
    // Signals are heard only when the event loop turns.
    await setImmediate();
    if (interrupt.aborted) return new NotpError('refused', `interrupted after ${String(ended.length)} of ${String(people.length)} users`);
    progress.show(ended.length, person.user.name);
    try {
      ended.push({ user: person.user.name, at: person.at, outcome: await step(person) });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }
  return undefined;
}

/** Makes the sockets listen of those who are enrolled or invited and lack theirs; gives what systemd says where it does not. */
async function listening(
  config: Config,
  people: readonly Person[],
  ended: readonly Ended[],
  progress: Progress,
): Promise<NotpError | undefined> {
  if (!hasService()) return undefined;
  const wanted = people.slice(0, ended.length).filter((_, i) => !['failed', 'skipped'].includes(ended[i]?.outcome.kind ?? 'failed'));
  const users = wanted.map(({ user }) => user).filter((user) => !isListening(config, user));
  try {
    for (let i = 0; i < users.length; i += SOCKETS_A_CALL) {
      await setImmediate();
      progress.show(ended.length, 'sockets');
      enableSockets(users.slice(i, i + SOCKETS_A_CALL).map(({ uid }) => uid));
    }
    return undefined;
  } catch (error) {
    if (error instanceof NotpError) return error;
    throw error;
  }
}

function isListening(config: Config, user: User): boolean {
  return isSocketEnabled(user.uid) && existsSync(expand(config.socket, user));
}

async function refuseSecondRun(): Promise<void> {
  if (await takeLock(LOCK)) return;
  throw new NotpError('failed', 'another batch is running on this host', `let it end; ss -xlp shows who holds @${LOCK}`);
}

function openedState(config: Config, place: StatePlace, { each, dryRun }: BatchOptions, now: () => number): State | undefined {
  const state = openState(place, now, { create: !dryRun });
  if (each.pending || dryRun || state?.hostKey !== undefined) return state;
  state?.store.close();
  throw new NotpError('failed', `there is no host key at ${config.hostKey}`, 'run notp host-key init once on this host');
}

function tellNext({ folder, options, config }: Batch, ended: readonly Ended[]): void {
  if (!ended.some(({ outcome }) => outcome.kind === 'made')) return;
  if (options.each.pending) {
    sayHint(config.unenrolled === 'enroll' ? 'the gate asks each to enrol at the next login' : 'each may enrol once, with notp enroll');
  } else if (folder !== undefined) sayHint(`give each person their files, then destroy them all: rm -r ${folder}`);
}
