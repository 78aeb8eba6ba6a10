/** Measuring side by side: each case once in each round, so that whatever else the machine does falls on all of them. */
import { markdownTable } from '../support/markdown.ts';
import type { Host } from './host.ts';

/** What is measured; `prepare` does not count. */
export interface Case<T> {
  readonly name: string;
  readonly prepare?: () => Promise<unknown>;
  readonly once: () => Promise<T>;
}

/** What each case gave, by name: it is done `rounds` times, in turn, after once that does not count. */
export type Results<T> = ReadonlyMap<string, readonly T[]>;

export async function inTurn<T>(cases: readonly Case<T>[], rounds: number): Promise<Results<T>> {
  const results = new Map(cases.map(({ name }): [string, T[]] => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const { name, prepare, once } of cases) {
      await prepare?.();
      const result = await once();
      if (round >= 0) results.get(name)?.push(result);
    }
  }
  return results;
}

/** What client.py gives for a command, in milliseconds. */
export interface Ran {
  readonly wall: number;
  /** Its processor time, and that of its children. */
  readonly cpu: number;
}

export function wall(ran: Pick<Ran, 'wall'>): number {
  return ran.wall;
}

export function cpu(ran: Ran): number {
  return ran.cpu;
}

/** How long it took, in milliseconds. */
export async function timed(work: () => unknown): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** The median of a figure of one case. */
export function medianOf<T>(results: Results<T>, name: string, figure: (result: T) => number): number {
  return quantile(results, name, figure, 0.5);
}

export function ratioOf<T>(results: Results<T>, [one, other]: readonly [string, string], figure: (result: T) => number): number {
  return medianOf(results, one, figure) / medianOf(results, other, figure);
}

/** The lower and the upper quartile, as text. */
export function quartiles<T>(results: Results<T>, name: string, figure: (result: T) => number): string {
  return [0.25, 0.75].map((part) => short(quantile(results, name, figure, part))).join(' to ');
}

function quantile<T>(results: Results<T>, name: string, figure: (result: T) => number, part: number): number {
  const sorted = (results.get(name) ?? []).map(figure).toSorted((a, b) => a - b);
  const found = sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}

/** A figure as a table shows it. */
export function short(figure: number): string {
  return figure < 10 ? figure.toFixed(2) : figure.toFixed(0);
}

/** A target of ours, and what came out. */
export interface Target {
  readonly what: string;
  /** At most this. */
  readonly most: number;
  readonly measured: number;
  readonly unit?: string;
  /** Why it is missed, where it is. */
  readonly why?: string;
}

/** A bar of the chart, in milliseconds. The medians of the parts do not add up to the median of the whole. */
export interface Bar {
  readonly name: string;
  readonly parts: readonly number[];
  readonly whole: number;
}

/** One part of the page. */
export interface Chapter {
  readonly title: string;
  readonly text: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly targets?: readonly Target[];
  /** For the chart at the top of the page. */
  readonly bars?: readonly Bar[];
}

/** Measures a chapter. The host is booted when the first chapter asks for it. */
export type Measure = (host: () => Promise<Host>, rounds: number) => Promise<Chapter>;

/** The chapter in Markdown, which is readable on a terminal too. */
export function printChapter({ title, text, columns, rows }: Chapter): string {
  return [`## ${title}`, text, markdownTable(columns, rows).trimEnd()].join('\n\n');
}

export function targetTable(targets: readonly Target[]): string {
  const rows = targets.map(({ what, most, measured, unit = '', why = '' }) => {
    const isMet = measured <= most;
    const over = most === 0 ? short(measured) : `${String(Math.ceil((measured / most - 1) * 100))} %`;
    return [what, `${String(most)}${unit}`, `${short(measured)}${unit}`, isMet ? 'met' : `missed by ${over}`, isMet ? '' : why];
  });
  return markdownTable(['target', 'at most', 'measured', '', 'why'], rows).trimEnd();
}
