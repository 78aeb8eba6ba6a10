/** The steps by which a new sealed file takes its place, in the order that loses nothing. */
import { messageOf, NotpError } from '../error.ts';
import { registrationOf, type Registration as Registered } from '../seal/file.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { findSealed, makeSecretsFolder, type Found } from '../system/secrets.ts';
import { draft, type Draft } from '../system/trusted.ts';
import type { User } from '../system/users.ts';
import { abandon, begin, complete, completeInStore, standingInStore, type NewEnrolment } from './registrar.ts';
import type { State } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';

export interface ToStore {
  readonly config: Config;
  readonly user: User;
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** A file that logs in: its registration changes with it, see registrar.ts. */
export interface ToRegister extends ToStore {
  readonly enrolment: NewEnrolment;
  readonly place: StatePlace;
  readonly state: State;
}

/**
 * Writes the draft, registers it as pending, lets `hand` give the result to the person (who alone has it), puts
 * the file in its place and completes the registration. What fails up to the rename undoes all of it; `takeBack`
 * undoes what `hand` did or began, while the registration is still pending.
 */
export async function storeRegistered(what: ToRegister, hand: () => void, takeBack: () => void = () => undefined): Promise<void> {
  if (what.config.secretsInStore) {
    await registerInStore(what, hand, takeBack);
    return;
  }
  const { user, place, state, enrolment } = what;
  const asOwner = <T>(action: () => Promise<T>): Promise<T> => asUser(place.owner, action);
  // One change of identity for both: of many users it is what takes the time.
  const { found, written } = await asUser(user, () => ({
    found: findSealed(what.config, user, enrolment.origin.context),
    written: draftOf(what),
  }));
  try {
    await asOwner(() => begin(state, enrolment, inPlace(found)));
  } catch (error) {
    await asUser(user, () => written.drop());
    throw error;
  }
  const registration: Registration = {
    complete: () => asOwner(() => complete(state, enrolment)),
    completeSurely: () => asOwner(() => complete(state, enrolment)),
    abandon: () => {
      takeBack();
      return asOwner(() => abandon(state, enrolment));
    },
  };
  await putInPlace(what, written, registration, hand);
}

/** The same where the store keeps the sealed file: it is there from the moment at which it is the registered one. */
async function registerInStore(what: ToRegister, hand: () => void, takeBack: () => void): Promise<void> {
  const { place, state, enrolment, bytes } = what;
  const asOwner = <T>(action: () => Promise<T>): Promise<T> => asUser(place.owner, action);
  await asOwner(() => begin(state, enrolment, undefined));
  try {
    hand();
    await asOwner(() => completeInStore(state, enrolment, Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    // An answer of the store may have been lost on its way.
    const standing = await asOwner(() => standingInStore(state, enrolment)).catch(() => 'unknown' as const);
    if (standing === 'registered') return;
    if (standing === 'unknown') throw notKnown(error);
    takeBack();
    await asOwner(() => abandon(state, enrolment));
    throw error;
  }
}

/** Both secrets may be the right one now, so nothing is taken back. */
function notKnown(cause: unknown): NotpError {
  return new NotpError(
    'store_unavailable',
    `${messageOf(cause)}; it is not known whether the new secret has taken its place`,
    'keep what was shown, and run the command again when the store answers',
    { cause },
  );
}

/** The file that the service has sealed and begun to register: the draft comes after that. Else as storeRegistered. */
export async function storeBegun(what: ToStore, registration: Registration, hand: () => void): Promise<void> {
  if (what.config.secretsInStore) {
    await endInStore(registration, hand);
    return;
  }
  let written: Draft;
  try {
    written = await drafted(what);
  } catch (error) {
    await registration.abandon();
    throw notStored(what, error);
  }
  await putInPlace(what, written, registration, hand);
}

/** The service keeps the file: nothing is in its place before it says so. */
async function endInStore(registration: Registration, hand: () => void): Promise<void> {
  try {
    hand();
  } catch (error) {
    await registration.abandon();
    throw error;
  }
  await registration.completeSurely();
}

/** How a registration that was begun ends: with the file in its place, or without. */
export interface Registration {
  complete(): Promise<void>;
  /** The same, and throws where it is not known to be done. */
  completeSurely(): Promise<void>;
  abandon(): Promise<void>;
}

async function putInPlace(what: ToStore, written: Draft, registration: Registration, hand: () => void): Promise<void> {
  try {
    hand();
    // Not surely on the disk: both files stay known, and the first login completes what is there.
    if (!(await asUser(what.user, () => written.put()))) return;
  } catch (error) {
    await asUser(what.user, () => written.drop());
    await registration.abandon();
    throw notStored(what, error);
  }
  await registration.complete();
}

/** Puts a file in its place that is registered for no login, or whose registration stays as it is. */
export async function storeFile(what: ToStore): Promise<void> {
  await storeFiles([what], () => Promise.resolve());
}

/** The same for several, whole on the disk all of them before `last` runs and the first takes its place. */
export async function storeFiles(all: readonly ToStore[], last: () => Promise<void>): Promise<void> {
  const written: Placing[] = [];
  try {
    for (const what of all) written.push({ what, draft: await drafted(what) });
    await last();
    for (const each of written) await put(each);
  } finally {
    // What is in its place has no draft any more.
    for (const each of written) await asUser(each.what.user, () => each.draft.drop());
  }
}

interface Placing {
  readonly what: ToStore;
  readonly draft: Draft;
}

async function put({ what, draft: written }: Placing): Promise<void> {
  try {
    await asUser(what.user, () => written.put());
  } catch (error) {
    throw notStored(what, error);
  }
}

function drafted(what: ToStore): Promise<Draft> {
  return asUser(what.user, () => draftOf(what));
}

function draftOf({ config, user, file, bytes }: ToStore): Draft {
  makeSecretsFolder(config, user);
  return draft(file, bytes);
}

function notStored({ file }: ToStore, cause: unknown): NotpError {
  return new NotpError('failed', `${file}: ${messageOf(cause)}`, 'nothing was changed; a key or codes that were shown are worth nothing', {
    cause,
  });
}

function inPlace(found: Found): Registered | undefined {
  return found.kind === 'sealed' ? registrationOf(found.file) : undefined;
}
