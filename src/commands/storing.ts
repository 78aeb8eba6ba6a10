/** The steps by which a new sealed file takes its place, in the order that loses nothing; see verifier/registrar.ts. */
import { messageOf, NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { findSealed, makeSecretsFolder, type Found } from '../system/secrets.ts';
import { draft } from '../system/trusted.ts';
import type { User } from '../system/users.ts';
import { abandon, begin, complete, type NewEnrolment } from '../verifier/registrar.ts';
import type { State, StatePlace } from '../verifier/state.ts';

export interface ToStore extends NewEnrolment {
  readonly config: Config;
  readonly user: User;
  readonly place: StatePlace;
  readonly state: State;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly now: () => number;
}

/**
 * Writes the draft, registers it as pending, lets `hand` give the result to the person (who alone has it), puts
 * the file in its place and completes the registration. What fails up to the rename undoes all of it.
 */
export async function store(what: ToStore, hand: () => void): Promise<void> {
  const { user, place, state } = what;
  const asOwner = <T>(action: () => Promise<T>): Promise<T> => asUser(place.owner, action);
  const found = await asUser(user, () => findSealed(what.config, user, what.origin.context));
  const written = await asUser(user, () => {
    makeSecretsFolder(what.config, user);
    return draft(what.file, what.bytes);
  });
  try {
    await asOwner(() => begin(state, what, idOf(found), what.now()));
  } catch (error) {
    await asUser(user, () => written.drop());
    throw error;
  }
  try {
    hand();
    // Not surely on the disk: both files stay known, and the first login completes what is there.
    if (!(await asUser(user, () => written.put()))) return;
  } catch (error) {
    await asUser(user, () => written.drop());
    await asOwner(() => abandon(state, what));
    throw new NotpError(
      'failed',
      `${what.file}: ${messageOf(error)}`,
      'nothing was changed: throw away the key and the codes that were shown',
      { cause: error },
    );
  }
  await asOwner(() => complete(state, what));
}

function idOf(found: Found): string | undefined {
  return found.kind === 'sealed' ? found.file.id : undefined;
}
