/** Gets passphrases for commands: from a file, from stdin, or by a hidden question. */
import { openSync, closeSync, readSync } from 'node:fs';
import { causeOf, NotpError } from '../error.ts';
import { MAX_LINE_BYTES } from '../otp/proof.ts';
import { weaknessOf } from '../seal/weak.ts';
import { onEndingSignals, type Waiting } from '../system/bytes.ts';
import { sayHint } from './printer.ts';
import { lineFrom, openConversation, readStdinLine, type Conversation } from './conversation.ts';

/** How long a person may take to find the phone and scan, or to find the note with the passphrase. */
const PATIENCE_MS = 10 * 60_000;
const NEWLINE = 10;

/** The first line of `file` (`-`: stdin), without its newline. Throws `usage` where it is empty, too long or not text. */
export async function passphraseFromFile(file: string, waiting: Waiting): Promise<string> {
  const bytes = file === '-' ? await firstLineOfStdin(waiting) : firstLineOf(file);
  const passphrase = lineFrom(bytes);
  if (passphrase !== undefined && passphrase !== '') return passphrase;
  throw new NotpError(
    'usage',
    `${file === '-' ? 'stdin' : file}: the first line is not a passphrase`,
    `it must be text of 1 to ${String(MAX_LINE_BYTES)} bytes`,
  );
}

/** Asks for a new passphrase, twice. */
export async function askNewPassphrase(conversation: Conversation): Promise<string> {
  const first = await askPassphrase(conversation, 'New passphrase: ');
  if (!conversation.interactive || (await askPassphrase(conversation, 'The same again: ')) === first) return warnedOf(first);
  throw new NotpError('refused', 'the passphrases differ', 'nothing was changed; run the command again');
}

/** Says it where the new `passphrase` is easily guessed, and gives it. */
function warnedOf(passphrase: string): string {
  const weakness = weaknessOf(passphrase);
  if (weakness !== undefined) sayHint(`this passphrase is ${weakness}: whoever has a copy of the file can guess it`);
  return passphrase;
}

/** Asks once for an existing passphrase. Throws `refused` where none is given. */
async function askPassphrase(conversation: Conversation, question: string): Promise<string> {
  const answer = await conversation.ask(question, { hidden: true });
  if ('line' in answer && answer.line !== '') return answer.line;
  throw new NotpError('refused', 'no passphrase was given', 'nothing was changed');
}

async function firstLineOfStdin(waiting: Waiting): Promise<Uint8Array> {
  const answer = await readStdinLine(waiting);
  return 'bytes' in answer ? answer.bytes : new Uint8Array();
}

/** Reads no further than the first line, which a pipe may give in pieces. */
function firstLineOf(file: string): Uint8Array {
  const buffer = Buffer.alloc(MAX_LINE_BYTES + 2);
  try {
    const fd = openSync(file, 'r');
    try {
      let length = 0;
      for (let read = -1; read !== 0 && length < buffer.length && !buffer.subarray(0, length).includes(NEWLINE); length += read)
        read = readSync(fd, buffer, length, buffer.length - length, null);
      const newline = buffer.indexOf(NEWLINE);
      return buffer.subarray(0, newline === -1 ? length : newline);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new NotpError('usage', `${file}: ${causeOf(error)}`, 'give a file whose first line is the passphrase');
  }
}

/** The wait for a person: as long as they may take, or until a signal ends it. */
export function patience(now: () => number): Waiting {
  return { deadlineMs: now() + PATIENCE_MS, interrupt: onEndingSignals() };
}

/** The passphrase in `file` (`-`: stdin), or, without a file, the answer to `question` in a conversation that `open` begins. */
export async function givenPassphrase(
  file: string | undefined,
  question: string,
  waiting: Waiting,
  open: (waiting: Waiting) => Conversation = openConversation,
): Promise<string> {
  if (file !== undefined) return await passphraseFromFile(file, waiting);
  const conversation = open(waiting);
  try {
    return await askPassphrase(conversation, question);
  } finally {
    conversation.close();
  }
}

/** The new passphrase in `file` (`-`: stdin), or, without a file, the one typed twice in a conversation that `open` begins. */
export async function givenNewPassphrase(
  file: string | undefined,
  waiting: Waiting,
  open: (waiting: Waiting) => Conversation = openConversation,
): Promise<string> {
  if (file !== undefined) return warnedOf(await passphraseFromFile(file, waiting));
  const conversation = open(waiting);
  try {
    return await askNewPassphrase(conversation);
  } finally {
    conversation.close();
  }
}
