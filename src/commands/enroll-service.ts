/** `notp enroll` where the user has a socket: the service makes and seals the secret, and the file comes back. */
import { rmSync } from 'node:fs';
import { NotpError } from '../error.ts';
import { parseProof, readings, type Reading } from '../otp/proof.ts';
import { otpauthUri, type TotpCredential } from '../otp/uri.ts';
import { parseSealedFile } from '../seal/file.ts';
import { openConversation, type Conversation } from '../system/conversation.ts';
import { connectLines } from '../system/line-socket.ts';
import { printResult } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { findSealed, type Found } from '../system/secrets.ts';
import { WORDING } from '../verdict/reasons.ts';
import type { Refused } from '../verdict/decide.ts';
import { ANSWER_DEADLINE_MS, sent } from '../verifier/remote.ts';
import { MAX_LINE } from '../verifier/wire.ts';
import { parseEnrolAnswer, printEnrolQuestion, type EnrolAnswer, type EnrolQuestion } from '../verifier/wire-enrol.ts';
import { patience } from './ask-passphrase.ts';
import type { Plan } from './enroll-plan.ts';
import { confirmed } from './enroll-confirm.ts';
import { wanted } from './enroll-secret.ts';
import { jsonOf, show, tellNext, textOf, writeImage } from './enroll-show.ts';
import { storeBegun, type Registration } from './storing.ts';

type Ask = (question: EnrolQuestion) => Promise<EnrolAnswer>;

/** The exit code is 0 when the enrolment is complete. `socket`: the user's. */
export async function enrollThroughService(plan: Plan, socket: string): Promise<number> {
  const { config, user, origin, options } = plan;
  const found = await asUser(user, () => findSealed(config, user, origin.context));
  const lines = await asUser(user, () => connectLines(socket, { maxBytes: MAX_LINE, deadlineMs: ANSWER_DEADLINE_MS }));
  const conversation = openConversation(patience(plan.now));
  const ask: Ask = async (question) => parseEnrolAnswer(await lines.ask(printEnrolQuestion(question)));
  try {
    const offer = await offered(plan, found, conversation, ask);
    const credential: TotpCredential = { type: 'totp', secret: offer.secret, ...wanted(plan) };
    const uri = otpauthUri(credential);
    const image = options.qrFile === undefined ? undefined : writeImage(uri, options.qrFile);
    try {
      show(plan, credential, uri);
      const file = await confirmed(conversation, (code) => sealedFor(code, ask));
      const id = parseSealedFile(Buffer.from(file)).id;
      const result = options.json ? jsonOf(plan, id, credential, uri, offer.recovery) : textOf(offer.recovery);
      await storeBegun({ ...plan, bytes: Buffer.from(file) }, registrationBy(ask), () => {
        printResult(result);
      });
    } catch (error) {
      if (image !== undefined) rmSync(image, { force: true });
      throw error;
    }
    credential.secret.fill(0);
    tellNext(plan, image);
    return 0;
  } finally {
    conversation.close();
    lines.close();
  }
}

async function offered(plan: Plan, found: Found, conversation: Conversation, ask: Ask): Promise<EnrolAnswer & { kind: 'offer' }> {
  const { replace } = plan.options;
  const proof = replace ? await currentProof(found, conversation) : [];
  const answer = await ask({ step: 'begin', context: plan.origin.context, replace, wanted: wanted(plan), readings: proof, ...sent(found) });
  if (answer.kind === 'offer') return answer;
  throw refusal(
    answer,
    replace ? undefined : 'ask an administrator to run notp-enroll --pending for you, or replace your enrolment with --replace',
  );
}

/** A code of the enrolment that is to go: who merely runs as the user must not be able to replace it. */
async function currentProof(found: Found, conversation: Conversation): Promise<readonly Reading[]> {
  if (found.kind === 'sealed' && found.file.seal.kind === 'passphrase') {
    const answer = await conversation.ask('Passphrase and one-time code of the enrolment to replace: ', { hidden: true });
    return 'line' in answer ? readings(answer.line, 'passphrase') : [];
  }
  const answer = await conversation.ask('One-time code (or recovery code) of the enrolment to replace: ', { hidden: false });
  const proof = 'line' in answer ? parseProof(answer.line) : undefined;
  return proof === undefined ? [] : [{ passphrase: undefined, proof }];
}

/** The sealed file, where `code` is one of the new secret. */
async function sealedFor(code: string, ask: Ask): Promise<string | undefined> {
  const reply = await ask({ step: 'confirm', code });
  if (reply.kind === 'sealed') return reply.file;
  if (reply.kind === 'refused' && reply.outcome.verdict.result === 'refused' && reply.outcome.verdict.reason === 'wrong_code')
    return undefined;
  throw refusal(reply, undefined);
}

/** Where the service is gone: a new secret that is pending and has no file logs nobody in, and one with its file is completed by the first login. */
function registrationBy(ask: Ask): Registration {
  const end = async (step: 'complete' | 'abandon'): Promise<void> => {
    await ask({ step }).catch(() => undefined);
  };
  return { complete: () => end('complete'), abandon: () => end('abandon') };
}

function refusal(answer: EnrolAnswer, hint: string | undefined): NotpError {
  if (answer.kind !== 'refused' || answer.outcome.verdict.result !== 'refused')
    return new NotpError(
      'store_unavailable',
      'the service gave an answer that is none',
      'ask an administrator to look at the notp service of your socket',
    );
  const { reason }: Refused = answer.outcome.verdict;
  return new NotpError('refused', `${WORDING[reason].message} (ref ${answer.outcome.ref})`, hint ?? WORDING[reason].hint);
}
