/**
 * What the service and a user's own commands say to each other about that user's enrolment. To enrol: the service makes
 * the secret, shows it once, and gives the sealed file when a code has confirmed it. To look after it: each question has a
 * proof, and a file that was sealed anew is completed like a new one. Several lines on one connection:
 *
 *   { "notp": "enrol/1", "step": "begin", "context", "replace", "algorithm", "digits", "period", "issuer", "account", "recovery",
 *     "sealed", "wrong", "readings": a proof of the enrolment to replace }      -> offer, or a refusal (answer/1)
 *   { "notp": "enrol/1", "step": "confirm", "code" }                             -> sealed, or a refusal
 *   { "notp": "enrol/1", "step": "change", "context", "sealed", "wrong", "readings",
 *     "event", "passphrase": text | null for the host's key, "recovery": how many new ones | null } -> anew, or a refusal
 *   { "notp": "enrol/1", "step": "export" | "revoke", "context", "sealed", "wrong", "readings" }  -> secret or done, or a refusal
 *   { "notp": "enrol/1", "step": "complete" | "abandon" }                        -> done
 *   { "notp": "offer/1", "secret": base32, "recovery": [text, …] } { "notp": "file/1", "file": the sealed file as text } { "notp": "done/1" }
 *   { "notp": "anew/1", "file", "recovery": [text, …] } { "notp": "secret/1", "uri": otpauth URI }
 */
import { ALGORITHMS, DIGITS, fromBase32, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, toBase32 } from '../otp/code.ts';
import { contextName } from '../otp/names.ts';
import type { Reading } from '../otp/proof.ts';
import { MAX_RECOVERY_CODES } from '../otp/recovery.ts';
import { bad, exactly, flag, integer, label, oneOf, text, type Fields } from '../seal/fields.ts';
import type { Outcome } from './verifier.ts';
import type { Wanted } from './sealing.ts';
import type { Change } from './anew.ts';
import { parseAnswer, parsed, parseFile, parseReadings, printAnswer, printFile, printReading, type SentFile } from './wire.ts';

export interface EnrolBegin extends SentFile {
  readonly step: 'begin';
  readonly context: string;
  readonly replace: boolean;
  readonly wanted: Wanted;
  readonly readings: readonly Reading[];
}

/** About an enrolment that is there, with a proof of it. */
interface WithProof extends SentFile {
  readonly readings: readonly Reading[];
}

export type CareQuestion = WithProof &
  ({ readonly step: 'change'; readonly change: Change } | { readonly step: 'export' } | { readonly step: 'revoke' });

export type EnrolQuestion =
  EnrolBegin | CareQuestion | { readonly step: 'confirm'; readonly code: string } | { readonly step: 'complete' | 'abandon' };

export type EnrolAnswer =
  /** The secret (raw bytes) and the recovery codes, to be shown and forgotten. */
  | { readonly kind: 'offer'; readonly secret: Uint8Array; readonly recovery: readonly string[] }
  | { readonly kind: 'sealed'; readonly file: string }
  | { readonly kind: 'anew'; readonly file: string; readonly recovery: readonly string[] }
  | { readonly kind: 'secret'; readonly uri: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly outcome: Outcome };

const BEGIN_KEYS = [
  'notp',
  'step',
  'context',
  'replace',
  'algorithm',
  'digits',
  'period',
  'issuer',
  'account',
  'recovery',
  'sealed',
  'wrong',
  'readings',
];

const CARE_KEYS = ['notp', 'step', 'context', 'sealed', 'wrong', 'readings'];

export function printEnrolQuestion(question: EnrolQuestion): string {
  if ('readings' in question && question.step !== 'begin') return printCare(question);
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

/** Throws where the line is no step of an enrolment. */
export function parseEnrolQuestion(line: string): EnrolQuestion {
  const json = parsed(line, 'the question');
  const step = typeof json === 'object' && json !== null && 'step' in json ? json.step : undefined;
  switch (step) {
    case 'begin':
      return parseBegin(fieldsOf(json, BEGIN_KEYS));
    case 'confirm':
      return { step, code: text(fieldsOf(json, ['notp', 'step', 'code']), 'code', /^\d{6,8}$/) };
    case 'change':
      return { step, ...withProof(fieldsOf(json, [...CARE_KEYS, 'event', 'passphrase', 'recovery'])), change: parseChange(json) };
    case 'export':
    case 'revoke':
      return { step, ...withProof(fieldsOf(json, CARE_KEYS)) };
    case 'complete':
    case 'abandon':
      fieldsOf(json, ['notp', 'step']);
      return { step };
    default:
      throw bad('"step" is none');
  }
}

function withProof(fields: Fields): WithProof {
  const { context, sealed, wrong } = fields;
  return { ...parseFile({ context, sealed, wrong }), readings: parseReadings(fields['readings']) };
}

/** `json` has the fields of a change. */
function parseChange(json: unknown): Change {
  const fields = json as Fields;
  const change: Change = {
    event: oneOf(fields, 'event', ['passphrase', 'recovery', 'reseal']),
    passphrase: fields['passphrase'] === null ? undefined : text(fields, 'passphrase', /^[^]{1,1024}$/),
    recovery: fields['recovery'] === null ? undefined : integer(fields, 'recovery', 0, MAX_RECOVERY_CODES),
  };
  // The record shall say what is done.
  if ((change.event === 'recovery') !== (change.recovery !== undefined)) throw bad('"recovery" does not fit "event"');
  if (change.event === 'passphrase' && change.passphrase === undefined) throw bad('"passphrase" is missing');
  return change;
}

function fieldsOf(json: unknown, keys: readonly string[]): Fields {
  const fields = exactly(json, 'the question', keys);
  oneOf(fields, 'notp', ['enrol/1']);
  return fields;
}

/** Whether a line is about an enrolment; what is wrong with it, its parser tells. */
export function isEnrolQuestion(line: string): boolean {
  return line.startsWith('{"notp":"enrol/1"');
}

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
    case 'done':
      return JSON.stringify({ notp: 'done/1' }) + '\n';
    case 'refused':
      return printAnswer(answer.outcome);
  }
}

/** Throws where the line is no answer. */
export function parseEnrolAnswer(line: string): EnrolAnswer {
  const json = parsed(line, 'the answer');
  const kind = typeof json === 'object' && json !== null && 'notp' in json ? json.notp : undefined;
  switch (kind) {
    case 'offer/1': {
      const fields = exactly(json, 'the answer', ['notp', 'secret', 'recovery']);
      return { kind: 'offer', secret: fromBase32(text(fields, 'secret', /^[A-Z2-7]{16,}$/)), recovery: recoveryCodes(fields['recovery']) };
    }
    case 'file/1':
      return { kind: 'sealed', file: text(exactly(json, 'the answer', ['notp', 'file']), 'file', /^/) };
    case 'anew/1': {
      const fields = exactly(json, 'the answer', ['notp', 'file', 'recovery']);
      return { kind: 'anew', file: text(fields, 'file', /^/), recovery: recoveryCodes(fields['recovery']) };
    }
    case 'secret/1':
      return { kind: 'secret', uri: text(exactly(json, 'the answer', ['notp', 'uri']), 'uri', /^/) };
    case 'done/1':
      exactly(json, 'the answer', ['notp']);
      return { kind: 'done' };
    default: {
      const outcome = parseAnswer(line);
      if (outcome?.verdict.result === 'refused') return { kind: 'refused', outcome };
      throw bad('the answer is none');
    }
  }
}

function parseBegin(fields: Fields): EnrolBegin {
  return {
    step: 'begin',
    context: contextName(text(fields, 'context', /^/)),
    replace: flag(fields, 'replace'),
    wanted: {
      algorithm: oneOf(fields, 'algorithm', ALGORITHMS),
      digits: oneOf(fields, 'digits', DIGITS),
      periodSeconds: integer(fields, 'period', MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS),
      issuer: label(fields, 'issuer'),
      account: label(fields, 'account'),
      recovery: integer(fields, 'recovery', 0, MAX_RECOVERY_CODES),
    },
    sealed: text(fields, 'sealed', /^/),
    wrong: text(fields, 'wrong', /^[^]{0,1024}$/),
    readings: parseReadings(fields['readings']),
  };
}

/** They are shown as they come, so they are looked at here. */
function recoveryCodes(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.length <= MAX_RECOVERY_CODES && value.every(isRecoveryCode)) return value;
  throw bad('"recovery" is no list of recovery codes');
}

function isRecoveryCode(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Z2-7-]{1,32}$/.test(value);
}
