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
 *   { "notp": "enrol/1", "step": "status", "files": [{ "context", "sealed", "wrong" }, …] }  -> facts, without a proof
 *   { "notp": "enrol/1", "step": "complete" | "abandon" }                        -> done
 *   { "notp": "offer/1", "secret": base32, "recovery": [text, …] } { "notp": "file/1", "file": the sealed file as text } { "notp": "done/1" }
 *   { "notp": "anew/1", "file", "recovery": [text, …] } { "notp": "secret/1", "uri": otpauth URI }
 *   { "notp": "facts/1", "facts": [what facts.ts tells of an enrolment, …] }
 */
import { ALGORITHMS, DIGITS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, type CodeParameters } from '../otp/code.ts';
import { contextName } from '../otp/names.ts';
import type { Reading } from '../otp/proof.ts';
import { MAX_RECOVERY_CODES } from '../otp/recovery.ts';
import { bad, exactly, flag, integer, label, oneOf, text, type Fields } from '../seal/fields.ts';
import type { Account } from '../otp/uri.ts';
import { parsed, parseFile, parseReadings, printFile, printReading, type SentFile } from './question.ts';

/** What a new secret is for, and how its codes are made. */
export type Wanted = CodeParameters & Account & { readonly recovery: number };

/** What is to be different. */
export interface Change {
  /** What the audit record calls it. */
  readonly event: 'passphrase' | 'recovery' | 'reseal';
  /** The passphrase to seal with; undefined: the key of the host. */
  readonly passphrase: string | undefined;
  /** How many new recovery codes take the place of the old ones; undefined: those stay. */
  readonly recovery: number | undefined;
}

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

/** What is known of the enrolments that these files are, or should be, of. */
export interface StatusQuestion {
  readonly step: 'status';
  readonly files: readonly SentFile[];
}

export type EnrolQuestion =
  | StatusQuestion
  | EnrolBegin
  | CareQuestion
  | { readonly step: 'confirm'; readonly code: string }
  | { readonly step: 'complete' | 'abandon' };

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

/** How many sealed files one question about their status may have. */
export const MAX_STATUS_FILES = 16;
const CARE_KEYS = ['notp', 'step', 'context', 'sealed', 'wrong', 'readings'];

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
    case 'status':
      return { step, files: filesOf(fieldsOf(json, ['notp', 'step', 'files'])['files']) };
    case 'complete':
    case 'abandon':
      fieldsOf(json, ['notp', 'step']);
      return { step };
    default:
      throw bad('"step" is none');
  }
}

function filesOf(value: unknown): readonly SentFile[] {
  if (!Array.isArray(value) || value.length > MAX_STATUS_FILES) throw bad('"files" is no short list');
  return value.map(parseFile);
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
