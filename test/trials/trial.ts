/**
 * What the attacking suites tried: each reports what it did, how often, and how often notp failed. The reports of a run lie in
 * dist/trials/, one file each, and `npm run trials` makes the tables of TRIALS.md from them.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ROOT } from '../support/process.ts';

/** Everything, which takes hours, and not as much as each run of the tests has time for. */
export const LONG = process.env['NOTP_TRIALS'] === 'long';

/** The parts of the page, in its order. */
export const PARTS = ['model', 'faults', 'forgeries', 'callers', 'fuzzing', 'floods', 'soak', 'environment', 'fleet'] as const;

export interface Trial {
  readonly part: (typeof PARTS)[number];
  /** What was tried, as it stands in the table: Markdown, one line, no bar. It names the row, so it holds no figure that differs from run to run. */
  readonly tried: string;
  /** How often. */
  readonly times: number;
  /** How many of them broke a promise. */
  readonly failed: number;
}

const REPORTS = path.join(ROOT, 'dist/trials');

/** Reports `trial`, in place of what an earlier run said of the same. Whoever reports asserts that nothing failed, after it. */
export function report(trial: Trial): void {
  write(trial.part, trial.tried, trial);
}

/** What was reported since the last `npm test` began, in the order of the page. */
export function reported(): Trial[] {
  return PARTS.flatMap((part) => (written(part) as Trial[]).toSorted((a, b) => (a.tried < b.tried ? -1 : 1)));
}

/** One attack on notp and on the modules that people use in its place, and what came of it: the cells of a row. */
export interface Comparison {
  /** The number of the defect, with a letter where it shows in several ways. */
  readonly row: string;
  /** As `tried` of a trial. */
  readonly attack: string;
  /** The same in every run. */
  readonly notp: string;
  /** As it was in this run: where it is a race, another one may have another number. */
  readonly google: string;
  readonly oath: string;
}

const COMPARED = 'peers';

/** Reports it. Whoever reports asserts that notp did right, after it. */
export function compare(comparison: Comparison): void {
  write(COMPARED, comparison.row, comparison);
}

export function compared(): Comparison[] {
  const inOrder = new Intl.Collator('en', { numeric: true });
  return (written(COMPARED) as Comparison[]).toSorted((a, b) => inOrder.compare(a.row, b.row));
}

function write(part: string, what: string, content: unknown): void {
  const name = `${part}-${createHash('sha256').update(what).digest('hex').slice(0, 16)}.json`;
  fs.mkdirSync(REPORTS, { recursive: true });
  fs.writeFileSync(path.join(REPORTS, name), `${JSON.stringify(content)}\n`);
}

function written(part: string): unknown[] {
  const files = fs.existsSync(REPORTS) ? fs.readdirSync(REPORTS).filter((name) => name.startsWith(`${part}-`)) : [];
  return files.map((name) => JSON.parse(fs.readFileSync(path.join(REPORTS, name), 'utf8')) as unknown);
}
