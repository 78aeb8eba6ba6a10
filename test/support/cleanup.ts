/** What a test file must undo when it ends, last thing first; also where it is ended from outside, by Ctrl-C say. */
import { after } from 'node:test';

const undo: (() => void | Promise<void>)[] = [];

// At the root of the file that imports this: inside a hook, `after` would run when the hook ends.
after(undoAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // First of all: the test runner ends the process on some of these too, and waits for nobody.
  process.prependOnceListener(signal, () => void undoAll().finally(() => process.exit(1)));
}

export function atEnd(step: () => void | Promise<void>): void {
  undo.push(step);
}

async function undoAll(): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    const pending = step();
    if (pending !== undefined) await pending;
  }
}
