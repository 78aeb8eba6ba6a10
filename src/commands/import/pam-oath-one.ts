/** Imports one token of a users file, or leaves it as it is if it was imported before. */
import type { Enrolment } from '../../store/store.ts';
import type { Config } from '../../system/config.ts';
import { printResult } from '../../terminal/printer.ts';
import type { State } from '../../state/state.ts';
import type { StatePlace } from '../../state/place.ts';
import { completeLogin, withLabels, storeLogin } from './login.ts';
import { targetOf } from './target.ts';
import { recoveryLeft } from '../../enrolment/facts.ts';
import { presentLogin } from './login-present.ts';
import type { Outcome } from './pam-oath-summary.ts';
import { concernsOne } from '../one-by-one.ts';
import type { Placed } from './pam-oath-tokens.ts';

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
