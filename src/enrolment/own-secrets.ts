/** Finds and opens a person's own sealed files, for the commands about their codes, and chooses the key of a new one. */
import { NotpError } from '../error.ts';
import { contextName } from '../otp/names.ts';
import { registrationOf, type SealedFile } from '../seal/file.ts';
import { Keyring, sharable } from '../seal/keyring.ts';
import type { Payload } from '../seal/seal.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { findDevices, findSealed, makeSecretsFolder, sealedNames, sealedPath, type Found } from '../system/secrets.ts';
import type { User } from '../system/users.ts';
import { sealedFile } from '../login/sealed-files.ts';
import { withNewState, withState } from '../state/state.ts';
import { ownPlace, statePlace } from '../state/place.ts';
import { newPassphraseKey, type PassphraseKey } from './sealing.ts';

/** The owner of the secrets, and the configuration that says where they are. */
export interface Own {
  readonly config: Config;
  readonly user: User;
  readonly now: () => number;
}

/**
 * The sealed file of `context`: from the store where it keeps the files of logins, else from the user's folder. Throws `refused`
 * where there is none, `bad_secret_file` where it is broken.
 */
export async function ownSealed({ config, user, now }: Own, context: string): Promise<SealedFile> {
  const kept = config.secretsInStore ? await sealedFile(config, user, contextName(context), now) : undefined;
  const found =
    kept === undefined || kept.kind === 'absent' ? await asUser(user, () => findSealed(config, user, contextName(context))) : kept;
  switch (found.kind) {
    case 'sealed':
      return found.file;
    case 'absent':
      throw new NotpError('refused', `there is no secret ${sealedPath(config, user, context)}`, 'notp list shows all secrets');
    case 'bad':
      throw new NotpError('bad_secret_file', found.why, 'restore it from a backup, or import it again with --replace');
  }
}

/** Whether the service keeps the sealed file of `context`, so that the caller cannot see it. */
export function isOutOfSight({ config, user }: Own, context: string): boolean {
  return config.secretsInStore && config.contexts.includes(context) && statePlace(config, user).kind === 'user';
}

/** Throws `refused` where the file is not sealed by a passphrase: the host key opens files for logins, and for nothing else. */
export function refuseHostSealed(file: SealedFile): void {
  if (file.seal.kind === 'passphrase') return;
  throw new NotpError(
    'refused',
    `${file.context} is sealed by this host: its secret cannot leave it`,
    'the codes are on the phone that was enrolled',
  );
}

/** The payload that `passphrase` opens. Throws `refused` for a wrong passphrase. The caller wipes the secret. */
export function openSealed(file: SealedFile, passphrase: string): Payload {
  const keyring = new Keyring(passphrase);
  try {
    const payload = keyring.open(file);
    if (payload !== undefined) return payload;
  } finally {
    keyring.close();
  }
  throw new NotpError(
    'refused',
    `wrong passphrase for ${file.context}`,
    'type the passphrase chosen for this secret; if you are sure of it, the file was changed: restore it from a backup',
  );
}

/** Throws where another command replaced the file `old`, and registered the new one, while this command was waiting for input. */
export async function refuseChanged(own: Own, old: SealedFile): Promise<void> {
  const present = registrationOf(await ownSealed(own, old.context));
  if (present.digest !== registrationOf(old).digest)
    throw new NotpError('refused', `${old.context} was changed meanwhile`, 'run the command again on the new file');
}

/** Takes the next counter of a HOTP secret. The increment is durable before anybody sees the code. */
export async function takeCounter(own: Own, id: string): Promise<number> {
  return await onCounters(own, async (transaction) => {
    const counter = await counterOf(transaction, id);
    if (!Number.isSafeInteger(counter + 1))
      throw new NotpError('refused', 'the counter of this HOTP secret has reached its maximum', 'ask the service for a new secret');
    await transaction.setCounter(id, counter + 1);
    return counter;
  });
}

/** The next counter of a HOTP secret, without taking it. For a login it is the one after the last accepted counter. */
export async function nextCounter(own: Own, id: string): Promise<number> {
  return await onCounters(own, async (transaction) => {
    const login = (await transaction.enrolmentsOf(own.user.name)).find((enrolment) => enrolment.id === id);
    return login === undefined ? await counterOf(transaction, id) : login.state.lastStep + 1;
  });
}

/** Sets the counter of a new HOTP secret. */
export async function setCounter(own: Own, id: string, next: number): Promise<void> {
  await onCounters(own, (transaction) => transaction.setCounter(id, next));
}

/** Forgets the counter of a deleted secret, where there was one. */
export async function dropCounter({ config, user, now }: Own, id: string): Promise<void> {
  const forget = (transaction: Transaction): Promise<void> => transaction.dropCounter(id);
  await asUser(user, () => withState(ownPlace(config, user), now, async (state) => await state?.store.exclusively(forget)));
}

/** Runs `work` on the user's own state, which holds the counters. */
async function onCounters<T>({ config, user, now }: Own, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  return await asUser(user, async () => {
    makeSecretsFolder(config, user);
    return await withNewState(ownPlace(config, user), now, ({ store }) => store.exclusively(work));
  });
}

async function counterOf(transaction: Transaction, id: string): Promise<number> {
  const counter = await transaction.counter(id);
  if (counter !== undefined) return counter;
  throw new NotpError(
    'store_unavailable',
    'the counter of this HOTP secret is lost: it is not in .state.db beside the secret',
    'restore .state.db, or import the secret again with its counter; for a login only the token itself shows codes',
  );
}

/**
 * Whether the file found is a secret of the user's own, and not of a login: sealed by a passphrase, and neither registered nor pending in
 * `enrolment`, the row of its user and context. A login must not take its place unasked: nobody has that secret a second time.
 */
export function isOwnSecret(found: Found, enrolment: Pick<Enrolment, 'id' | 'pendingId'> | undefined): boolean {
  if (found.kind !== 'sealed' || found.file.seal.kind !== 'passphrase') return false;
  return enrolment?.id !== found.file.id && enrolment?.pendingId !== found.file.id;
}

/** The error where that secret is in `file`, the place of a new login. */
export function ownSecretInPlace({ user, file }: { readonly user: User; readonly file: string }): NotpError {
  return new NotpError('refused', `${file} is a secret of ${user.name} that is no login`, 'give --replace to lose that secret');
}

/** Each try is a derivation, and takes a third of a second. */
const MAX_TRIES = 3;

/**
 * The key of a new secret of one's own: that of the secrets which the same passphrase opens already, so that one derivation opens them
 * all, or else a fresh one. No file that is there changes, and no login shares its key. `among`: the secrets of one's own, where they are known. The caller wipes the key.
 */
export async function keyToSealWith(own: Own, passphrase: string, among?: readonly SealedFile[]): Promise<PassphraseKey> {
  const keyring = new Keyring(passphrase);
  try {
    const found = sharable(among ?? (await filesUnderOtherNames(own)))
      .slice(0, MAX_TRIES)
      .find((file) => opens(keyring, file));
    return found === undefined ? newPassphraseKey(passphrase) : { seal: found.seal, key: keyring.keyOf(found.seal).slice() };
  } finally {
    keyring.close();
  }
}

/** The sealed files whose names no login of notp.toml has, sorted by name. */
async function filesUnderOtherNames({ config, user }: Own): Promise<readonly SealedFile[]> {
  const names = (): string[] => sealedNames(config, user).filter((context) => !config.contexts.includes(context));
  const all = await asUser(user, () => findDevices(config, user, names()));
  return all.flatMap(({ found }) => (found.kind === 'sealed' ? [found.file] : []));
}

/** Proves that the salt was not put there by somebody without the passphrase. */
function opens(keyring: Keyring, file: SealedFile): boolean {
  try {
    const payload = keyring.open(file);
    payload?.secret.fill(0);
    return payload !== undefined;
  } catch (error) {
    if (error instanceof NotpError) return false;
    throw error;
  }
}
