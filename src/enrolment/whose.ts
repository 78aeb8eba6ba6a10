/** Finds the user that a command is about, and the state that it works on. */
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import type { Config } from '../system/config.ts';
import { asUser, forRootAlone, requireRoot } from '../system/privileges.ts';
import { isRoot, realUid, realUser, userByName, type User } from '../system/users.ts';
import { withOpenedKey } from '../state/credentials.ts';
import { missingSocket } from '../login/open.ts';
import { withPresentState, withState, type State } from '../state/state.ts';
import type { Transaction } from '../store/store.ts';
import { statePlace, type StatePlace } from '../state/place.ts';
import type { Own } from './own-secrets.ts';

/**
 * The account with the name `name` in any spelling; undefined: the caller's own. Throws `usage` for an unknown name, and
 * `not_permitted` for another user's where the caller is not root.
 */
export function userNamed(name: string | undefined, { onlyRoot, hint }: { onlyRoot: string; hint: (user: User) => string }): User {
  const self = realUser();
  const user = name === undefined || name === self.name ? self : userByName(name);
  if (user === undefined) throw new NotpError('usage', `there is no user ${quoted(name ?? '')}`, 'getent passwd lists all users');
  if (user.uid !== realUid()) requireRoot(onlyRoot, hint(user));
  return user;
}

/** A user of this host. For root also just the name in an enrolment or a grant whose user is deleted, or exists only on other hosts of the fleet. */
export type Whose = User | { readonly name: string; readonly uid?: undefined };

/** As userNamed. Root may also give a name that only the store knows: of a deleted user, or the former name of a renamed account. */
export async function enrolledUser(
  config: Config,
  name: string | undefined,
  now: () => number,
  words: Parameters<typeof userNamed>[1],
): Promise<Whose> {
  if (name !== undefined && isRoot() && userByName(name)?.name !== name) {
    const place = statePlace(config, realUser());
    const known = await asUser(place.owner, () =>
      withState(place, now, async (state) => await state?.store.exclusively((transaction) => isKnown(transaction, name))),
    );
    if (known === true) return { name };
  }
  return userNamed(name, words);
}

async function isKnown(transaction: Transaction, name: string): Promise<boolean> {
  return (await transaction.enrolmentsOf(name)).length > 0 || (await transaction.grantsOf(name)).length > 0;
}

/** The user of an audit record. */
export function originOf({ name, uid }: Whose): Pick<Origin, 'user' | 'uid'> {
  return uid === undefined ? { user: name } : { user: name, uid };
}

/** The state that this process would write for `user`, with the host key where systemd decrypts it for root. */
export function ownStatePlace({ config, user }: Pick<Own, 'config' | 'user'>): StatePlace {
  return withOpenedKey(statePlace(config, user), config);
}

/** The error for enrolments that the service holds and only root can change. `command`: the command for root. */
export function heldByService({ name }: Pick<User, 'name'>, command: string): NotpError {
  return new NotpError('not_permitted', `the enrolments of ${name} are held by the service of this host`, command);
}

export function onlyRootInvites({ name }: Pick<User, 'name'>): NotpError {
  return forRootAlone('invite', shellCommand`sudo notp-enroll --pending ${name}`);
}

/** The error for a user without an enrolment, or without one for `context`. `all`: the enrolments that they have. */
export function notEnrolled(
  { name }: Pick<User, 'name'>,
  context: string | undefined,
  all: readonly { readonly context: string }[],
): NotpError {
  const what = `${name} is not enrolled${context === undefined ? '' : ` for ${context}`}`;
  if (all.length > 0) return new NotpError('refused', what, `enrolled: ${all.map((each) => each.context).join(', ')}`);
  return new NotpError('refused', what, isRoot() ? shellCommand`notp-enroll ${name} makes an enrolment` : 'notp enroll makes an enrolment');
}

/** The state of this host, for root. Throws `failed` where there is none. `what`: the start of that message. */
export function serviceState(config: Config, what: string): StatePlace {
  return withOpenedKey(servicePlace(config, what), config);
}

/** The same to read what no key is needed for: an encrypted one is not opened. */
export function servicePlace(config: Config, what: string): StatePlace {
  const place = statePlace(config, realUser());
  if (place.kind === 'service') return place;
  throw new NotpError(
    'failed',
    `${what} the state of this host, which does not exist`,
    'it needs the system user notp and a store of the host: install the package, or see docs/install.md',
  );
}

/**
 * What `work` on the state of this host gives, for root. Throws `not_permitted` without root, and as serviceState does. `act`: what only root can
 * do. `needs`: the start of the message where there is no state.
 */
export async function onServiceState<T>(
  config: Config,
  { act, needs }: { readonly act: string; readonly needs: string },
  now: () => number,
  work: (state: State) => Promise<T>,
): Promise<T> {
  requireRoot(act);
  const place = serviceState(config, needs);
  return await asUser(place.owner, () => withPresentState(place, now, work));
}

/** The same, for a store that other hosts share. Throws `refused` with the message `alone` where no host does. */
export function sharedState(config: Config, what: string, alone: string): StatePlace {
  const place = serviceState(config, what);
  if (place.store.kind === 'postgres') return place;
  throw new NotpError('refused', alone, 'store.url names a database of a fleet: see notp.toml(5)');
}

/** Whether another state judges the login `context` (undefined: any), and the socket that leads to it is missing. */
export function isElsewhere(config: Config, whose: Whose, context: string | undefined): whose is User {
  if (whose.uid === undefined || (context !== undefined && !config.contexts.includes(context))) return false;
  return missingSocket(config, whose) !== undefined;
}

/**
 * Throws `refused` where a change of the login `context` (undefined: any) would count for nothing here: another state judges it,
 * and the socket that leads to it is missing. `command`: what root can run instead.
 */
export function refuseElsewhere(config: Config, whose: Whose, context: string | undefined, command: string): void {
  if (isElsewhere(config, whose, context)) throw judgedElsewhere(whose, missingSocket(config, whose) ?? '', command);
}

/**
 * The error where the service's state judges the logins of `user`, and its socket `socket` is missing. `command`: what root can run
 * instead.
 */
function judgedElsewhere({ name }: Pick<User, 'name'>, socket: string, command: string): NotpError {
  return new NotpError(
    'refused',
    `the service judges the logins of ${name}, and its socket ${socket} is missing; nothing was changed`,
    `ask an administrator: ${command}`,
  );
}

/** The error where the service keeps the sealed file of `context` and cannot be asked. */
export function keptByService({ name }: Pick<User, 'name'>, context: string): NotpError {
  return new NotpError(
    'refused',
    `the service of this host keeps the login ${context} of ${name}, and its socket is missing`,
    'ask an administrator to run this, or to enrol you (notp-enroll)',
  );
}
