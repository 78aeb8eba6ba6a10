/**
 * The messages between a door and the service: one line of JSON each way for every question. Over a user's own socket "account" is null,
 * as the owner of the socket is meant. The PAM door names the account to the judge. It also sends the judge its own refusals, to be
 * recorded ("refusal/1"). Any change of a shape takes the next number ("question/7"), and with one of the answer the question takes it too: the
 * other side may still run the earlier release. A service that reads a message of another number leaves, so that systemd starts the present
 * program for the next connection. The PAM door cannot connect again once it has given up root's rights, so it first says which messages it
 * speaks ("hello/1"), and the judge repeats that line. Judges of a fleet are greeted with them: see judges.ts.
 *
 *   { "notp": "hello/1", "wire": WIRE }
 *   { "notp": "question/6", "ask": "before" | "acceptance" | "verify", "account": { "user", "uid" } | null, "door", "service", "rhost", "tty",
 *     "files": for each device [{ "context", "sealed": the sealed file as text, "" for none, "wrong": why it cannot be read, or "" }, …],
 *     "connection": { "pid", "startTicks", "bootId" } | null, "keyDigest": hex or "",
 *     "groups": [name, …], "otherGroups": [name, …], "keyType": text, "" for no key | null, "firstFactor": boolean,
 *     "readings": [{ "passphrase": text | null, "kind": "code" | "codes" | "recovery", "codes": [text, …] }], "timedOut" }
 *   { "notp": "refusal/1", "account", "door", "service", "rhost", "tty", "context", "reason", "detail" }
 *   { "notp": "answer/2", "result": "ask" | "accepted" | "refused", "method", "stepOffset", "reason", "waitSeconds", "codesNeeded", "ref",
 *     "notice": { "kind": "refused_tries", "count", "sinceMs", "from" } | { "kind": "enrol_by", "untilMs" } | null }
 *
 * Parsing is strict on both sides; the order of the keys does not matter. Only the verdict comes back, and what its owner
 * is told of it: no detail, no secret.
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
import type { Circumstances, Outcome, SshSession } from './verifier.ts';

/** The longest line: the largest possible sealed files, with every character escaped, and the other fields. */
export const MAX_LINE = MAX_CONTEXTS * 8 * MAX_SEALED_FILE_BYTES;

/** The origin of a question, as the door states it. */
export type AskedOrigin = Omit<Origin, 'user' | 'uid'>;

/** The account that a judge is asked about. Without a uid it is a name that no user has. */
export type AskedAccount = Pick<Origin, 'user' | 'uid'>;

/** The versions of the messages of this release. */
export const WIRE = 'question/6 refusal/1 answer/2';

/** The first line of a door that connects once, and the answer to it. Nothing is judged. */
export const HELLO = JSON.stringify({ notp: 'hello/1', wire: WIRE });

/** Whether a line that is no message of this release is one of another. */
export function isOfAnotherRelease(line: string): boolean {
  const [, message = '', kind = ''] = /^\{"notp":"((question|refusal|enrol|ping|hello)\/\d{1,4})"/.exec(line) ?? [];
  if (kind === 'hello') return line !== HELLO;
  return message !== '' && !`${WIRE} enrol/1 ping/2`.split(' ').includes(message);
}

/** A sealed file in a message: its text, or the reason why it is missing. */
export interface SentFile {
  readonly context: string;
  /** Empty if there is no file. */
  readonly sealed: string;
  /** Why the file cannot be read; empty if it can. */
  readonly wrong: string;
}

export interface Question {
  /** `acceptance`: as `before`, and the answer is never a refusal by the state: the person is asked then. */
  readonly ask: 'before' | 'acceptance' | 'verify';
  /** Undefined over the user's own socket. */
  readonly account?: AskedAccount | undefined;
  /** Its context is that of the first file. */
  readonly origin: AskedOrigin;
  readonly files: readonly SentFile[];
  readonly session: SshSession;
  readonly circumstances: Circumstances;
  readonly readings: readonly Reading[];
  readonly timedOut: boolean;
}

const DOORS: readonly Door[] = ['gate', 'pam', 'cli'];
export const REASONS = Object.keys(WORDING) as Reason[];
/** The maximal length of a text from outside: a name, an address, a terminal, a message. */
export const MAX_TEXT = 1024;
export const SHORT = text(/^[^]{0,1024}$/);
const MAX_UID = 2 ** 32 - 2;
const CODE = text(/^\d{6,8}$/);
const RECOVERY = text(new RegExp(`^[A-Z2-7]{${String(RECOVERY_CHARACTERS)}}$`));
const CONTEXT = string().assert(isContextName, 'is not a context name');

const ORIGIN = {
  account: optional(
    object({ user: SHORT, uid: optional(wholeNumber(0, MAX_UID)) }).map(({ user, uid }): AskedAccount =>
      uid === undefined ? { user } : { user, uid },
    ),
  ),
  door: oneOf(DOORS),
  service: SHORT,
  rhost: SHORT,
  tty: SHORT,
};

/** The fields of a sealed file in a message. */
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

/** The most groups that a door looks at. */
export const MAX_GROUPS = 1024;

const FILES = listOf(object(FILE), MAX_CONTEXTS)
  .assert(([first]) => first !== undefined, 'is empty')
  .assert((files) => new Set(files.map(({ context }) => context)).size === files.length, 'has a context twice');

const QUESTION = object({
  notp: literal('question/6'),
  ask: oneOf(['before', 'acceptance', 'verify']),
  ...ORIGIN,
  files: FILES,
  connection: optional(CONNECTION),
  keyDigest: text(/^([0-9a-f]{64})?$/),
  groups: listOf(SHORT, MAX_GROUPS),
  otherGroups: listOf(SHORT, MAX_GROUPS),
  keyType: optional(text(/^[\w.@-]{0,64}$/)),
  firstFactor: boolean(),
  readings: READINGS,
  timedOut: boolean(),
}).map(
  ({ ask, account, files, connection, keyDigest, groups, otherGroups, keyType, firstFactor, readings, timedOut, ...asked }): Question => {
    const session = { connection, keyDigest: keyDigest === '' ? undefined : keyDigest };
    const circumstances = { groups, otherGroups, keyType, firstFactor };
    return { ask, account, origin: originOf(asked, files[0]?.context ?? ''), files, session, circumstances, readings, timedOut };
  },
);

export function printQuestion({ ask, account, origin, files, session, circumstances, readings, timedOut }: Question): string {
  const { connection = null, keyDigest = '' } = session;
  const { groups, otherGroups, keyType = null, firstFactor } = circumstances;
  const question = { notp: 'question/6', ask, ...printOrigin(account, origin), files: files.map(printFile), connection, keyDigest };
  return JSON.stringify({ ...question, groups, otherGroups, keyType, firstFactor, readings: readings.map(printReading), timedOut }) + '\n';
}

/** Throws if the line is not a question. */
export function parseQuestion(line: string): Question {
  return parseLine(QUESTION, line, 'the question');
}

/** A refusal by the door itself, to be recorded. */
export interface ToldRefusal {
  /** Undefined behind the user's own socket. */
  readonly account: AskedAccount | undefined;
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

/** Undefined if the line is a question. Throws if it begins as a refusal and is malformed. */
export function parseRefusal(line: string): ToldRefusal | undefined {
  return line.startsWith('{"notp":"refusal/1"') ? parseLine(REFUSAL, line, 'the refusal') : undefined;
}

function printOrigin(account: AskedAccount | undefined, { door, service = '', rhost = '', tty = '' }: AskedOrigin): object {
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

/** The message for a sealed file; foundIn() is the inverse. */
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

/** The sealed file of `user` in a message. It is bad if it cannot be read, or if it belongs to another user or context. */
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

const TIME = wholeNumber(0, 8.64e15);
const NOTICE = union(
  object({
    ...{ kind: literal('refused_tries'), count: wholeNumber(1, Number.MAX_SAFE_INTEGER), sinceMs: TIME },
    from: text(/^[0-9a-f:.]{0,45}$/i),
  }),
  object({ kind: literal('enrol_by'), untilMs: TIME }),
);

/** Undefined: ask the person. */
const ANSWER = union(
  object({
    ...{ notp: literal('answer/2'), result: literal('ask'), method: nil(), stepOffset: nil() },
    ...{ reason: nil(), waitSeconds: nil(), codesNeeded: nil(), ref: literal(''), notice: nil() },
  }).map(() => undefined),
  object({
    ...{ notp: literal('answer/2'), result: literal('accepted'), method: oneOf(METHODS) },
    ...{ stepOffset: optional(wholeNumber(-RESYNC_COUNTERS, RESYNC_COUNTERS)) },
    ...{ reason: nil(), waitSeconds: nil(), codesNeeded: nil(), ref: text(/^[0-9a-f]{8}$/), notice: optional(NOTICE) },
  }).map(({ result, method, stepOffset, ref, notice }): Outcome => ({
    verdict: { result, method, ...(stepOffset === undefined ? {} : { stepOffset }) },
    ref,
    ...(notice === undefined ? {} : { notice }),
  })),
  object({
    ...{ notp: literal('answer/2'), result: literal('refused'), method: nil(), stepOffset: nil(), reason: oneOf(REASONS) },
    ...{ waitSeconds: optional(wholeNumber(0, Number.MAX_SAFE_INTEGER)), codesNeeded: optional(oneOf([2, 3])) },
    ...{ ref: text(/^([0-9a-f]{8})?$/), notice: nil() },
  }).map(({ result, reason, waitSeconds, codesNeeded, ref }): Outcome => {
    const wait = waitSeconds === undefined ? {} : { waitSeconds };
    return { verdict: { result, reason, ...wait, ...(codesNeeded === undefined ? {} : { codesNeeded }) }, ref };
  }),
);

/** `undefined`: ask the person. */
export function printAnswer(outcome: Outcome | undefined): string {
  const nothing = {
    result: 'ask',
    method: null,
    stepOffset: null,
    reason: null,
    waitSeconds: null,
    codesNeeded: null,
    ref: '',
    notice: null,
  };
  const told = outcome === undefined ? {} : { ...withoutDetail(outcome.verdict), ref: outcome.ref, notice: outcome.notice ?? null };
  return JSON.stringify({ notp: 'answer/2', ...nothing, ...told }) + '\n';
}

/** Throws if the line is not an answer. */
export function parseAnswer(line: string): Outcome | undefined {
  return parseLine(ANSWER, line, 'the answer');
}

/** The value of the line. Throws if it does not have `shape`, or is not in the exact form that notp writes: with a duplicate key, for example. */
export function parseLine<T>(shape: Type<T>, line: string, name: string): T {
  return shaped(shape, canonicalJson(Buffer.from(line), name), name);
}

/** The detail is only for the audit record. */
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
