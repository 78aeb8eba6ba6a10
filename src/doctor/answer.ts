/**
 * One answer of doctor beside the answer before: what is new and what is gone, and the texts that say so. An answer is every finding but those
 * that all is well. Kept, it is one JSON object:
 *
 *   { "notp": "doctor-answer/1", "findings": [ { "id", "severity", "title", "detail", "steady", "user", "since" } ] }
 *
 * `steady` is the detail without what changes by itself, null if nothing does. `user` is null if the finding is about the host, and `since`
 * says when it was first found. Pure.
 */
import { NotpError } from '../error.ts';
import { escapeControls } from '../otp/escape.ts';
import { canonicalJson, listOf, literal, object, oneOf, optional, shaped, string, text, type Infer } from '../seal/shape.ts';
import { couldCheck, NOT_RUN, sorted, type Finding } from './finding.ts';
import { namesUpTo, plural } from '../lists.ts';

const VERSION = 'doctor-answer/1';
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Of 100,000 users, several each. */
const MAX_FINDINGS = 500_000;

const FOUND = object({
  id: text(/^[\w-]{1,64}$/),
  severity: oneOf(['info', 'warn', 'fail']),
  title: string(),
  detail: string(),
  steady: optional(string()),
  user: optional(string()),
  /** RFC 3339, UTC. */
  since: text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
});
const ANSWER = object({ notp: literal(VERSION), findings: listOf(FOUND, MAX_FINDINGS) }).map(({ findings }) => findings);

/** One finding of an answer. */
export type Found = Readonly<Infer<typeof FOUND>>;

/** Throws `failed` where it would be too long to be read again: then all of it would be new at each run. */
export function printDoctorAnswer(findings: readonly Found[]): Uint8Array {
  const all = findings.map(({ id, severity, title, detail, steady = null, user = null, since }) => ({
    ...{ id, severity, title, detail, steady },
    ...{ user, since },
  }));
  const bytes = Buffer.from(`${JSON.stringify({ notp: VERSION, findings: all }, undefined, 2)}\n`);
  if (all.length > MAX_FINDINGS || bytes.length > MAX_ANSWER_BYTES)
    throw new NotpError(
      'failed',
      `the answer of doctor is too long to be kept: ${String(all.length)} findings`,
      'mend what notp doctor names first',
    );
  return bytes;
}

/** Throws `bad_secret_file` where it is malformed, or of another version. */
export function parseDoctorAnswer(bytes: Uint8Array): readonly Found[] {
  return shaped(ANSWER, canonicalJson(bytes, 'the answer'), 'the answer');
}

export interface Difference {
  /** Worst first, as the others. */
  readonly fresh: readonly Found[];
  readonly gone: readonly Found[];
  /** The answer as it is now. */
  readonly all: readonly Found[];
}

/**
 * What is new in `found`, and what is gone since `before`. Where doctor could not run nothing is gone: as far as anybody knows, all that was
 * wrong still is. `nowMs`: Unix time in milliseconds.
 */
export function compared(before: readonly Found[], found: readonly Finding[], nowMs: number): Difference {
  const known = Map.groupBy(before, sameness);
  const now = new Date(nowMs).toISOString();
  const fresh: Found[] = [];
  const wrong = found.flatMap((finding): Found[] => {
    const { severity, id, title, detail, steady, user } = finding;
    if (severity === 'ok') return [];
    // One for one: of two that say the same, the second may be new.
    const earlier = known.get(sameness(finding))?.shift();
    const each = { id, severity, title, detail, steady, user, since: earlier?.since ?? now };
    if (earlier === undefined) fresh.push(each);
    return [each];
  });
  const unseen = [...known.values()].flat();
  const hasRun = !wrong.some(isNotRun);
  const [gone, stays] = hasRun ? [unseen, []] : [unseen.filter(isNotRun), unseen.filter((each) => !isNotRun(each))];
  return { fresh, gone, all: sorted([...stays, ...wrong]) };
}

/** Equal for two findings that say the same, but for what changes by itself. */
function sameness({
  id,
  severity,
  title,
  detail,
  steady = detail,
  user,
}: Pick<Finding, 'id' | 'severity' | 'title' | 'detail'> & Beside): string {
  return JSON.stringify([id, severity, title, steady, user]);
}

interface Beside {
  readonly steady?: string | undefined;
  readonly user?: string | undefined;
}

function isNotRun({ id }: Pick<Found, 'id'>): boolean {
  return id === NOT_RUN;
}

/** One line: how many checks there are of each severity, and the ids that came and went. At most `most` characters long. */
export function changeLine(difference: Difference, most: number): string {
  return lineOf(difference, most, (ids) =>
    [...ids].map(([id, findings]) => `${id}${findings.length > 1 ? ` (${String(findings.length)})` : ''}`),
  );
}

/** The same line with titles and details, for people. */
export function changeStory(difference: Difference, most: number): string {
  return lineOf(difference, most, (ids) => [...ids].map(([id, findings]) => `${id} (${storyOf(findings)})`));
}

function storyOf(findings: readonly Found[]): string {
  const [first] = findings;
  if (first === undefined) return '';
  const { title, detail, user } = first;
  const more = findings.length > 1 ? `, and ${String(findings.length - 1)} more` : '';
  return `${title}${user === undefined ? '' : `, user ${user}`}${detail === '' ? '' : `: ${detail}`}${more}`;
}

function lineOf(
  { all, fresh, gone }: Difference,
  most: number,
  wordsOf: (ids: ReadonlyMap<string, readonly Found[]>) => readonly string[],
): string {
  const listed = (findings: readonly Found[]): string =>
    findings.length === 0 ? 'none' : wordsOf(Map.groupBy(findings, ({ id }) => id)).join(', ');
  const line = escapeControls(`${countsOf(all)}; new: ${listed(fresh)}; gone: ${listed(gone)}`);
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}

/** Of each severity, how many checks. */
export function countsOf(findings: readonly Found[]): string {
  const count = (severity: Found['severity']): number =>
    new Set(findings.filter((each) => each.severity === severity).map(({ id }) => id)).size;
  const [fail, warn, info] = [count('fail'), count('warn'), count('info')];
  return `${String(fail)} failed, ${plural(warn, 'warning')}, ${plural(info, 'remark')}`;
}

/** Any further ids are only counted. */
const MOST_NAMED = 8;

/** Two lines for root's login where a check failed or nothing is known; else empty. */
export function motdOf(findings: readonly Found[]): string {
  const failed = findings.filter(({ severity, id }) => severity === 'fail' && id !== NOT_RUN);
  const blind = findings.filter((each) => isNotRun(each) || !couldCheck([each]));
  const said = [
    ...(failed.length === 0
      ? []
      : [`found ${plural(idsOf(failed).length, 'failure')} since ${sinceOf(failed)}: ${namesUpTo(MOST_NAMED, idsOf(failed))}`]),
    ...(blind.length === 0 ? [] : [`could not check everything since ${sinceOf(blind)}: ${namesUpTo(MOST_NAMED, idsOf(blind))}`]),
  ];
  if (said.length === 0) return '';
  return `notp doctor ${said.join('; it ')}\nRun notp doctor as root: it names each problem and its fix.\n`;
}

function idsOf(findings: readonly Found[]): string[] {
  return [...new Set(findings.map(({ id }) => id))];
}

/** The day on which the first of them was found. */
function sinceOf(findings: readonly Found[]): string {
  return (
    findings
      .map(({ since }) => since)
      .toSorted()[0]
      ?.slice(0, 10) ?? ''
  );
}
