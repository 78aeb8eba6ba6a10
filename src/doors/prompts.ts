/** Asks for a proof at a terminal: first the passphrase where the seal needs one, then the code. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseProof, readings, type Reading } from '../otp/proof.ts';
import type { Conversation } from '../terminal/conversation.ts';
import type { Refused } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { Attempt, Outcome, SshSession, Verifier } from '../wire/verifier.ts';

const STEP_UP_QUESTIONS = { 2: 'Two consecutive codes: ', 3: 'Three consecutive codes: ' } as const;
const PASSPHRASE_QUESTIONS = { host: '', passphrase: 'Passphrase: ', either: 'Passphrase (empty for a device without one): ' } as const;

const LINE_QUESTIONS = {
  passphrase: 'Passphrase and one-time code: ',
  either: 'One-time code, after its passphrase where it has one: ',
};

/** The answer: readings, or the end of the conversation. */
export type Typed = Pick<Attempt, 'readings' | 'timedOut'> & { readonly over: boolean; readonly machine: boolean };

export interface Asking {
  readonly tries: number;
  /** The question for a code. */
  readonly prompt: string;
  /** Called with each refusal. */
  readonly tell: (outcome: Outcome) => void;
  readonly attempt: Omit<Attempt, 'readings'>;
  /** The passphrase, where it is known before the first question. */
  readonly passphrase?: string | undefined;
  /** The first proof, where one came along; if it is refused, the person is asked. */
  readonly given?: readonly Reading[] | undefined;
  /** Whether a rule asks for nothing, as far as the door knows: then no question is shown before the verifier has said so. */
  readonly isFree?: boolean;
}

const NOTHING: Typed = { readings: [], over: true, machine: false };

/** A running service answers sooner than this. So a needless question is seen only while the service is starting. */
const SOON_MS = 50;

/**
 * Asks as askUntilAccepted() does, unless the verifier settles it without a proof. The question for a code is on the terminal while the
 * service starts, and is taken back where it needs no answer. A passphrase is not asked for so early: the rest of one that is taken back
 * would be typed into the shell.
 */
export async function askUnlessSettled(
  verifier: Verifier,
  conversation: Conversation,
  session: SshSession | undefined,
  asking: Asking,
): Promise<Outcome> {
  const before = verifier.beforeAsking(session);
  const soon =
    verifier.seal === 'host' && asking.isFree !== true ? await Promise.race([before, sleep(SOON_MS, 'not yet' as const)]) : await before;
  if (soon === undefined) return await askUntilAccepted(verifier, conversation, asking);
  if (soon !== 'not yet') {
    if (soon.verdict.result === 'refused') asking.tell(soon);
    return soon;
  }
  const isNeeded = before.then((outcome) => outcome === undefined);
  return await askUntilAccepted(
    { ...verifier, verify: async (attempt) => (await before) ?? (await verifier.verify(attempt)) },
    { ...conversation, ask: (question, options) => conversation.ask(question, { ...options, isNeeded }) },
    asking,
  );
}

/** Asks up to `tries` times, until a proof is accepted or the person gives up. Gives the last outcome. */
export async function askUntilAccepted(
  verifier: Verifier,
  conversation: Conversation,
  { tries, prompt, tell, attempt, passphrase: known, given }: Asking,
): Promise<Outcome> {
  let passphrase = known;
  let question = prompt;
  const ask = async (): Promise<Typed> => {
    const asked =
      verifier.seal !== 'host' && passphrase === undefined
        ? await askPassphrase(conversation, PASSPHRASE_QUESTIONS[verifier.seal])
        : passphrase;
    passphrase = typeof asked === 'string' ? asked : undefined;
    return typeof asked === 'object' ? asked : await askCode(conversation, question, passphrase);
  };
  for (let left = tries; ; left--) {
    const { over, ...answer } = given !== undefined && left === tries ? { ...NOTHING, readings: given, over: false } : await ask();
    const outcome = await verifier.verify({ ...attempt, ...answer });
    if (outcome.verdict.result === 'accepted') return outcome;
    tell(outcome);
    const { reason, codesNeeded = 2 } = outcome.verdict;
    if (over || left <= 1 || !isWorthAnotherTry(outcome.verdict)) return outcome;
    if (reason === 'step_up_required') question = STEP_UP_QUESTIONS[codesNeeded];
    // With an empty budget a wrong passphrase looks like a wrong code, so both are asked for again.
    if (reason === 'wrong_passphrase' || question !== prompt) passphrase = undefined;
  }
}

/** Whether the refusal is of what was typed, so that something else may be right. */
export function isWorthAnotherTry({ reason }: Refused): boolean {
  return WORTH_ANOTHER_TRY.includes(reason);
}

const WORTH_ANOTHER_TRY: readonly Reason[] = ['wrong_code', 'replayed', 'wrong_passphrase', 'step_up_required', 'no_proof'];

/** Asks for passphrase and code in one line, where there is no terminal to ask twice. */
export async function askOneLine({ seal }: Pick<Verifier, 'seal'>, conversation: Conversation, prompt: string): Promise<Typed> {
  const question = seal === 'host' ? prompt : LINE_QUESTIONS[seal];
  const answer = await conversation.ask(question, { hidden: false });
  if ('line' in answer) return { readings: readings(answer.line, seal), over: false, machine: false };
  return 'machine' in answer ? { ...NOTHING, machine: true } : { ...NOTHING, timedOut: answer.ended === 'timeout' };
}

async function askPassphrase(conversation: Conversation, question: string): Promise<string | Typed> {
  const answer = await conversation.ask(question, { hidden: true });
  if ('line' in answer) return answer.line;
  return 'machine' in answer ? NOTHING : { ...NOTHING, timedOut: answer.ended === 'timeout' };
}

async function askCode(conversation: Conversation, question: string, passphrase: string | undefined): Promise<Typed> {
  const answer = await conversation.ask(question, { hidden: false });
  if ('machine' in answer) return NOTHING;
  if (!('line' in answer)) return { ...NOTHING, timedOut: answer.ended === 'timeout' };
  const proof = parseProof(answer.line);
  const found: readonly Reading[] = proof === undefined ? [] : [{ passphrase, proof }];
  return { readings: found, over: false, machine: false };
}
