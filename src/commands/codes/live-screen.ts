/**
 * Draws the live display, on a whole screen or on one line. Pure: takes a view and the terminal's traits, gives the
 * bytes of one frame. No line is wider than the terminal, so nothing wraps or scrolls.
 */
import type { Traits } from '../../terminal/traits.ts';
import { BIG_DIGIT_LINES, bigDigits, groupsOf } from './big-digits.ts';
import { columnsOf, cutToColumns } from '../../terminal/columns.ts';
import { painted, type Tone as PaintedTone } from '../../terminal/painted.ts';

/** The content of one frame. */
export interface View {
  /** Free of control characters; may be empty. */
  readonly title: string;
  /** Digits only. */
  readonly code: string;
  /** The rest of the step of a TOTP code; undefined for an HOTP code. */
  readonly countdown: Countdown | undefined;
}

export interface Countdown {
  readonly secondsLeft: number;
  readonly periodSeconds: number;
  /** The code after this one; undefined until it is time to show it. */
  readonly next: string | undefined;
}

/** A line of a screen. With too few rows, lines of higher `rank` are left out first. */
interface Line {
  readonly text: string;
  readonly tone: Tone;
  readonly rank: number;
}
type Tone = 'plain' | 'strong' | 'calm' | 'urgent' | 'faint';

/** The colour changes when this many seconds are left. */
export const URGENT_SECONDS = 5;

/** The screen has a left margin from this many columns on. */
const MARGIN_FROM_COLUMNS = 60;
const MARGIN_COLUMNS = 2;
const MAX_BAR_COLUMNS = 30;
/** Widths of the bar on one line; the widest that leaves room for the rest is used. */
const LINE_BAR_COLUMNS = [10, 6, 4];

// ECMA-48 and, for the alternate screen and the cursor, the private modes of xterm.
export const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const CLEAR_WHOLE_LINE = '\x1b[2K';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const ENTER_ALTERNATE = '\x1b[?1049h';
const LEAVE_ALTERNATE = '\x1b[?1049l';
const STYLES: Readonly<Record<Tone, PaintedTone>> = {
  ...{ plain: undefined, strong: 'bold', faint: 'dim' },
  ...{ calm: ['bold', 'green'], urgent: ['bold', 'red'] },
};

/**
 * Gives the bytes to write before the first frame, for each frame, and after the last one, which leaves nothing on the
 * terminal.
 */
export interface Painter {
  enter(traits: Traits): string;
  frame(view: View, traits: Traits): string;
  leave(traits: Traits): string;
}

/**
 * Paints the whole alternate screen. `leave` clears line by line, for terminals without an alternate screen, or that keep
 * what a full clear removes.
 */
export const screenPainter: Painter = {
  enter: () => ENTER_ALTERNATE + HIDE_CURSOR,
  frame: (view, traits) => {
    const lines = screenLines(view, traits);
    const drawn = lines.map(({ text, tone }, y) => {
      // If the last column is written, there is nothing to clear, and clearing would erase that column.
      const clear = columnsOf(text) < traits.columns ? CLEAR_LINE : '';
      return at(y) + coloured(text, tone, traits) + clear;
    });
    return HOME + drawn.join('') + restOfScreen(lines.length, traits);
  },
  leave: ({ rows }) => {
    const cleared = Array.from({ length: rows }, (_, y) => at(y) + CLEAR_WHOLE_LINE).join('');
    return cleared + HOME + SHOW_CURSOR + LEAVE_ALTERNATE;
  },
};

/**
 * Paints one line among others, for simple terminals and for secrets that protect nothing: in a window that narrows
 * much, the line may scroll away, and nothing wipes it there. The cursor rests at the beginning of the line: if a
 * narrower window breaks the line in two, clearing from there removes both halves.
 */
export const linePainter: Painter = {
  enter: ({ cursor }) => (cursor ? HIDE_CURSOR : ''),
  frame: (view, traits) => {
    const text = lineText(view, traits);
    if (traits.cursor) return `\r${coloured(text, toneOf(view), traits)}${CLEAR_BELOW}\r`;
    return `\r${text.padEnd(traits.columns - 1)}\r`;
  },
  leave: ({ cursor, columns }) => (cursor ? `\r${CLEAR_BELOW}${SHOW_CURSOR}` : `\r${' '.repeat(columns - 1)}\r`),
};

/** The lines of a screen, from the top. */
function screenLines(view: View, traits: Traits): readonly Line[] {
  const margin = traits.columns >= MARGIN_FROM_COLUMNS ? MARGIN_COLUMNS : 0;
  const columns = traits.columns - margin - 1;
  const title = cutToColumns(view.title, columns, traits.utf8);
  const all: readonly Line[] = [
    { text: '', tone: 'plain', rank: 9 },
    ...(title === '' ? [] : [{ text: title, tone: 'strong', rank: 3 } as const, { text: '', tone: 'plain', rank: 6 } as const]),
    ...codeLines(view, traits, columns).map((text) => ({ text, tone: toneOf(view), rank: 0 })),
    { text: '', tone: 'plain', rank: 7 },
    ...countdownLines(view, traits, columns),
    { text: cutToColumns(helpOf(view), columns, traits.utf8), tone: 'faint', rank: 4 },
  ];
  const lastRank = all.map(({ rank }) => rank).toSorted((a, b) => a - b)[traits.rows - 1] ?? Infinity;
  const kept = all.filter(({ rank }) => rank <= lastRank).slice(0, traits.rows);
  return kept.map((line) => (line.text === '' ? line : { ...line, text: ' '.repeat(margin) + line.text }));
}

/** The code in large digits, or as plain text if they do not fit. */
function codeLines({ code, countdown }: View, { rows, utf8, columns }: Traits, inner: number): readonly string[] {
  const others = countdown === undefined ? 0 : 2;
  const big = rows >= BIG_DIGIT_LINES + others ? bigDigits(code, inner, inkOf(utf8)) : undefined;
  return big ?? [spaced(code, columns)];
}

function countdownLines({ countdown }: View, { utf8 }: Traits, columns: number): readonly Line[] {
  if (countdown === undefined) return [];
  const { secondsLeft, next } = countdown;
  const seconds = ` ${String(secondsLeft)} s`;
  const width = Math.min(MAX_BAR_COLUMNS, columns - seconds.length - '[]'.length);
  const text = width < 1 ? seconds.trim() : barOf(countdown, width, utf8) + seconds;
  return [
    { text: cutToColumns(text, columns, utf8), tone: toneOf({ countdown }), rank: 1 },
    // The line stays empty until then, so that nothing moves when the code appears.
    { text: next === undefined ? '' : fittingNext(next, columns), tone: 'plain', rank: 2 },
    { text: '', tone: 'plain', rank: 8 },
  ];
}

function fittingNext(next: string, columns: number): string {
  const text = `next ${spaced(next, columns)}`;
  return text.length <= columns ? text : '';
}

/** The one line: the code, and as much of the rest as fits. */
function lineText({ code, countdown }: View, { columns, utf8 }: Traits): string {
  const room = columns - 1;
  const shown = spaced(code, room);
  if (countdown === undefined) return firstFitting([`${shown}  ${HOTP_HELP}`, shown], room);
  const seconds = `${String(countdown.secondsLeft)} s`;
  const next = countdown.next === undefined ? '' : `  next ${spaced(countdown.next, room)}`;
  const bars = LINE_BAR_COLUMNS.map((width) => `${shown}  ${barOf(countdown, width, utf8)} ${seconds}${next}`);
  return firstFitting([...bars, `${shown}  ${seconds}${next}`, `${shown}  ${seconds}`, shown], room);
}

function firstFitting(texts: readonly string[], columns: number): string {
  return texts.find((text) => text.length <= columns) ?? '';
}

const HOTP_HELP = 'Enter: the next code, q: end';

function helpOf({ countdown }: View): string {
  return countdown === undefined ? HOTP_HELP : 'q or Ctrl-C ends';
}

/** Row `y` with `text`, which leaves the last column free. */
export function lineAt(y: number, text: string): string {
  return at(y) + text + CLEAR_LINE;
}

/** Clears from row `y` on. */
export function restOfScreen(y: number, { rows }: Pick<Traits, 'rows'>): string {
  return y < rows ? at(y) + CLEAR_BELOW : '';
}

/** `[####    ]`: the rest of the step, never empty before the step ends. */
export function barOf({ secondsLeft, periodSeconds }: Omit<Countdown, 'next'>, width: number, utf8: boolean): string {
  const filled = Math.min(width, Math.ceil((secondsLeft / periodSeconds) * width));
  return `[${inkOf(utf8).repeat(filled).padEnd(width)}]`;
}

/** The code in two groups if that fits. */
export function spaced(code: string, columns: number): string {
  const grouped = groupsOf(code).join(' ');
  return grouped.length <= columns ? grouped : code.slice(0, columns);
}

function inkOf(utf8: boolean): string {
  return utf8 ? '█' : '#';
}

export function toneOf({ countdown }: { readonly countdown: Pick<Countdown, 'secondsLeft'> | undefined }): Tone {
  return countdown !== undefined && countdown.secondsLeft <= URGENT_SECONDS ? 'urgent' : 'calm';
}

export function coloured(text: string, tone: Tone, { colour }: Traits): string {
  return painted(text, STYLES[tone], { colour });
}

/** Moves the cursor to the beginning of row `y`, counted from 0. */
function at(y: number): string {
  return `\x1b[${String(y + 1)};1H`;
}
