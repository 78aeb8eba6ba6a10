/**
 * One login that another module knew: sealed, and registered where that module left it, so that no code that was
 * used before works again.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { holds } from './login-present.ts';
import { stepAt } from '../../otp/code.ts';
import { cutAccount } from '../../otp/names.ts';
import { keptRecoveryCodes } from '../../otp/recovery.ts';
import type { Account, Credential } from '../../otp/uri.ts';
import type { Target } from './target.ts';
import { printSealedFile, registrationOf } from '../../seal/file.ts';
import type { Payload } from '../../seal/payload.ts';
import type { Enrolment } from '../../store/store.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import type { User } from '../../system/users.ts';
import { complete, firstState } from '../../enrolment/registrar.ts';
import type { State } from '../../state/state.ts';
import { issuerFor, sealPayload } from '../../enrolment/secret.ts';
import { storeRegistered } from '../../enrolment/storing.ts';

/** What the other module knew. */
export interface Moved {
  readonly credential: Credential;
  /** Emergency codes that still work. */
  readonly emergency: readonly string[];
  /** The last step whose code is spent; for HOTP the counter says it. */
  readonly lastStep: number | undefined;
  /** One line for each thing that is not carried over. */
  readonly notes: readonly string[];
}

/** Named for the day when it is exported to another phone, as an enrolment names it. */
export function labelled(credential: Credential, { name }: User, config: Config, told: Partial<Account> = {}): Credential {
  return { ...credential, issuer: issuerFor(told.issuer ?? '', config), account: told.account ?? cutAccount(`${name}@${hostname()}`) };
}

/** An enrolment that was interrupted with its file in place is whole from now on. */
export async function completeLogin({ place, origin }: Target, state: State, id: string): Promise<void> {
  await asUser(place.owner, () => complete(state, { origin, id }));
}

export interface Storing {
  readonly passphrase: string | undefined;
  readonly replace: boolean;
  /** The one that is replaced. */
  readonly former: Enrolment | undefined;
}

/** Seals with `passphrase`, or with the host's key, and registers; gives the id. Throws where nothing has changed then. */
export async function storeLogin(target: Target, state: State, moved: Moved, { passphrase, replace, former }: Storing): Promise<string> {
  const { origin, now, config } = target;
  await refuseTwin(target, state, moved.credential, passphrase);
  const payload: Payload = { ...moved.credential, recovery: keptRecoveryCodes(moved.emergency, randomBytes) };
  const sealed = sealPayload(target, payload, passphrase, state);
  const used = { lastStep: lastStepOf(moved, former, target), spent: spentOf(moved, former) };
  const first = { ...firstState(config.policy, moved.emergency.length, now()), ...used };
  const enrolment = { origin, ...registrationOf(sealed), state: first, event: 'import', replace } as const;
  await storeRegistered({ ...target, enrolment, bytes: printSealedFile(sealed), state }, () => undefined);
  return sealed.id;
}

/**
 * Throws `refused` where another device of the account has this secret, as far as the host's key and `passphrase` can tell: one code, and one
 * emergency code, would be good for both.
 */
async function refuseTwin(target: Target, state: State, credential: Credential, passphrase: string | undefined): Promise<void> {
  const { user, context } = target.origin;
  const { contexts } = target.config;
  for (const other of contexts.includes(context) ? contexts.filter((each) => each !== context) : []) {
    if (await holds({ ...target, origin: { ...target.origin, context: other } }, state, credential, passphrase))
      throw new NotpError(
        'refused',
        `${user} has this very secret for ${other} already`,
        shellCommand`import it for one context; notp revoke ${other} --user ${user} ends the other`,
      );
  }
}

/** Which emergency codes begin as used: what is replaced may have had the same ones. */
function spentOf({ emergency }: Moved, former: Enrolment | undefined): string {
  const used = former?.state.spent ?? '';
  if (former?.doubt === undefined && !used.includes('1')) return '0'.repeat(emergency.length);
  return used.length === emergency.length ? used : '1'.repeat(emergency.length);
}

/** What is replaced may have the same secret, sealed by a passphrase: what it has accepted by the clock stays spent. */
function lastStepOf({ credential, lastStep = -1 }: Moved, former: Enrolment | undefined, { config, now }: Target): number {
  if (credential.type === 'hotp') return credential.counter - 1;
  const latest = stepAt(now(), credential.periodSeconds) + config.policy.window;
  // Of one that was forged nobody knows what it has accepted.
  if (former?.doubt !== undefined) return latest;
  return Math.max(lastStep, Math.min(former?.state.lastStep ?? -1, latest));
}
