/** Passphrases for commands: from a file, from stdin, or asked for, hidden. */
import { openSync, closeSync, readSync } from 'node:fs';
import { messageOf, NotpError } from '../error.ts';
import { MAX_LINE_BYTES } from '../otp/proof.ts';
import type { Waiting } from '../system/bytes.ts';
import { lineFrom, readStdinLine, type Conversation } from '../system/conversation.ts';

/** The first line of `file` (`-`: stdin), without its newline. Throws `usage` where it is empty or no text. */
export async function passphraseFromFile(file: string, waiting: Waiting): Promise<string> {
  const bytes = file === '-' ? await firstLineOfStdin(waiting) : firstLineOf(file);
  const passphrase = lineFrom(bytes);
  if (passphrase !== undefined && passphrase !== '') return passphrase;
  throw new NotpError(
    'usage',
    `${file === '-' ? 'stdin' : file}: the first line is no passphrase`,
    `it must be text of 1 to ${String(MAX_LINE_BYTES)} bytes`,
  );
}

/** Asks for a new passphrase, twice. */
export async function askNewPassphrase(conversation: Conversation): Promise<string> {
  const first = await askPassphrase(conversation, 'New passphrase: ');
  if (!conversation.interactive) return first;
  if ((await askPassphrase(conversation, 'The same again: ')) === first) return first;
  throw new NotpError('refused', 'the passphrases differ', 'nothing was changed; run the command again');
}

async function askPassphrase(conversation: Conversation, question: string): Promise<string> {
  const answer = await conversation.ask(question, { hidden: true });
  if ('line' in answer && answer.line !== '') return answer.line;
  throw new NotpError('refused', 'no passphrase was given', 'nothing was changed');
}

async function firstLineOfStdin(waiting: Waiting): Promise<Uint8Array> {
  const answer = await readStdinLine(waiting);
  return 'bytes' in answer ? answer.bytes : new Uint8Array();
}

function firstLineOf(file: string): Uint8Array {
  const buffer = Buffer.alloc(MAX_LINE_BYTES + 2);
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    throw new NotpError('usage', messageOf(error));
  }
  try {
    const length = readSync(fd, buffer, 0, buffer.length, null);
    const text = buffer.subarray(0, length);
    const newline = text.indexOf('\n');
    return text.subarray(0, newline === -1 ? length : newline);
  } finally {
    closeSync(fd);
  }
}
