/**
 * A user's own enrolment through the service. An enrolled user must show a code of the enrolment to replace. A user who is not
 * enrolled needs an invitation by root. The service seals the secret with the host key, and sends it out once, to be shown.
 */
import type { Origin } from '../../audit/record.ts';
import { NotpError } from '../../error.ts';
import { printSealedFile, registrationOf, type Registration } from '../../seal/file.ts';
import type { TotpPayload } from '../../seal/seal.ts';
import type { Enrolment } from '../../store/store.ts';
import { localVerifier } from '../../login/login.ts';
import type { Login, Terms } from '../../login/terms.ts';
import { forgetSources } from '../forget.ts';
import { canPay, charge, OFTEN } from './charge.ts';
import { care, presentFile, type Cared } from './self-care.ts';
import { abandon, begin, complete, completeInStore, firstState, type Expected, type NewEnrolment } from '../registrar.ts';
import { refusal } from './refusal.ts';
import { CONFIRM_TRIES, confirms, newHeader, newPayload, sealByHost } from '../sealing.ts';
import { withPresentState, type State } from '../../state/state.ts';
import type { Reason } from '../../verdict/reasons.ts';
import type { EnrolBegin, EnrolQuestion, StatusQuestion } from '../../wire/enrolment.ts';
import type { EnrolAnswer } from '../../wire/enrolment.ts';

/** The enrolment that one connection makes. */
export interface SelfEnrolment {
  answer(question: Exclude<EnrolQuestion, StatusQuestion>, login: Login, terms: Terms): Promise<EnrolAnswer>;
  /** The connection has ended. An enrolment that was begun is undone, or left for the first login to complete, as the registrar does it. */
  end(): void;
}

interface Offered {
  readonly login: Login;
  readonly terms: Terms;
  /** What the user may replace: an invitation, or the enrolment that they have shown a code of. */
  readonly granted: Expected;
  readonly payload: TotpPayload;
  readonly recoveryCodes: number;
  triesLeft: number;
}

/** A registration that waits until its file, `text`, is in place. */
interface Pending {
  readonly terms: Terms;
  readonly registered: NewEnrolment;
  readonly text: string;
}

export function selfEnrolment(): SelfEnrolment {
  let offered: Offered | undefined;
  let pending: Pending | undefined;
  const forget = (): void => {
    offered?.payload.secret.fill(0);
    offered = undefined;
    pending = undefined;
  };
  const keep = ({ answer, registered }: Cared, terms: Terms): EnrolAnswer => {
    if (registered !== undefined && 'file' in answer) pending = { terms, registered, text: answer.file };
    return answer;
  };
  /** A change that came in between is answered and recorded. */
  const unlessOvertaken = async (login: Login, terms: Terms, work: () => Promise<EnrolAnswer>): Promise<EnrolAnswer> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NotpError) || error.code !== 'refused') throw error;
      forget();
      return await refuse(login.origin, terms, 'stale_enrolment', error.message);
    }
  };
  return {
    answer: async (question, login, terms) => {
      switch (question.step) {
        case 'begin': {
          forget();
          const granted = await permission(login, terms, question);
          if ('kind' in granted) return granted;
          const { payload, codes } = newPayload(question.wanted);
          offered = { login, terms, granted, payload, recoveryCodes: codes.length, triesLeft: CONFIRM_TRIES };
          return { kind: 'offer', secret: payload.secret, recovery: codes };
        }
        case 'confirm': {
          // One offer gives one sealed file, so that one code cannot make many records of new enrolments.
          if (offered === undefined || pending !== undefined) throw new NotpError('usage', 'no enrolment was begun');
          const answer = keep(await confirm(offered, question.code), offered.terms);
          if (offered.triesLeft === 0) forget();
          return answer;
        }
        case 'complete':
        case 'abandon':
          if (offered === undefined && pending === undefined) throw new NotpError('usage', 'no enrolment was begun');
          return await unlessOvertaken(login, terms, async () => {
            await endPending(pending, question.step);
            forget();
            return { kind: 'done' };
          });
        case 'forget':
          await withPresentState(terms.place, terms.now, (state) => forgetSources(state, login.origin));
          return { kind: 'done' };
        case 'change':
        case 'export':
        case 'revoke':
          forget();
          return await unlessOvertaken(login, terms, async () => keep(await care(login, terms, question), terms));
      }
    },
    end: forget,
  };
}

/** What the user may replace, or the refusal to begin. */
async function permission(login: Login, terms: Terms, { replace, readings }: EnrolBegin): Promise<Expected | EnrolAnswer> {
  const { place, now } = terms;
  const { origin } = login;
  const enrolment = await withPresentState(place, now, ({ store }) =>
    store.exclusively((transaction) => transaction.enrolment(origin.user, origin.context)),
  );
  if (enrolment?.doubt !== undefined) return await refuse(login.origin, terms, 'stale_enrolment');
  if (enrolment?.status === 'invited') return { id: enrolment.id, digest: enrolment.digest, status: 'invited' };
  if (!isActive(enrolment) || !replace) return await refuse(login.origin, terms, 'not_permitted');
  if (!(await withPresentState(place, now, (state) => canPay(state, { origin, present: presentFile(login), terms }))))
    return await refuse(login.origin, terms, 'not_permitted', OFTEN);
  const verifier = localVerifier(login, terms);
  try {
    const outcome = await verifier.verify({ readings });
    if (outcome.verdict.result === 'refused') return { kind: 'refused', outcome };
    const shown = presentFile(login);
    return shown === undefined ? await refuse(origin, terms, 'not_permitted') : { ...registrationOf(shown), status: 'active' };
  } finally {
    verifier.close();
  }
}

function isActive(enrolment: Enrolment | undefined): boolean {
  return enrolment?.status === 'active' && enrolment.id !== '';
}

/** Seals the new secret and registers it as pending, where `code` is one of its codes. */
async function confirm(offered: Offered, code: string): Promise<Cared> {
  const { login, terms, granted, payload, recoveryCodes } = offered;
  const { origin } = login;
  const nowMs = terms.now();
  offered.triesLeft--;
  if (!confirms(code, payload, nowMs)) return { answer: await refuse(login.origin, terms, 'wrong_code') };
  const sealed = await withPresentState(terms.place, terms.now, async (state): Promise<Cared | undefined> => {
    if (state.hostKey === undefined) throw new NotpError('failed', 'there is no host key');
    const left = await charge(state, { origin, present: granted.status === 'active' ? presentFile(login) : undefined, terms });
    if (left === undefined) return { answer: await refuse(login.origin, terms, 'not_permitted', OFTEN) };
    const first = firstState(terms.policy, recoveryCodes, nowMs, payload);
    const file = sealByHost(newHeader(origin.user, origin.context, nowMs), payload, state.hostKey);
    const enrolment = {
      origin,
      ...registrationOf(file),
      // A replacement keeps the budget. A full one would pay for the next replacement.
      state: granted.status === 'active' ? { ...first, bucket: left } : first,
      replace: true,
      expected: granted,
    };
    const present = presentFile(login);
    if (!(await tryToBegin(state, enrolment, present === undefined ? undefined : registrationOf(present)))) return undefined;
    return { answer: { kind: 'sealed', file: Buffer.from(printSealedFile(file)).toString('utf8') }, registered: enrolment };
  });
  return sealed ?? { answer: await refuse(login.origin, terms, 'not_permitted') };
}

/**
 * Begins the registration. False where the enrolment was revoked, replaced or completed since the permission: then the offer has
 * expired.
 */
async function tryToBegin(state: State, enrolment: NewEnrolment, present: Registration | undefined): Promise<boolean> {
  try {
    await begin(state, enrolment, present);
    return true;
  } catch (error) {
    if (error instanceof NotpError && error.code === 'refused') return false;
    throw error;
  }
}

async function refuse(origin: Origin, { place, now }: Terms, reason: Reason, detail?: string): Promise<EnrolAnswer> {
  return await withPresentState(place, now, (state) => refusal(state, origin, 'enroll.failed', reason, detail));
}

async function endPending(pending: Pending | undefined, step: 'complete' | 'abandon'): Promise<void> {
  if (pending === undefined && step === 'complete') throw new NotpError('usage', 'the enrolment was not confirmed');
  if (pending === undefined) return;
  const { terms, registered, text } = pending;
  await withPresentState(terms.place, terms.now, (state) => {
    if (step === 'abandon') return abandon(state, registered);
    return terms.inStore ? completeInStore(state, registered, text) : complete(state, registered);
  });
}
