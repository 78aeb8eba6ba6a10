/** Connects a user's commands to the service behind their socket: questions, a proof, and the end of a registration. */
import { NotpError } from '../../error.ts';
import { parseProof, readings, type Reading } from '../../otp/proof.ts';
import type { SealedFile } from '../../seal/file.ts';
import type { Conversation } from '../../terminal/conversation.ts';
import { connectLines } from '../../wire/line-socket.ts';
import { isMember, type Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import type { Found } from '../../system/secrets.ts';
import type { User } from '../../system/users.ts';
import { heldByJudges } from '../../state/state.ts';
import { referenceTo, wordingOf, type Reason } from '../../verdict/reasons.ts';
import { ANSWER_DEADLINE_MS } from '../../wire/remote.ts';
import { MAX_LINE } from '../../wire/question.ts';
import { printEnrolQuestion, type EnrolQuestion } from '../../wire/enrolment.ts';
import { parseEnrolAnswer, type EnrolAnswer } from '../../wire/enrolment.ts';
import type { Registration } from '../storing.ts';

export type Ask = (question: EnrolQuestion) => Promise<EnrolAnswer>;

/** Runs `work` on a connection to `socket`, the socket of `user`. Throws `refused` on a member of a fleet, whose service has no enrolments. */
export async function withService<T>(
  { config, user }: { readonly config: Config; readonly user: User },
  socket: string,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  if (isMember(config)) throw heldByJudges(config);
  const lines = await asUser(user, () => connectLines(socket, { maxBytes: MAX_LINE, deadlineMs: ANSWER_DEADLINE_MS }));
  try {
    return await work(async (question) => parseEnrolAnswer(await lines.ask(printEnrolQuestion(question))));
  } finally {
    lines.close();
  }
}

/**
 * Asks for a proof of the enrolment whose file was found: another program of the user must not be able to change it.
 * `passphrase`: where it is already known. `what`: the end of the question.
 */
export async function askProof(found: Found, conversation: Conversation, what: string, passphrase?: string): Promise<readonly Reading[]> {
  if (passphrase === undefined && found.kind === 'sealed' && found.file.seal.kind === 'passphrase') {
    const answer = await conversation.ask(`Passphrase and one-time code${what}: `, { hidden: true });
    return 'line' in answer ? readings(answer.line, 'passphrase') : [];
  }
  const answer = await conversation.ask(`One-time code (or recovery code)${what}: `, { hidden: false });
  const proof = 'line' in answer ? parseProof(answer.line) : undefined;
  return proof === undefined ? [] : [{ passphrase, proof }];
}

/**
 * If the service is gone, nothing is lost: a pending secret without its file logs nobody in, and the first login completes one with
 * its file.
 */
export function registrationBy(ask: Ask): Registration {
  const end = async (step: 'complete' | 'abandon'): Promise<void> => {
    const answer = await ask({ step }).catch(() => undefined);
    if (answer?.kind === 'refused') throw refusalOf(answer, { stale_enrolment: OVERTAKEN_HINT });
  };
  const completeSurely = async (): Promise<void> => {
    const answer = await ask({ step: 'complete' });
    if (answer.kind !== 'done') throw refusalOf(answer);
  };
  return { complete: () => end('complete'), completeSurely, abandon: () => end('abandon') };
}

/** The sealed file as it was found; undefined: the service keeps it. */
export function foundAs(file: SealedFile | undefined): Found {
  return file === undefined ? { kind: 'absent' } : { kind: 'sealed', file };
}

/** The hint where the service makes no more for a while; see charge.ts. */
export const OFTEN_HINT =
  'one was made recently, and no try is left to pay for another: notp status says when there is one, or ask an administrator (notp unlock)';

/** The hint where the file is not the registered one: an old copy, or another change has replaced it since it was read. */
export const STALE_HINT = 'run the command again: another change may have come in between; an old copy does not log in';

/** The hint where another change was made at the same time. */
const OVERTAKEN_HINT = 'two changes ran at once: check notp status, and repeat yours where the login does not work';

/** The error for an unexpected answer. `hints`: what to do, where it differs from the hint for a login. */
export function refusalOf(answer: EnrolAnswer, hints: Partial<Record<Reason, string>> = {}): NotpError {
  if (answer.kind !== 'refused' || answer.outcome.verdict.result !== 'refused')
    return new NotpError(
      'store_unavailable',
      'malformed answer from the notp service',
      'ask an administrator to check the notp service of your socket',
    );
  const { verdict, ref } = answer.outcome;
  const wording = wordingOf(verdict);
  return new NotpError('refused', `${wording.message} ${referenceTo(ref)}`, hints[verdict.reason] ?? wording.hint);
}
