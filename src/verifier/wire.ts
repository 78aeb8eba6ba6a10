/**
 * What gate and service say to each other over the user's socket: one line of JSON each way for every question.
 *
 *   { "notp": "question/2", "ask": "before" | "verify", "door", "service", "rhost", "tty",
 *     "files": for each device [{ "context", "sealed": the sealed file as text, "" for none, "wrong": why it cannot be read, or "" }, …],
 *     "connection": { "pid", "startTicks", "bootId" } | null, "keyDigest": hex or "",
 *     "readings": [{ "passphrase": text | null, "kind": "code" | "two_codes" | "recovery", "codes": [text, …] }], "timedOut" }
 *   { "notp": "answer/1", "result": "ask" | "accepted" | "refused", "method", "stepOffset", "reason", "waitSeconds", "ref" }
 *
 * Parsing is strict on both sides. Nothing but the verdict comes back: no detail, no secret.
 */
import type { Door, Origin } from '../audit/record.ts';
import { contextName } from '../otp/names.ts';
import { MAX_LINE_BYTES, MAX_READINGS, type Proof, type Reading } from '../otp/proof.ts';
import { RECOVERY_CHARACTERS } from '../otp/recovery.ts';
import { bad, canonicalJson, exactly, flag, integer, oneOf, text, type Fields } from '../seal/fields.ts';
import { MAX_SEALED_FILE_BYTES } from '../seal/file.ts';
import type { Connection } from '../store/store.ts';
import { MAX_CONTEXTS } from '../system/settings.ts';
import { METHODS, WORDING, type Reason } from '../verdict/reasons.ts';
import { RESYNC_COUNTERS, type Verdict } from '../verdict/decide.ts';
import type { Outcome, SshSession } from './verifier.ts';

/** As many sealed files of the largest size as there can be, every character escaped, and the rest. */
export const MAX_LINE = MAX_CONTEXTS * 8 * MAX_SEALED_FILE_BYTES;

/** Whose question it is, as the door tells it; the user is who owns the socket. */
export type AskedOrigin = Omit<Origin, 'user' | 'uid'>;

/** A sealed file on its way: its text, or why there is none. */
export interface SentFile {
  readonly context: string;
  /** Empty where there is none. */
  readonly sealed: string;
  /** Why it cannot be read; empty where it can. */
  readonly wrong: string;
}

export interface Question {
  readonly ask: 'before' | 'verify';
  /** Its context is that of the first file. */
  readonly origin: AskedOrigin;
  readonly files: readonly SentFile[];
  readonly session: SshSession;
  readonly readings: readonly Reading[];
  readonly timedOut: boolean;
}

const DOORS: readonly Door[] = ['gate', 'pam', 'cli'];
const REASONS = Object.keys(WORDING) as Reason[];
const QUESTION_KEYS = ['notp', 'ask', 'door', 'service', 'rhost', 'tty', 'files', 'connection', 'keyDigest', 'readings', 'timedOut'];
const ANSWER_KEYS = ['notp', 'result', 'method', 'stepOffset', 'reason', 'waitSeconds', 'ref'];
/** The longest text from outside: an address, a terminal, a message. */
const SHORT = /^[^]{0,1024}$/;
const CODE = /^\d{6,8}$/;
const RECOVERY = new RegExp(`^[A-Z2-7]{${String(RECOVERY_CHARACTERS)}}$`);

export function printQuestion({ ask, origin, files, session, readings, timedOut }: Question): string {
  const { door, service = '', rhost = '', tty = '' } = origin;
  const { connection = null, keyDigest = '' } = session;
  const object = { notp: 'question/2', ask, door, service, rhost, tty, files: files.map(printFile), connection, keyDigest };
  return JSON.stringify({ ...object, readings: readings.map(printReading), timedOut }) + '\n';
}

/** Throws where the line is no question. */
export function parseQuestion(line: string): Question {
  const fields = exactly(parsed(line, 'the question'), 'the question', QUESTION_KEYS);
  oneOf(fields, 'notp', ['question/2']);
  const names = { service: text(fields, 'service', SHORT), rhost: text(fields, 'rhost', SHORT), tty: text(fields, 'tty', SHORT) };
  const present = Object.fromEntries(Object.entries(names).filter(([, value]) => value !== ''));
  const keyDigest = text(fields, 'keyDigest', /^([0-9a-f]{64})?$/);
  const files = parseFiles(fields['files']);
  return {
    ask: oneOf(fields, 'ask', ['before', 'verify']),
    origin: { context: files[0].context, door: oneOf(fields, 'door', DOORS), ...present },
    files,
    session: { connection: parseConnection(fields['connection']), keyDigest: keyDigest === '' ? undefined : keyDigest },
    readings: parseReadings(fields['readings']),
    timedOut: flag(fields, 'timedOut'),
  };
}

export function printFile({ context, sealed, wrong }: SentFile): object {
  return { context, sealed, wrong: wrong.slice(0, 1024) };
}

export function parseFile(value: unknown): SentFile {
  const fields = exactly(value, 'a file', ['context', 'sealed', 'wrong']);
  return { context: contextName(text(fields, 'context', SHORT)), sealed: text(fields, 'sealed', /^/), wrong: text(fields, 'wrong', SHORT) };
}

function parseFiles(value: unknown): readonly [SentFile, ...SentFile[]] {
  if (!Array.isArray(value) || value.length > MAX_CONTEXTS) throw bad('"files" is no short list');
  const [first, ...rest] = value.map(parseFile);
  if (first === undefined) throw bad('"files" is empty');
  if (new Set(value.map((each: { context: string }) => each.context)).size !== value.length) throw bad('"files" has a context twice');
  return [first, ...rest];
}

/** `undefined`: ask the person. */
export function printAnswer(outcome: Outcome | undefined): string {
  const nothing = { result: 'ask', method: null, stepOffset: null, reason: null, waitSeconds: null, ref: '' };
  const told = outcome === undefined ? {} : { ...withoutDetail(outcome.verdict), ref: outcome.ref };
  return JSON.stringify({ notp: 'answer/1', ...nothing, ...told }) + '\n';
}

/** Throws where the line is no answer. */
export function parseAnswer(line: string): Outcome | undefined {
  const fields = exactly(parsed(line, 'the answer'), 'the answer', ANSWER_KEYS);
  oneOf(fields, 'notp', ['answer/1']);
  const result = oneOf(fields, 'result', ['ask', 'accepted', 'refused']);
  const ref = text(fields, 'ref', result === 'ask' ? /^$/ : /^[0-9a-f]{8}$/);
  nothingElse(fields, result);
  return result === 'ask' ? undefined : { verdict: verdictOf(fields, result), ref };
}

/** The JSON of a line. Throws where it is not written as the other side writes it: with a key twice, for example. */
export function parsed(line: string, name: string): unknown {
  return canonicalJson(Buffer.from(line), name);
}

/** The detail is for the record. */
function withoutDetail(verdict: Verdict): object {
  if (verdict.result === 'refused') return { result: 'refused', reason: verdict.reason, waitSeconds: verdict.waitSeconds ?? null };
  return { result: 'accepted', method: verdict.method, stepOffset: verdict.stepOffset ?? null };
}

/** What does not belong to a result is null. */
function nothingElse(fields: Fields, result: 'ask' | 'accepted' | 'refused'): void {
  const own: readonly string[] = { ask: [], accepted: ['method', 'stepOffset'], refused: ['reason', 'waitSeconds'] }[result];
  const foreign = ['method', 'stepOffset', 'reason', 'waitSeconds'].find((key) => !own.includes(key) && fields[key] !== null);
  if (foreign !== undefined) throw bad(`"${foreign}" does not belong to "${result}"`);
}

function verdictOf(fields: Fields, result: 'accepted' | 'refused'): Verdict {
  if (result === 'accepted') {
    const offset = fields['stepOffset'] === null ? {} : { stepOffset: integer(fields, 'stepOffset', -RESYNC_COUNTERS, RESYNC_COUNTERS) };
    return { result, method: oneOf(fields, 'method', METHODS), ...offset };
  }
  const wait = fields['waitSeconds'] === null ? {} : { waitSeconds: integer(fields, 'waitSeconds', 0, Number.MAX_SAFE_INTEGER) };
  return { result, reason: oneOf(fields, 'reason', REASONS), ...wait };
}

function parseConnection(value: unknown): Connection | undefined {
  if (value === null) return undefined;
  const fields = exactly(value, '"connection"', ['pid', 'startTicks', 'bootId']);
  return {
    pid: integer(fields, 'pid', 1, 2 ** 31 - 1),
    startTicks: integer(fields, 'startTicks', 0, Number.MAX_SAFE_INTEGER),
    bootId: text(fields, 'bootId', /^[0-9a-f-]{36}$/),
  };
}

export function parseReadings(value: unknown): Reading[] {
  if (!Array.isArray(value) || value.length > MAX_READINGS) throw bad('"readings" is no short list');
  return value.map((each: unknown) => {
    const fields = exactly(each, 'a reading', ['passphrase', 'kind', 'codes']);
    const passphrase = fields['passphrase'] === null ? undefined : text(fields, 'passphrase', SHORT);
    if (Buffer.byteLength(passphrase ?? '') > MAX_LINE_BYTES) throw bad('"passphrase" is too long');
    return { passphrase, proof: parseSentProof(fields) };
  });
}

function parseSentProof(fields: Fields): Proof {
  const kind = oneOf(fields, 'kind', ['code', 'two_codes', 'recovery']);
  const codes: unknown = fields['codes'];
  const pattern = kind === 'recovery' ? RECOVERY : CODE;
  if (!Array.isArray(codes) || !codes.every((code): code is string => typeof code === 'string' && pattern.test(code)))
    throw bad('"codes" are none');
  const [first, second] = codes;
  if (first === undefined || codes.length !== (kind === 'two_codes' ? 2 : 1)) throw bad('"codes" are too few or too many');
  return kind === 'two_codes' ? { kind, first, second: second ?? '' } : { kind, code: first };
}

export function printReading({ passphrase, proof }: Reading): object {
  return {
    passphrase: passphrase ?? null,
    kind: proof.kind,
    codes: proof.kind === 'two_codes' ? [proof.first, proof.second] : [proof.code],
  };
}
