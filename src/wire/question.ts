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
import { isContextName } from '../otp/names.ts';
import { MAX_LINE_BYTES, MAX_READINGS, type Reading } from '../otp/proof.ts';
import { RECOVERY_CHARACTERS } from '../otp/recovery.ts';
import { messageOf } from '../error.ts';
import {
  boolean,
  canonicalJson,
  listOf,
  literal,
  nil,
  object,
  oneOf,
  optional,
  shaped,
  string,
  text,
  tuple,
  union,
  wholeNumber,
  type Type,
} from '../seal/shape.ts';
import { MAX_SEALED_FILE_BYTES, printSealedFile } from '../seal/file.ts';
import { sealedFor, type DeviceFile } from '../system/secrets.ts';
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
/** The longest text from outside: a name, an address, a terminal, a message. */
const MAX_TEXT = 1024;
const SHORT = text(/^[^]{0,1024}$/);
const MAX_UID = 2 ** 32 - 2;
const CODE = text(/^\d{6,8}$/);
const RECOVERY = text(new RegExp(`^[A-Z2-7]{${String(RECOVERY_CHARACTERS)}}$`));
const CONTEXT = string().assert(isContextName, 'is not a context name');

const ORIGIN = {
  account: optional(
    object({ user: SHORT, uid: optional(wholeNumber(0, MAX_UID)) }).map(({ user, uid }): Account =>
      uid === undefined ? { user } : { user, uid },
    ),
  ),
  door: oneOf(DOORS),
  service: SHORT,
  rhost: SHORT,
  tty: SHORT,
};

/** The fields of a sealed file on its way. */
export const FILE = { context: CONTEXT, sealed: string(), wrong: SHORT };

const PASSPHRASE = optional(SHORT.assert((typed) => Buffer.byteLength(typed) <= MAX_LINE_BYTES, 'is too long'));
const READING = union(
  object({ passphrase: PASSPHRASE, kind: literal('code'), codes: tuple([CODE]) }),
  object({ passphrase: PASSPHRASE, kind: literal('codes'), codes: union(tuple([CODE, CODE]), tuple([CODE, CODE, CODE])) }),
  object({ passphrase: PASSPHRASE, kind: literal('recovery'), codes: tuple([RECOVERY]) }),
).map(({ passphrase, kind, codes }): Reading => ({ passphrase, proof: kind === 'codes' ? { kind, codes } : { kind, code: codes[0] } }));
export const READINGS = listOf(READING, MAX_READINGS);

const CONNECTION = object({
  pid: wholeNumber(1, 2 ** 31 - 1),
  startTicks: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  bootId: text(/^[0-9a-f-]{36}$/),
});

const FILES = listOf(object(FILE), MAX_CONTEXTS)
  .assert(([first]) => first !== undefined, 'is empty')
  .assert((files) => new Set(files.map(({ context }) => context)).size === files.length, 'has a context twice');

const QUESTION = object({
  notp: literal('question/3'),
  ask: oneOf(['before', 'verify']),
  ...ORIGIN,
  files: FILES,
  connection: optional(CONNECTION),
  keyDigest: text(/^([0-9a-f]{64})?$/),
  readings: READINGS,
  timedOut: boolean(),
}).map(({ ask, account, files, connection, keyDigest, readings, timedOut, ...asked }): Question => {
  const session = { connection, keyDigest: keyDigest === '' ? undefined : keyDigest };
  return { ask, account, origin: originOf(asked, files[0]?.context ?? ''), files, session, readings, timedOut };
});

export function printQuestion({ ask, account, origin, files, session, readings, timedOut }: Question): string {
  const { connection = null, keyDigest = '' } = session;
  const question = { notp: 'question/3', ask, ...printOrigin(account, origin), files: files.map(printFile), connection, keyDigest };
  return JSON.stringify({ ...question, readings: readings.map(printReading), timedOut }) + '\n';
}

/** Throws where the line is no question. */
export function parseQuestion(line: string): Question {
  return parseLine(QUESTION, line, 'the question');
}

/** What a door has refused without a question, to be recorded. */
export interface ToldRefusal {
  /** Undefined behind the user's own socket. */
  readonly account: Account | undefined;
  readonly origin: AskedOrigin;
  readonly reason: Reason;
  readonly detail: string;
}

const REFUSAL = object({ notp: literal('refusal/1'), ...ORIGIN, context: CONTEXT, reason: oneOf(REASONS), detail: SHORT }).map(
  ({ account, context, reason, detail, ...asked }): ToldRefusal => ({ account, origin: originOf(asked, context), reason, detail }),
);

export function printRefusal({ account, origin, reason, detail }: ToldRefusal): string {
  const { context } = origin;
  return JSON.stringify({ notp: 'refusal/1', ...printOrigin(account, origin), context, reason, detail: detail.slice(0, MAX_TEXT) }) + '\n';
}

/** Gives undefined where the line is a question. Throws where it begins as a refusal and is malformed. */
export function parseRefusal(line: string): ToldRefusal | undefined {
  return line.startsWith('{"notp":"refusal/1"') ? parseLine(REFUSAL, line, 'the refusal') : undefined;
}

function printOrigin(account: Account | undefined, { door, service = '', rhost = '', tty = '' }: AskedOrigin): object {
  const who = account === undefined ? null : { user: account.user.slice(0, MAX_TEXT), uid: account.uid ?? null };
  return { account: who, door, service: service.slice(0, MAX_TEXT), rhost: rhost.slice(0, MAX_TEXT), tty: tty.slice(0, MAX_TEXT) };
}

function originOf(
  { door, service, rhost, tty }: Pick<Required<AskedOrigin>, 'door' | 'service' | 'rhost' | 'tty'>,
  context: string,
): AskedOrigin {
  const present = Object.fromEntries(Object.entries({ service, rhost, tty }).filter(([, value]) => value !== ''));
  return { context, door, ...present };
}

/** A sealed file as it goes over the wire; foundIn reads it back. */
export function sentFile({ context, found }: DeviceFile): SentFile {
  switch (found.kind) {
    case 'sealed':
      return { context, sealed: Buffer.from(printSealedFile(found.file)).toString('utf8'), wrong: '' };
    case 'absent':
      return { context, sealed: '', wrong: '' };
    case 'bad':
      return { context, sealed: '', wrong: found.why };
  }
}

/** The sealed file of `user` that was sent; bad where it cannot be read, or is another user's or context's. */
export function foundIn({ context, sealed, wrong }: SentFile, user: string): DeviceFile {
  if (wrong !== '') return { context, found: { kind: 'bad', why: wrong } };
  if (sealed === '') return { context, found: { kind: 'absent' } };
  try {
    return { context, found: { kind: 'sealed', file: sealedFor({ name: user }, context, Buffer.from(sealed)) } };
  } catch (error) {
    return { context, found: { kind: 'bad', why: messageOf(error) } };
  }
}

export function printFile({ context, sealed, wrong }: SentFile): SentFile {
  return { context, sealed, wrong: wrong.slice(0, MAX_TEXT) };
}

/** Undefined: ask the person. */
const ANSWER = union(
  object({
    ...{ notp: literal('answer/1'), result: literal('ask'), method: nil(), stepOffset: nil() },
    ...{ reason: nil(), waitSeconds: nil(), codesNeeded: nil(), ref: literal('') },
  }).map(() => undefined),
  object({
    ...{ notp: literal('answer/1'), result: literal('accepted'), method: oneOf(METHODS) },
    ...{ stepOffset: optional(wholeNumber(-RESYNC_COUNTERS, RESYNC_COUNTERS)) },
    ...{ reason: nil(), waitSeconds: nil(), codesNeeded: nil(), ref: text(/^[0-9a-f]{8}$/) },
  }).map(({ result, method, stepOffset, ref }): Outcome => ({
    verdict: { result, method, ...(stepOffset === undefined ? {} : { stepOffset }) },
    ref,
  })),
  object({
    ...{ notp: literal('answer/1'), result: literal('refused'), method: nil(), stepOffset: nil(), reason: oneOf(REASONS) },
    ...{ waitSeconds: optional(wholeNumber(0, Number.MAX_SAFE_INTEGER)), codesNeeded: optional(oneOf([2, 3])) },
    ref: text(/^([0-9a-f]{8})?$/),
  }).map(({ result, reason, waitSeconds, codesNeeded, ref }): Outcome => {
    const wait = waitSeconds === undefined ? {} : { waitSeconds };
    return { verdict: { result, reason, ...wait, ...(codesNeeded === undefined ? {} : { codesNeeded }) }, ref };
  }),
);

/** `undefined`: ask the person. */
export function printAnswer(outcome: Outcome | undefined): string {
  const nothing = { result: 'ask', method: null, stepOffset: null, reason: null, waitSeconds: null, codesNeeded: null, ref: '' };
  const told = outcome === undefined ? {} : { ...withoutDetail(outcome.verdict), ref: outcome.ref };
  return JSON.stringify({ notp: 'answer/1', ...nothing, ...told }) + '\n';
}

/** Throws where the line is no answer. */
export function parseAnswer(line: string): Outcome | undefined {
  return parseLine(ANSWER, line, 'the answer');
}

/** The line, which has `shape`. Throws where it has not, or is not written as the other side writes it: with a key twice, for example. */
export function parseLine<T>(shape: Type<T>, line: string, name: string): T {
  return shaped(shape, canonicalJson(Buffer.from(line), name), name);
}

/** The detail is for the record. */
function withoutDetail(verdict: Verdict): object {
  if (verdict.result === 'refused') {
    const { reason, waitSeconds = null, codesNeeded = null } = verdict;
    return { result: 'refused', reason, waitSeconds, codesNeeded };
  }
  return { result: 'accepted', method: verdict.method, stepOffset: verdict.stepOffset ?? null };
}

export function printReading({ passphrase, proof }: Reading): object {
  return {
    passphrase: passphrase ?? null,
    kind: proof.kind,
    codes: proof.kind === 'codes' ? proof.codes : [proof.code],
  };
}
