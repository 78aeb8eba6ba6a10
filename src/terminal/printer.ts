/** The one printer: messages to the person go to stderr, results go to stdout, both at once and whole. */
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { causeOf, errnoOf, NotpError, messageOf } from '../error.ts';
import { escapeControls } from '../otp/escape.ts';
import { wrapped } from './columns.ts';
import { traitsOf } from './traits.ts';

const STDOUT = 1;
const STDERR = 2;
/** The pause between two tries to write to a full pipe. */
const PIPE_RETRY_MS = 5;

/**
 * Writes text, or the bytes of an image, to stdout. In text, control characters and marks that no program here writes become
 * `\uXXXX`. Throws `failed` where it cannot be written (EPIPE, ENOSPC): a lost result is a failure.
 */
export function printResult(result: string | Uint8Array): void {
  printBytes(Buffer.from(typeof result === 'string' ? withoutControls(result) : result));
}

/** The same for a screen that is drawn in place, with its moves of the cursor. */
export function drawScreen(text: string): void {
  printBytes(Buffer.from(withoutControls(text, OWN_MOVES)));
}

/** Does `work`, which prints results, until nobody reads them any more, as after head(1). Throws what it throws else. */
export async function whileRead(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isUnread(error)) throw error;
  }
}

/** Whether a result was not written because nobody reads it any more. */
export function isUnread(thrown: unknown): boolean {
  return thrown instanceof NotpError && errnoOf(thrown.cause) === 'EPIPE';
}

function printBytes(bytes: Uint8Array): void {
  try {
    writeWhole(1, bytes);
  } catch (error) {
    throw new NotpError('failed', `the result cannot be written to stdout: ${causeOf(error)}`, undefined, { cause: error });
  }
}

/** Says `text` to the person. It is no error where nobody reads it. */
export function say(text: string): void {
  writeMessage(withoutControls(text));
}

/** The same for one line, in which every control character is escaped. It may break: see breakBetweenWords. */
export function sayLine(line: string): void {
  say(`${fitting(line, STDERR)}\n`);
}

/** The same for lines of help, and for those on stdout. */
export function sayLines(lines: string): void {
  say(allFitting(lines, STDERR));
}
export function printLines(lines: string): void {
  printResult(allFitting(lines, STDOUT));
}

function allFitting(lines: string, fd: number): string {
  return lines
    .split('\n')
    .map((line) => fitting(line, fd))
    .join('\n');
}

let breaking = false;

/**
 * From now on lines break between words on a terminal that is narrower. Not for the doors: to know the width, Node.js puts a terminal that
 * it opens itself in place of the descriptor, which a door leaves to the shell.
 */
export function breakBetweenWords(): void {
  breaking = true;
}

/** `question` as it fits the terminal that it is asked on, its last blank kept. */
export function fittingQuestion(question: string): string {
  if (!breaking) return question;
  const words = question.trimEnd();
  return fitting(words, isatty(STDERR) ? STDERR : STDOUT) + question.slice(words.length);
}

/** The rest of a line that breaks is indented like its beginning. */
function fitting(line: string, fd: number): string {
  if (!breaking || !isatty(fd)) return escapeControls(line);
  const stream = fd === STDOUT ? process.stdout : process.stderr;
  const text = line.trimStart();
  const indent = ' '.repeat(line.length - text.length);
  return indent + wrapped(text, traitsOf(process.env, stream).columns, indent);
}

/** The same for a line of progress, which overwrites the line before. */
export function redraw(line: string): void {
  writeMessage(withoutControls(line, OWN_LINE));
}

function writeMessage(text: string): void {
  try {
    writeWhole(2, Buffer.from(text));
  } catch {
    // The terminal is gone; the decision and its record do not depend on it.
  }
}

export function sayError(message: string, hint?: string): void {
  sayLine(`notp: error: ${message}`);
  if (hint !== undefined) sayHint(hint);
}

export function sayHint(hint: string): void {
  sayLine(`notp: hint: ${hint}`);
}

/** Says any thrown error to the person, without a stack trace. */
export function sayThrown(thrown: unknown): void {
  if (thrown instanceof NotpError) sayError(thrown.message, thrown.hint);
  else if (isOfSystem(thrown)) sayError(`the system refuses it: ${messageOf(thrown)}`, 'mend that, and run the command again');
  else sayError(`internal error: ${messageOf(thrown)}`, 'this is a defect of notp; please report it');
}

/** Whether a system call failed, as with a full or read-only disk: errno(3). Errors of Node.js itself have other names (ERR_…). */
function isOfSystem(thrown: unknown): boolean {
  return /^E[A-Z0-9]+$/.test(errnoOf(thrown) ?? '');
}

const PLAIN = /^[\x20-\x7e]*$/;
/** The colours that notp itself writes (ECMA-48 8.3.117). No other sequence is printed in a result or a message. */
const OWN = String.raw`\r?\n|\t|\x1b\[(?:[012]|22|39|3[1-6]|38;5;16;48;5;231|48;5;(?:16|231))m`;
const OWN_MARKS = new RegExp(`(${OWN})`);
/**
 * The same for a line that is overwritten: also its beginning, and the sequences that clear the rest of line or screen (8.3.39,
 * 8.3.41).
 */
const OVER = String.raw`${OWN}|\r|\x1b\[[JK]`;
const OWN_LINE = new RegExp(`(${OVER})`);
/** The same for a screen that is drawn in place. */
const OWN_MOVES = new RegExp(String.raw`(${OVER}|\x1b\[(?:H|2K|\?25[hl]|\?1049[hl]|\d{1,4};1H))`);

/**
 * Escapes what a caller forgot to escape: all control characters but line ends, tabs and whole `own` sequences. JSON stays valid,
 * since `\uXXXX` means the character there.
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
