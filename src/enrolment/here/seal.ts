/**
 * Re-seals a login where this process may write the state: with another passphrase, the host key, or new recovery codes.
 * The new file replaces the old one in one step. Its id is new, so that the old file, put back, does not log in any more.
 */
import type { Origin } from '../../audit/record.ts';
import { NotpError } from '../../error.ts';
import { printSealedFile, registrationOf, type SealedFile } from '../../seal/file.ts';
import type { Payload } from '../../seal/seal.ts';
import { asUser } from '../../system/privileges.ts';
import { resealedFile } from '../reseal.ts';
import type { Change } from '../../wire/enrolment.ts';
import { openWith } from '../../login/opening.ts';
import { registeredAs } from '../registrar.ts';
import { whereSealed } from '../../login/sealed-files.ts';
import { openState, type State } from '../../state/state.ts';
import type { StatePlace } from '../../state/place.ts';
import type { Hand, Reseal, Resealed } from '../enrolments.ts';
import { type Own, keyToSealWith, openSealed, refuseChanged, refuseHostSealed } from '../own-secrets.ts';
import { passphraseToSealWith, presentPassphrase } from '../questions.ts';
import { noHostSeal, refusePassphraseInStore, resealByHost } from '../store-seal.ts';
import { storeFile, storeRegistered } from '../storing.ts';

/** Throws as Enrolments.reseal does. */
export async function sealHere(own: Own, place: StatePlace, old: SealedFile, what: Reseal, hand: Hand): Promise<Resealed> {
  if (place.kind === 'user') refuseHostSealed(old);
  if (place.kind === 'user' && what.seal === 'host') throw noHostSeal('ask an administrator to run notp-enroll for you');
  const state = await asUser(place.owner, () => openState(place, own.now, { create: false }));
  try {
    const passphrase = await presentPassphrase(own, old, what);
    const payload = passphrase === undefined ? openByHost(old, state) : openSealed(old, passphrase);
    try {
      const change = { ...what, passphrase: await passphraseToSealWith(own, old, what, passphrase) };
      return await store(own, { place, state }, old, { payload, change }, hand);
    } finally {
      payload.secret.fill(0);
    }
  } finally {
    state?.store.close();
  }
}

async function store(
  { config, user, now }: Own,
  { place, state }: { place: StatePlace; state: State | undefined },
  old: SealedFile,
  { payload, change }: { payload: Payload; change: Change },
  hand: Hand,
): Promise<Resealed> {
  const { context } = old;
  const origin: Origin = { user: user.name, uid: user.uid, context, door: 'cli' };
  const status = await asUser(place.owner, () =>
    state?.store.exclusively((transaction) => registeredAs(transaction, origin, registrationOf(old))),
  );
  if (status !== 'active' && change.event !== 'passphrase') {
    await refuseChanged({ config, user, now }, old);
    throw noLogin(context, user.name);
  }
  if (status === 'active' && change.passphrase !== undefined) refusePassphraseInStore(config, resealByHost(user.name, context));
  // A file that is not registered, or whose state is out of reach, must keep its id.
  const keepsId = status !== 'active';
  const isOwn = keepsId && change.passphrase !== undefined && !config.contexts.includes(context);
  const shared = isOwn ? await keyToSealWith({ config, user, now }, change.passphrase) : undefined;
  const sealed = resealedFile(old, payload, change, { keepsId, shared, hostKey: state?.hostKey, nowMs: now() });
  shared?.key.fill(0);
  const target = { config, user, file: whereSealed(config, place, user, context), bytes: printSealedFile(sealed.file) };
  const done = { id: sealed.file.id, file: target.file, seal: sealed.file.seal.kind, recovery: sealed.codes };
  if (state === undefined || status !== 'active') {
    await refuseChanged({ config, user, now }, old);
    await storeFile(target);
    return done;
  }
  const enrolment = { origin, ...sealed.registered, event: change.event, replace: true };
  await storeRegistered({ ...target, place, state, enrolment }, () => {
    hand(done);
  });
  return done;
}

function openByHost(old: SealedFile, state: State | undefined): Payload {
  const payload = openWith(old, undefined, state?.hostKey);
  if (payload !== undefined) return payload;
  throw new NotpError('bad_secret_file', `${old.context} does not open`);
}

function noLogin(context: string, user: string): NotpError {
  return new NotpError('refused', `${user} does not log in with ${context} here`, 'notp list shows all secrets');
}
