/** Puts a new sealed file in its place, in an order of steps that loses nothing. */
import { causeOf, messageOf, NotpError } from '../error.ts';
import { plural } from '../lists.ts';
import { registrationOf, type Registration as Registered } from '../seal/file.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { findSealed, makeSecretsFolder, type Found } from '../system/secrets.ts';
import { draft, type Draft } from '../system/trusted.ts';
import type { User } from '../system/users.ts';
import { isOwnSecret, ownSecretInPlace } from './own-secrets.ts';
import { abandon, begin, complete, completeInStore, standingInStore, type NewEnrolment } from './registrar.ts';
import type { State } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';

export interface ToStore {
  readonly config: Config;
  readonly user: User;
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** A file that logs in. Its registration changes with it; see registrar.ts. */
export interface ToRegister extends ToStore {
  readonly enrolment: NewEnrolment;
  readonly place: StatePlace;
  readonly state: State;
}

/**
 * Writes the draft and registers it as pending. Then `hand` gives the result to the person (nobody else has it), the file is
 * renamed into place, and the registration is completed. A failure up to the rename undoes all of it. `takeBack` undoes the effects
 * of `hand` while the registration is still pending.
 */
export async function storeRegistered(what: ToRegister, hand: () => void, takeBack: () => void = () => undefined): Promise<void> {
  if (what.config.secretsInStore) {
    await registerInStore(what, hand, takeBack);
    return;
  }
  const { user, place, state, enrolment } = what;
  const asOwner = <T>(action: () => Promise<T>): Promise<T> => asUser(place.owner, action);
  // Both in one change of identity, since with many users those take most of the time.
  const { found, written } = await asUser(user, () => ({
    found: findSealed(what.config, user, enrolment.origin.context),
    written: draftOf(what),
  }));
  try {
    // Somebody may have typed since the last look.
    await asOwner(() =>
      begin(state, enrolment, inPlace(found), (present) => {
        if (isOwnSecret(found, present)) throw ownSecretInPlace(what);
      }),
    );
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

/** The same where the store keeps the sealed file: storing and registering it are one transaction. */
async function registerInStore(what: ToRegister, hand: () => void, takeBack: () => void): Promise<void> {
  const { place, state, enrolment, bytes } = what;
  const asOwner = <T>(action: () => Promise<T>): Promise<T> => asUser(place.owner, action);
  await asOwner(() => begin(state, enrolment, undefined));
  try {
    hand();
    await asOwner(() => completeInStore(state, enrolment, Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    // The store may have committed, and its answer was lost.
    const standing = await asOwner(() => standingInStore(state, enrolment)).catch(() => 'unknown' as const);
    if (standing === 'registered') return;
    if (standing === 'unknown') throw notKnown(error);
    takeBack();
    await asOwner(() => abandon(state, enrolment));
    throw error;
  }
}

/** Either secret may be the valid one now, so nothing is taken back. */
function notKnown(cause: unknown): NotpError {
  return new NotpError(
    'store_unavailable',
    `${messageOf(cause)}; it is not known whether the new secret is in place`,
    'keep what was shown, and run the command again when the store answers',
    { cause },
  );
}

/** The same for a file that the service has sealed and registered as pending: the draft is written after that. */
export async function storeBegun(what: ToStore, registration: Registration, hand: () => void): Promise<void> {
  if (what.config.secretsInStore) {
    await endInStore(registration, hand);
    return;
  }
  let written: Draft;
  try {
    written = await writeDraft(what);
  } catch (error) {
    await registration.abandon();
    throw notStored(what, error);
  }
  await putInPlace(what, written, registration, hand);
}

/** The service keeps the file. It is in place only when the service says so. */
async function endInStore(registration: Registration, hand: () => void): Promise<void> {
  try {
    hand();
  } catch (error) {
    await registration.abandon();
    throw error;
  }
  await registration.completeSurely();
}

/** Ends a registration that was begun: with the file in place, or without. */
export interface Registration {
  complete(): Promise<void>;
  /** The same, but throws where the result is unknown. */
  completeSurely(): Promise<void>;
  abandon(): Promise<void>;
}

async function putInPlace(what: ToStore, written: Draft, registration: Registration, hand: () => void): Promise<void> {
  try {
    hand();
    // The rename may not be on the disk yet. Both files stay registered, and the first login completes the one in place.
    if (!(await asUser(what.user, () => written.put()))) return;
  } catch (error) {
    await asUser(what.user, () => written.drop());
    await registration.abandon();
    throw notStored(what, error);
  }
  await registration.complete();
}

/** Puts a file in place that no login is registered for, or whose registration does not change. */
export async function storeFile(what: ToStore): Promise<void> {
  await storeFiles([what], () => Promise.resolve());
}

/** The same for several files. All are on the disk before `last` runs, and only then the first is renamed into place. */
export async function storeFiles(all: readonly ToStore[], last: () => Promise<void>): Promise<void> {
  const written: Placing[] = [];
  try {
    for (const what of all) written.push({ what, draft: await writeDraft(what) });
    await last();
    for (const [before, each] of written.entries()) await put(each, before);
  } finally {
    // A file in place has no draft any more.
    for (const each of written) await asUser(each.what.user, () => each.draft.drop());
  }
}

interface Placing {
  readonly what: ToStore;
  readonly draft: Draft;
}

async function put({ what, draft: written }: Placing, before: number): Promise<void> {
  try {
    await asUser(what.user, () => written.put());
  } catch (error) {
    throw notStored(what, error, before);
  }
}

function writeDraft(what: ToStore): Promise<Draft> {
  return asUser(what.user, () => draftOf(what));
}

function draftOf({ config, user, file, bytes }: ToStore): Draft {
  makeSecretsFolder(config, user);
  return draft(file, bytes);
}

/** `before`: how many others are in their places already. */
function notStored({ file }: ToStore, cause: unknown, before = 0): NotpError {
  const hint =
    before === 0
      ? 'nothing was changed; discard any key or codes that were shown'
      : `${plural(before, 'other file')} of this run changed before it: mend this, and run the command again`;
  return new NotpError('failed', `${file}: ${causeOf(cause)}`, hint, { cause });
}

function inPlace(found: Found): Registered | undefined {
  return found.kind === 'sealed' ? registrationOf(found.file) : undefined;
}
