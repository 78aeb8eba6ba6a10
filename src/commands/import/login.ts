/**
 * Imports one login of another module: seals the secret and registers it with the last used code, so that no used
 * code works again.
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
import { kindOf, type Account, type Credential, type TotpCredential } from '../../otp/uri.ts';
import type { Target } from './target.ts';
import { printSealedFile, registrationOf } from '../../seal/file.ts';
import { hasSameRecoveryCodes, idOfMarks, isSameSecret } from '../../seal/id.ts';
import { keyedMark } from '../../seal/keys.ts';
import type { Payload } from '../../seal/seal.ts';
import { statusToBe, usedToo } from '../../store/enrolment.ts';
import type { Enrolment, PendingState, Transaction } from '../../store/store.ts';
import type { Config } from '../../system/config.ts';
import { asUser } from '../../system/privileges.ts';
import { userByName, type User } from '../../system/users.ts';
import { complete, firstState } from '../../enrolment/registrar.ts';
import { keysOf, type HostKey } from '../../state/host-keys.ts';
import type { State } from '../../state/state.ts';
import { stepsAhead, type LoginState, type Policy } from '../../verdict/decide.ts';
import { newId } from '../../enrolment/sealing.ts';
import { issuerFor, sealPayload } from '../../enrolment/secret.ts';
import { storeRegistered } from '../../enrolment/storing.ts';

/** A login as the other module had it. */
export interface ForeignLogin {
  readonly credential: Credential;
  /** Emergency codes that still work. */
  readonly emergency: readonly string[];
  /** The last step whose code was used; for HOTP the counter says it. */
  readonly lastStep: number | undefined;
  /** One line for each thing that is not carried over. */
  readonly notes: readonly string[];
}

/** `credential` with issuer and account like those of an enrolment, for a later export to another phone. */
export function withLabels(credential: Credential, { name }: User, config: Config, given: Partial<Account> = {}): Credential {
  return { ...credential, issuer: issuerFor(given.issuer ?? '', config), account: given.account ?? cutAccount(`${name}@${hostname()}`) };
}

/** Completes an enrolment that was interrupted after its file was in place. */
export async function completeLogin({ place, origin }: Target, state: State, id: string): Promise<void> {
  await asUser(place.owner, () => complete(state, { origin, id }));
}

export interface Storing {
  readonly passphrase: string | undefined;
  /** The passphrase that may open other devices of the account, if it is a different one. */
  readonly opening?: string | undefined;
  readonly replace: boolean;
  /** The id of the registered file, if it was opened and holds another secret; undefined: unknown. */
  readonly otherThan: string | undefined;
}

export interface Stored {
  readonly id: string;
  /** One line for each change that an earlier enrolment made necessary. */
  readonly notes: readonly string[];
  /** How many emergency codes still work. */
  readonly left: number;
}

/** Seals with `passphrase`, or else with the host key, and registers. If it throws, nothing was changed. */
export async function storeLogin(
  target: Target,
  state: State,
  foreign: ForeignLogin,
  { passphrase, opening, replace, otherThan }: Storing,
): Promise<Stored> {
  const { origin, now, config } = target;
  const idsIn = (place: SealedPlace): readonly string[] => keysOf(state.hostKey).map((key) => markedId(key, place, foreign));
  const isSameAs = (enrolment: Enrolment): boolean => idsIn(enrolment).some((id) => isSameSecret(enrolment.id, id));
  const { ended, isUnknown, notes: named } = await refuseTwin(target, state, { ...foreign, passphrase: passphrase ?? opening, isSameAs });
  const payload: Payload = { ...foreign.credential, recovery: keptRecoveryCodes(foreign.emergency, randomBytes) };
  const sealed = sealPayload(target, payload, passphrase, state, idsIn(origin)[0] ?? newId());
  const { credential, lastStep = -1 } = foreign;
  const first = firstState(config.policy, foreign.emergency.length, now());
  const notes = [...named];
  const asForeign = {
    ...first,
    spent: isUnknown ? allSpent(first) : first.spent,
    lastStep: credential.type === 'hotp' ? credential.counter - 1 : isUnknown ? latestStep(credential, config.policy, now()) : lastStep,
  };
  let left = recoveryLeft(asForeign);
  const goOn = (fresh: LoginState, former: Enrolment, nowMs: number): LoginState & PendingState => {
    const known: Comparison = {
      isSame: isSameAs(former),
      isOther: former.id === otherThan,
      hasSameCodes: idsIn(former).some((id) => hasSameRecoveryCodes(former.id, id)) && former.state.spent.length === fresh.spent.length,
    };
    const next =
      credential.type === 'totp'
        ? afterSteps(fresh, former, known, latestStep(credential, config.policy, nowMs))
        : afterCounter(fresh, former, known);
    if (credential.type === 'hotp' && next.lastStep > fresh.lastStep) notes.push(noteOn(origin, next.lastStep));
    const before = left;
    left = recoveryLeft({ spent: next.spent });
    if (left < before)
      notes.push(
        `${String(before - left)} of the emergency codes may have been used before and no longer work: notp recovery makes new codes`,
      );
    return next;
  };
  // Ended enrolments accept no codes, so their state cannot change meanwhile.
  const used = ended.reduce<LoginState>((fresh, each) => {
    const { lastStep: last, spent } = goOn(fresh, each, now());
    return { ...fresh, lastStep: last, spent };
  }, asForeign);
  await rememberImport(target, state, foreign);
  const enrolment = { origin, ...registrationOf(sealed), state: used, goOn, event: 'import', replace } as const;
  await storeRegistered({ ...target, enrolment, bytes: printSealedFile(sealed), state }, () => undefined);
  return { id: sealed.id, notes, left };
}

/** The result of the search for a secret among the other devices of the account. */
interface Twins {
  /** Ended enrolments that had the secret. */
  readonly ended: readonly Enrolment[];
  /** Whether an ended enrolment may have had it, so that emergency codes may have been used there. */
  readonly isUnknown: boolean;
  readonly notes: readonly string[];
}

/** The user and the context that a file is sealed for. */
type SealedPlace = Pick<Origin, 'user' | 'context'>;

/** The secret to search for among the other devices. */
interface SearchedSecret extends Pick<ForeignLogin, 'credential'> {
  readonly passphrase: string | undefined;
  /** Whether the enrolment has the secret, as its id says. */
  readonly isSameAs: (enrolment: Enrolment) => boolean;
}

/**
 * Throws `refused` if another device of the account has this secret, or if its sealed file cannot be opened with the host key
 * or `passphrase`, so that it may have it: each code and each emergency code would work for both.
 */
async function refuseTwin(target: Target, state: State, { credential, passphrase, isSameAs }: SearchedSecret): Promise<Twins> {
  const { user, context } = target.origin;
  const { contexts } = target.config;
  const others = contexts.includes(context) ? contexts.filter((each) => each !== context) : [];
  const { known, elsewhere, wasBefore } = await asUser(target.place.owner, () =>
    state.store.exclusively(async (transaction) => ({
      ...(await enrolmentsFor(transaction, target)),
      wasBefore: await wasImported(transaction, target, state, credential),
    })),
  );
  const ended = elsewhere.filter(isSameAs);
  const active = ended.find((each) => statusToBe(each) === 'active' && userByName(each.user) !== undefined);
  if (active !== undefined) throw hasItAlready(active);
  // Where an enrolment is replaced, goOn() knows or assumes what was used.
  const isReplaced = !wasNever(known.find((each) => each.context === context));
  let isUnknown = wasBefore && !isReplaced && ![...known, ...elsewhere].some(isSameAs);
  const notes: string[] = isUnknown ? [noteOnEarlierImport(target.origin, credential)] : [];
  for (const other of others) {
    const enrolment = known.find((each) => each.context === other);
    const isMarked = enrolment !== undefined && isSameAs(enrolment);
    const found = { ...target, origin: { ...target.origin, context: other } };
    const held = isMarked ? 'same' : await heldBy(found, state, enrolment, { credential, passphrase });
    const isOver = enrolment !== undefined && statusToBe(enrolment) !== 'active';
    if (held === 'other' || (held !== 'same' && wasNever(enrolment))) continue;
    if (held === 'same' && isOver) ended.push(enrolment);
    else if (held === 'same') throw hasItAlready({ user, context: other });
    else if (isOver) {
      isUnknown = true;
      notes.push(`the ended enrolment ${other} may have had this secret (${held.why}): ${usedCodes(credential)}`);
    } else
      throw new NotpError(
        'refused',
        `${user} may already have the same secret for ${other}, whose secret cannot be read: ${held.why}`,
        shellCommand`restore its sealed file, or give its passphrase with --passphrase-file; notp revoke ${other} --user ${user} ends it`,
      );
  }
  return { ended, isUnknown, notes };
}

/**
 * The enrolments of the account: `known` under its present name, and `elsewhere` those that cannot log in now because they are under an
 * earlier name, or for a context that the configuration does not list. A code that was used there stays used.
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
    `${user} already has the same secret for ${context}`,
    shellCommand`import it for one context; notp revoke ${context} --user ${user} ends the other`,
  );
}

/** Whether the enrolment never had a file, so that it never accepted a code. */
function wasNever(enrolment: Enrolment | undefined): boolean {
  return enrolment === undefined || (enrolment.id === '' && enrolment.pendingId === '');
}

/** How the secret of the replaced enrolment compares to the imported one. */
interface Comparison {
  readonly isSame: boolean;
  /** It is known to be another secret. */
  readonly isOther: boolean;
  /** It is the same secret with the same emergency codes. */
  readonly hasSameCodes: boolean;
}

/**
 * The id of the imported secret for `place`, made with `hostKey`: importing the same secret again gives the same first digits,
 * and the same emergency codes give the same next digits.
 */
function markedId(hostKey: Pick<HostKey, 'key'>, place: SealedPlace, { credential, emergency }: ForeignLogin): string {
  const codes = keyedMark(hostKey.key, place, Buffer.from(`codes ${emergency.join(' ')}`));
  return idOfMarks({ secret: markOf(hostKey, place, credential), codes }, newId());
}

function markOf({ key }: Pick<HostKey, 'key'>, place: SealedPlace, credential: Credential): string {
  return keyedMark(key, place, Buffer.concat([Buffer.from(`secret ${kindOf(credential)} `), credential.secret]));
}

/** The mark of a secret wherever it is imported. */
const ANYWHERE: SealedPlace = { user: '', context: '' };

/** Keeps the mark of the secret, before it is registered: a later import for this account knows that its codes may have been used. */
async function rememberImport({ origin: { uid }, place }: Target, state: State, { credential }: ForeignLogin): Promise<void> {
  const { hostKey } = state;
  if (hostKey === undefined || uid === undefined) return;
  const mark = markOf(hostKey, ANYWHERE, credential);
  await asUser(place.owner, () => state.store.exclusively((transaction) => transaction.keepImport(uid, { mark, key: hostKey.id })));
}

/** Whether this secret was imported for the account before, or may have been, by a host key that is retired. */
async function wasImported(transaction: Transaction, { origin: { uid } }: Target, state: State, credential: Credential): Promise<boolean> {
  const imports = uid === undefined ? [] : await transaction.imports(uid);
  return imports.some(({ mark, key }) => {
    const hostKey = keysOf(state.hostKey).find(({ id }) => id === key);
    return hostKey === undefined || markOf(hostKey, ANYWHERE, credential) === mark;
  });
}

/** The last step whose code a clock may accept at `nowMs`. */
function latestStep({ periodSeconds }: Pick<TotpCredential, 'periodSeconds'>, policy: Policy, nowMs: number): number {
  return stepAt(nowMs, periodSeconds) + stepsAhead(policy);
}

/**
 * The state of a TOTP login that replaces an enrolment: if that has, or may have, the same secret, its used codes stay
 * used, up to the step `latest`.
 */
function afterSteps(
  fresh: LoginState,
  { id, state, doubt }: Enrolment,
  { isSame, hasSameCodes }: Comparison,
  latest: number,
): LoginState & PendingState {
  if (doubt === undefined && id === '') return fresh;
  // Used codes are unknown if the row was forged, or if the secret differs: an enrolment before it may have had this secret.
  if (doubt !== undefined || !isSame) return { ...fresh, lastStep: latest, spent: allSpent(fresh) };
  // The clock was ahead before: cap the last step, and accept no code of the present.
  const lastStep = Math.min(state.lastStep, latest);
  const next: LoginState = { ...fresh, ...usedToo(fresh, { ...state, lastStep }) };
  const known = hasSameCodes ? next : { ...next, spent: allSpent(fresh) };
  return lastStep < state.lastStep ? known : { ...known, goesOn: true };
}

/** The same for an HOTP login, whose codes never expire. Throws `refused` if the counter of the replaced enrolment is unknown. */
function afterCounter(
  fresh: LoginState,
  { id, user, context, state, doubt }: Enrolment,
  { isOther, hasSameCodes }: Comparison,
): LoginState & PendingState {
  if (doubt !== undefined)
    throw new NotpError(
      'refused',
      `the enrolment of ${user} for ${context} cannot be trusted, so it is unknown which codes of this token were used`,
      shellCommand`notp-enroll --replace --user ${user} makes a new secret`,
    );
  if (id === '') return fresh;
  // Another token, or an enrolment with TOTP, whose steps are not counters.
  if (isOther || state.periodSeconds !== undefined) return { ...fresh, spent: allSpent(fresh) };
  const next: LoginState & PendingState = { ...fresh, ...usedToo(fresh, state), goesOn: true };
  return hasSameCodes ? next : { ...next, spent: allSpent(fresh) };
}

function allSpent({ spent }: LoginState): string {
  return '1'.repeat(spent.length);
}

function noteOn({ user, context }: Target['origin'], counter: number): string {
  return (
    `continues after counter ${String(counter)}, the last one that the earlier enrolment accepted, since it may be the same token. ` +
    shellCommand`For another token: notp-enroll ${context} --user ${user} --replace, and then this import again with --replace`
  );
}

function noteOnEarlierImport({ user }: Target['origin'], credential: Credential): string {
  const before = `this secret was imported for ${user} before, or may have been, and the store no longer knows which of its codes were used`;
  return `${before}: ${usedCodes(credential)}`;
}

/** The codes that count as used where nobody knows which ones were. */
function usedCodes(credential: Credential): string {
  const used = credential.type === 'totp' ? 'the codes of now' : `the codes before counter ${String(credential.counter)}`;
  return `${used} and all emergency codes count as used; notp recovery makes new codes`;
}
