/** The steps by which a new sealed file takes its place, in the order that loses nothing; see verifier/registrar.ts. */
import { mkdirSync } from 'node:fs';
import { errnoOf, messageOf, NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { checkedFrom, secretsFolder } from '../system/secrets.ts';
import { checkFolders, draft, type Draft } from '../system/trusted.ts';
import type { User } from '../system/users.ts';
import type { Policy } from '../verdict/decide.ts';
import { abandon, begin, complete, type NewEnrolment } from '../verifier/registrar.ts';
import type { State, StatePlace } from '../verifier/state.ts';

export interface ToStore extends NewEnrolment {
  readonly config: Config;
  readonly user: User;
  readonly place: StatePlace;
  readonly state: State;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly policy: Policy;
  readonly now: () => number;
}

/**
 * Writes the draft, registers it as pending, lets `hand` give the result to the person (who alone has it), puts
 * the file in its place and completes the registration. What fails up to the rename undoes all of it.
 */
export async function store(what: ToStore, hand: () => void): Promise<void> {
  const { user, place, state } = what;
  const asOwner = <T>(action: () => Promise<T>): Promise<T> => asUser(place.owner, action);
  const written = await asUser(user, () => newDraft(what));
  try {
    await asOwner(() => begin(state, what, what.policy, what.now()));
  } catch (error) {
    await asUser(user, () => written.drop());
    throw error;
  }
  try {
    hand();
    await asUser(user, () => written.put());
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

function newDraft({ config, user, file, bytes }: ToStore): Draft {
  makeSecretsFolder(config, user);
  return draft(file, bytes);
}

/** Makes the user's folder, 0700, where it is not there, and checks it as a login will. The caller acts as that user. */
export function makeSecretsFolder(config: Config, user: User): void {
  const folder = secretsFolder(config, user);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw new NotpError('failed', messageOf(error), 'nothing was changed');
  }
  checkFolders(checkedFrom(folder, user), folder, user.uid);
}
