/**
 * A progress bar on stderr for long commands: one line that repaints itself where stderr is a terminal whose cursor moves, and
 * nothing elsewhere. It hides no cursor and changes no mode. So however the command ends, the terminal is as before.
 */
import { isatty } from 'node:tty';
import { redraw } from './printer.ts';
import { traitsOf, type Traits } from './traits.ts';

export interface Progress {
  /** Shows that `done` things are done and that `label` is being worked on. Cheap: it repaints only a few times a second. */
  show(done: number, label: string): void;
  /** Removes the bar, so that the next message stands alone. */
  end(): void;
}

export interface ProgressLine {
  /** Shows the result of `text`, if it is time to repaint. */
  show(text: () => string): void;
  /** Shows a bar of as many things as are known by now. */
  showBar(standing: Omit<Standing, 'elapsedMs'>): void;
  end(): void;
}

export interface Standing {
  readonly done: number;
  readonly total: number;
  readonly label: string;
  readonly elapsedMs: number;
}

const STDERR = 2;
const REPAINT_MS = 100;
/** From this time on the rate is good enough for an estimate. */
const ESTIMATE_FROM_MS = 2_000;
const BAR_COLUMNS = [30, 20, 10, 6];
const MAX_LABEL_COLUMNS = 32;
/** ECMA-48: clears from the cursor on. */
const CLEAR_BELOW = '\x1b[J';

/** The bar for `total` things, which appears at the first `show`. `now`: Unix time in milliseconds. */
export function openProgress(total: number, now: () => number): Progress {
  const line = openProgressLine(now);
  return {
    show: (done, label) => {
      line.showBar({ done, total, label });
    },
    end: () => {
      line.end();
    },
  };
}

/** The same for work whose size is unknown, or known only later: a line that says what is being done, at most once every `everyMs`. */
export function openProgressLine(now: () => number, everyMs = REPAINT_MS): ProgressLine {
  if (!isatty(STDERR) || !traits().cursor) return { show: () => undefined, showBar: () => undefined, end: () => undefined };
  let startedMs: number | undefined;
  let paintedMs = -Infinity;
  const show = (text: () => string): void => {
    const nowMs = now();
    // The clock may have been set back.
    if (Math.abs(nowMs - paintedMs) < everyMs) return;
    paintedMs = nowMs;
    redraw(`\r${text()}${CLEAR_BELOW}`);
  };
  return {
    show,
    showBar: (standing) => {
      // What came before it says nothing about its rate.
      const begunMs = (startedMs ??= now());
      show(() => progressLine({ ...standing, elapsedMs: now() - begunMs }, traits()));
    },
    end: () => {
      if (paintedMs !== -Infinity) redraw(`\r${CLEAR_BELOW}`);
    },
  };
}

function traits(): Traits {
  return traitsOf(process.env, process.stderr);
}

/** `[####    ] 512/1000  12 s left  alice`, or as much of it as fits the columns. Pure. */
export function progressLine(standing: Standing, { columns, utf8 }: Pick<Traits, 'columns' | 'utf8'>): string {
  const count = `${String(standing.done)}/${String(standing.total)}`;
  const left = remaining(standing);
  const label = ` ${cut(standing.label)}`;
  const bars = BAR_COLUMNS.map((width) => `${bar(standing, width, utf8)} ${count}`);
  const texts = [...bars.map((text) => text + left + label), ...bars.map((text) => text + left), ...bars, count];
  // The last column stays free: some terminals wrap when it is written.
  return texts.find((text) => text.length < columns) ?? '';
}

function bar({ done, total }: Standing, width: number, utf8: boolean): string {
  const filled = total === 0 ? width : Math.floor((done / total) * width);
  return `[${(utf8 ? '█' : '#').repeat(filled).padEnd(width)}]`;
}

/** The remaining time, after two blanks; empty where the rate is not known yet. */
function remaining({ done, total, elapsedMs }: Standing): string {
  if (done === 0 || elapsedMs < ESTIMATE_FROM_MS) return '';
  const seconds = Math.ceil(((elapsedMs / done) * (total - done)) / 1000);
  if (seconds < 120) return `  ${String(seconds)} s left`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `  ${String(minutes)} min left` : `  ${String(Math.ceil(minutes / 60))} h left`;
}

/** The label with one column for each character, so that lengths are columns. */
function cut(label: string): string {
  const ascii = label.replace(/[^\x20-\x7e]/gu, '?');
  return ascii.length > MAX_LABEL_COLUMNS ? `${ascii.slice(0, MAX_LABEL_COLUMNS - 3)}...` : ascii;
}
