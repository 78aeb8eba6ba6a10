/** `notp enroll` where the user has a socket: the service makes and seals the secret, and sends the sealed file back. */
import { rmSync } from 'node:fs';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { otpauthUri, type TotpCredential } from '../../otp/uri.ts';
import { parseSealedFile } from '../../seal/file.ts';
import { openConversation, type Conversation } from '../../terminal/conversation.ts';
import { printResult } from '../../terminal/printer.ts';
import type { Found } from '../../system/secrets.ts';
import { sentFile } from '../../wire/question.ts';
import { sealedFile } from '../../login/sealed-files.ts';
import type { EnrolAnswer } from '../../wire/enrolment.ts';
import { patience } from '../../terminal/ask-passphrase.ts';
import { isOwnSecret } from '../own-secrets.ts';
import { type Plan, wanted } from '../plan.ts';
import { confirmByCode } from '../questions.ts';
import { jsonOf, show, tellNext, textOf, writeImage } from '../show.ts';
import { storeBegun } from '../storing.ts';
import { askProof, OFTEN_HINT, refusalOf, registrationBy, withService, type Ask } from './connection.ts';

/** `socket`: the user's socket. Throws as Enrolments.enrol does. */
export async function enrolThroughService(plan: Plan, socket: string): Promise<void> {
  const { config, user, origin, options } = plan;
  const found = await sealedFile(config, user, origin.context, plan.now);
  await withService(plan, socket, async (ask) => {
    const conversation = openConversation(patience(plan.now));
    try {
      const offer = await requestOffer(plan, found, conversation, ask);
      // Without --replace the service offers one only to who was invited, and has no login yet.
      const refuseOwn = (inPlace: Found): void => {
        if (!options.replace && !config.secretsInStore && isOwnSecret(inPlace, undefined)) throw ownSecretOf(plan);
      };
      refuseOwn(found);
      const credential: TotpCredential = { type: 'totp', secret: offer.secret, ...wanted(plan) };
      const uri = otpauthUri(credential);
      const image = options.qrFile === undefined ? undefined : writeImage(uri, options.qrFile);
      try {
        show(plan, credential);
        const file = await confirmByCode(conversation, async (code) => {
          // It may have come into the place while the code was typed.
          refuseOwn(await sealedFile(config, user, origin.context, plan.now));
          return await sealedFor(code, ask);
        });
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
    } finally {
      conversation.close();
    }
  });
}

function ownSecretOf({ origin: { context }, file }: Plan): NotpError {
  const [shown, removed] = [shellCommand`notp export ${context}`, shellCommand`notp remove ${context}`];
  return new NotpError(
    'refused',
    `${file} is a secret of yours, sealed by a passphrase`,
    `keep it elsewhere (${shown}), and then ${removed}`,
  );
}

async function requestOffer(plan: Plan, found: Found, conversation: Conversation, ask: Ask): Promise<EnrolAnswer & { kind: 'offer' }> {
  const { replace } = plan.options;
  const proof = replace ? await askProof(found, conversation, ' of the enrolment to replace') : [];
  const answer = await ask({
    step: 'begin',
    replace,
    wanted: wanted(plan),
    readings: proof,
    ...sentFile({ context: plan.origin.context, found }),
  });
  if (answer.kind === 'offer') return answer;
  const uninvited = 'ask an administrator to run notp-enroll --pending for you, or replace your enrolment with --replace';
  throw refusalOf(answer, { not_permitted: replace ? OFTEN_HINT : uninvited });
}

/** The sealed file, where `code` is a code of the new secret; undefined where it is not. */
async function sealedFor(code: string, ask: Ask): Promise<string | undefined> {
  const reply = await ask({ step: 'confirm', code });
  if (reply.kind === 'sealed') return reply.file;
  if (reply.kind === 'refused' && reply.outcome.verdict.result === 'refused' && reply.outcome.verdict.reason === 'wrong_code')
    return undefined;
  throw refusalOf(reply, { not_permitted: OFTEN_HINT });
}
