/**
 * `notp import --from pam-oath`: imports the logins of a whole users file. After any interruption the same command
 * continues: an enrolment with the same secret is left as it is, including the logins since then.
 */
import { NotpError } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { parsePamOath, type PamOathFile, type PamOathMistake } from '../../otp/pam-oath.ts';
import { onEndingSignals, type Waiting } from '../../system/bytes.ts';
import type { Config } from '../../system/config.ts';
import { printResult, say, sayHint } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { openProgress } from '../../terminal/progress.ts';
import { usersByName, type User } from '../../system/users.ts';
import { openState, openToSeal, type State } from '../../state/state.ts';
import { hostPlace } from './login-plan.ts';
import { pamOathText } from './login-source.ts';
import { importOne, keyOf, type RunningImport, type UsersFileOptions } from './pam-oath-one.ts';
import { hasFailures, summaryOf, type Ended, type Outcome } from './pam-oath-summary.ts';
import { placed, type Placed } from './pam-oath-tokens.ts';
import { enableMissingSockets, runOneByOne, refuseSecondRun } from '../one-by-one.ts';

/** Two imports at once would each regard the other's unfinished work as abandoned. */
const LOCK = 'notp-import';

/** The exit code is 0 if no token failed. Throws if the import ended early, or if there is nothing to import. */
export async function importPamOath(config: Config, options: UsersFileOptions, now: () => number): Promise<number> {
  const place = hostPlace(config);
  const waiting: Waiting = { deadlineMs: Infinity, interrupt: onEndingSignals() };
  const { text, file = 'stdin' } = await pamOathText(options.file, waiting);
  const all = parsePamOath(text, now());
  const users = usersByName([...all.tokens, ...all.mistakes, options].flatMap(({ user }) => user ?? []));
  const { tokens, mistakes } = chosen(all, options.user, users, file);
  const work = placed(tokens, users, config.contexts);
  if (!options.dryRun) await refuseSecondRun(LOCK, 'import');
  const state = await asUser(place.owner, () =>
    options.dryRun ? openState(place, now, { create: false }) : openToSeal(config, place, 'host', now),
  );
  const known = await asUser(place.owner, () => enrolmentsIn(state));
  const progress = openProgress(work.length, now);
  const ended: Ended[] = [];
  const running: RunningImport = { config, options, place, state, known, now };
  const early = await runOneByOne(work, {
    ...{ progress, interrupt: waiting.interrupt, unit: 'tokens', label: ({ token }) => (options.json ? undefined : token.user) },
    step: async (each) => void ended.push({ token: each.token, outcome: await outcomeOf(running, each) }),
  });
  state?.store.close();
  // Also after an early end, for the users who were done by then.
  const socketError = options.dryRun ? undefined : await enableMissingSockets(config, usersDone(work, ended), progress);
  progress.end();
  if (options.json) for (const mistake of mistakes) printMistake(mistake);
  say(summaryOf(ended, mistakes, { from: file, dryRun: options.dryRun, total: work.length }));
  for (const { credential } of tokens) credential.secret.fill(0);
  const failure = early ?? socketError;
  if (failure !== undefined) {
    sayHint('run the same command again: it continues where this one ended');
    throw failure;
  }
  sayNext(options, ended, file);
  return hasFailures(ended, mistakes) ? 1 : 0;
}

/** The tokens of `user` in any spelling, or of all users. Throws `usage` if there are none. */
function chosen({ tokens, mistakes }: PamOathFile, user: string | undefined, users: ReadonlyMap<string, User>, file: string): PamOathFile {
  const nameOf = (spelling: string | undefined): string | undefined => users.get(spelling ?? '')?.name ?? spelling;
  const isWanted = (each: { readonly user: string | undefined }): boolean => user === undefined || nameOf(each.user) === nameOf(user);
  const wanted = { tokens: tokens.filter(isWanted), mistakes: mistakes.filter(isWanted) };
  if (wanted.tokens.length > 0 || (tokens.length > 0 && wanted.mistakes.length > 0)) return wanted;
  if (user !== undefined && tokens.length > 0)
    throw new NotpError('usage', `${file} has no token of ${quoted(user)}`, 'leave out --user, or name another user');
  const [first] = mistakes;
  throw first === undefined
    ? new NotpError('usage', `${file} has no token in it`, 'it must be the users file of pam_oath; nothing was imported')
    : new NotpError(
        'usage',
        `${file} is not a users file of pam_oath: no line is a token; line ${String(first.line)}: ${first.why}`,
        'usersfile= in /etc/pam.d names the file; nothing was imported',
      );
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

function sayNext({ dryRun }: UsersFileOptions, ended: readonly Ended[], file: string): void {
  if (dryRun || ended.every(({ outcome }) => 'why' in outcome)) return;
  sayHint('keep this session open until a login of one of them works');
  sayHint(`when all log in, delete ${file === 'stdin' ? 'the old file' : file}, which holds the secrets unencrypted`);
}
