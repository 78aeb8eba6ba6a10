/** Reads a secret for `notp import` from a file, stdin or the terminal. Never from the command line. */
import { isatty } from 'node:tty';
import { causeOf, errnoOf, NotpError } from '../../error.ts';
import { MAX_EXPORT_BYTES } from '../../formats/formats.ts';
import { fileUpTo, stdinUpTo, type Waiting } from '../../system/bytes.ts';
import { openConversation, type Conversation } from '../../terminal/conversation.ts';
import { openTerminal, type Terminal } from '../../terminal/terminal.ts';

/** Of text: some hundred accounts, more than any phone shows at once. Files of other programs may be larger: MAX_EXPORT_BYTES. */
export const MAX_SOURCE_BYTES = 256 * 1024;
const STDIN = 0;
/** Tab, line feed, carriage return, space. */
const BLANKS = [9, 10, 13, 32];

/** What was read, and its name for messages. */
export interface SourceBytes {
  readonly bytes: Uint8Array;
  readonly name: string;
}

/**
 * The content of `file` (`-`: stdin), or of stdin unless it is a terminal, or else the line typed at a hidden prompt: up to a byte more
 * than MAX_EXPORT_BYTES. Throws `usage` or `refused`.
 */
export async function sourceBytes(file: string | undefined, waiting: Waiting): Promise<SourceBytes> {
  if (file !== undefined && file !== '-') return { bytes: readFile(file, MAX_EXPORT_BYTES), name: file };
  if (!isatty(STDIN)) return { bytes: await readAllOfStdin(waiting, MAX_EXPORT_BYTES), name: 'stdin' };
  return { bytes: Buffer.from(await typedLine(waiting)), name: 'the line' };
}

async function typedLine(waiting: Waiting): Promise<string> {
  const conversation = openConversation(waiting);
  try {
    const answer = await conversation.ask('Secret (otpauth URI or base32; it is not shown): ', {
      hidden: true,
      maxBytes: MAX_SOURCE_BYTES,
      // Otherwise a second URI would become the passphrase, or a command in the shell's history.
      wholePaste: true,
    });
    if ('line' in answer && answer.line !== '') return answer.line;
    if ('ended' in answer && answer.ended === 'several lines')
      throw new NotpError('refused', 'more than one line was pasted', 'for several secrets use --file or a pipe; nothing was imported');
    throw new NotpError('refused', 'no secret was given', 'nothing was changed');
  } finally {
    conversation.close();
  }
}

/** A conversation after sourceText, which may have read stdin to its end. Throws `usage` if there is no terminal then. */
export function conversationBeside(file: string | undefined, waiting: Waiting): Conversation {
  const stdinTaken = (file === undefined || file === '-') && !isatty(STDIN);
  return stdinTaken ? openConversation(waiting, terminalBesideStdin()) : openConversation(waiting);
}

/** The controlling terminal, for when stdin is not a terminal. */
function terminalBesideStdin(): Terminal {
  try {
    return openTerminal('/dev/tty');
  } catch (error) {
    if (errnoOf(error) !== 'ENXIO') throw error;
    throw new NotpError(
      'usage',
      'there is no terminal to ask for the passphrase on',
      'give --passphrase-file, or name the secret with --file',
    );
  }
}

/** All of `file`, up to `maxBytes`. Throws `failed` if it cannot be read, `refused` if it is empty, over the cap or not text. */
export function fileText(file: string, maxBytes: number): string {
  return textOf(file, readFile(file, maxBytes), maxBytes);
}

/** All of stdin, up to `maxBytes`. Throws `refused`. */
export async function stdinText(waiting: Waiting, maxBytes: number): Promise<string> {
  return textOf('stdin', await readAllOfStdin(waiting, maxBytes), maxBytes);
}

/** `bytes` as text; `name` is for messages. Throws `refused` if they are empty, over `maxBytes`, or not text. */
export function textOf(name: string, bytes: Uint8Array, maxBytes: number): string {
  if (bytes.every((byte) => BLANKS.includes(byte))) throw new NotpError('refused', `${name} is empty`, 'nothing was imported');
  if (bytes.length > maxBytes) throw new NotpError('refused', `${name} is over ${String(maxBytes / 1024)} KiB`, 'nothing was imported');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new NotpError('refused', `${name} is not text`, 'to read a picture of a QR code: zbarimg -q --raw FILE');
  }
}

async function readAllOfStdin(waiting: Waiting, maxBytes: number): Promise<Uint8Array> {
  const bytes = await stdinUpTo(maxBytes, waiting);
  if (bytes !== undefined) return bytes;
  throw new NotpError('refused', 'stdin did not end', 'nothing was imported');
}

function readFile(file: string, maxBytes: number): Uint8Array {
  try {
    return fileUpTo(file, maxBytes);
  } catch (error) {
    throw new NotpError('failed', `${file}: ${causeOf(error)}`, 'nothing was imported');
  }
}
