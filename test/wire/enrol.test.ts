/** The lines of an enrolment through the service: read back as they were printed, and nothing else. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  type Change,
  type EnrolQuestion,
  isEnrolQuestion,
  MAX_STATUS_FILES,
  parseEnrolQuestion,
  printEnrolQuestion,
} from '../../src/wire/enrolment.ts';
import { type EnrolAnswer, parseEnrolAnswer, printEnrolAnswer } from '../../src/wire/enrolment.ts';
import { factsOf } from '../../src/enrolment/facts.ts';
import { ALICE } from '../store/alice.ts';
import { parseAnswer, parseQuestion, printAnswer, printQuestion, type SentFile } from '../../src/wire/question.ts';
import { anyEnrolAnswer, anyEnrolQuestion, anyQuestion, changed, QUESTION, wrongKeys } from './questions.ts';

const BEGIN = printEnrolQuestion({
  ...{ step: 'begin', context: 'ssh', replace: true, sealed: '', wrong: '', readings: [] },
  wanted: { algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: 'bastion', account: 'alice@bastion', recovery: 10 },
}).trimEnd();
const CONFIRM = printEnrolQuestion({ step: 'confirm', code: '123456' }).trimEnd();
const COMPLETE = printEnrolQuestion({ step: 'complete' }).trimEnd();
const ABOUT = { context: 'ssh', sealed: '{}', wrong: '', readings: QUESTION.readings };
const RECOVERY = printEnrolQuestion({
  ...{ step: 'change', ...ABOUT },
  change: { event: 'recovery', passphrase: undefined, recovery: 10 },
}).trimEnd();
const CARE = [RECOVERY, ...(['export', 'revoke'] as const).map((step) => printEnrolQuestion({ step, ...ABOUT }).trimEnd())];
const ANEW = printEnrolAnswer({ kind: 'anew', file: '{}', recovery: ['ABCD-EFGH-JKLMN'] }).trimEnd();
const SECRET = printEnrolAnswer({ kind: 'secret', uri: 'otpauth://totp/x?secret=ABCD' }).trimEnd();
const OFFER = printEnrolAnswer({ kind: 'offer', secret: new Uint8Array(20).fill(1), recovery: ['ABCD-EFGH-JKLMN'] }).trimEnd();

const FACTS = factsOf(ALICE, { kind: 'absent' }, { budget: 5, refillMs: 3_600_000 }, 1_795_000_000_000);

const passphrase = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 });
const anyChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    event: fc.constant('recovery' as const),
    passphrase: fc.option(passphrase, { nil: undefined }),
    recovery: fc.integer({ min: 0, max: 32 }),
  }),
  fc.record({
    event: fc.constant('reseal' as const),
    passphrase: fc.option(passphrase, { nil: undefined }),
    recovery: fc.constant(undefined),
  }),
  fc.record({ event: fc.constant('passphrase' as const), passphrase, recovery: fc.constant(undefined) }),
);

/** A step about an enrolment that is there, with whatever proof a login may come with. */
const anyCareQuestion: fc.Arbitrary<EnrolQuestion> = fc
  .tuple(anyQuestion, anyChange, fc.constantFrom('change' as const, 'export' as const, 'revoke' as const))
  .map(
    ([
      {
        files: [file = QUESTION.files[0] as SentFile],
        readings,
      },
      change,
      step,
    ]) => (step === 'change' ? { step, ...file, readings, change: { ...change } } : { step, ...file, readings }),
  );

/** The question that needs no proof. */
const anyStatusQuestion: fc.Arbitrary<EnrolQuestion> = anyQuestion.map(({ files }) => ({ step: 'status' as const, files: [...files] }));

const anyCareAnswer: fc.Arbitrary<EnrolAnswer> = fc.oneof(
  fc
    .tuple(fc.string({ unit: 'binary' }), fc.array(fc.stringMatching(/^[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{5}$/), { maxLength: 32 }))
    .map(([file, recovery]) => ({ kind: 'anew' as const, file, recovery })),
  fc.string({ unit: 'binary' }).map((uri) => ({ kind: 'secret' as const, uri })),
  fc
    .array(fc.nat(20), { maxLength: 3 })
    .map((left) => ({ kind: 'facts' as const, facts: left.map((recovery_left) => ({ ...FACTS, recovery_left })) })),
);

function changeLine(event: Change['event'], wanted: Partial<Change>): string {
  const whole = { event, passphrase: undefined, recovery: undefined, ...wanted };
  return printEnrolQuestion({ step: 'change', ...ABOUT, change: whole }).trimEnd();
}

function refusedAsQuestion(lines: readonly string[]): void {
  for (const line of lines) assert.throws(() => parseEnrolQuestion(line), Error, line.slice(0, 400));
}

function refusedAsAnswer(lines: readonly string[]): void {
  for (const line of lines) assert.throws(() => parseEnrolAnswer(line), Error, line.slice(0, 400));
}

describe('a step of an enrolment', () => {
  it('is one line that is known as one, and reads back as it was', () => {
    fc.assert(
      fc.property(fc.oneof(anyEnrolQuestion, anyCareQuestion, anyStatusQuestion), (question) => {
        const line = printEnrolQuestion(question);
        assert.equal(line.indexOf('\n'), line.length - 1);
        assert.ok(isEnrolQuestion(line));
        assert.deepEqual(parseEnrolQuestion(line.slice(0, -1)), question);
      }),
    );
  });

  it('is no question of a login, and that is no step', () => {
    assert.ok(!isEnrolQuestion(printQuestion(QUESTION)));
    for (const line of [BEGIN, CONFIRM, COMPLETE, ...CARE]) assert.throws(() => parseQuestion(line));
    refusedAsQuestion([printQuestion(QUESTION).trimEnd(), printAnswer(undefined).trimEnd(), OFFER, ANEW, SECRET]);
  });

  it('without a key, with an unknown one or one twice, or of another version is refused', () => {
    for (const line of [BEGIN, CONFIRM, COMPLETE, ...CARE]) {
      refusedAsQuestion(wrongKeys(line));
      refusedAsQuestion([changed(line, { notp: 'enrol/2' }), changed(line, { step: 'begun' }), `${line.slice(0, -1)},"step":"complete"}`]);
    }
    refusedAsQuestion(['', '[]', 'null', '{', '{"notp":"enrol/1"}', BEGIN + CONFIRM]);
  });

  it('asks for nothing that an enrolment cannot have', () => {
    const bad: readonly Record<string, unknown>[] = [
      ...[{ context: '../x' }, { context: '' }, { replace: 'true' }, { replace: 1 }, { replace: null }],
      ...[{ algorithm: 'MD5' }, { algorithm: 'sha1' }, { digits: 5 }, { digits: 9 }, { digits: '6' }],
      ...[{ period: 14 }, { period: 301 }, { period: 30.5 }, { recovery: -1 }, { recovery: 33 }],
      ...[{ issuer: 'a\nb' }, { issuer: '\u0000' }, { account: 'x'.repeat(257) }, { account: 1 }],
      ...[{ sealed: null }, { wrong: 'x'.repeat(1_025) }, { readings: null }, { readings: [{}] }],
      { readings: Array.from({ length: 4 }, () => ({ passphrase: null, kind: 'code', codes: ['123456'] })) },
    ];
    refusedAsQuestion(bad.map((change) => changed(BEGIN, change)));
  });

  it('changes only what its event says', () => {
    refusedAsQuestion([
      ...[changeLine('recovery', {}), changeLine('reseal', { recovery: 10 }), changeLine('passphrase', { passphrase: 'x', recovery: 1 })],
      ...[changeLine('passphrase', {}), changeLine('reseal', { passphrase: '' }), changeLine('reseal', { passphrase: 'x'.repeat(1_025) })],
      ...[{ event: 'enroll' }, { recovery: 33 }, { recovery: -1 }, { recovery: '10' }, { passphrase: 1 }].map((each) =>
        changed(RECOVERY, each),
      ),
    ]);
  });

  it('about an enrolment that is there has a context, a file and a proof, each of its type', () => {
    const keys = ['step', 'context', 'sealed', 'wrong', 'readings'];
    for (const line of CARE)
      refusedAsQuestion(keys.flatMap((key) => [1, null, true, {}, [1]].map((value) => changed(line, { [key]: value }))));
  });

  it('asks for the status of at most so many files, each of its type', () => {
    const [file = {}] = QUESTION.files;
    const line = printEnrolQuestion({ step: 'status', files: QUESTION.files }).trimEnd();
    refusedAsQuestion(wrongKeys(line));
    const many = (count: number): string => changed(line, { files: Array.from({ length: count }, () => file) });
    assert.doesNotThrow(() => parseEnrolQuestion(many(MAX_STATUS_FILES)));
    refusedAsQuestion([many(MAX_STATUS_FILES + 1), changed(line, { files: null }), changed(line, { files: [{ context: 'ssh' }] })]);
  });

  it('confirms with a code, as text', () => {
    refusedAsQuestion([123_456, '12345', '123456789', '', 'ABCDEF', '123456 654321', null].map((code) => changed(CONFIRM, { code })));
  });
});

describe('the answer to a step', () => {
  it('is one line, and reads back as it was', () => {
    fc.assert(
      fc.property(fc.oneof(anyEnrolAnswer, anyCareAnswer), (answer) => {
        const line = printEnrolAnswer(answer);
        assert.equal(line.indexOf('\n'), line.length - 1);
        assert.deepEqual(parseEnrolAnswer(line.slice(0, -1)), answer);
      }),
    );
  });

  it('is never an acceptance: there is no such thing here', () => {
    refusedAsAnswer([
      printAnswer(undefined).trimEnd(),
      printAnswer({ verdict: { result: 'accepted', method: 'totp' }, ref: '0123abcd' }).trimEnd(),
    ]);
    for (const line of [OFFER, ANEW, SECRET, printEnrolAnswer({ kind: 'done' }).trimEnd()]) assert.throws(() => parseAnswer(line));
  });

  it('offers nothing that would not be a secret and recovery codes', () => {
    refusedAsAnswer(wrongKeys(OFFER));
    refusedAsAnswer(['', 'a'.repeat(32), 'A'.repeat(15), '1'.repeat(32), 1, null].map((secret) => changed(OFFER, { secret })));
    const codes = [['\u001b]0;x\u0007'], ['abcd'], [''], [1], 'ABCD', null, Array.from({ length: 33 }, () => 'ABCD-EFGH-JKLMN')];
    refusedAsAnswer(codes.map((recovery) => changed(OFFER, { recovery })));
    refusedAsAnswer([
      changed(OFFER, { notp: 'offer/2' }),
      `${OFFER.slice(0, -1)},"secret":"${'A'.repeat(32)}"}`,
      '{"notp":"done/1","more":1}',
      '{}',
    ]);
  });

  it('gives a file and recovery codes, or a URI, and nothing else with them', () => {
    for (const line of [ANEW, SECRET]) refusedAsAnswer([...wrongKeys(line), `${line.slice(0, -1)},"notp":"done/1"}`]);
    refusedAsAnswer([['\u001b]0;x\u0007'], ['abcd'], [1], 'ABCD', null].map((recovery) => changed(ANEW, { recovery })));
    refusedAsAnswer([changed(ANEW, { file: 1 }), changed(SECRET, { uri: null }), changed(ANEW, { notp: 'secret/1' })]);
  });
});
