/**
 * The messages between the service and a user's own commands about that user's enrolment. To enrol, the service makes the secret, sends
 * it once, and sends the sealed file after a code has confirmed it. To change an enrolment, each question carries a proof; a re-sealed
 * file is completed like a new one. Several lines on one connection:
 *
 *   { "notp": "enrol/1", "step": "begin", "context", "replace", "algorithm", "digits", "period", "issuer", "account", "recovery",
 *     "sealed", "wrong", "readings": a proof of the enrolment to replace }      -> offer, or a refusal (answer/2)
 *   { "notp": "enrol/1", "step": "confirm", "code" }                             -> sealed, or a refusal
 *   { "notp": "enrol/1", "step": "change", "context", "sealed", "wrong", "readings",
 *     "event", "passphrase": text | null for the host's key, "recovery": how many new ones | null } -> anew, or a refusal
 *   { "notp": "enrol/1", "step": "export" | "revoke", "context", "sealed", "wrong", "readings" }  -> secret or done, or a refusal
 *   { "notp": "enrol/1", "step": "status", "files": [{ "context", "sealed", "wrong" }, …] }  -> facts, without a proof
 *   { "notp": "enrol/1", "step": "complete" | "abandon" | "forget" }             -> done
 *   { "notp": "offer/1", "secret": base32, "recovery": [text, …] } { "notp": "file/1", "file": the sealed file as text } { "notp": "done/1" }
 *   { "notp": "anew/1", "file", "recovery": [text, …] } { "notp": "secret/1", "uri": otpauth URI }
 *   { "notp": "facts/2", "facts": [the fields of wire/facts.ts, …] }
 */
import { ALGORITHMS, DIGITS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, toBase32, type CodeParameters } from '../otp/code.ts';
import type { Reading } from '../otp/proof.ts';
import { MAX_RECOVERY_CODES } from '../otp/recovery.ts';
import type { CredentialNames } from '../otp/uri.ts';
import { bad, boolean, label, listOf, literal, object, oneOf, optional, string, text, union, wholeNumber } from '../seal/shape.ts';
import { SECRET } from '../seal/seal.ts';
import { FACTS, type Facts } from './facts.ts';
import { FILE, parseAnswer, parseLine, printAnswer, printFile, printReading, READINGS, type SentFile } from './question.ts';
import type { Outcome } from './verifier.ts';

/** The labels and parameters of a new secret, and its number of recovery codes. */
export type Wanted = CodeParameters & CredentialNames & { readonly recovery: number };

/** A change of an enrolment that keeps its secret. */
export interface Change {
  /** The event of its audit record. */
  readonly event: 'passphrase' | 'recovery' | 'reseal';
  /** The passphrase to seal with; undefined: the key of the host. */
  readonly passphrase: string | undefined;
  /** The number of new recovery codes, which replace the old ones; undefined: the old ones stay. */
  readonly recovery: number | undefined;
}

export interface EnrolBegin extends SentFile {
  readonly step: 'begin';
  readonly context: string;
  readonly replace: boolean;
  readonly wanted: Wanted;
  readonly readings: readonly Reading[];
}

/** A question about an existing enrolment, with a proof of it. */
interface WithProof extends SentFile {
  readonly readings: readonly Reading[];
}

export type CareQuestion = WithProof &
  ({ readonly step: 'change'; readonly change: Change } | { readonly step: 'export' } | { readonly step: 'revoke' });

/** A question about the status of the enrolments of these files. */
export interface StatusQuestion {
  readonly step: 'status';
  readonly files: readonly SentFile[];
}

export type EnrolQuestion =
  | StatusQuestion
  | EnrolBegin
  | CareQuestion
  | { readonly step: 'confirm'; readonly code: string }
  | { readonly step: 'complete' | 'abandon' }
  /** Forgets what earlier codes also let in. It takes no proof, as it lets nobody in. */
  | { readonly step: 'forget' };

/** The maximal number of sealed files in one question about their status. */
export const MAX_STATUS_FILES = 16;

const ENROL = { notp: literal('enrol/1') };
const RECOVERY_COUNT = wholeNumber(0, MAX_RECOVERY_CODES);
const WITH_PROOF = { ...FILE, readings: READINGS };

const CHANGE = object({
  ...{ ...ENROL, step: literal('change'), ...WITH_PROOF, event: oneOf(['passphrase', 'recovery', 'reseal']) },
  ...{ passphrase: optional(text(/^[^]{1,1024}$/)), recovery: optional(RECOVERY_COUNT) },
})
  // Otherwise the audit record would name another change than the one made.
  .assert(({ event, recovery }) => (event === 'recovery') === (recovery !== undefined), '"recovery" does not fit "event"')
  .assert(({ event, passphrase }) => event !== 'passphrase' || passphrase !== undefined, 'lacks "passphrase"')
  .map(({ step, event, passphrase, recovery, context, sealed, wrong, readings }): EnrolQuestion => ({
    step,
    ...{ context, sealed, wrong, readings },
    change: { event, passphrase, recovery },
  }));

const BEGIN = object({
  ...{ ...ENROL, step: literal('begin'), ...WITH_PROOF, replace: boolean(), algorithm: oneOf(ALGORITHMS), digits: oneOf(DIGITS) },
  ...{ period: wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS), issuer: label, account: label, recovery: RECOVERY_COUNT },
}).map((sent): EnrolBegin => {
  const { step, context, replace, sealed, wrong, readings, algorithm, digits, issuer, account, recovery } = sent;
  const wanted = { algorithm, digits, periodSeconds: sent.period, issuer, account, recovery };
  return { step, context, replace, wanted, sealed, wrong, readings };
});

const QUESTION = union(
  BEGIN,
  CHANGE,
  object({ ...ENROL, step: oneOf(['export', 'revoke']), ...WITH_PROOF }).map(
    ({ step, context, sealed, wrong, readings }): EnrolQuestion => ({ step, context, sealed, wrong, readings }),
  ),
  object({ ...ENROL, step: literal('confirm'), code: text(/^\d{6,8}$/) }).map(({ step, code }): EnrolQuestion => ({ step, code })),
  object({ ...ENROL, step: literal('status'), files: listOf(object(FILE), MAX_STATUS_FILES) }).map(({ step, files }): EnrolQuestion => ({
    step,
    files,
  })),
  object({ ...ENROL, step: oneOf(['complete', 'abandon']) }).map(({ step }): EnrolQuestion => ({ step })),
  object({ ...ENROL, step: literal('forget') }).map(({ step }): EnrolQuestion => ({ step })),
);

export function printEnrolQuestion(question: EnrolQuestion): string {
  if ('readings' in question && question.step !== 'begin') return printCare(question);
  if (question.step === 'status') return JSON.stringify({ notp: 'enrol/1', step: 'status', files: question.files.map(printFile) }) + '\n';
  if (question.step !== 'begin') return JSON.stringify({ notp: 'enrol/1', ...question }) + '\n';
  const { step, context, replace, wanted, sealed, wrong, readings } = question;
  const { algorithm, digits, periodSeconds: period, issuer, account, recovery } = wanted;
  const what = { context, replace, algorithm, digits, period, issuer, account, recovery };
  return (
    JSON.stringify({ notp: 'enrol/1', step, ...what, sealed, wrong: wrong.slice(0, 1024), readings: readings.map(printReading) }) + '\n'
  );
}

function printCare(question: CareQuestion): string {
  const { step, readings } = question;
  const about = { notp: 'enrol/1', step, ...printFile(question), readings: readings.map(printReading) };
  if (question.step !== 'change') return JSON.stringify(about) + '\n';
  const { event, passphrase = null, recovery = null } = question.change;
  return JSON.stringify({ ...about, event, passphrase, recovery }) + '\n';
}

/** Throws if the line is not a step of an enrolment. */
export function parseEnrolQuestion(line: string): EnrolQuestion {
  return parseLine(QUESTION, line, 'the question');
}

/** Whether a line is about an enrolment. parseEnrolQuestion() checks the rest. */
export function isEnrolQuestion(line: string): boolean {
  return line.startsWith('{"notp":"enrol/1"');
}

export type EnrolAnswer =
  /** The secret (raw bytes) and the recovery codes, to be shown and forgotten. */
  | { readonly kind: 'offer'; readonly secret: Uint8Array; readonly recovery: readonly string[] }
  | { readonly kind: 'sealed'; readonly file: string }
  | { readonly kind: 'anew'; readonly file: string; readonly recovery: readonly string[] }
  | { readonly kind: 'secret'; readonly uri: string }
  | { readonly kind: 'facts'; readonly facts: readonly Facts[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly outcome: Outcome };

export function printEnrolAnswer(answer: EnrolAnswer): string {
  switch (answer.kind) {
    case 'offer':
      return JSON.stringify({ notp: 'offer/1', secret: toBase32(answer.secret), recovery: answer.recovery }) + '\n';
    case 'sealed':
      return JSON.stringify({ notp: 'file/1', file: answer.file }) + '\n';
    case 'anew':
      return JSON.stringify({ notp: 'anew/1', file: answer.file, recovery: answer.recovery }) + '\n';
    case 'secret':
      return JSON.stringify({ notp: 'secret/1', uri: answer.uri }) + '\n';
    case 'facts':
      return JSON.stringify({ notp: 'facts/2', facts: answer.facts }) + '\n';
    case 'done':
      return JSON.stringify({ notp: 'done/1' }) + '\n';
    case 'refused':
      return printAnswer(answer.outcome);
  }
}

/** They are shown to the person as they come, so they must be safe to print. */
const RECOVERY_CODES = listOf(text(/^[A-Z2-7-]{1,32}$/), MAX_RECOVERY_CODES);

const ANSWER = union(
  object({ notp: literal('offer/1'), secret: SECRET, recovery: RECOVERY_CODES }).map(({ secret, recovery }): EnrolAnswer => ({
    kind: 'offer',
    secret,
    recovery,
  })),
  object({ notp: literal('file/1'), file: string() }).map(({ file }): EnrolAnswer => ({ kind: 'sealed', file })),
  object({ notp: literal('anew/1'), file: string(), recovery: RECOVERY_CODES }).map(({ file, recovery }): EnrolAnswer => ({
    kind: 'anew',
    file,
    recovery,
  })),
  object({ notp: literal('secret/1'), uri: string() }).map(({ uri }): EnrolAnswer => ({ kind: 'secret', uri })),
  object({ notp: literal('facts/2'), facts: FACTS }).map(({ facts }): EnrolAnswer => ({ kind: 'facts', facts })),
  object({ notp: literal('done/1') }).map((): EnrolAnswer => ({ kind: 'done' })),
);

/** Throws if the line is not an answer. */
export function parseEnrolAnswer(line: string): EnrolAnswer {
  if (!line.startsWith('{"notp":"answer/')) return parseLine(ANSWER, line, 'the answer');
  const outcome = parseAnswer(line);
  if (outcome?.verdict.result === 'refused') return { kind: 'refused', outcome };
  throw bad('the answer is neither a refusal nor what was asked for');
}
