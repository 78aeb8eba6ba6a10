/**
 * `notp passphrase`: seals a secret anew, with another passphrase and a fresh salt at the cost of today. The new
 * file takes the place of the old one in one step. Where it logs in, its id is new too, so that the old file put
 * back (with the old passphrase) does not log in any more.
 */
import type { Origin } from '../audit/record.ts';
import { printSealedFile, type SealedFile } from '../seal/file.ts';
import type { Payload } from '../seal/payload.ts';
import { printResult, say } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { sealedPath } from '../system/secrets.ts';
import { registeredAs } from '../verifier/registrar.ts';
import { openState, statePlace } from '../verifier/state.ts';
import { givenNewPassphrase, givenPassphrase, patience } from './ask-passphrase.ts';
import { openSealed, ownSealed, refuseHostSealed, type Own } from './own-secrets.ts';
import { newId, sealByPassphrase } from '../verifier/sealing.ts';
import { storeFile, storeRegistered } from './storing.ts';

export interface PassphraseOptions {
  readonly context: string;
  readonly passphraseFile: string | undefined;
  readonly newPassphraseFile: string | undefined;
  readonly json: boolean;
}

export async function changePassphrase(own: Own, options: PassphraseOptions): Promise<number> {
  const { context, json } = options;
  const old = await ownSealed(own, context);
  refuseHostSealed(old);
  const waiting = patience(own.now);
  const payload = openSealed(old, await givenPassphrase(options.passphraseFile, `Passphrase for ${context}: `, waiting));
  try {
    const id = await sealAnew(own, old, payload, await givenNewPassphrase(options.newPassphraseFile, waiting));
    const file = sealedPath(own.config, own.user, context);
    if (json) printResult(JSON.stringify({ context, file, id }) + '\n');
    else say(`The passphrase of ${file} is changed. Copies of the old file still open with the old one.\n`);
    return 0;
  } finally {
    payload.secret.fill(0);
  }
}

/** Gives the id of the new file. */
async function sealAnew({ config, user, now }: Own, old: SealedFile, payload: Payload, passphrase: string): Promise<string> {
  const { context, created } = old;
  const place = statePlace(config, user);
  const origin: Origin = { user: user.name, uid: user.uid, context, door: 'cli' };
  const state = await asUser(place.owner, () => openState(place, now, { create: false }));
  try {
    const status = await asUser(place.owner, () => state?.store.exclusively((transaction) => registeredAs(transaction, origin, old.id)));
    // Not registered here, or where we do not reach: then the id must stay what it is.
    const id = status === 'active' ? newId() : old.id;
    const bytes = printSealedFile(sealByPassphrase({ id, user: user.name, context, created }, payload, passphrase));
    const target = { config, user, file: sealedPath(config, user, context), bytes };
    const enrolment = { origin, id, state: undefined, replace: true };
    if (state === undefined || status !== 'active') await storeFile(target);
    else await storeRegistered({ ...target, place, state, enrolment }, () => undefined);
    return id;
  } finally {
    state?.store.close();
  }
}
