/** The one printer: what is said to the person goes to stderr, results go to stdout, both at once and whole. */
import { writeSync } from 'node:fs';
import { errnoOf, NotpError, messageOf } from '../error.ts';
import { escapeControls } from '../otp/escape.ts';

/** A full pipe is waited for in steps of this many milliseconds. */
const PIPE_RETRY_MS = 5;

/** Writes text, or the bytes of an image, to stdout. Of text, controls and marks that no program here writes leave as `\uXXXX`. Throws `failed` where nobody takes it (EPIPE, ENOSPC): a result that is lost is a failure. */
export function printResult(result: string | Uint8Array): void {
  printBytes(Buffer.from(typeof result === 'string' ? withoutControls(result) : result));
}

/** The same for what is drawn in place, and moves the cursor for that. */
export function drawScreen(text: string): void {
  printBytes(Buffer.from(withoutControls(text, OWN_MOVES)));
}

function printBytes(bytes: Uint8Array): void {
  try {
    writeWhole(1, bytes);
  } catch (error) {
    throw new NotpError('failed', `the result cannot be written to stdout: ${messageOf(error)}`, undefined, { cause: error });
  }
}

/** Says `text` to the person. Nobody listening is no error. */
export function say(text: string): void {
  tell(withoutControls(text));
}

/** The same for one line: nothing in it is a control of ours. */
export function sayLine(line: string): void {
  say(`${escapeControls(line)}\n`);
}

/** The same for a line of progress, which is written over the one before. */
export function redraw(line: string): void {
  tell(withoutControls(line, OWN_LINE));
}

function tell(text: string): void {
  try {
    writeWhole(2, Buffer.from(text));
  } catch {
    // The terminal is gone; the decision and its record do not depend on it.
  }
}

export function sayError(message: string, hint?: string): void {
  say(`notp: error: ${escapeControls(message)}\n` + (hint === undefined ? '' : `notp: hint: ${escapeControls(hint)}\n`));
}

export function sayHint(hint: string): void {
  sayLine(`notp: hint: ${hint}`);
}

/** Whatever was thrown, for a person: no stack trace. */
export function sayThrown(thrown: unknown): void {
  if (thrown instanceof NotpError) sayError(thrown.message, thrown.hint);
  else sayError(`internal error: ${messageOf(thrown)}`, 'this is a defect of notp; please report it');
}

const PLAIN = /^[\x20-\x7e]*$/;
/** The colours that notp itself writes (ECMA-48 8.3.117): no other sequence leaves in a result or a message. */
const OWN = String.raw`\r?\n|\t|\x1b\[(?:[012]|22|39|3[1-6]|1;3[12]|38;5;16;48;5;231|48;5;(?:16|231))m`;
const OWN_MARKS = new RegExp(`(${OWN})`);
/** Those of a line that is written over, too: its beginning, and what clears the rest of line or screen (8.3.39, 8.3.41). */
const OVER = String.raw`${OWN}|\r|\x1b\[[JK]`;
const OWN_LINE = new RegExp(`(${OVER})`);
/** Those of a screen that is drawn in place, too. */
const OWN_MOVES = new RegExp(String.raw`(${OVER}|\x1b\[(?:H|2K|\?25[hl]|\?1049[hl]|\d{1,4};1H))`);

/**
 * Whatever a caller forgot to escape: all controls but line ends, tabs and `own` sequences, which must be whole. The same inside of JSON,
 * where `\uXXXX` means the character.
 */
function withoutControls(text: string, own = OWN_MARKS): string {
  return text
    .split(own)
    .map((part, i) => (i % 2 === 1 || PLAIN.test(part) ? part : escapeControls(part)))
    .join('');
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_RETRY_MS);
    }
  }
}
