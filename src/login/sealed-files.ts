/** Finds the sealed files of logins: in the users' homes, or with `secrets = "store"` in the store. */
import { messageOf } from '../error.ts';
import type { KeptFile, Store } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { findDevices, sealedFor, sealedPath, type DeviceFile, type Found } from '../system/secrets.ts';
import { realUser, type User } from '../system/users.ts';
import { withState } from '../state/state.ts';
import { statePlace, storeName, type StatePlace } from '../state/place.ts';

/**
 * The sealed files of `contexts`. Files in a home are read as that user, files in the store as its owner, who alone can read them:
 * for anybody else they are absent. Throws `store_unavailable` where the store does not answer.
 */
export async function sealedFiles(
  config: Config,
  user: User,
  contexts: readonly string[],
  now: () => number,
): Promise<readonly DeviceFile[]> {
  if (!config.secretsInStore) return await asUser(user, () => findDevices(config, user, contexts));
  const place = statePlace(config, user);
  if (place.kind === 'user') return contexts.map((context) => ({ context, found: { kind: 'absent' } }));
  return await asUser(place.owner, () =>
    withState(place, now, async (state) => filesAmong((await state?.store.sealedFiles(user.name)) ?? [], user.name, contexts)),
  );
}

/** The same for one context. */
export async function sealedFile(config: Config, user: User, context: string, now: () => number): Promise<Found> {
  const [file] = await sealedFiles(config, user, [context], now);
  return file?.found ?? { kind: 'absent' };
}

/** The sealed files of all users in the store of this host. Throws `store_unavailable`. */
export async function keptOfAll(config: Config, now: () => number): Promise<readonly KeptFile[]> {
  const place = statePlace(config, realUser());
  return await asUser(place.owner, () => withState(place, now, async (state) => (await state?.store.sealedFiles()) ?? []));
}

/** The sealed files that `store` keeps of `user`, for `contexts`. */
export async function keptFiles(store: Store, user: string, contexts: readonly string[]): Promise<readonly DeviceFile[]> {
  return filesAmong(await store.sealedFiles(user), user, contexts);
}

/** The files of `user` for `contexts` among `kept`. */
export function filesAmong(kept: readonly KeptFile[], user: string, contexts: readonly string[]): readonly DeviceFile[] {
  const theirs = kept.filter((each) => each.user === user);
  return contexts.map((context) => ({
    context,
    found: fileAmong(
      theirs.find((each) => each.context === context),
      user,
      context,
    ),
  }));
}

/** The place of the sealed file, for a person. */
export function whereSealed(config: Config, place: StatePlace, user: User, context: string): string {
  return config.secretsInStore ? storeName(place) : sealedPath(config, user, context);
}

/** A file of the store, in the form in which a login finds one. */
export function fileAmong(kept: KeptFile | undefined, user: string, context: string): Found {
  if (kept === undefined) return { kind: 'absent' };
  try {
    return { kind: 'sealed', file: sealedFor({ name: user }, context, Buffer.from(kept.text)) };
  } catch (error) {
    return { kind: 'bad', why: messageOf(error) };
  }
}
