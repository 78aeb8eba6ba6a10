/** The summary after the import of a users file: counts, failures and notes. Pure. */
import { escapeControls } from '../../otp/escape.ts';
import type { PamOathMistake, PamOathToken } from '../../otp/pam-oath.ts';
import { namesUpTo } from '../../lists.ts';

/** The outcome for one token. */
export type Outcome =
  | { readonly kind: 'imported' | 'already'; readonly context: string; readonly notes?: readonly string[] }
  | { readonly kind: 'skipped' | 'failed'; readonly why: string };

export interface Ended {
  readonly token: PamOathToken;
  readonly outcome: Outcome;
}

export interface ImportFacts {
  /** The name of the file, for the summary. */
  readonly from: string;
  readonly dryRun: boolean;
  /** The number of tokens. */
  readonly total: number;
}

/** Any further names are only counted. */
const MAX_NAMES = 10;
/** Any further lines are only counted. */
const MAX_LINES = 20;

/** The lines of the summary, each with its newline. */
export function summaryOf(ended: readonly Ended[], mistakes: readonly PamOathMistake[], { from, dryRun, total }: ImportFacts): string {
  const count = (kind: Outcome['kind']): number => ended.filter(({ outcome }) => outcome.kind === kind).length;
  const failed = [...ended.flatMap(lineOf('failed')), ...mistakes.map(mistakeLine)].toSorted((a, b) => a.line - b.line);
  const lines = [
    `${dryRun ? 'Would import' : 'Imported'} ${String(count('imported'))} of ${tokens(total + mistakes.length)} of ${from}`,
    ...(count('already') === 0 ? [] : [`Already there, unchanged: ${String(count('already'))}`]),
    ...titled('Skipped', ended.flatMap(lineOf('skipped'))),
    ...titled('Failed', failed),
    ...titled('Noted', ended.flatMap(noteLines)),
    ...passwordLines(ended),
  ];
  // Names and reasons are of files from elsewhere: none may begin a line of its own.
  return lines.map((line) => `${escapeControls(line)}\n`).join('');
}

/** Whether a token failed, so that somebody must act. */
export function hasFailures(ended: readonly Ended[], mistakes: readonly PamOathMistake[]): boolean {
  return mistakes.length > 0 || ended.some(({ outcome }) => outcome.kind === 'failed');
}

interface Line {
  readonly line: number;
  readonly text: string;
}

function lineOf(kind: Outcome['kind']): (ended: Ended) => Line[] {
  return ({ token: { line, user }, outcome }) =>
    outcome.kind === kind && 'why' in outcome ? [{ line, text: `line ${String(line)}: ${user}: ${outcome.why}` }] : [];
}

function noteLines({ token: { line, user }, outcome }: Ended): Line[] {
  if (!('notes' in outcome)) return [];
  return (outcome.notes ?? []).map((note) => ({ line, text: `line ${String(line)}: ${user}: ${note}` }));
}

function mistakeLine({ line, user, why }: PamOathMistake): Line {
  return { line, text: `line ${String(line)}: ${user === undefined ? '' : `${user}: `}${why}` };
}

function titled(title: string, lines: readonly Line[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length > MAX_LINES ? [`  and ${String(lines.length - MAX_LINES)} more`] : [];
  return [`${title}: ${String(lines.length)}`, ...lines.slice(0, MAX_LINES).map(({ text }) => `  ${text}`), ...more];
}

/** A loud warning, since these users lose a factor: pam_oath asked for a password and a code, notp asks for a code only. */
function passwordLines(ended: readonly Ended[]): string[] {
  const names = ended.filter(({ token, outcome }) => token.pin && !('why' in outcome)).map(({ token }) => token.user);
  if (names.length === 0) return [];
  return [
    `WARNING: ${tokens(names.length)} had a password of ${names.length === 1 ? 'its' : 'their'} own in the file, but notp does not ask for it:`,
    `  ${namesUpTo(MAX_NAMES, names)}`,
    '  they now log in with the first factor and the code alone',
  ];
}

function tokens(count: number): string {
  return `${String(count)} ${count === 1 ? 'token' : 'tokens'}`;
}
