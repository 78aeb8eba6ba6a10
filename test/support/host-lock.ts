/** One test file at a time where it matters whether this host has the system user notp: those that make it, and those that need a host without. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';

const LOCK = path.join(os.tmpdir(), `notp-tests-${String(process.getuid?.() ?? 0)}.lock`);
const RETRY_MS = 100;
let held = false;

/** Waits until no other test file has the host, and keeps it until this file has ended and cleaned up. */
export function haveHost(): void {
  if (held) return;
  while (!taken()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
  held = true;
  // What is to be undone later is undone before it: last thing first.
  atEnd(() => {
    fs.rmSync(LOCK, { force: true });
  });
}

/** link(2) fails where the name is taken, and the name is never there without its content. */
function taken(): boolean {
  const mine = `${LOCK}.${String(process.pid)}`;
  fs.writeFileSync(mine, String(process.pid));
  try {
    fs.linkSync(mine, LOCK);
    return true;
  } catch {
    removeLeftBehind();
    return false;
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

/** The lock of a process that was killed. */
function removeLeftBehind(): void {
  try {
    const pid = fs.readFileSync(LOCK, 'utf8');
    if (!fs.existsSync(`/proc/${pid}`)) fs.rmSync(LOCK, { force: true });
  } catch {
    // It has just been given back.
  }
}
