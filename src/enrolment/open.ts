/** Chooses where the enrolments of a user are held. Nothing else chooses. */
import type { Config } from '../system/config.ts';
import { realUser } from '../system/users.ts';
import { presentSocket } from '../login/open.ts';
import { withOpenedKey } from '../state/credentials.ts';
import { statePlace } from '../state/place.ts';
import type { Enrolments, NamedEnrolments } from './enrolments.ts';
import { enrolmentsHere, namedHere } from './here/here.ts';
import { enrolmentsThroughService } from './through-service/through-service.ts';
import type { Own } from './own-secrets.ts';
import { ownStatePlace, type Whose } from './whose.ts';

/** The enrolments of `own.user`. */
export function openEnrolments(own: Own): Enrolments {
  const place = statePlace(own.config, own.user);
  const socket = place.kind === 'user' ? presentSocket(own.config, own.user) : undefined;
  return socket === undefined ? enrolmentsHere(own, ownStatePlace(own)) : enrolmentsThroughService(own, socket);
}

/** The same for a name that the store knows, a user of this host or not. */
export function openNamed(config: Config, whose: Whose, now: () => number): NamedEnrolments {
  if (whose.uid !== undefined) return openEnrolments({ config, user: whose, now });
  return namedHere(config, whose, withOpenedKey(statePlace(config, realUser()), config), now);
}
