/** A clock that stands still where a test puts it, for programs that run with its variables: see faketime(1). */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { atEnd } from './cleanup.ts';
import { must } from './world.ts';

export interface Clock {
  /** The variables by which a program has this clock. Files keep their own times, and nobody waits by it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Unix time in seconds. */
  readonly now: () => number;
  readonly move: (seconds: number) => void;
  /** `at`: as `now` gives it. */
  readonly set: (at: number) => void;
}

const STEP_SECONDS = 30;
const SHARED = '/dev/shm';

/** It stands in the middle of a step, so that an instant sooner or later is the same step. */
export function standingClock(file: string): Clock {
  let now = Math.floor(Date.now() / 1000 / STEP_SECONDS) * STEP_SECONDS + STEP_SECONDS / 2;
  const set = (at: number): void => {
    now = at;
    fs.writeFileSync(file, String(at), { mode: 0o644 });
  };
  set(now);
  atEnd(removeLeftBehind);
  const library = must(['faketime', '@0', 'sh', '-c', 'echo "$LD_PRELOAD"']).trim();
  const environment = {
    ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_FMT: '%s' },
    ...{ NO_FAKE_STAT: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  };
  return {
    ...{ environment, set, now: () => now },
    move: (seconds) => {
      set(now + seconds);
    },
  };
}

/** A program that has become another, or somebody else, or was killed, leaves files with its number behind. */
function removeLeftBehind(): void {
  for (const name of fs.readdirSync(SHARED)) {
    const pid = /^(?:faketime_shm|sem\.faketime_sem)_(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !fs.existsSync(`/proc/${pid}`)) fs.rmSync(path.join(SHARED, name), { force: true });
  }
}
