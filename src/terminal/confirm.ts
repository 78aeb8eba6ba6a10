/** Asks for confirmation before an act that cannot be undone. */
import { NotpError } from '../error.ts';
import { openConversation } from './conversation.ts';
import { patience } from './ask-passphrase.ts';

/** Returns only after a typed yes. Throws `refused` for any other answer, `usage` with `hint` where there is no terminal. */
export async function confirmYes(question: string, hint: string, now: () => number): Promise<void> {
  const conversation = openConversation(patience(now));
  try {
    if (!conversation.interactive) throw new NotpError('usage', 'there is no terminal to ask on', hint);
    const answer = await conversation.ask(`${question} Type yes: `, { hidden: false });
    if ('line' in answer && answer.line.trim().toLowerCase() === 'yes') return;
    throw new NotpError('refused', 'not confirmed', 'nothing was changed');
  } finally {
    conversation.close();
  }
}
