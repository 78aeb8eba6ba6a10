/**
 * What a door and the service say to each other: one line of JSON each way for every question. Over the user's own socket there is no
 * "account": whoever owns it is meant. The PAM door names it to the judge, and has refusals of its own recorded there ("refusal/1").
 *
 *   { "notp": "question/3", "ask": "before" | "verify", "account": { "user", "uid" } | null, "door", "service", "rhost", "tty",
 *     "files": for each device [{ "context", "sealed": the sealed file as text, "" for none, "wrong": why it cannot be read, or "" }, …],
 *     "connection": { "pid", "startTicks", "bootId" } | null, "keyDigest": hex or "",
 *     "readings": [{ "passphrase": text | null, "kind": "code" | "codes" | "recovery", "codes": [text, …] }], "timedOut" }
 *   { "notp": "refusal/1", "account", "door", "service", "rhost", "tty", "context", "reason", "detail" }
 *   { "notp": "answer/1", "result": "ask" | "accepted" | "refused", "method", "stepOffset", "reason", "waitSeconds", "codesNeeded", "ref" }
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

/** Where a question comes from, as the door tells it. */
export type AskedOrigin = Omit<Origin, 'user' | 'uid'>;

/** Whom the judge of the PAM door is asked about; without a uid a name that is nobody's. */
export type Account = Pick<Origin, 'user' | 'uid'>;

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
  /** Undefined over the user's own socket. */
  readonly account?: Account | undefined;
  /** Its context is that of the first file. */
  readonly origin: AskedOrigin;
  readonly files: readonly SentFile[];
  readonly session: SshSession;
  readonly readings: readonly Reading[];
  readonly timedOut: boolean;
}

const DOORS: readonly Door[] = ['gate', 'pam', 'cli'];
const REASONS = Object.keys(WORDING) as Reason[];
const ORIGIN_KEYS = ['account', 'door', 'service', 'rhost', 'tty'];
const QUESTION_KEYS = ['notp', 'ask', ...ORIGIN_KEYS, 'files', 'connection', 'keyDigest', 'readings', 'timedOut'];
const REFUSAL_KEYS = ['notp', ...ORIGIN_KEYS, 'context', 'reason', 'detail'];
const ANSWER_KEYS = ['notp', 'result', 'method', 'stepOffset', 'reason', 'waitSeconds', 'codesNeeded', 'ref'];
/** The longest text from outside: a name, an address, a terminal, a message. */
const MAX_TEXT = 1024;
const SHORT = /^[^]{0,1024}$/;
const MAX_UID = 2 ** 32 - 2;
const CODE = /^\d{6,8}$/;
const RECOVERY = new RegExp(`^[A-Z2-7]{${String(RECOVERY_CHARACTERS)}}$`);

export function printQuestion({ ask, account, origin, files, session, readings, timedOut }: Question): string {
  const { connection = null, keyDigest = '' } = session;
  const object = { notp: 'question/3', ask, ...printOrigin(account, origin), files: files.map(printFile), connection, keyDigest };
  return JSON.stringify({ ...object, readings: readings.map(printReading), timedOut }) + '\n';
}

/** Throws where the line is no question. */
export function parseQuestion(line: string): Question {
  const fields = exactly(parsed(line, 'the question'), 'the question', QUESTION_KEYS);
  oneOf(fields, 'notp', ['question/3']);
  const keyDigest = text(fields, 'keyDigest', /^([0-9a-f]{64})?$/);
  const files = parseFiles(fields['files']);
  return {
    ask: oneOf(fields, 'ask', ['before', 'verify']),
    account: parseAccount(fields['account']),
    origin: parseOrigin(fields, files[0].context),
    files,
    session: { connection: parseConnection(fields['connection']), keyDigest: keyDigest === '' ? undefined : keyDigest },
    readings: parseReadings(fields['readings']),
    timedOut: flag(fields, 'timedOut'),
  };
}

/** What a door has refused without a question, to be recorded. */
export interface ToldRefusal {
  /** Undefined behind the user's own socket. */
  readonly account: Account | undefined;
  readonly origin: AskedOrigin;
  readonly reason: Reason;
  readonly detail: string;
}

export function printRefusal({ account, origin, reason, detail }: ToldRefusal): string {
  const { context } = origin;
  return JSON.stringify({ notp: 'refusal/1', ...printOrigin(account, origin), context, reason, detail: detail.slice(0, MAX_TEXT) }) + '\n';
}

/** Gives undefined where the line is a question. Throws where it begins as a refusal and is none. */
export function parseRefusal(line: string): ToldRefusal | undefined {
  if (!line.startsWith('{"notp":"refusal/1"')) return undefined;
  const fields = exactly(parsed(line, 'the refusal'), 'the refusal', REFUSAL_KEYS);
  const account = parseAccount(fields['account']);
  const origin = parseOrigin(fields, contextName(text(fields, 'context', SHORT)));
  return { account, origin, reason: oneOf(fields, 'reason', REASONS), detail: text(fields, 'detail', SHORT) };
}

function printOrigin(account: Account | undefined, { door, service = '', rhost = '', tty = '' }: AskedOrigin): object {
  const who = account === undefined ? null : { user: account.user.slice(0, MAX_TEXT), uid: account.uid ?? null };
  return { account: who, door, service: service.slice(0, MAX_TEXT), rhost: rhost.slice(0, MAX_TEXT), tty: tty.slice(0, MAX_TEXT) };
}

function parseOrigin(fields: Fields, context: string): AskedOrigin {
  const names = { service: text(fields, 'service', SHORT), rhost: text(fields, 'rhost', SHORT), tty: text(fields, 'tty', SHORT) };
  const present = Object.fromEntries(Object.entries(names).filter(([, value]) => value !== ''));
  return { context, door: oneOf(fields, 'door', DOORS), ...present };
}

function parseAccount(value: unknown): Account | undefined {
  if (value === null) return undefined;
  const fields = exactly(value, '"account"', ['user', 'uid']);
  const user = text(fields, 'user', SHORT);
  return fields['uid'] === null ? { user } : { user, uid: integer(fields, 'uid', 0, MAX_UID) };
}

export function printFile({ context, sealed, wrong }: SentFile): object {
  return { context, sealed, wrong: wrong.slice(0, MAX_TEXT) };
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
  const nothing = { result: 'ask', method: null, stepOffset: null, reason: null, waitSeconds: null, codesNeeded: null, ref: '' };
  const told = outcome === undefined ? {} : { ...withoutDetail(outcome.verdict), ref: outcome.ref };
  return JSON.stringify({ notp: 'answer/1', ...nothing, ...told }) + '\n';
}

/** Throws where the line is no answer. */
export function parseAnswer(line: string): Outcome | undefined {
  const fields = exactly(parsed(line, 'the answer'), 'the answer', ANSWER_KEYS);
  oneOf(fields, 'notp', ['answer/1']);
  const result = oneOf(fields, 'result', ['ask', 'accepted', 'refused']);
  const ref = text(fields, 'ref', { ask: /^$/, accepted: /^[0-9a-f]{8}$/, refused: /^([0-9a-f]{8})?$/ }[result]);
  nothingElse(fields, result);
  return result === 'ask' ? undefined : { verdict: verdictOf(fields, result), ref };
}

/** The JSON of a line. Throws where it is not written as the other side writes it: with a key twice, for example. */
export function parsed(line: string, name: string): unknown {
  return canonicalJson(Buffer.from(line), name);
}

/** The detail is for the record. */
function withoutDetail(verdict: Verdict): object {
  if (verdict.result === 'refused') {
    const { reason, waitSeconds = null, codesNeeded = null } = verdict;
    return { result: 'refused', reason, waitSeconds, codesNeeded };
  }
  return { result: 'accepted', method: verdict.method, stepOffset: verdict.stepOffset ?? null };
}

/** What does not belong to a result is null. */
function nothingElse(fields: Fields, result: 'ask' | 'accepted' | 'refused'): void {
  const own: readonly string[] = { ask: [], accepted: ['method', 'stepOffset'], refused: ['reason', 'waitSeconds', 'codesNeeded'] }[result];
  const foreign = ['method', 'stepOffset', 'reason', 'waitSeconds', 'codesNeeded'].find(
    (key) => !own.includes(key) && fields[key] !== null,
  );
  if (foreign !== undefined) throw bad(`"${foreign}" does not belong to "${result}"`);
}

function verdictOf(fields: Fields, result: 'accepted' | 'refused'): Verdict {
  if (result === 'accepted') {
    const offset = fields['stepOffset'] === null ? {} : { stepOffset: integer(fields, 'stepOffset', -RESYNC_COUNTERS, RESYNC_COUNTERS) };
    return { result, method: oneOf(fields, 'method', METHODS), ...offset };
  }
  const wait = fields['waitSeconds'] === null ? {} : { waitSeconds: integer(fields, 'waitSeconds', 0, Number.MAX_SAFE_INTEGER) };
  const needed =
    fields['codesNeeded'] === null ? {} : { codesNeeded: integer(fields, 'codesNeeded', 2, 3) === 2 ? (2 as const) : (3 as const) };
  return { result, reason: oneOf(fields, 'reason', REASONS), ...wait, ...needed };
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
  const kind = oneOf(fields, 'kind', ['code', 'codes', 'recovery']);
  const codes: unknown = fields['codes'];
  const pattern = kind === 'recovery' ? RECOVERY : CODE;
  if (!Array.isArray(codes) || !codes.every((code): code is string => typeof code === 'string' && pattern.test(code)))
    throw bad('"codes" are none');
  const [code = ''] = codes;
  const counts = kind === 'codes' ? [2, 3] : [1];
  if (!counts.includes(codes.length)) throw bad('"codes" are too few or too many');
  return kind === 'codes' ? { kind, codes } : { kind, code };
}

export function printReading({ passphrase, proof }: Reading): object {
  return {
    passphrase: passphrase ?? null,
    kind: proof.kind,
    codes: proof.kind === 'codes' ? proof.codes : [proof.code],
  };
}
