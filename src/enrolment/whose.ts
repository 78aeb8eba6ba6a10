/** Whose login a command is about, and the state that it is on. */
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import type { Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { isRoot, realUid, realUser, userByName, type User } from '../system/users.ts';
import { withOpenedKey } from '../state/credentials.ts';
import { missingSocket, presentSocket } from '../login/open.ts';
import { withState } from '../state/state.ts';
import { statePlace, type StatePlace } from '../state/place.ts';

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

/**
 * The state that the enrolments of `user` are judged on, where we may change it. Throws `not_permitted` where the
 * service holds them: then it is root's, who calls `notp <command> --user NAME`.
 */
export function placeOf(config: Config, user: Whose, command: string, context: string | undefined): StatePlace {
  const place = withOpenedKey(statePlace(config, user.uid === undefined ? realUser() : user), config);
  if (place.kind === 'service' || user.uid === undefined) return place;
  const isOfLogins = context === undefined || config.contexts.includes(context);
  if (presentSocket(config, user) === undefined && (!isOfLogins || missingSocket(config, user) === undefined)) return place;
  throw new NotpError(
    'not_permitted',
    `the enrolments of ${user.name} are held by the service of this host`,
    shellCommand`sudo notp ${command} --user ${user.name}`,
  );
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
