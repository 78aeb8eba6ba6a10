/**
 * Codes on a terminal, kept up to date until the person has had enough. Whatever ends it, the terminal is as it was
 * before, and no code stays on it.
 */
import { errnoOf } from '../../error.ts';
import { stepAt } from '../../otp/code.ts';
import { drawScreen } from '../../terminal/printer.ts';
import { ownTerminal } from '../../terminal/terminal.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { linePainter, screenPainter, type Painter, type View } from './live-screen.ts';

/** What a live display shows. `title` is free of control characters (escapeControls was applied). */
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
  /** Advances the counter, durably, and gives the code to show. */
  nextCode(): Promise<string>;
}
export type LiveSource = LiveTotp | LiveHotp;

/** The code after this one is shown when this many seconds are left: too few to type the one that is shown. */
const NEXT_CODE_SECONDS = 10;

/** What a write answers where the terminal has gone. */
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
  const happenings = new Happenings(interrupt);
  const terminal = ownTerminal();
  const typing = terminal?.keys((key) => happenings.take(key), happenings.ended);
  // Told when it is awaited below.
  typing
    ?.catch(() => undefined)
    .finally(() => {
      happenings.end();
    });
  try {
    const first = source.kind === 'hotp' ? await source.nextCode() : '';
    await paintUntilEnd(source, first, { painter, now, happenings });
  } finally {
    happenings.end();
    await typing?.finally(() => {
      terminal?.close();
    });
  }
}

interface Showing {
  readonly painter: Painter;
  readonly now: () => number;
  readonly happenings: Happenings;
}

/** `code`: the first one of an HOTP source. */
async function paintUntilEnd(source: LiveSource, code: string, { painter, now, happenings }: Showing): Promise<void> {
  let counted = code;
  try {
    let there = paint(painter.enter(outputTraits()));
    while (there && !happenings.ended.aborted) {
      const view = source.kind === 'hotp' ? { title: source.title, code: counted, countdown: undefined } : viewAt(source, now());
      there = paint(painter.frame(view, outputTraits()));
      // The whole seconds of the clock, so that a code goes when its step ends; a timer that comes too early comes again.
      await happenings.next(1000 - (now() % 1000));
      const wanted = happenings.wantsNext();
      if (wanted && source.kind === 'hotp') counted = await source.nextCode();
    }
  } finally {
    paint(painter.leave(outputTraits()));
  }
}

/** Writes to the terminal, and tells whether it is still there. */
function paint(text: string): boolean {
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

/** What happens between two frames: keys, another size of the window, the end, or only time that passes. */
class Happenings {
  private readonly over = new AbortController();
  private asked = false;
  private wake: () => void = () => undefined;
  /** Aborts at the end, whatever brings it. */
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
