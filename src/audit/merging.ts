/** Merges the logs of several hosts into one, ordered by time. */

/** An item and its time; an item without a time gets that of the one before it. */
interface Next<T> {
  readonly item: T;
  readonly timeMs: number;
}

/**
 * The items of all `logs`, oldest first; each log must be oldest first too. At equal times, the log that is listed first comes first.
 * `timeOf` returns Unix time in milliseconds.
 */
export async function* merged<T>(logs: readonly AsyncIterable<T>[], timeOf: (item: T) => number | undefined): AsyncGenerator<T> {
  const [only] = logs;
  if (only !== undefined && logs.length === 1) {
    yield* only;
    return;
  }
  const readers = logs.map((log) => timed(log, timeOf));
  const heads = await Promise.all(readers.map((reader) => nextOf(reader)));
  for (;;) {
    let first = -1;
    for (const [i, head] of heads.entries()) if (head !== undefined && head.timeMs < (heads[first]?.timeMs ?? Infinity)) first = i;
    const [head, reader] = [heads[first], readers[first]];
    if (head === undefined || reader === undefined) return;
    yield head.item;
    heads[first] = await nextOf(reader);
  }
}

async function* timed<T>(items: AsyncIterable<T>, timeOf: (item: T) => number | undefined): AsyncGenerator<Next<T>> {
  let timeMs = 0;
  for await (const item of items) {
    timeMs = timeOf(item) ?? timeMs;
    yield { item, timeMs };
  }
}

async function nextOf<T>(reader: AsyncGenerator<Next<T>>): Promise<Next<T> | undefined> {
  const next = await reader.next();
  return next.done === true ? undefined : next.value;
}
