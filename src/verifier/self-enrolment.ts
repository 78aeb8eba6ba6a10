/**
 * A user who enrols themselves through the service. Who is enrolled must show a code of the enrolment that is to be
 * replaced; who is not must have been invited by root. The secret is sealed by the host and leaves once, to be shown.
 */
import { append, newRef } from '../audit/audit.ts';
import { NotpError } from '../error.ts';
import { printSealedFile } from '../seal/file.ts';
import type { TotpPayload } from '../seal/payload.ts';
import type { Enrolment } from '../store/store.ts';
import type { Found } from '../system/secrets.ts';
import { localVerifier, type LocalOptions } from './local.ts';
import { abandon, begin, complete, firstState, type NewEnrolment } from './registrar.ts';
import { CONFIRM_TRIES, confirms, newHeader, newPayload, sealByHost } from './sealing.ts';
import { refused } from './standing.ts';
import { withPresentState, type State } from './state.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { EnrolAnswer, EnrolBegin, EnrolQuestion } from './wire-enrol.ts';

/** The enrolment that one connection makes. */
export interface SelfEnrolment {
  answer(question: EnrolQuestion, options: LocalOptions): Promise<EnrolAnswer>;
  /** The connection is gone: what was begun and not completed is undone or left to the first login, as the registrar does. */
  end(): void;
}

/** What whoever asks may replace: an invitation, or the enrolment that they have shown a code of. */
type Granted = NonNullable<NewEnrolment['expected']>;

interface Offered {
  readonly options: LocalOptions;
  readonly granted: Granted;
  readonly payload: TotpPayload;
  readonly recoveryCodes: number;
  triesLeft: number;
  registered: NewEnrolment | undefined;
}

export function selfEnrolment(): SelfEnrolment {
  let offered: Offered | undefined;
  const forget = (): void => {
    offered?.payload.secret.fill(0);
    offered = undefined;
  };
  return {
    answer: async (question, options) => {
      if (question.step === 'begin') {
        forget();
        const granted = await permission(options, question);
        if ('kind' in granted) return granted;
        const { payload, codes } = newPayload(question.wanted);
        offered = { options, granted, payload, recoveryCodes: codes.length, triesLeft: CONFIRM_TRIES, registered: undefined };
        return { kind: 'offer', secret: payload.secret, recovery: codes };
      }
      if (offered === undefined) throw new NotpError('usage', 'no enrolment was begun');
      const answer = question.step === 'confirm' ? await confirmed(offered, question.code) : await ended(offered, question.step);
      if (answer.kind === 'done' || offered.triesLeft === 0) forget();
      return answer;
    },
    end: forget,
  };
}

/** What may be replaced, or why the enrolment may not begin. */
async function permission(options: LocalOptions, { replace, readings }: EnrolBegin): Promise<Granted | EnrolAnswer> {
  const { place, origin, now } = options;
  const enrolment = await withPresentState(place, now, ({ store }) =>
    store.exclusively((transaction) => transaction.enrolment(origin.user, origin.context)),
  );
  if (enrolment?.status === 'invited') return { id: enrolment.id, status: 'invited' };
  if (!isActive(enrolment) || !replace) return await refusal(options, 'not_permitted');
  const verifier = localVerifier(options);
  try {
    const outcome = await verifier.verify({ readings });
    return outcome.verdict.result === 'accepted' ? { id: idOf(options.found) ?? '', status: 'active' } : { kind: 'refused', outcome };
  } finally {
    verifier.close();
  }
}

function isActive(enrolment: Enrolment | undefined): boolean {
  return enrolment?.status === 'active' && enrolment.id !== '';
}

/** Seals and registers the new secret as pending where `code` is one of its codes. */
async function confirmed(offered: Offered, code: string): Promise<EnrolAnswer> {
  const { options, granted, payload, recoveryCodes } = offered;
  const nowMs = options.now();
  offered.triesLeft--;
  if (!confirms(code, payload, nowMs)) return await refusal(options, 'wrong_code');
  const sealed = await withPresentState(options.place, options.now, async (state): Promise<EnrolAnswer | undefined> => {
    if (state.hostKey === undefined) throw new NotpError('failed', 'there is no host key');
    const file = sealByHost(newHeader(options.origin.user, options.origin.context, nowMs), payload, state.hostKey);
    const enrolment = {
      origin: options.origin,
      id: file.id,
      state: firstState(options.policy, recoveryCodes, nowMs),
      replace: true,
      expected: granted,
    };
    if (!(await begun(state, enrolment, idOf(options.found)))) return undefined;
    offered.registered = enrolment;
    offered.triesLeft = CONFIRM_TRIES;
    return { kind: 'sealed', file: Buffer.from(printSealedFile(file)).toString('utf8') };
  });
  return sealed ?? (await refusal(options, 'not_permitted'));
}

/** False where the enrolment was revoked, replaced or completed since the permission: an offer that was kept open is worth nothing then. */
async function begun(state: State, enrolment: NewEnrolment, presentId: string | undefined): Promise<boolean> {
  try {
    await begin(state, enrolment, presentId);
    return true;
  } catch (error) {
    if (error instanceof NotpError && error.code === 'refused') return false;
    throw error;
  }
}

async function refusal(options: LocalOptions, reason: Reason): Promise<EnrolAnswer> {
  const ref = newRef();
  const record = { ...options.origin, event: 'enroll.failed', result: 'refused', reason, ref } as const;
  await withPresentState(options.place, options.now, ({ store, log }) =>
    store.exclusively((transaction) => append(log, transaction, record)),
  );
  return { kind: 'refused', outcome: { verdict: refused(reason), ref } };
}

async function ended({ options, registered }: Offered, step: 'complete' | 'abandon'): Promise<EnrolAnswer> {
  if (registered === undefined && step === 'complete') throw new NotpError('usage', 'the enrolment was not confirmed');
  if (registered !== undefined)
    await withPresentState(options.place, options.now, (state) =>
      step === 'complete' ? complete(state, registered) : abandon(state, registered),
    );
  return { kind: 'done' };
}

function idOf(found: Found): string | undefined {
  return found.kind === 'sealed' ? found.file.id : undefined;
}
