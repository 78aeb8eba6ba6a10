/** The summary of a batch: counts, failures and notes. Pure. */
import { escapeControls } from '../../otp/escape.ts';
import type { Unfit } from './batch-list.ts';
import type { Outcome } from './batch-next.ts';
import { namesUpTo } from '../../lists.ts';

export interface Ended {
  readonly user: string;
  readonly at: string;
  readonly outcome: Outcome;
}

export interface BatchFacts {
  readonly context: string;
  readonly folder: string | undefined;
  readonly pending: boolean;
  readonly dryRun: boolean;
  /** The number of users to enrol. */
  readonly total: number;
}

/** Any further names are only counted. */
const MAX_NAMES = 10;

/** The lines of the summary, each with its newline. */
export function summaryOf(ended: readonly Ended[], unfit: readonly Unfit[], facts: BatchFacts): string {
  const count = (kind: Outcome['kind']): number => ended.filter(({ outcome }) => outcome.kind === kind).length;
  const [now, before] = [count('made'), count('made before')];
  const where = facts.folder === undefined ? '' : `, hand-outs in ${facts.folder}`;
  const earlier = before === 0 ? '' : ` and ${String(before)} by an earlier run`;
  const lines = [
    `${verbOf(facts)} ${String(now)} of ${String(facts.total + unfit.length)} for ${facts.context}${earlier}${where}`,
    ...alreadyLines(ended),
    ...notLines('Skipped', whyLines(ended, 'skipped')),
    ...notLines('Failed', [...unfit.map(({ at, why }) => `${at}: ${why}`), ...whyLines(ended, 'failed')]),
  ];
  // Names and reasons are of files from elsewhere: none may begin a line of its own.
  return lines.map((line) => `${escapeControls(line)}\n`).join('');
}

/** Whether a user was not enrolled, so that somebody must act. */
export function hasFailures(ended: readonly Ended[], unfit: readonly Unfit[]): boolean {
  return unfit.length > 0 || ended.some(({ outcome }) => outcome.kind === 'failed' || outcome.kind === 'skipped');
}

function verbOf({ pending, dryRun }: BatchFacts): string {
  if (dryRun) return pending ? 'Would invite' : 'Would enrol';
  return pending ? 'Invited' : 'Enrolled';
}

function alreadyLines(ended: readonly Ended[]): string[] {
  const already = ended.filter(({ outcome }) => outcome.kind === 'already');
  if (already.length === 0) return [];
  const notes = already.flatMap(({ outcome }) => (outcome.kind === 'already' && outcome.note !== undefined ? [`  ${outcome.note}`] : []));
  const names = already.map(({ user }) => user);
  return [`Already enrolled, unchanged: ${String(already.length)} (${namesUpTo(MAX_NAMES, names)})`, ...notes];
}

function notLines(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${title}: ${String(lines.length)}`, ...lines.map((line) => `  ${line}`)];
}

function whyLines(ended: readonly Ended[], kind: 'skipped' | 'failed'): string[] {
  return ended.flatMap(({ user, at, outcome }) => (outcome.kind === kind ? [`${at}: ${user}: ${outcome.why}`] : []));
}
