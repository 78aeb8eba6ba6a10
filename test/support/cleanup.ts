/** What a test file must undo when it ends, last thing first. */
import { after } from 'node:test';

const undo: (() => void | Promise<void>)[] = [];

// At the root of the file that imports this: inside a hook, `after` would run when the hook ends.
after(async () => {
  for (const step of undo.toReversed()) await step();
});

export function atEnd(step: () => void | Promise<void>): void {
  undo.push(step);
}
