/** `notp enroll` where the user has a socket: the service makes and seals the secret, and the file comes back. */
import { rmSync } from 'node:fs';
import { messageOf, NotpError } from '../error.ts';
import { parseProof, readings, type Reading } from '../otp/proof.ts';
import { otpauthUri } from '../otp/uri.ts';
import { parseSealedFile } from '../seal/file.ts';
import type { TotpPayload } from '../seal/payload.ts';
import { openConversation, type Conversation } from '../system/conversation.ts';
import { connectLines } from '../system/line-socket.ts';
import { printResult, sayError } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { findSealed, makeSecretsFolder, type Found } from '../system/secrets.ts';
import { draft } from '../system/trusted.ts';
import { WORDING } from '../verdict/reasons.ts';
import type { Refused } from '../verdict/decide.ts';
import { ANSWER_DEADLINE_MS, sent } from '../verifier/remote.ts';
import { MAX_LINE } from '../verifier/wire.ts';
import { parseEnrolAnswer, printEnrolQuestion, type EnrolAnswer, type EnrolQuestion } from '../verifier/wire-enrol.ts';
import { patience } from './ask-passphrase.ts';
import type { Plan } from './enroll-plan.ts';
import { wanted } from './enroll-secret.ts';
import { jsonOf, show, tellNext, textOf, writeImage } from './enroll-show.ts';

const CONFIRM_TRIES = 3;

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
    const payload: TotpPayload = { type: 'totp', secret: offer.secret, ...wanted(plan), recovery: { salt: new Uint8Array(), hashes: [] } };
    const uri = otpauthUri(payload);
    const image = options.qrFile === undefined ? undefined : writeImage(uri, options.qrFile);
    try {
      show(plan, payload, uri);
      const file = await confirmed(conversation, ask);
      const id = parseSealedFile(Buffer.from(file)).id;
      const result = options.json ? jsonOf(plan, id, payload, uri, offer.recovery) : textOf(offer.recovery);
      await putInPlace(plan, ask, file, result);
    } catch (error) {
      if (image !== undefined) rmSync(image, { force: true });
      throw error;
    }
    payload.secret.fill(0);
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

/** Gives the sealed file when a code of the new secret was typed. */
async function confirmed(conversation: Conversation, ask: Ask): Promise<string> {
  for (let left = CONFIRM_TRIES; left > 0; left--) {
    const answer = await conversation.ask('One-time code: ', { hidden: false });
    if (!('line' in answer)) break;
    const proof = parseProof(answer.line);
    const reply = proof?.kind === 'code' ? await ask({ step: 'confirm', code: proof.code }) : undefined;
    if (reply?.kind === 'sealed') return reply.file;
    if (reply?.kind === 'refused' && reply.outcome.verdict.result === 'refused' && reply.outcome.verdict.reason !== 'wrong_code')
      throw refusal(reply, undefined);
    sayError('that is not the code of the new secret', 'check the clock of the phone and of this machine, or wait for the next code');
  }
  throw new NotpError('refused', 'the new secret was not confirmed', 'nothing was changed; an earlier enrolment goes on working');
}

async function putInPlace({ config, user, file }: Plan, ask: Ask, content: string, result: string): Promise<void> {
  try {
    const written = await asUser(user, () => {
      makeSecretsFolder(config, user);
      return draft(file, Buffer.from(content));
    });
    try {
      printResult(result);
      if (!(await asUser(user, () => written.put()))) return;
    } catch (error) {
      await asUser(user, () => written.drop());
      throw error;
    }
  } catch (error) {
    // Where the service is gone the new secret stays pending, and without its file it logs nobody in.
    await ask({ step: 'abandon' }).catch(() => undefined);
    throw new NotpError('failed', `${file}: ${messageOf(error)}`, 'nothing was changed; a key or codes that were shown are worth nothing', {
      cause: error,
    });
  }
  // The file is in place: where the service is gone now, the first login completes it.
  await ask({ step: 'complete' }).catch(() => undefined);
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
