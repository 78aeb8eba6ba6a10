/**
 * What a user can do with their enrolment through the service: re-seal it (another passphrase, the host key, new recovery codes),
 * show it again, or revoke it. Each takes a proof, which is judged and recorded like a login.
 */
import { NotpError } from '../../error.ts';
import { otpauthUri } from '../../otp/uri.ts';
import { printSealedFile, registrationOf, type SealedFile } from '../../seal/file.ts';
import type { Payload } from '../../seal/seal.ts';
import { resealedFile } from '../reseal.ts';
import { canPay, charge, OFTEN } from './charge.ts';
import type { CareQuestion } from '../../wire/enrolment.ts';
import { localVerifier } from '../../login/login.ts';
import type { Login, Terms } from '../../login/terms.ts';
import { openReading, wipe } from '../../login/opening.ts';
import { refusal } from './refusal.ts';
import { begin, recordExport, revoke, type NewEnrolment } from '../registrar.ts';
import { withPresentState, type State } from '../../state/state.ts';
import type { EnrolAnswer } from '../../wire/enrolment.ts';

/** The answer, and the pending registration that must be completed or abandoned. */
export interface Cared {
  readonly answer: EnrolAnswer;
  readonly registered?: NewEnrolment;
}

/** Throws `refused` where another change came in between the proof and this one. */
export async function care(login: Login, terms: Terms, question: CareQuestion): Promise<Cared> {
  const { place, now } = terms;
  const charged = { origin: login.origin, present: presentFile(login), terms };
  const isCharged = question.step === 'change' && question.change.recovery !== undefined;
  const refuseOften = (state: State): Promise<EnrolAnswer> => refusal(state, login.origin, 'recovery.failed', 'not_permitted', OFTEN);
  const early = await withPresentState(place, now, async (state) =>
    isCharged && !(await canPay(state, charged)) ? await refuseOften(state) : undefined,
  );
  if (early !== undefined) return { answer: early };
  const verifier = localVerifier(login, terms);
  try {
    const outcome = await verifier.verify({ readings: question.readings });
    if (outcome.verdict.result === 'refused') return { answer: { kind: 'refused', outcome } };
  } finally {
    verifier.close();
  }
  return await withPresentState(place, now, async (state) => {
    switch (question.step) {
      case 'change':
        if (isCharged && (await charge(state, charged)) === undefined) return { answer: await refuseOften(state) };
        return await change(login, state, question, now());
      case 'export':
        return { answer: { kind: 'secret', uri: await exportSecret(login, state, question) } };
      case 'revoke': {
        const shown = presentFile(login);
        await revoke(state, login.origin, shown && registrationOf(shown));
        return { answer: { kind: 'done' } };
      }
    }
  });
}

async function change(login: Login, state: State, question: CareQuestion & { step: 'change' }, nowMs: number): Promise<Cared> {
  const { origin } = login;
  return await withOpened(login, state, question, async (old, payload) => {
    const {
      file,
      codes,
      registered: made,
    } = resealedFile(old, payload, question.change, { keepsId: false, hostKey: state.hostKey, nowMs });
    const registered: NewEnrolment = { origin, ...made, event: question.change.event, replace: true };
    await begin(state, registered, registrationOf(old));
    return { answer: { kind: 'anew', file: Buffer.from(printSealedFile(file)).toString('utf8'), recovery: codes }, registered };
  });
}

async function exportSecret(login: Login, state: State, question: CareQuestion): Promise<string> {
  return await withOpened(login, state, question, async (old, payload) => {
    const counter = await recordExport(state, login.origin, registrationOf(old));
    return otpauthUri(payload.type === 'hotp' ? { ...payload, ...counter } : payload);
  });
}

/** The sealed file that the user sent, or that the store keeps. */
export function presentFile({ files }: Login): SealedFile | undefined {
  const found = files[0]?.found;
  return found?.kind === 'sealed' ? found.file : undefined;
}

/** Runs `work` on the secret that the accepted proof opens, and wipes it. */
async function withOpened<T>(
  login: Login,
  { hostKey }: State,
  { readings }: CareQuestion,
  work: (file: SealedFile, payload: Payload) => Promise<T>,
): Promise<T> {
  const file = presentFile(login);
  const presented = file === undefined ? undefined : openReading([file], readings, hostKey);
  const payload = presented?.opened[0];
  if (file === undefined || presented === undefined || payload === undefined)
    throw new NotpError('bad_secret_file', 'the accepted proof does not open the sealed file');
  try {
    return await work(file, payload);
  } finally {
    wipe(presented);
  }
}
