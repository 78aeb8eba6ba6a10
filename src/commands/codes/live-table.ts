/** Shows several codes on a terminal and keeps them up to date until the person quits; then no code stays on it, as in live.ts. */
import { stepAt } from '../../otp/code.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { paint, whileTyping, type Events } from './live.ts';
import { screenPainter } from './live-screen.ts';
import { startOfPage, tableFrame, type TableRow } from './table-screen.ts';

export interface RowSource {
  readonly name: string;
  readonly periodSeconds: number;
  /** The code of a step. */
  readonly codeAt: (step: number) => string;
}

/** `now` is Unix time in milliseconds. Enter turns the page where there is more than one. */
export async function showTable(
  sources: readonly RowSource[],
  { now, interrupt }: { now: () => number; interrupt: AbortSignal },
): Promise<void> {
  await whileTyping(interrupt, (events) => paintUntilEnd(sources, now, events));
}

async function paintUntilEnd(sources: readonly RowSource[], now: () => number, events: Events): Promise<void> {
  let page = 0;
  try {
    let there = paint(screenPainter.enter(outputTraits()));
    while (there && !events.ended.aborted) {
      const traits = outputTraits();
      const nowMs = now();
      const rows = sources.map((source) => rowAt(source, nowMs));
      there = paint(tableFrame(rows, startOfPage(page, rows.length, traits), traits));
      // Wait for a whole second of the clock, so that a code disappears when its step ends.
      await events.next(1000 - (now() % 1000));
      if (events.wantsNext()) page += 1;
    }
  } finally {
    paint(screenPainter.leave(outputTraits()));
  }
}

function rowAt({ name, periodSeconds, codeAt }: RowSource, nowMs: number): TableRow {
  const secondsLeft = periodSeconds - (Math.floor(nowMs / 1000) % periodSeconds);
  return { name, code: codeAt(stepAt(nowMs, periodSeconds)), secondsLeft, periodSeconds };
}
