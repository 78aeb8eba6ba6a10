/** Measuring side by side: each case once in each round, so that whatever else the machine does falls on all of them. */
import { markdownTable } from '../support/markdown.ts';

/** What is measured; `prepare` does not count. */
export interface Case {
  readonly name: string;
  readonly prepare?: () => void | Promise<void>;
  readonly once: () => unknown;
}

export interface Measured {
  readonly name: string;
  /** Median and quartiles over the rounds, in milliseconds. */
  readonly median: number;
  readonly quartiles: readonly [number, number];
}

/** Runs each case `rounds` times, in turn, after once that does not count. */
export async function sideBySide(cases: readonly Case[], rounds: number): Promise<Measured[]> {
  const times = cases.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, { prepare, once }] of cases.entries()) {
      await prepare?.();
      const startMs = performance.now();
      await once();
      if (round >= 0) times[i]?.push(performance.now() - startMs);
    }
  }
  return cases.map(({ name }, i) => {
    const sorted = (times[i] ?? []).toSorted((a, b) => a - b);
    const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
    return { name, median: at(0.5), quartiles: [at(0.25), at(0.75)] };
  });
}

export function medianOf(measured: readonly Measured[], name: string): number {
  const found = measured.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found.median;
}

/** A target of ours, and what came out. */
export interface Target {
  readonly what: string;
  /** At most this. */
  readonly most: number;
  readonly measured: number;
  readonly unit?: string;
}

/** One part of the page. */
export interface Chapter {
  readonly title: string;
  readonly text: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly targets?: readonly Target[];
}

/** Rows of times, with the ratio to the case called `base`. */
export function timeRows(measured: readonly Measured[], base: string): string[][] {
  const against = medianOf(measured, base);
  return measured.map(({ name, median, quartiles: [low, high] }) => [
    name,
    milliseconds(median),
    `${milliseconds(low)} to ${milliseconds(high)}`,
    (median / against).toFixed(2),
  ]);
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0);
}

/** The chapter in Markdown, which is readable on a terminal too. */
export function printChapter({ title, text, columns, rows, targets = [] }: Chapter): string {
  return [`## ${title}`, text, markdownTable(columns, rows).trimEnd(), ...(targets.length === 0 ? [] : [targetTable(targets)])].join(
    '\n\n',
  );
}

function targetTable(targets: readonly Target[]): string {
  const rows = targets.map(({ what, most, measured, unit = '' }) => {
    const met = measured <= most ? 'met' : `missed by ${String(Math.ceil((measured / most - 1) * 100))} %`;
    return [what, `${String(most)}${unit}`, `${measured.toFixed(2)}${unit}`, met];
  });
  return markdownTable(['target', 'at most', 'measured', ''], rows).trimEnd();
}
