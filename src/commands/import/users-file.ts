/**
 * Imports the logins of a whole file, each a token of a user. After any interruption the same command continues: an enrolment with the
 * same secret is left as it is, including the logins since then.
 */
import * as path from 'node:path';
import type { PamOathFile, PamOathMistake } from '../../otp/pam-oath.ts';
import { printResult, say, sayHint } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { openProgress } from '../../terminal/progress.ts';
import type { User } from '../../system/users.ts';
import { openState, openToSeal, type State } from '../../state/state.ts';
import { type Placed, type RunningImport, type UsersFileOptions, importOne, keyOf, placed } from './pam-oath-one.ts';
import { hasFailures, summaryOf, type Ended, type Outcome } from './pam-oath-summary.ts';
import { enableMissingSockets, runOneByOne, refuseSecondRun } from '../one-by-one.ts';

/** Two imports at once would each regard the other's unfinished work as abandoned. */
const LOCK = 'notp-import';

export type { UsersFileOptions } from './pam-oath-one.ts';

interface Run extends Omit<RunningImport, 'state' | 'known'> {
  readonly interrupt: AbortSignal;
}

/** The tokens and lines of one file. */
interface UsersFile extends PamOathFile {
  /** The name of the file. */
  readonly from: string;
  /** The users that exist, by the names in it. */
  readonly users: ReadonlyMap<string, User>;
}

/** The exit code is 0 if no token failed. Throws if the import ended early. */
export async function importUsersFile({ interrupt, ...run }: Run, { tokens, mistakes, users, from }: UsersFile): Promise<number> {
  const { config, options, place, now } = run;
  const work = placed(tokens, users, config.contexts);
  if (!options.dryRun) await refuseSecondRun(LOCK, 'import');
  const state = await asUser(place.owner, () =>
    options.dryRun ? openState(place, now, { create: false }) : openToSeal(config, place, 'host', now),
  );
  const known = await asUser(place.owner, () => enrolmentsIn(state));
  const progress = openProgress(work.length, now);
  const ended: Ended[] = [];
  const running: RunningImport = { ...run, state, known };
  const early = await runOneByOne(work, {
    ...{ progress, interrupt, unit: 'tokens', label: ({ token }) => (options.json ? undefined : token.user) },
    step: async (each) => void ended.push({ token: each.token, outcome: await outcomeOf(running, each) }),
  });
  state?.store.close();
  // Also after an early end, for the users who were done by then.
  const socketError = options.dryRun ? undefined : await enableMissingSockets(config, usersDone(work, ended), progress);
  progress.end();
  if (options.json) for (const mistake of mistakes) printMistake(mistake);
  say(summaryOf(ended, mistakes, { from, dryRun: options.dryRun, total: work.length }));
  for (const { credential } of tokens) credential.secret.fill(0);
  const failure = early ?? socketError;
  if (failure !== undefined) {
    sayHint('run the same command again: it continues where this one ended');
    throw failure;
  }
  sayNext(options, ended);
  return hasFailures(ended, mistakes) ? 1 : 0;
}

/** All enrolments, read once. If another process enrols meanwhile, registering finds the conflict. */
async function enrolmentsIn(state: State | undefined): Promise<RunningImport['known']> {
  const all = await state?.store.exclusively((transaction) => transaction.enrolments());
  return new Map((all ?? []).map((each) => [keyOf(each.user, each.context), each]));
}

async function outcomeOf(running: RunningImport, each: Placed): Promise<Outcome> {
  const outcome = 'ended' in each ? ({ kind: each.ended, why: each.why } as const) : await importOne(running, each);
  const { user, line } = each.token;
  if (running.options.json && 'why' in outcome) printResult(JSON.stringify({ user, line, result: outcome.kind, why: outcome.why }) + '\n');
  return outcome;
}

function printMistake({ user = null, line, why }: Omit<PamOathMistake, 'user'> & { readonly user?: string | null | undefined }): void {
  printResult(JSON.stringify({ user, line, result: 'failed', why }) + '\n');
}

function usersDone(work: readonly Placed[], ended: readonly Ended[]): User[] {
  return ended.flatMap(({ outcome }, i) => {
    const each = work[i];
    return each !== undefined && 'user' in each && !('why' in outcome) ? [each.user] : [];
  });
}

function sayNext({ dryRun, file = '-' }: UsersFileOptions, ended: readonly Ended[]): void {
  if (dryRun || ended.every(({ outcome }) => 'why' in outcome)) return;
  sayHint('keep this session open until a login of one of them works');
  sayHint(`when all log in, delete ${file === '-' ? 'the old file' : path.resolve(file)}, which holds the secrets unencrypted`);
}
