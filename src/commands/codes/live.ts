/**
 * Shows codes on a terminal and keeps them up to date until the person quits. However it ends, the terminal is as it
 * was before, and no code stays on it.
 */
import { errnoOf } from '../../error.ts';
import { stepAt } from '../../otp/code.ts';
import { drawScreen } from '../../terminal/printer.ts';
import { ownTerminal } from '../../terminal/terminal.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { linePainter, screenPainter, type Painter, type View } from './live-screen.ts';

/** A TOTP secret to show. `title` has no control characters (escapeControls was applied). */
export interface LiveTotp {
  readonly kind: 'totp';
  readonly title: string;
  readonly periodSeconds: number;
  /** The code of a step. */
  codeAt(step: number): string;
}
export interface LiveHotp {
  readonly kind: 'hotp';
  readonly title: string;
  /** Stores the next counter durably, and gives the code to show. */
  nextCode(): Promise<string>;
}
export type LiveSource = LiveTotp | LiveHotp;

/** The next code is shown when this many seconds are left: too few to type the current one. */
const NEXT_CODE_SECONDS = 10;

/** The errors of a write to a terminal that is gone. */
const HUNG_UP = ['EIO', 'EPIPE'];

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const CTRL_Z = '\x1a';
const CTRL_BACKSLASH = '\x1c';
const ESCAPE = '\x1b';
const END_KEYS = [CTRL_C, CTRL_D, CTRL_Z, CTRL_BACKSLASH, ESCAPE, 'q', 'Q'];
const NEXT_KEYS = ['\r', '\n', ' ', 'n', 'N'];

/**
 * Shows codes on stdout, a terminal, until Ctrl-C, q, Esc, Ctrl-D, an ending signal (`interrupt`) or the end of the
 * terminal. `now` is Unix time in milliseconds; `inline` keeps to one line. Throws what `source` throws.
 */
export async function showLive(
  source: LiveSource,
  { now, interrupt, inline = false }: { now: () => number; interrupt: AbortSignal; inline?: boolean },
): Promise<void> {
  const painter = inline || !outputTraits().cursor ? linePainter : screenPainter;
  await whileTyping(interrupt, async (events) => {
    const first = source.kind === 'hotp' ? await source.nextCode() : '';
    await paintUntilEnd(source, first, { painter, now, events });
  });
}

/** Does `work` while keys of the own terminal become events; the end of one ends the other. */
export async function whileTyping(interrupt: AbortSignal, work: (events: Events) => Promise<void>): Promise<void> {
  const events = new Events(interrupt);
  const terminal = ownTerminal();
  const typing = terminal?.keys((key) => events.take(key), events.ended);
  // An error is reported when `typing` is awaited below.
  typing
    ?.catch(() => undefined)
    .finally(() => {
      events.end();
    });
  try {
    await work(events);
  } finally {
    events.end();
    await typing?.finally(() => {
      terminal?.close();
    });
  }
}

interface Showing {
  readonly painter: Painter;
  readonly now: () => number;
  readonly events: Events;
}

/** `code`: the first one of an HOTP source. */
async function paintUntilEnd(source: LiveSource, code: string, { painter, now, events }: Showing): Promise<void> {
  let counted = code;
  try {
    let there = paint(painter.enter(outputTraits()));
    while (there && !events.ended.aborted) {
      const view = source.kind === 'hotp' ? { title: source.title, code: counted, countdown: undefined } : viewAt(source, now());
      there = paint(painter.frame(view, outputTraits()));
      // Wait for a whole second of the clock, so that a code disappears when its step ends. A timer that fires early fires again.
      await events.next(1000 - (now() % 1000));
      const wanted = events.wantsNext();
      if (wanted && source.kind === 'hotp') counted = await source.nextCode();
    }
  } finally {
    paint(painter.leave(outputTraits()));
  }
}

/** Writes to the terminal. Gives false if the terminal is gone. */
export function paint(text: string): boolean {
  try {
    drawScreen(text);
    return true;
  } catch (error) {
    const { cause } = error instanceof Error ? error : {};
    if (HUNG_UP.includes(errnoOf(cause) ?? '')) return false;
    throw error;
  }
}

function viewAt(source: LiveTotp, nowMs: number): View {
  const { title, periodSeconds } = source;
  const step = stepAt(nowMs, periodSeconds);
  const secondsLeft = periodSeconds - (Math.floor(nowMs / 1000) % periodSeconds);
  const next = secondsLeft <= NEXT_CODE_SECONDS ? source.codeAt(step + 1) : undefined;
  return { title, code: source.codeAt(step), countdown: { secondsLeft, periodSeconds, next } };
}

/** The events between two frames: keys, a resized window, the end, or the passing of time. */
export class Events {
  private readonly over = new AbortController();
  private asked = false;
  private wake: () => void = () => undefined;
  /** Aborts at the end, whatever the cause. */
  readonly ended: AbortSignal;

  constructor(interrupt: AbortSignal) {
    this.ended = AbortSignal.any([interrupt, this.over.signal]);
  }

  take(key: string): 'more' | 'done' {
    if (END_KEYS.includes(key)) return 'done';
    if (NEXT_KEYS.includes(key)) {
      this.asked = true;
      this.wake();
    }
    return 'more';
  }

  end(): void {
    this.over.abort();
  }

  /** Whether the next code was asked for since the last call. */
  wantsNext(): boolean {
    const { asked } = this;
    this.asked = false;
    return asked && !this.ended.aborted;
  }

  /** Waits until something happens, at most `ms` milliseconds. */
  async next(ms: number): Promise<void> {
    if (this.ended.aborted || this.asked) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.wake();
      }, ms);
      this.wake = () => {
        clearTimeout(timer);
        process.stdout.off('resize', this.wake);
        this.ended.removeEventListener('abort', this.wake);
        resolve();
      };
      process.stdout.on('resize', this.wake);
      this.ended.addEventListener('abort', this.wake);
    });
  }
}
