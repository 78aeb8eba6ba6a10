/** Whose login a command is about, and the state that it is on. */
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { isRoot, realUid, realUser, userByName, type User } from '../system/users.ts';
import { withOpenedKey } from '../state/credentials.ts';
import { missingSocket } from '../login/open.ts';
import { withState } from '../state/state.ts';
import { statePlace, type StatePlace } from '../state/place.ts';
import type { Own } from './own-secrets.ts';

/** The account that `name` is a spelling of, or oneself. Throws `usage` where there is none, `not_permitted` where it is somebody else and we are not root. */
export function userNamed(name: string | undefined, { onlyRoot, hint }: { onlyRoot: string; hint: (user: User) => string }): User {
  const self = realUser();
  const user = name === undefined || name === self.name ? self : userByName(name);
  if (user === undefined) throw new NotpError('usage', `there is no user ${quoted(name ?? '')}`, 'getent passwd lists those there are');
  if (user.uid !== realUid() && !isRoot()) throw new NotpError('not_permitted', `only root can ${onlyRoot}`, hint(user));
  return user;
}

/** A user of this host, or for root the name of an enrolment whose user is gone, or on other hosts of the fleet alone. */
export type Whose = User | { readonly name: string; readonly uid?: undefined };

/** As userNamed, and for root also a name that the store knows: somebody's who is gone, or an account's that has another name now. */
export async function enrolledUser(
  config: Config,
  name: string | undefined,
  now: () => number,
  words: Parameters<typeof userNamed>[1],
): Promise<Whose> {
  if (name !== undefined && isRoot() && userByName(name)?.name !== name) {
    const place = statePlace(config, realUser());
    const known = await asUser(place.owner, () =>
      withState(place, now, async (state) => await state?.store.exclusively((transaction) => transaction.enrolmentsOf(name))),
    );
    if (known !== undefined && known.length > 0) return { name };
  }
  return userNamed(name, words);
}

/** Whose a record is. */
export function originOf({ name, uid }: Whose): Pick<Origin, 'user' | 'uid'> {
  return uid === undefined ? { user: name } : { user: name, uid };
}

/** The state that this process would write for `user`, with the key of the host where systemd opens it for root. */
export function ownStatePlace({ config, user }: Pick<Own, 'config' | 'user'>): StatePlace {
  return withOpenedKey(statePlace(config, user), config);
}

/** Where the service holds the enrolments, and only root can do it. `command`: what root runs. */
export function heldByService({ name }: Pick<User, 'name'>, command: string): NotpError {
  return new NotpError('not_permitted', `the enrolments of ${name} are held by the service of this host`, command);
}

export function onlyRootInvites({ name }: Pick<User, 'name'>): NotpError {
  return new NotpError('not_permitted', 'only root can invite', shellCommand`sudo notp-enroll --pending ${name}`);
}

/** What is refused where the user has no enrolment, or none for `context`; `all` are those that they have. */
export function notEnrolled(
  { name }: Pick<User, 'name'>,
  context: string | undefined,
  all: readonly { readonly context: string }[],
): NotpError {
  const what = `${name} is not enrolled${context === undefined ? '' : ` for ${context}`}`;
  if (all.length > 0) return new NotpError('refused', what, `enrolled: ${all.map((each) => each.context).join(', ')}`);
  return new NotpError('refused', what, isRoot() ? shellCommand`notp-enroll ${name} makes an enrolment` : 'notp enroll makes an enrolment');
}

/** The state of this host, for root. `what`: begins the word about it where there is none, which is thrown as `failed`. */
export function serviceState(config: Config, what: string): StatePlace {
  const place = withOpenedKey(statePlace(config, realUser()), config);
  if (place.kind === 'service') return place;
  throw new NotpError(
    'failed',
    `${what} the state of this host, and there is none`,
    'it needs the system user notp and a store of the host: see "Set up" in README.md',
  );
}

/** The same, where other hosts share its store. `alone`: what is said where none does, which is thrown as `refused`. */
export function sharedState(config: Config, what: string, alone: string): StatePlace {
  const place = serviceState(config, what);
  if (place.store.kind === 'postgres') return place;
  throw new NotpError('refused', alone, 'store.url names a database of a fleet: see notp.toml(5)');
}

/** Whether another state judges the login `context` (undefined: any), to which the missing socket would lead. */
export function isElsewhere(config: Config, whose: Whose, context: string | undefined): whose is User {
  if (whose.uid === undefined || (context !== undefined && !config.contexts.includes(context))) return false;
  return missingSocket(config, whose) !== undefined;
}

/**
 * Throws `refused` where nothing that is done here with the login `context` (undefined: with any) would count: another state judges it, to
 * which the missing socket would lead. `command`: what root can run instead.
 */
export function refuseElsewhere(config: Config, whose: Whose, context: string | undefined, command: string): void {
  if (isElsewhere(config, whose, context)) throw judgedElsewhere(whose, missingSocket(config, whose) ?? '', command);
}

/** Where the service's state judges the logins of `user`, and `socket`, which would lead to it, is missing. `command`: what root can run instead. */
function judgedElsewhere({ name }: Pick<User, 'name'>, socket: string, command: string): NotpError {
  return new NotpError(
    'refused',
    `the logins of ${name} are judged by the state of the service, and there is no ${socket} that leads to it; nothing was changed`,
    `ask an administrator: ${command}`,
  );
}

/** Where the service keeps the sealed file of `context` and cannot be asked. */
export function keptByService({ name }: Pick<User, 'name'>, context: string): NotpError {
  return new NotpError(
    'refused',
    `the login ${context} of ${name} is kept by the service of this host, and no socket leads to it`,
    'ask an administrator to run this, or to enrol you (notp-enroll)',
  );
}
