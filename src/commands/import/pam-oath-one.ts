/** One token of a users file: which login it becomes, and its import, unless it was imported before. */
import type { PamOathToken } from '../../otp/pam-oath.ts';
import type { User } from '../../system/users.ts';
import type { Enrolment } from '../../store/store.ts';
import type { Config } from '../../system/config.ts';
import { printResult } from '../../terminal/printer.ts';
import type { State } from '../../state/state.ts';
import type { StatePlace } from '../../state/place.ts';
import { completeLogin, withLabels, storeLogin } from './login.ts';
import { targetOf } from './login-plan.ts';
import { recoveryLeft } from '../../enrolment/facts.ts';
import { presentLogin } from './login-present.ts';
import type { Outcome } from './pam-oath-summary.ts';
import { concernsOne } from '../one-by-one.ts';

export interface UsersFileOptions {
  /** Only the tokens of this user. */
  readonly user: string | undefined;
  /** Undefined: stdin. */
  readonly file: string | undefined;
  readonly dryRun: boolean;
  readonly replace: boolean;
  readonly json: boolean;
}

/** A running import. */
export interface RunningImport {
  readonly config: Config;
  readonly options: UsersFileOptions;
  readonly place: StatePlace;
  /** Undefined only if a dry run finds no state. */
  readonly state: State | undefined;
  /** The enrolments at the start of the import, by user and context. */
  readonly known: ReadonlyMap<string, Enrolment>;
  readonly now: () => number;
}

/** The key of a map by user and context. It is unique, since no context has a blank. */
export function keyOf(user: string, context: string): string {
  return `${user} ${context}`;
}

/** Imports one token. Throws only if the import would fail for all other tokens too. */
export async function importOne(running: RunningImport, { token, user, context }: Exclude<Placed, { ended: string }>): Promise<Outcome> {
  const { config, state, known, options } = running;
  const target = targetOf(running, user, context);
  const foreign = { ...token, emergency: [], credential: withLabels(token.credential, user, config) };
  try {
    const enrolment = known.get(keyOf(user.name, context));
    const present = await presentLogin(target, enrolment, state, foreign.credential);
    if (present.kind === 'same') {
      if (state !== undefined && !options.dryRun && enrolment?.pendingId === present.id) await completeLogin(target, state, present.id);
      printToken(running, foreign, {
        id: present.id,
        context,
        file: target.file,
        left: recoveryLeft(present.enrolment.state),
        result: 'already_there',
      });
      return { kind: 'already', context };
    }
    if (present.kind === 'homeless') return { kind: 'failed', why: present.why };
    if (present.kind === 'other' && !options.replace) return { kind: 'failed', why: `${present.why}; --replace replaces it` };
    const otherThan = present.kind === 'other' ? present.otherThan : undefined;
    const storing = { passphrase: undefined, replace: options.replace, otherThan };
    const done = options.dryRun || state === undefined ? undefined : await storeLogin(target, state, foreign, storing);
    const { id = null, notes = [] } = done ?? {};
    const withNotes = { ...foreign, notes: [...foreign.notes, ...notes] };
    printToken(running, withNotes, { id, context, file: target.file, left: 0, result: id === null ? 'would_import' : 'imported' });
    return { kind: 'imported', context, notes };
  } catch (error) {
    if (!concernsOne(error)) throw error;
    return { kind: 'failed', why: error.message };
  }
}

interface Done {
  readonly id: string | null;
  readonly context: string;
  readonly file: string;
  readonly left: number;
  readonly result: 'imported' | 'already_there' | 'would_import';
}

/** Prints the JSON line of one token. */
function printToken(
  { options }: RunningImport,
  { user, line, credential, notes, token }: Placed['token'],
  { id, context, file, left, result }: Done,
): void {
  if (!options.json) return;
  const facts = { id, user, context, seal: 'host', file, type: credential.type, line, result, recovery_left: left, notes, token };
  printResult(JSON.stringify(facts) + '\n');
}

/** A token with its user and context, or why it has none. */
export type Placed =
  | { readonly token: PamOathToken; readonly user: User; readonly context: string }
  | { readonly token: PamOathToken; readonly ended: 'skipped' | 'failed'; readonly why: string };

/** The tokens in the order of the file. `users`: the existing users, by name. `contexts`: the contexts that log in. */
export function placed(tokens: readonly PamOathToken[], users: ReadonlyMap<string, User>, contexts: readonly string[]): Placed[] {
  const counts = new Map<string, number>();
  return tokens.map((token) => {
    const user = users.get(token.user);
    if (user === undefined) return { token, ended: 'failed', why: 'there is no such user' };
    const count = counts.get(user.name) ?? 0;
    counts.set(user.name, count + 1);
    const context = contexts[count];
    return context === undefined ? { token, ended: 'skipped', why: tooMany(count + 1, contexts) } : { token, user, context };
  });
}

function tooMany(count: number, contexts: readonly string[]): string {
  const [first = ''] = contexts;
  const wanted = Array.from({ length: count }, (_, i) => contexts[i] ?? `${first}-${String(i + 1)}`);
  const names = wanted.map((name) => `"${name}"`).join(', ');
  return `it is token ${String(count)} of this user, and notp.toml has no context for it: context = [${names}]`;
}
