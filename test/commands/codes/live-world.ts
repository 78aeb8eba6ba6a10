/** Live displays in a real terminal emulator: starting them, and reading off the screen what a person would. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Screen } from '../../support/tmux.ts';
import { must, scratchFolder } from '../../support/world.ts';
import type { LiveCase } from './live-main.ts';

const LIVE = [process.execPath, path.join(import.meta.dirname, 'live-main.ts')];
const SECRET = 'HSBRGZRKZDRLBVEY';
/** Short, so that a test sees several steps. */
const PERIOD_SECONDS = 15;

/** The digits as a person knows them: three columns by five lines. */
const SHAPES = [
  '111101101101111',
  '110010010010111',
  '111001111100111',
  '111001111001111',
  '101101111001001',
  '111100111001111',
  '111100111101111',
  '111001001001001',
  '111101111101111',
  '111101111001111',
];

export interface LiveWorld {
  /** The words that show `live`, whose clock is the one of this world. */
  command(live?: Partial<LiveCase>): string[];
  /** What the display takes for now, in milliseconds. */
  now(): number;
  /** Sets the clock so that the current step has `seconds` left, and lies `periods` ahead of the true one. */
  leave(seconds: number, periods?: number): void;
  /** The code, by oathtool, of the step that `ms` lies in; `steps` later. */
  codeAt(ms: number, steps?: number): string;
}

export function liveWorld(): LiveWorld {
  const folder = scratchFolder('live');
  const clockFile = path.join(folder, 'clock');
  fs.writeFileSync(clockFile, '0');
  const now = (): number => Date.now() + Number(fs.readFileSync(clockFile, 'utf8'));
  return {
    now,
    command: (live = {}) => {
      // In a file, so that no command line puts the secret on the screen.
      const file = path.join(fs.mkdtempSync(path.join(folder, 'case-')), 'live.json');
      fs.writeFileSync(file, JSON.stringify({ ...defaults(), clockFile, ...live }));
      return [...LIVE, file];
    },
    leave: (seconds, periods = 1000) => {
      const periodMs = PERIOD_SECONDS * 1000;
      const ahead = periodMs - seconds * 1000 - (Date.now() % periodMs);
      fs.writeFileSync(`${clockFile}.new`, String(ahead + periods * periodMs));
      fs.renameSync(`${clockFile}.new`, clockFile);
    },
    codeAt: (ms, steps = 0) => {
      const at = Math.floor(ms / 1000) + steps * PERIOD_SECONDS;
      return must(['oathtool', '--totp', '-s', String(PERIOD_SECONDS), '--now', `@${String(at)}`, '-b', SECRET]).trim();
    },
  };
}

function defaults(): Omit<LiveCase, 'clockFile'> {
  const parameters = { digits: 6, periodSeconds: PERIOD_SECONDS, algorithm: 'SHA1' } as const;
  return { kind: 'totp', title: 'GitHub: alice', secret: SECRET, ...parameters, inline: false, failsAt: -1 };
}

/** The code on a screen, in large digits or plain; undefined where there is none. */
export function codeOn(lines: readonly string[]): string | undefined {
  return bigCodeOn(lines) ?? plainCodeOn(lines);
}

export function plainCodeOn(lines: readonly string[]): string | undefined {
  const found = lines.map((line) => /^\s*(\d{3,4}) ?(\d{3,4})(?=  |$)/.exec(line)).find((match) => match !== null);
  return found === undefined ? undefined : `${found[1] ?? ''}${found[2] ?? ''}`;
}

/** The first five lines that are large digits, read. */
export function bigCodeOn(lines: readonly string[]): string | undefined {
  for (const y of lines.keys()) {
    const code = readBigDigits(lines.slice(y, y + 5));
    if (code !== undefined) return code;
  }
  return undefined;
}

function readBigDigits(five: readonly string[]): string | undefined {
  if (five.length < 5 || five.some((line) => !/^[ █#]+$/.test(line))) return undefined;
  const width = Math.max(...five.map((line) => line.length));
  const columns = Array.from({ length: width }, (_, x) => five.map((line) => ((line[x] ?? ' ') === ' ' ? '0' : '1')).join(''));
  // No column of a digit is empty, and digits stand apart.
  const digits = columns
    .join(' ')
    .split(/(?:^| )(?:00000(?: |$))+/)
    .filter((digit) => digit !== '')
    .map((digit) => digitOf(digit.split(' ')));
  return digits.length >= 6 && !digits.includes(undefined) ? digits.join('') : undefined;
}

function digitOf(columns: readonly string[]): number | undefined {
  const three = [columns[0], columns[Math.floor(columns.length / 2)], columns.at(-1)];
  const shape = Array.from({ length: 5 }, (_, y) => three.map((column) => column?.[y] ?? '0').join('')).join('');
  const digit = SHAPES.indexOf(shape);
  return digit === -1 ? undefined : digit;
}

/** The code, by oathtool, that a counter gives. */
export function countedCode(counter: number): string {
  return must(['oathtool', '--hotp', '-c', String(counter), '-b', SECRET]).trim();
}

/** Waits until a code is on the screen, and gives the screen. */
export async function untilShown(screen: Screen): Promise<readonly string[]> {
  return await screen.until((lines) => (codeOn(lines) === undefined ? undefined : lines));
}

/** Nothing that was shown is left, on the screen or above it. */
export function assertNothingStays(screen: Screen, shown: readonly string[]): void {
  const left = screen.everything();
  assert.equal(codeOn(left.split('\n')), undefined, left);
  for (const word of [SECRET, 'next', ...shown]) assert.ok(!left.includes(word), `${word} in\n${left}`);
  assert.deepEqual(screen.state(), { cursor: true, alternate: false });
}

/** A code of six or eight digits as a display may write it. */
export function spellings(code: string): readonly string[] {
  const half = code.length / 2;
  return [code, `${code.slice(0, half)} ${code.slice(half)}`];
}
