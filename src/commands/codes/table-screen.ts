/**
 * Draws the live table of several codes on a whole screen. Pure: takes the rows and the terminal's traits, gives the bytes of one
 * frame. No line is wider than the terminal, and where there are too few rows a key turns the page.
 */
import type { Traits } from '../../terminal/traits.ts';
import { cutToColumns } from '../../terminal/columns.ts';
import { barOf, coloured, HOME, lineAt, restOfScreen, spaced, toneOf } from './live-screen.ts';

export interface TableRow {
  /** A context: ASCII. */
  readonly name: string;
  readonly code: string;
  readonly secondsLeft: number;
  readonly periodSeconds: number;
}

const GAP = '  ';
const BAR_COLUMNS = [10, 6, 4];
/** Three digits and " s". */
const SECONDS_COLUMNS = 5;
/** Names are cut only below this. */
const MIN_NAME_COLUMNS = 8;
/** The line with the keys, and an empty one above it where there is room. */
const ROWS_BELOW = 1;

/** The rows that fit a page. */
export function rowsOfPage({ rows }: Pick<Traits, 'rows'>): number {
  return Math.max(1, rows - ROWS_BELOW);
}

/** The first row of page `page`, which is counted from 0 and begins again after the last. */
export function startOfPage(page: number, count: number, traits: Pick<Traits, 'rows'>): number {
  const size = rowsOfPage(traits);
  return (page % Math.max(1, Math.ceil(count / size))) * size;
}

/** The frame with the rows of the page from `start` on, of `count` in all. `all`: each row of the table, for the widths. */
export function tableFrame(all: readonly TableRow[], start: number, traits: Traits): string {
  const shown = all.slice(start, start + rowsOfPage(traits));
  const widths = widthsFor(all, traits.columns - 1);
  const lines = shown.map((row, y) => lineAt(y, coloured(textOf(row, widths, traits.utf8), toneOf({ countdown: row }), traits)));
  const help =
    shown.length === all.length
      ? 'q or Ctrl-C ends'
      : `${String(start + 1)}-${String(start + shown.length)} of ${String(all.length)}, Enter: more, q: end`;
  const last =
    traits.rows > shown.length
      ? [lineAt(shown.length, coloured(cutToColumns(help, traits.columns - 1, traits.utf8), 'faint', traits))]
      : [];
  return HOME + [...lines, ...last].join('') + restOfScreen(lines.length + last.length, traits);
}

interface Widths {
  readonly name: number;
  readonly code: number;
  /** 0: no bar. */
  readonly bar: number;
}

/** The widest bar that leaves the names whole; without room for one, names are cut. */
function widthsFor(all: readonly TableRow[], columns: number): Widths {
  const names = Math.max(...all.map(({ name }) => name.length));
  const code = Math.max(...all.map((row) => row.code.length)) + 1;
  const rest = columns - code - SECONDS_COLUMNS - 2 * GAP.length;
  const bar = BAR_COLUMNS.find((width) => names + width + 3 <= rest) ?? 0;
  return { name: bar > 0 ? names : Math.min(names, Math.max(MIN_NAME_COLUMNS, rest)), code, bar };
}

function textOf(row: TableRow, { name, code, bar }: Widths, utf8: boolean): string {
  const drawn = bar === 0 ? '' : `${barOf(row, bar, utf8)} `;
  const cut = cutToColumns(row.name, name, utf8).padEnd(name);
  return `${cut}${GAP}${spaced(row.code, code).padEnd(code)}${GAP}${drawn}${`${String(row.secondsLeft)} s`.padStart(SECONDS_COLUMNS)}`;
}
