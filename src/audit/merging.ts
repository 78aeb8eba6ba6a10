/** The logs of several hosts as one: their records in the order of time. */
import { entryOf } from './entry.ts';

/** A line, and when it was written: of what is no record, when the one before it was. */
interface Next {
  readonly line: string;
  readonly timeMs: number;
}

/** The lines of all `logs`, each of which has them oldest first, oldest first. Of the same moment those of the earlier log come first. */
export async function* merged(logs: readonly AsyncIterable<string>[]): AsyncGenerator<string> {
  const [only] = logs;
  if (only !== undefined && logs.length === 1) {
    yield* only;
    return;
  }
  const readers = logs.map(timed);
  const heads = await Promise.all(readers.map(nextOf));
  for (;;) {
    let first = -1;
    for (const [i, head] of heads.entries()) if (head !== undefined && head.timeMs < (heads[first]?.timeMs ?? Infinity)) first = i;
    const [head, reader] = [heads[first], readers[first]];
    if (head === undefined || reader === undefined) return;
    yield head.line;
    heads[first] = await nextOf(reader);
  }
}

async function* timed(lines: AsyncIterable<string>): AsyncGenerator<Next> {
  let timeMs = 0;
  for await (const line of lines) {
    timeMs = entryOf(line)?.timeMs ?? timeMs;
    yield { line, timeMs };
  }
}

async function nextOf(reader: AsyncGenerator<Next>): Promise<Next | undefined> {
  const next = await reader.next();
  return next.done === true ? undefined : next.value;
}
