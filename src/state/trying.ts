/** Tries whether a state works, and changes nothing: what is written is rolled back. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Store, Transaction } from '../store/store.ts';

/** Runs `work` in a transaction that also writes, and that is then rolled back. Throws as exclusively() does. */
export async function rolledBack<T>(store: Store, work: (transaction: Transaction) => Promise<T>, untilMs?: number): Promise<T> {
  let found: { readonly value: T } | undefined;
  const undo = new Error('rolled back on purpose');
  try {
    await store.exclusively(async (transaction) => {
      const backlog = await transaction.backlog();
      await transaction.moveHead(await transaction.head(), backlog.length);
      found = { value: await work(transaction) };
      throw undo;
    }, untilMs);
  } catch (error) {
    if (error !== undo || found === undefined) throw error;
    return found.value;
  }
  throw undo;
}

/** Throws if this process cannot append to the log in `file`, or make it. */
export function tryLog(file: string): void {
  if (fs.existsSync(file)) tryAppend(file);
  else fs.accessSync(path.dirname(file), fs.constants.W_OK | fs.constants.X_OK);
}

/** Throws if this process cannot append to `file`, which exists. */
export function tryAppend(file: string): void {
  const { O_WRONLY, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const fd = fs.openSync(file, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!fs.fstatSync(fd).isFile()) throw new Error(`${file} is not a regular file`);
  } finally {
    fs.closeSync(fd);
  }
}
