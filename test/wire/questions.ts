/** Every kind of question and answer of the wire, for property tests. */
import * as fc from 'fast-check';
import { RECOVERY_CHARACTERS } from '../../src/otp/recovery.ts';
import type { Proof } from '../../src/otp/proof.ts';
import { METHODS, WORDING, type Reason } from '../../src/verdict/reasons.ts';
import type { Circumstances, Notice, Outcome, SshSession } from '../../src/wire/verifier.ts';
import type { Question, SentFile } from '../../src/wire/question.ts';
import type { EnrolQuestion } from '../../src/wire/enrolment.ts';
import type { EnrolAnswer } from '../../src/wire/enrolment.ts';

/** As fc.record, but with objects such as JSON.parse makes. */
function record<T, K extends keyof T = keyof T>(
  parts: { [Key in keyof T]: fc.Arbitrary<T[Key]> },
  { requiredKeys }: { requiredKeys?: K[] } = {},
): fc.Arbitrary<Pick<T, K> & Partial<T>> {
  const constraints = requiredKeys === undefined ? { noNullPrototype: true } : { requiredKeys, noNullPrototype: true };
  return fc.record(parts, constraints) as unknown as fc.Arbitrary<Pick<T, K> & Partial<T>>;
}

/** Text with control characters, quotes, emoji and half surrogate pairs. */
const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'binary', maxLength }).filter((text) => text.length <= maxLength);
const recoveryCode = fc.stringMatching(new RegExp(`^[A-Z2-7]{${String(RECOVERY_CHARACTERS)}}$`));
const hex = (length: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9a-f]{${String(length)}}$`));
const code = fc.stringMatching(/^[0-9]{6,8}$/);
const context = fc.constantFrom('ssh', 'deploy', 'A.b-c_9', 'x'.repeat(64));
const ref = hex(8);

const proof: fc.Arbitrary<Proof> = fc.oneof(
  record({ kind: fc.constant('code' as const), code }),
  record({ kind: fc.constant('codes' as const), codes: fc.array(code, { minLength: 2, maxLength: 3 }) }),
  record({ kind: fc.constant('recovery' as const), code: recoveryCode }),
);
const readings = fc.array(record({ passphrase: fc.option(anyText(100), { nil: undefined }), proof }), { maxLength: 3 });

const session: fc.Arbitrary<SshSession> = record({
  connection: fc.option(record({ pid: fc.integer({ min: 1, max: 2 ** 31 - 1 }), startTicks: fc.maxSafeNat(), bootId: fc.uuid() }), {
    nil: undefined,
  }),
  keyDigest: fc.option(hex(64), { nil: undefined }),
});

const circumstances: fc.Arbitrary<Circumstances> = record({
  groups: fc.array(anyText(40), { maxLength: 5 }),
  otherGroups: fc.array(anyText(40), { maxLength: 3 }),
  keyType: fc.option(fc.stringMatching(/^[\w.@-]{0,64}$/), { nil: undefined }),
  firstFactor: fc.boolean(),
});

const given = fc.string({ unit: 'binary', minLength: 1, maxLength: 50 });
const file = { sealed: anyText(2_000), wrong: anyText(1_024) };

const files: fc.Arbitrary<readonly SentFile[]> = fc.uniqueArray(record({ context, ...file }), {
  selector: (each) => each.context,
  minLength: 1,
  maxLength: 4,
});

const account = fc.option(record({ user: fc.string({ maxLength: 40 }), uid: fc.nat() }, { requiredKeys: ['user'] }), { nil: undefined });

const question = record({
  account,
  ask: fc.constantFrom('before' as const, 'acceptance' as const, 'verify' as const),
  origin: record(
    { context, door: fc.constantFrom('gate' as const, 'pam' as const, 'cli' as const), service: given, rhost: given, tty: given },
    { requiredKeys: ['context', 'door'] },
  ),
  files,
  session,
  circumstances,
  readings,
  timedOut: fc.boolean(),
});
export const anyQuestion: fc.Arbitrary<Question> = question.map((each) => ({
  ...each,
  origin: { ...each.origin, context: each.files[0]?.context ?? '' },
}));

const accepted = record(
  { result: fc.constant('accepted' as const), method: fc.constantFrom(...METHODS), stepOffset: fc.integer({ min: -20, max: 20 }) },
  { requiredKeys: ['result', 'method'] },
);
const reasons = Object.keys(WORDING) as Reason[];
const refused = record(
  {
    result: fc.constant('refused' as const),
    reason: fc.constantFrom(...reasons),
    waitSeconds: fc.maxSafeNat(),
    codesNeeded: fc.constantFrom(2 as const, 3 as const),
  },
  { requiredKeys: ['result', 'reason'] },
);

const time = fc.integer({ min: 0, max: 8.64e15 });
const from = fc.constantFrom('', '203.0.113.7', '2001:db8::7');
const notice: fc.Arbitrary<Notice> = fc.oneof(
  record({ kind: fc.constant('refused_tries' as const), count: fc.integer({ min: 1, max: 1e9 }), sinceMs: time, from }),
  record({ kind: fc.constant('enrol_by' as const), untilMs: time }),
);
export const anyAnswer: fc.Arbitrary<Outcome | undefined> = fc.option(
  fc.oneof(record({ verdict: accepted, ref }), record({ verdict: accepted, ref, notice }), record({ verdict: refused, ref })),
  { nil: undefined },
);

const label = fc.constantFrom('', 'bastion', 'Bücher & Söhne: "x"', 'x'.repeat(256));

export const anyEnrolQuestion: fc.Arbitrary<EnrolQuestion> = fc.oneof(
  record({
    step: fc.constant('begin' as const),
    context,
    replace: fc.boolean(),
    wanted: record({
      algorithm: fc.constantFrom('SHA1' as const, 'SHA256' as const, 'SHA512' as const),
      digits: fc.constantFrom(6 as const, 7 as const, 8 as const),
      periodSeconds: fc.integer({ min: 15, max: 300 }),
      issuer: label,
      account: label,
      recovery: fc.integer({ min: 0, max: 32 }),
    }),
    ...file,
    readings,
  }),
  record({ step: fc.constant('confirm' as const), code }),
  record({ step: fc.constantFrom('complete' as const, 'abandon' as const) }),
  record({ step: fc.constant('forget' as const) }),
);

export const anyEnrolAnswer: fc.Arbitrary<EnrolAnswer> = fc.oneof(
  record({
    kind: fc.constant('offer' as const),
    secret: fc.uint8Array({ minLength: 20, maxLength: 64 }),
    recovery: fc.array(fc.stringMatching(/^[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{5}$/), { maxLength: 32 }),
  }),
  record({ kind: fc.constant('sealed' as const), file: anyText(2_000) }),
  record({ kind: fc.constant('done' as const) }),
  record({ kind: fc.constant('refused' as const), outcome: record({ verdict: refused, ref }) }),
);

/** One question with everything in it, to be spoilt. */
export const QUESTION: Question = {
  ask: 'verify',
  origin: { context: 'ssh', door: 'gate', service: 'ssh', rhost: '192.0.2.7', tty: '/dev/pts/3' },
  files: [{ context: 'ssh', sealed: '{}', wrong: '' }],
  session: { connection: { pid: 1, startTicks: 2, bootId: '01234567-89ab-cdef-0123-456789abcdef' }, keyDigest: 'ab'.repeat(32) },
  circumstances: { groups: ['alice', 'ops'], otherGroups: ['dev'], keyType: 'ssh-ed25519', firstFactor: true },
  readings: [{ passphrase: 'correct horse', proof: { kind: 'codes', codes: ['123456', '654321'] } }],
  timedOut: false,
};

/** The line of `printed` after `change` to its JSON object. */
export function changed(printed: string, change: Record<string, unknown>): string {
  return JSON.stringify({ ...(JSON.parse(printed) as object), ...change });
}

/** `printed` without each of its keys, one at a time, and with one more. */
export function wrongKeys(printed: string): string[] {
  const object = JSON.parse(printed) as Record<string, unknown>;
  const without = Object.keys(object).map((key) =>
    JSON.stringify(Object.fromEntries(Object.entries(object).filter(([name]) => name !== key))),
  );
  return [
    ...without,
    ...['more', '__proto__', 'constructor', ''].map((key) => `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(key)}:1}`),
  ];
}

/** `printed` with each of its keys given twice (with the same value), and with other values of other types. */
export function wrongValues(printed: string): string[] {
  const object = JSON.parse(printed) as Record<string, unknown>;
  const twice = Object.entries(object).map(
    ([key, value]) => `{${JSON.stringify(key)}:${JSON.stringify(value)},${JSON.stringify(object).slice(1)}`,
  );
  const others = [1.5, -1, [[]], {}, [1], { a: 1 }, '\u0000?', 'x'.repeat(200_000)];
  const spoilt = Object.keys(object).flatMap((key) => others.map((other) => changed(printed, { [key]: other })));
  return [...twice, ...spoilt.filter((line) => line !== printed)];
}
