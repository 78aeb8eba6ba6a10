/** A program that shows codes live, for tests: a file of JSON tells which. */
import { readFileSync } from 'node:fs';
import { codeAt, fromBase32, type Algorithm, type Digits } from '../../../src/otp/code.ts';
import { showLive, type LiveSource } from '../../../src/commands/codes/live.ts';
import { onEndingSignals } from '../../../src/system/bytes.ts';

export interface LiveCase {
  readonly kind: 'totp' | 'hotp';
  readonly title: string;
  /** Base32. */
  readonly secret: string;
  readonly digits: Digits;
  readonly periodSeconds: number;
  readonly algorithm: Algorithm;
  readonly inline: boolean;
  /** A file that says how many milliseconds the clock is ahead; it may change meanwhile. */
  readonly clockFile: string;
  /** HOTP: the counter that has no code any more; -1: each has one. */
  readonly failsAt: number;
}

function sourceOf(live: LiveCase): LiveSource {
  const secret = fromBase32(live.secret);
  if (live.kind === 'totp') {
    return { kind: 'totp', title: live.title, periodSeconds: live.periodSeconds, codeAt: (step) => codeAt(secret, step, live) };
  }
  let counter = 0;
  const nextCode = async (): Promise<string> => {
    if (counter === live.failsAt) throw new Error('the counter cannot be stored');
    return await Promise.resolve(codeAt(secret, counter++, live));
  };
  return { kind: 'hotp', title: live.title, nextCode };
}

if (import.meta.main) {
  const live = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LiveCase;
  const now = (): number => Date.now() + Number(readFileSync(live.clockFile, 'utf8'));
  await showLive(sourceOf(live), { now, interrupt: onEndingSignals(), inline: live.inline });
}
