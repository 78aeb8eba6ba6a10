/**
 * What gate and service say to each other over the user's socket: one line of JSON each way for every question.
 *
 *   { "notp": "question/1", "ask": "before" | "verify", "context", "door", "service", "rhost", "tty",
 *     "sealed": the sealed file as text, "" for none, "wrong": why it cannot be read, or "",
 *     "connection": { "pid", "startTicks", "bootId" } | null, "keyDigest": hex or "",
 *     "readings": [{ "passphrase": text | null, "kind": "code" | "two_codes" | "recovery", "codes": [text, …] }], "timedOut" }
 *   { "notp": "answer/1", "result": "ask" | "accepted" | "refused", "method", "stepOffset", "reason", "waitSeconds", "ref" }
 *
 * Parsing is strict on both sides. Nothing but the verdict comes back: no detail, no secret.
 */
import type { Door, Origin } from '../audit/record.ts';
import { contextName } from '../otp/names.ts';
import { MAX_LINE_BYTES, MAX_READINGS, type Proof, type Reading } from '../otp/proof.ts';
import { bad, canonicalJson, exactly, flag, integer, oneOf, text, type Fields } from '../seal/fields.ts';
import { MAX_SEALED_FILE_BYTES } from '../seal/file.ts';
import type { Connection } from '../store/store.ts';
import { METHODS, WORDING, type Reason } from '../verdict/reasons.ts';
import type { Verdict } from '../verdict/decide.ts';
import type { Outcome, SshSession } from './verifier.ts';

/** A sealed file of the largest size, every character escaped, and the rest. */
export const MAX_LINE = 8 * MAX_SEALED_FILE_BYTES;

/** Whose question it is, as the door tells it; the user is who owns the socket. */
export type AskedOrigin = Omit<Origin, 'user' | 'uid'>;

/** A sealed file on its way: its text, or why there is none. */
export interface SentFile {
  /** Empty where there is none. */
  readonly sealed: string;
  /** Why it cannot be read; empty where it can. */
  readonly wrong: string;
}

export interface Question extends SentFile {
  readonly ask: 'before' | 'verify';
  readonly origin: AskedOrigin;
  readonly session: SshSession;
  readonly readings: readonly Reading[];
  readonly timedOut: boolean;
}

const DOORS: readonly Door[] = ['gate', 'pam', 'cli'];
const REASONS = Object.keys(WORDING) as Reason[];
const QUESTION_KEYS = [
  'notp',
  'ask',
  'context',
  'door',
  'service',
  'rhost',
  'tty',
  'sealed',
  'wrong',
  'connection',
  'keyDigest',
  'readings',
  'timedOut',
];
const ANSWER_KEYS = ['notp', 'result', 'method', 'stepOffset', 'reason', 'waitSeconds', 'ref'];
/** The longest text from outside: an address, a terminal, a message. */
const SHORT = /^[^]{0,1024}$/;
const CODE = /^\d{6,8}$/;
const RECOVERY = /^[A-Z2-7]{1,32}$/;

export function printQuestion({ ask, origin, sealed, wrong, session, readings, timedOut }: Question): string {
  const { context, door, service = '', rhost = '', tty = '' } = origin;
  const { connection = null, keyDigest = '' } = session;
  const object = {
    notp: 'question/1',
    ask,
    context,
    door,
    service,
    rhost,
    tty,
    sealed,
    wrong: wrong.slice(0, 1024),
    connection,
    keyDigest,
  };
  return JSON.stringify({ ...object, readings: readings.map(printReading), timedOut }) + '\n';
}

/** Throws where the line is no question. */
export function parseQuestion(line: string): Question {
  const fields = exactly(parsed(line, 'the question'), 'the question', QUESTION_KEYS);
  oneOf(fields, 'notp', ['question/1']);
  const names = { service: text(fields, 'service', SHORT), rhost: text(fields, 'rhost', SHORT), tty: text(fields, 'tty', SHORT) };
  const present = Object.fromEntries(Object.entries(names).filter(([, value]) => value !== ''));
  const keyDigest = text(fields, 'keyDigest', /^([0-9a-f]{64})?$/);
  return {
    ask: oneOf(fields, 'ask', ['before', 'verify']),
    origin: { context: contextName(text(fields, 'context', SHORT)), door: oneOf(fields, 'door', DOORS), ...present },
    sealed: text(fields, 'sealed', /^/),
    wrong: text(fields, 'wrong', SHORT),
    session: { connection: parseConnection(fields['connection']), keyDigest: keyDigest === '' ? undefined : keyDigest },
    readings: parseReadings(fields['readings']),
    timedOut: flag(fields, 'timedOut'),
  };
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
    const offset = fields['stepOffset'] === null ? {} : { stepOffset: integer(fields, 'stepOffset', -10, 10) };
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
