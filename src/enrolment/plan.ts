/** Plans an enrolment: the user, the seal, the place, and whether the caller may have it. */
import { hostname } from 'node:os';
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import type { CodeParameters } from '../otp/code.ts';
import { shellCommand } from '../otp/escape.ts';
import { contextName } from '../otp/names.ts';
import type { CredentialNames } from '../otp/uri.ts';
import type { Config } from '../system/config.ts';
import { isRoot, type User } from '../system/users.ts';
import { whereSealed } from '../login/sealed-files.ts';
import { type StatePlace } from '../state/place.ts';
import type { QrStyle } from '../terminal/choices.ts';
import { newFile } from '../system/new-file.ts';
import type { Wanted } from '../wire/enrolment.ts';
import { noHostSeal, refusePassphraseInStore } from './store-seal.ts';
import { ownStatePlace, refuseElsewhere } from './whose.ts';
import type { Own } from './own-secrets.ts';

export interface EnrollOptions extends CredentialNames, CodeParameters {
  readonly user: string | undefined;
  readonly context: string;
  readonly seal: 'host' | 'passphrase' | undefined;
  readonly recovery: number;
  readonly replace: boolean;
  /** Only invite: the user enrols themselves later. */
  readonly pending: boolean;
  readonly confirm: boolean;
  readonly qr: QrStyle | undefined;
  readonly qrFile: string | undefined;
  readonly passphraseFile: string | undefined;
  readonly json: boolean;
}

/** Who can change the enrolments: this process, on a state that it may write, or the service, which is asked. */
export type HeldBy = 'this process' | 'the service';

/** The plan of an enrolment, complete before anything is shown. */
export interface Plan {
  readonly config: Config;
  readonly options: EnrollOptions;
  readonly user: User;
  readonly place: StatePlace;
  readonly origin: Origin;
  readonly sealKind: 'host' | 'passphrase';
  readonly file: string;
  readonly now: () => number;
}

/** Throws `usage`, `not_permitted`, or `refused` where each door would refuse the new login, before anything is made or shown. */
export function planOf({ config, user, now }: Own, given: EnrollOptions, heldBy: HeldBy): Plan {
  const isHere = heldBy === 'this process';
  const options = given.qrFile === undefined ? given : { ...given, qrFile: newFile(given.qrFile) };
  const context = contextName(options.context);
  const place = ownStatePlace({ config, user });
  refuseElsewhere(config, user, context, shellCommand`sudo notp-enroll ${user.name}`);
  const kind = options.seal ?? (isRoot() || !isHere ? 'host' : 'passphrase');
  if (kind === 'passphrase' && !isHere)
    throw new NotpError(
      'not_permitted',
      'the service of this host seals with the key of the host',
      'leave out --seal, or ask root: notp-enroll --seal passphrase',
    );
  if (kind === 'passphrase') refusePassphraseInStore(config, 'leave out --seal');
  if (!options.confirm && !isHere)
    throw new NotpError(
      'not_permitted',
      'the service of this host accepts a new secret only with one of its codes',
      'leave out --no-confirm',
    );
  if (kind === 'host' && place.kind !== 'service' && isHere)
    throw noHostSeal('use --seal passphrase, or ask an administrator to run notp-enroll for you');
  const origin: Origin = { user: user.name, uid: user.uid, context, door: 'cli' };
  return { config, options, user, place, origin, sealKind: kind, file: whereSealed(config, place, user, context), now };
}

/** The options, with the issuer of the configuration or the host's name where none was given. */
export function wanted({ options, config }: Plan): Wanted {
  return { ...options, issuer: issuerFor(options.issuer, config) };
}

/** The issuer `given` (may be empty), else the one of the configuration, else the host's name. */
export function issuerFor(given: string, { code }: Pick<Config, 'code'>): string {
  return [given, code.issuer, hostname()].find((name) => name !== '') ?? '';
}
