/**
 * One login that another module knew: sealed, and registered where that module left it, so that no code that was
 * used before works again.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import type { Origin } from '../../audit/record.ts';
import { heldBy } from './login-present.ts';
import { recoveryLeft } from '../../enrolment/facts.ts';
import { stepAt } from '../../otp/code.ts';
import { cutAccount } from '../../otp/names.ts';
import { keptRecoveryCodes } from '../../otp/recovery.ts';
import { kindOf, type Account, type Credential } from '../../otp/uri.ts';
import type { Target } from './target.ts';
import { printSealedFile, registrationOf } from '../../seal/file.ts';
import { hasSameRecoveryCodes, idOfMarks, isSameSecret } from '../../seal/id.ts';
import { keyedMark } from '../../seal/keys.ts';
import type { Payload } from '../../seal/payload.ts';
import { statusToBe, usedToo } from '../../store/enrolment.ts';
import type { Enrolment, PendingState, Transaction } from '../../store/store.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { userByName, type User } from '../../system/users.ts';
import { complete, firstState } from '../../enrolment/registrar.ts';
import type { State } from '../../state/state.ts';
import { stepsAhead, type LoginState } from '../../verdict/decide.ts';
import { newId } from '../../enrolment/sealing.ts';
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
  /** What may open other devices of the account, where it is not that. */
  readonly opening?: string | undefined;
  readonly replace: boolean;
  /** The id of a registered file that was opened and holds another secret; undefined: not known. */
  readonly otherThan: string | undefined;
}

export interface Stored {
  readonly id: string;
  /** One line for each thing that the enrolment before it has changed. */
  readonly notes: readonly string[];
  /** How many emergency codes still work. */
  readonly left: number;
}

/** Seals with `passphrase`, or with the host's key, and registers. Throws if nothing has changed then. */
export async function storeLogin(
  target: Target,
  state: State,
  moved: Moved,
  { passphrase, opening, replace, otherThan }: Storing,
): Promise<Stored> {
  const { origin, now, config } = target;
  const idIn = (place: SealedPlace): string => markedId(state, place, moved);
  const { ended, isUnknown, notes: named } = await refuseTwin(target, state, { ...moved, passphrase: passphrase ?? opening, idIn });
  const payload: Payload = { ...moved.credential, recovery: keptRecoveryCodes(moved.emergency, randomBytes) };
  const sealed = sealPayload(target, payload, passphrase, state, idIn(origin));
  const { credential, lastStep = -1 } = moved;
  const first = firstState(config.policy, moved.emergency.length, now());
  const notes = [...named];
  const asMoved = {
    ...first,
    spent: isUnknown ? allSpent(first) : first.spent,
    lastStep: credential.type === 'hotp' ? credential.counter - 1 : lastStep,
  };
  let left = recoveryLeft(asMoved);
  const goOn = (fresh: LoginState, former: Enrolment, nowMs: number): LoginState & PendingState => {
    const marked = idIn(former);
    const known: Known = {
      isSame: isSameSecret(former.id, marked),
      isOther: former.id === otherThan,
      hasSameCodes: hasSameRecoveryCodes(former.id, marked) && former.state.spent.length === fresh.spent.length,
    };
    const next =
      credential.type === 'totp'
        ? afterSteps(fresh, former, known, stepAt(nowMs, credential.periodSeconds) + stepsAhead(config.policy))
        : afterCounter(fresh, former, known);
    if (credential.type === 'hotp' && next.lastStep > fresh.lastStep) notes.push(noteOn(origin, next.lastStep));
    const before = left;
    left = recoveryLeft({ spent: next.spent });
    if (left < before)
      notes.push(
        `${String(before - left)} of the emergency codes may have been used before and work no more: notp recovery makes new codes`,
      );
    return next;
  };
  // What has ended accepts nothing meanwhile.
  const used = ended.reduce<LoginState>((fresh, each) => {
    const { lastStep: last, spent } = goOn(fresh, each, now());
    return { ...fresh, lastStep: last, spent };
  }, asMoved);
  const enrolment = { origin, ...registrationOf(sealed), state: used, goOn, event: 'import', replace } as const;
  await storeRegistered({ ...target, enrolment, bytes: printSealedFile(sealed), state }, () => undefined);
  return { id: sealed.id, notes, left };
}

/** What the other devices of the account say of a secret. */
interface Twins {
  /** Those that were ended, and had it. */
  readonly ended: readonly Enrolment[];
  /** Whether nobody can say of one that was ended, so that emergency codes may have been used there. */
  readonly isUnknown: boolean;
  readonly notes: readonly string[];
}

/** For whom and what a file is sealed. */
type SealedPlace = Pick<Origin, 'user' | 'context'>;

/** What is looked for among the other devices. */
interface Sought extends Pick<Moved, 'credential'> {
  readonly passphrase: string | undefined;
  /** The id that it would have had there, but for the last digits. */
  readonly idIn: (place: SealedPlace) => string;
}

/**
 * Throws `refused` if another device of the account has this secret, or may have it as far as the host's key and `passphrase` can tell: one
 * code, and one emergency code, would be good for both.
 */
async function refuseTwin(target: Target, state: State, { credential, passphrase, idIn }: Sought): Promise<Twins> {
  const { user, context } = target.origin;
  const { contexts } = target.config;
  const others = contexts.includes(context) ? contexts.filter((each) => each !== context) : [];
  const { known, elsewhere } = await asUser(target.place.owner, () =>
    state.store.exclusively((transaction) => enrolmentsFor(transaction, target)),
  );
  const ended = elsewhere.filter((each) => isSameSecret(each.id, idIn(each)));
  const active = ended.find((each) => statusToBe(each) === 'active' && userByName(each.user) !== undefined);
  if (active !== undefined) throw hasItAlready(active);
  const notes: string[] = [];
  let isUnknown = false;
  for (const other of others) {
    const enrolment = known.find((each) => each.context === other);
    const isMarked = enrolment !== undefined && isSameSecret(enrolment.id, idIn({ user, context: other }));
    const found = { ...target, origin: { ...target.origin, context: other } };
    const held = isMarked ? 'same' : await heldBy(found, state, enrolment, { credential, passphrase });
    const isOver = enrolment !== undefined && statusToBe(enrolment) !== 'active';
    if (held === 'other' || (held !== 'same' && wasNever(enrolment))) continue;
    if (held === 'same' && isOver) ended.push(enrolment);
    else if (held === 'same') throw hasItAlready({ user, context: other });
    else if (isOver) {
      isUnknown = true;
      notes.push(
        `nobody can say whether ${other}, which was ended, had this secret (${held.why}): the last codes that it took may work again, and no emergency code works`,
      );
    } else
      throw new NotpError(
        'refused',
        `${user} may have this very secret for ${other}, for nobody can say here what that has: ${held.why}`,
        shellCommand`put that file back, or give --passphrase-file with its passphrase; notp revoke ${other} --user ${user} ends it`,
      );
  }
  return { ended, isUnknown, notes };
}

/**
 * The enrolments of the account: `known` under its name, and `elsewhere` those that cannot log in now, under a name that it had before or for
 * a context that is not (or no more) in the configuration. What was used there was used.
 */
async function enrolmentsFor(
  transaction: Transaction,
  { origin, config }: Target,
): Promise<{ known: readonly Enrolment[]; elsewhere: readonly Enrolment[] }> {
  const known = await transaction.enrolmentsOf(origin.user);
  const ofUid = origin.uid === undefined ? [] : await transaction.enrolmentsOfUid(origin.uid);
  const unlisted = known.filter(({ context }) => context !== origin.context && !config.contexts.includes(context));
  return { known, elsewhere: [...unlisted, ...ofUid.filter(({ user }) => user !== origin.user)] };
}

function hasItAlready({ user, context }: SealedPlace): NotpError {
  return new NotpError(
    'refused',
    `${user} has this very secret for ${context} already`,
    shellCommand`import it for one context; notp revoke ${context} --user ${user} ends the other`,
  );
}

/** Nothing was ever accepted by it. */
function wasNever(enrolment: Enrolment | undefined): boolean {
  return enrolment === undefined || (enrolment.id === '' && enrolment.pendingId === '');
}

/** What is known of the secret that was there before. */
interface Known {
  readonly isSame: boolean;
  /** It is surely another one. */
  readonly isOther: boolean;
  /** It is the same, and had these very emergency codes. */
  readonly hasSameCodes: boolean;
}

/**
 * The id of what is imported for `origin`, of which the first digits come again with the same secret, and the next with the same emergency codes.
 * Without a host key all of it is drawn.
 */
function markedId({ hostKey }: State, origin: SealedPlace, { credential, emergency }: Moved): string {
  const random = newId();
  if (hostKey === undefined) return random;
  const mark = (what: string, secret: Uint8Array): string =>
    keyedMark(hostKey.key, origin, Buffer.concat([Buffer.from(`${what} `), secret]));
  return idOfMarks(
    { secret: mark(`secret ${kindOf(credential)}`, credential.secret), codes: mark('codes', Buffer.from(emergency.join(' '))) },
    random,
  );
}

/** What is replaced has the same secret, or what was before it may have had: what was accepted by the clock, up to the step `latest`, stays spent. */
function afterSteps(
  fresh: LoginState,
  { id, state, doubt }: Enrolment,
  { isSame, hasSameCodes }: Known,
  latest: number,
): LoginState & PendingState {
  if (doubt === undefined && id === '') return fresh;
  // Of one that was forged nobody knows what it has accepted, nor of what was before one with another secret.
  if (doubt !== undefined || !isSame) return { ...fresh, lastStep: latest, spent: allSpent(fresh) };
  // Of a clock that was ahead: nothing of the present is accepted meanwhile.
  const lastStep = Math.min(state.lastStep, latest);
  const next: LoginState = { ...fresh, ...usedToo(fresh, { ...state, lastStep }) };
  const known = hasSameCodes ? next : { ...next, spent: allSpent(fresh) };
  return lastStep < state.lastStep ? known : { ...known, goesOn: true };
}

/** The same of a counter, whose codes are good for ever. Throws `refused` if nobody knows how far it went. */
function afterCounter(
  fresh: LoginState,
  { id, user, context, state, doubt }: Enrolment,
  { isOther, hasSameCodes }: Known,
): LoginState & PendingState {
  if (doubt !== undefined)
    throw new NotpError(
      'refused',
      `the enrolment of ${user} for ${context} does not count, so nobody knows which codes of this token were used`,
      shellCommand`notp-enroll --replace --user ${user} makes a new secret`,
    );
  if (id === '') return fresh;
  // Another token, or steps of the clock, which are no counters.
  if (isOther || state.periodSeconds !== undefined) return { ...fresh, spent: allSpent(fresh) };
  const next: LoginState & PendingState = { ...fresh, ...usedToo(fresh, state), goesOn: true };
  return hasSameCodes ? next : { ...next, spent: allSpent(fresh) };
}

function allSpent({ spent }: LoginState): string {
  return '1'.repeat(spent.length);
}

function noteOn({ user, context }: Target['origin'], counter: number): string {
  return (
    `goes on after counter ${String(counter)}, the last that the enrolment before it took, for it may be the same token. ` +
    shellCommand`Of another token: notp-enroll ${context} --user ${user} --replace, and then this import again with --replace`
  );
}
