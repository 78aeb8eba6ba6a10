/** The login that an import creates, and whether it may: checked before anything is read. */
import type { Origin } from '../../audit/record.ts';
import { whereSealed } from '../../login/sealed-files.ts';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import type { LoginFormat } from '../../terminal/choices.ts';
import { requireRoot } from '../../system/privileges.ts';
import { isRoot, SERVICE_USER, userByName, type User } from '../../system/users.ts';
import { withOpenedKey } from '../../state/credentials.ts';
import { statePlace, type StatePlace } from '../../state/place.ts';
import { noHostSeal, refusePassphraseInStore } from '../../enrolment/store-seal.ts';
import { serviceState, userNamed } from '../../enrolment/whose.ts';

export interface LoginPlan {
  readonly user: User;
  readonly place: StatePlace;
  readonly sealKind: 'host' | 'passphrase';
}

/** The plan for one user's login. Throws `usage` or `not_permitted`. */
export function loginPlan(config: Config, name: string | undefined, seal: 'host' | 'passphrase' | undefined): LoginPlan {
  const user = userNamed(name, { onlyRoot: 'import the login of somebody else', hint: commandFor });
  const place = withOpenedKey(statePlace(config, user), config);
  if (place.kind === 'user' && config.store.kind !== 'user' && userByName(SERVICE_USER) !== undefined)
    throw new NotpError('not_permitted', 'the service of this host holds the logins, and only root can import one', commandFor(user));
  const sealKind = seal ?? (isRoot() ? 'host' : 'passphrase');
  if (sealKind === 'host' && place.kind !== 'service') throw noHostSeal('give --seal passphrase');
  if (sealKind === 'passphrase') refusePassphraseInStore(config, 'leave out --seal');
  return { user, place, sealKind };
}

/** The state of the host, for the logins of many users. Throws `not_permitted` or `failed`. */
export function hostPlace(config: Config, from: LoginFormat): StatePlace {
  requireRoot('import the logins of others', shellCommand`sudo notp import --from ${from} --file FILE`);
  return serviceState(config, 'the import of a users file needs');
}

function commandFor({ name }: User): string {
  return shellCommand`sudo notp import --from google-authenticator --user ${name}`;
}

/** The login that an import creates. */
export interface Target {
  readonly config: Config;
  readonly user: User;
  readonly place: StatePlace;
  readonly origin: Origin;
  readonly file: string;
  readonly now: () => number;
}

export function targetOf({ config, place, now }: Pick<Target, 'config' | 'place' | 'now'>, user: User, context: string): Target {
  const origin: Origin = { user: user.name, uid: user.uid, context, door: 'cli' };
  return { config, user, place, origin, file: whereSealed(config, place, user, context), now };
}
