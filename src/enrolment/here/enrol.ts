/**
 * Makes a new secret for a login where this process may write the state. The secret is shown, confirmed with a code, sealed and
 * registered, and only then replaces an earlier one. If any step before fails, the earlier one still works.
 */
import { rmSync } from 'node:fs';
import { otpauthUri } from '../../otp/uri.ts';
import { printSealedFile, registrationOf } from '../../seal/file.ts';
import type { TotpPayload } from '../../seal/seal.ts';
import type { Waiting } from '../../system/bytes.ts';
import { openConversation, type Conversation } from '../../terminal/conversation.ts';
import { printResult } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { findSealed, makeSecretsFolder } from '../../system/secrets.ts';
import { isOwnSecret, ownSecretInPlace } from '../own-secrets.ts';
import { enrolledAlready, firstState, isRegistered } from '../registrar.ts';
import { confirms, newPayload, sealPayload } from '../sealing.ts';
import { openToSeal, type State } from '../../state/state.ts';
import { type EnrollOptions, type Plan, wanted } from '../plan.ts';
import { confirmByCode } from '../questions.ts';
import { jsonOf, show, tellNext, textOf, writeImage } from '../show.ts';
import { storeRegistered } from '../storing.ts';
import { askNewPassphrase, givenNewPassphrase, patience } from '../../terminal/ask-passphrase.ts';

/** Throws as Enrolments.enrol does. */
export async function enrolHere(plan: Plan): Promise<void> {
  const { options, now } = plan;
  const state = await asUser(plan.place.owner, () => openForEnrolment(plan));
  const waiting = patience(now);
  const conversation = openConversation(waiting);
  try {
    await refuseExisting(plan, state);
    const passphrase = plan.sealKind === 'passphrase' ? await choosePassphrase(options, conversation, waiting) : undefined;
    const { payload, codes } = newPayload(wanted(plan));
    const uri = otpauthUri(payload);
    const image = options.qrFile === undefined ? undefined : writeImage(uri, options.qrFile);
    try {
      show(plan, payload);
      if (options.confirm) await confirmByCode(conversation, (code) => Promise.resolve(confirms(code, payload, now()) || undefined));

      await sealAndStore(plan, state, { payload, codes, uri, passphrase });
    } catch (error) {
      if (image !== undefined) rmSync(image, { force: true });
      throw error;
    }
    tellNext(plan, image);
  } finally {
    conversation.close();
    state.store.close();
  }
}

interface Confirmed {
  readonly payload: TotpPayload;
  readonly codes: readonly string[];
  readonly uri: string;
  readonly passphrase: string | undefined;
}

async function sealAndStore(plan: Plan, state: State, { payload, codes, uri, passphrase }: Confirmed): Promise<void> {
  const { options, config } = plan;
  const sealed = sealPayload(plan, payload, passphrase, state);
  const output = options.json ? jsonOf(plan, sealed.id, payload, uri, codes) : textOf(codes);
  const first = firstState(config.policy, codes.length, plan.now(), payload);
  const enrolment = { origin: plan.origin, ...registrationOf(sealed), state: first, replace: options.replace };
  await storeRegistered({ ...plan, enrolment, bytes: printSealedFile(sealed), state }, () => {
    printResult(output);
  });
  payload.secret.fill(0);
}

function openForEnrolment({ place, sealKind, config, user, now }: Plan): State {
  if (place.kind === 'user') makeSecretsFolder(config, user);
  return openToSeal(config, place, sealKind, now);
}

async function refuseExisting(plan: Plan, state: State): Promise<void> {
  const { config, options, user, origin, place } = plan;
  if (options.replace) return;
  const enrolment = await asUser(place.owner, () =>
    state.store.exclusively((transaction) => transaction.enrolment(origin.user, origin.context)),
  );
  if (isRegistered(enrolment))
    throw enrolledAlready(origin, 'give --replace to replace that enrolment; it works until the new one is confirmed');
  if (config.secretsInStore || !isOwnSecret(await asUser(user, () => findSealed(config, user, origin.context)), enrolment)) return;
  throw ownSecretInPlace(plan);
}

async function choosePassphrase(options: EnrollOptions, conversation: Conversation, waiting: Waiting): Promise<string> {
  if (options.passphraseFile === undefined) return await askNewPassphrase(conversation);
  return await givenNewPassphrase(options.passphraseFile, waiting);
}
