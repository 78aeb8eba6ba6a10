/** The one printer: what is said to the person goes to stderr, results go to stdout, both at once and whole. */
import { writeSync } from 'node:fs';
import { errnoOf, NotpError, messageOf } from '../error.ts';
import { escapeControls } from '../otp/escape.ts';

/** A full pipe is waited for in steps of this many milliseconds. */
const PIPE_RETRY_MS = 5;

/** Writes text, or the bytes of an image, to stdout. Throws `failed` where nobody takes it (EPIPE, ENOSPC): a result that is lost is a failure. */
export function printResult(result: string | Uint8Array): void {
  try {
    writeWhole(1, Buffer.from(result));
  } catch (error) {
    throw new NotpError('failed', `the result cannot be written to stdout: ${messageOf(error)}`, undefined, { cause: error });
  }
}

/** Says `text` to the person, as it is. Nobody listening is no error. */
export function say(text: string): void {
  try {
    writeWhole(2, Buffer.from(text));
  } catch {
    // The terminal is gone; the decision and its record do not depend on it.
  }
}

export function sayError(message: string, hint?: string): void {
  say(`notp: error: ${shown(message)}\n` + (hint === undefined ? '' : `notp: hint: ${shown(hint)}\n`));
}

export function sayHint(hint: string): void {
  say(`notp: hint: ${shown(hint)}\n`);
}

/** Whatever was thrown, for a person: no stack trace. */
export function sayThrown(thrown: unknown): void {
  if (thrown instanceof NotpError) sayError(thrown.message, thrown.hint);
  else sayError(`internal error: ${messageOf(thrown)}`, 'this is a defect of notp; please report it');
}

function shown(text: string): string {
  return escapeControls(text);
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
