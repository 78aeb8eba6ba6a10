/** Lists the enrolments that this host's key sealed, and which key that was. */
import { asOwner, asUser, requireRoot } from '../system/privileges.ts';
import { findSealed, type Found } from '../system/secrets.ts';
import type { Config } from '../system/config.ts';
import { isRoot, realUser, userByName } from '../system/users.ts';
import type { Enrolment, KeptFile } from '../store/store.ts';
import { statusToBe } from '../store/enrolment.ts';
import { registrationOf } from '../seal/file.ts';
import { registers } from '../login/account.ts';
import { fileAmong } from '../login/sealed-files.ts';
import { withPresentState } from '../state/state.ts';
import { statePlace, type StatePlace } from '../state/place.ts';

export interface HostSealed {
  readonly user: string;
  readonly context: string;
  /** The key that sealed the file in place: `missing` where it is not among those here, `unknown` where the file or the keys cannot be read. */
  readonly key: 'present' | 'former' | 'missing' | 'unknown';
}

/** The active enrolments that are not sealed by a passphrase, by user and context. Throws `not_permitted` unless root runs it. */
export async function hostSealed(config: Config, now: () => number): Promise<readonly HostSealed[]> {
  requireRoot('look into the enrolments of all users');
  const place = statePlace(config, realUser());
  const { enrolments, kept, hostKey } = await asUser(place.owner, () =>
    withPresentState(place, now, async (state) => ({
      enrolments: await state.store.exclusively((transaction) => transaction.enrolments()),
      kept: config.secretsInStore ? Map.groupBy(await state.store.sealedFiles(), ({ user }) => user) : undefined,
      hostKey: state.hostKey,
    })),
  );
  const former = hostKey?.former.map(({ id }) => id) ?? [];
  const here = (id: string): HostSealed['key'] => {
    if (hostKey === undefined) return 'unknown';
    return id === hostKey.id ? 'present' : former.includes(id) ? 'former' : 'missing';
  };
  const found: HostSealed[] = [];
  for (const { user, context } of enrolments.filter(isComplete)) {
    const key = keyOf(kept === undefined ? await inHome(config, user, context) : inStore(kept.get(user) ?? [], user, context));
    if (key !== undefined) found.push({ user, context, key: key === '' ? 'unknown' : here(key) });
  }
  return found;
}

/**
 * The active enrolments whose sealed file a passphrase seals in a home, where the store keeps those files: no door finds them there.
 * Only root can read them all; for anybody else, and for users of other hosts, there are none.
 */
export async function leftInHomes(config: Config, enrolments: readonly Enrolment[]): Promise<readonly Enrolment[]> {
  if (!config.secretsInStore || !isRoot()) return [];
  const left: Enrolment[] = [];
  for (const each of enrolments.filter(isComplete)) {
    const found = await inHome(config, each.user, each.context);
    if (found.kind === 'sealed' && found.file.seal.kind === 'passphrase' && registers(each, registrationOf(found.file))) left.push(each);
  }
  return left;
}

/** The same of all enrolments of `place`. Reads nothing where the store keeps no files. Throws as withPresentState() does. */
export async function leftInHomesOf(config: Config, place: StatePlace, now: () => number): Promise<readonly Enrolment[]> {
  if (!config.secretsInStore) return [];
  const enrolments = await asUser(place.owner, () =>
    withPresentState(place, now, ({ store }) => store.exclusively((transaction) => transaction.enrolments())),
  );
  return await leftInHomes(config, enrolments);
}

function isComplete(enrolment: Enrolment): boolean {
  return statusToBe(enrolment) === 'active' && (enrolment.id !== '' || enrolment.pendingId !== '');
}

/** The id of the host key that sealed the file; empty where no file can be read, undefined where a passphrase sealed it. */
function keyOf(found: Found): string | undefined {
  if (found.kind !== 'sealed') return '';
  return found.file.seal.kind === 'host' ? found.file.seal.key : undefined;
}

async function inHome(config: Config, name: string, context: string): Promise<Found> {
  const user = userByName(name);
  return user === undefined
    ? { kind: 'absent' }
    : await asOwner(
        user,
        () => findSealed(config, user, context),
        ({ kind }) => kind !== 'bad',
      );
}

/** `kept`: the files of `user`. */
function inStore(kept: readonly KeptFile[], user: string, context: string): Found {
  return fileAmong(
    kept.find((each) => each.context === context),
    user,
    context,
  );
}
