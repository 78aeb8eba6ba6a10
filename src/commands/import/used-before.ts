/**
 * The state that an imported secret starts with: no code that was used of it before works again. The store keeps what was used with the
 * mark of the secret; see store/imported.ts. Where it does not, whatever may have been used counts as used.
 */
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { stepAt } from '../../otp/code.ts';
import type { Credential } from '../../otp/uri.ts';
import { codesOf } from '../../seal/id.ts';
import { recoveryLeft } from '../../enrolment/facts.ts';
import type { Before } from '../../enrolment/registrar.ts';
import { usedOf, type Used } from '../../store/imported.ts';
import { NO_UID, type Enrolment, type PendingState } from '../../store/store.ts';
import { stepsAhead, type LoginState, type Policy } from '../../verdict/decide.ts';
import { believed, importsOf, isGenuine } from './believed.ts';
import { hasMark, type Marks } from './marks.ts';
import { enrolmentsOfAccount, refuseOthers, type OtherDevices } from './other-devices.ts';
import type { Target } from './login-plan.ts';

export interface ImportedSecret {
  readonly credential: Credential;
  /** By each host key that is here. */
  readonly marks: readonly Marks[];
  /** Those that the id of its sealed file begins with. */
  readonly chosen: Marks;
  readonly id: string;
  readonly others: OtherDevices;
  /** The id of the file that it replaces, if that was opened and holds another secret; undefined: unknown. */
  readonly otherThan: string | undefined;
}

export interface StartState {
  readonly state: LoginState & PendingState;
  /** One line for each thing that the person must know. */
  readonly notes: readonly string[];
}

/**
 * Computes the state, and keeps the mark of the secret, in the transaction that registers it. Throws `refused` where another device of
 * the account has the secret, and where nobody knows which codes of a token were used.
 */
export async function startState(target: Target, secret: ImportedSecret, fresh: LoginState, before: Before): Promise<StartState> {
  const { origin, config } = target;
  const { credential, marks, chosen, id, others } = secret;
  const { transaction, former, nowMs } = before;
  const uid = origin.uid ?? NO_UID;
  const imports = await importsOf(transaction, target, marks);
  const present = imports.find((each) => isGenuine(each) && each.uid === uid && each.mark === chosen.mark);
  const unused = { uid, mark: chosen.mark, key: chosen.key, lastStep: -1, codes: '', spent: '' };
  // Of two imports at once the second one waits here, and then finds the enrolment of the first.
  if (present === undefined) await transaction.keepImport(unused);
  const all = await enrolmentsOfAccount(transaction, target);
  refuseOthers(all, target, marks, others);

  const mine = all.filter((each) => hasMark(marks, each.id));
  const { told, isKnown, isLost } = believed(imports, { uid, marks, mine });
  const used = [...told, ...mine.filter(isGenuine).map(asImported)].reduce<Used>((state, each) => usedOf(each, id, state), fresh);
  const latest = credential.type === 'totp' ? latestStep(credential.periodSeconds, config.policy, nowMs) : -1;
  // The clock was ahead before: no code of the present works, and the next ones do.
  const isSetBack = credential.type === 'totp' && used.lastStep > Math.max(latest, fresh.lastStep);
  const certain = { ...fresh, ...used, ...(isSetBack ? { lastStep: Math.max(latest, fresh.lastStep) } : {}) };
  const unsure = [...(isLost ? [importedBefore(origin)] : []), ...others.unsure];
  const isDoubtful = former !== undefined && (!isGenuine(former) || (!isKnown && !hasMark(marks, former.id) && former.id !== ''));
  const doubtful = [...(isKnown ? [] : mine.filter((each) => !isGenuine(each))), ...others.ended, ...(isDoubtful ? [former] : [])];
  const state = doubtful.reduce(
    (next, each) => afterDoubt(next, each, secret, latest),
    unsure.length === 0 ? certain : withAllUsed(certain, latest),
  );

  if (present === undefined) {
    const spent = state.spent.includes('1') ? { codes: chosen.codes, spent: state.spent } : {};
    await transaction.keepImport({ ...unused, lastStep: state.lastStep, ...spent });
  } else if (isSetBack) await transaction.keepImport({ ...present, lastStep: state.lastStep });
  return {
    state: isDoubtful && mayBeSameToken(former, secret) ? { ...state, goesOn: true } : state,
    notes: [
      ...unsure.map((why) => `${why}: ${usedCodes(credential)}`),
      ...(credential.type === 'hotp' && state.lastStep > fresh.lastStep ? [noteOnCounter(origin, state.lastStep)] : []),
      ...(unsure.length === 0 ? lostCodes(recoveryLeft(fresh) - recoveryLeft(state)) : []),
    ],
  };
}

function asImported({ id, state: { lastStep, spent } }: Enrolment): Parameters<typeof usedOf>[0] {
  return { lastStep, codes: codesOf(id), spent };
}

/** The last step whose code a clock may accept at `nowMs`. */
function latestStep(periodSeconds: number, policy: Policy, nowMs: number): number {
  return stepAt(nowMs, periodSeconds) + stepsAhead(policy);
}

/** The state after an enrolment that may have had the secret. Throws `refused` where its counter cannot be trusted. */
function afterDoubt(fresh: LoginState, each: Enrolment, secret: ImportedSecret, latest: number): LoginState {
  if (secret.credential.type === 'totp') return withAllUsed(fresh, latest);
  if (!isGenuine(each))
    throw new NotpError(
      'refused',
      `the enrolment of ${each.user} for ${each.context} cannot be trusted, so it is unknown which codes of this token were used`,
      shellCommand`notp-enroll --replace --user ${each.user} makes a new secret`,
    );
  return withAllUsed(fresh, mayBeSameToken(each, secret) ? each.state.lastStep : -1);
}

/** Whether it is neither another token nor an enrolment with TOTP, whose steps are no counters. */
function mayBeSameToken({ id, state }: Enrolment, { credential, otherThan }: ImportedSecret): boolean {
  return credential.type === 'hotp' && id !== otherThan && state.periodSeconds === undefined;
}

/** The state with all emergency codes used, and the codes up to the step or counter `last`. */
function withAllUsed({ lastStep, spent, ...rest }: LoginState, last: number): LoginState {
  return { ...rest, lastStep: Math.max(lastStep, last), spent: '1'.repeat(spent.length) };
}

function noteOnCounter({ user, context }: Target['origin'], counter: number): string {
  return (
    `continues after counter ${String(counter)}, the last one that an earlier enrolment accepted, since it may be the same token. ` +
    shellCommand`For another token: notp-enroll ${context} --user ${user} --replace, and then this import again with --replace`
  );
}

function importedBefore({ user }: Target['origin']): string {
  return `this secret was imported for ${user} before, or may have been, and the store does not know which of its codes were used`;
}

/** The codes that count as used where nobody knows which ones were. */
function usedCodes(credential: Credential): string {
  const used = credential.type === 'totp' ? 'the current codes' : `the codes before counter ${String(credential.counter)}`;
  return `${used} and all emergency codes count as used; notp recovery makes new codes`;
}

function lostCodes(count: number): string[] {
  if (count === 0) return [];
  return [`${String(count)} of the emergency codes may have been used before and no longer work: notp recovery makes new codes`];
}
