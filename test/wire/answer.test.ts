/** The answers of the wire: what is printed is read back the same, and nothing else is read at all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Outcome } from '../../src/wire/verifier.ts';
import { parseAnswer, printAnswer, printQuestion } from '../../src/wire/question.ts';
import { anyAnswer, changed, QUESTION, wrongKeys, wrongValues } from './questions.ts';

const ACCEPTED: Outcome = { verdict: { result: 'accepted', method: 'totp', stepOffset: -1 }, ref: '0123abcd' };
const REFUSED: Outcome = { verdict: { result: 'refused', reason: 'replayed', waitSeconds: 12 }, ref: '0123abcd' };

function refusedAsAnswer(lines: readonly string[]): void {
  for (const line of lines) assert.throws(() => parseAnswer(line), { name: 'NotpError' }, line.slice(0, 400));
}

describe('an answer', () => {
  it('is one line, and reads back as it was', () => {
    fc.assert(
      fc.property(anyAnswer, (outcome) => {
        const line = printAnswer(outcome);
        assert.equal(line.indexOf('\n'), line.length - 1);
        assert.deepEqual(parseAnswer(line.slice(0, -1)), outcome);
      }),
    );
  });

  it('is a refusal that nobody could record without a reference, and no acceptance is', () => {
    const unrecorded = { ...REFUSED, ref: '' };
    assert.deepEqual(parseAnswer(printAnswer(unrecorded).trimEnd()), unrecorded);
    refusedAsAnswer([printAnswer({ ...ACCEPTED, ref: '' }).trimEnd()]);
  });

  it('holds the verdict and nothing else: no detail', () => {
    const line = printAnswer({
      verdict: { result: 'refused', reason: 'stale_enrolment', detail: '/var/lib/notp is full' },
      ref: '0123abcd',
    });
    const keys = ['notp', 'result', 'method', 'stepOffset', 'reason', 'waitSeconds', 'codesNeeded', 'ref', 'notice'];
    assert.deepEqual(Object.keys(JSON.parse(line) as object), keys);
    assert.doesNotMatch(line, /var|full/);
  });

  it('without a key, with an unknown one, with one twice, or of another type is refused', () => {
    for (const outcome of [ACCEPTED, REFUSED, undefined]) {
      const line = printAnswer(outcome).trimEnd();
      refusedAsAnswer([...wrongKeys(line), ...wrongValues(line)]);
    }
  });

  it('that is accepted by a word that is none, or without a reference, is refused', () => {
    const line = printAnswer(ACCEPTED).trimEnd();
    const methods = ['', 'TOTP', 'root', 'refused', null, 1, ['totp']];
    refusedAsAnswer(methods.map((method) => changed(line, { method })));
    refusedAsAnswer(['', '0123ABCD', '0123abc', '0123abcde', 1, null].map((ref) => changed(line, { ref })));
    refusedAsAnswer([21, -21, 0.5, '0'].map((stepOffset) => changed(line, { stepOffset })));
    refusedAsAnswer(['yes', true, 1, 'Accepted', null, ['accepted']].map((result) => changed(line, { result })));
    refusedAsAnswer([
      changed(line, { notp: 'answer/1' }),
      changed(line, { notp: 'question/1' }),
      printQuestion(QUESTION).trimEnd(),
      line + line,
      line.slice(1),
      '',
    ]);
  });

  it('that is "ask" has no reference', () => {
    refusedAsAnswer([changed(printAnswer(undefined).trimEnd(), { ref: '0123abcd' })]);
  });

  it('that refuses never reads as an acceptance, whichever byte of it is changed', () => {
    const bytes = Buffer.from(printAnswer(REFUSED).trimEnd());
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const spoilt = Buffer.from(bytes);
        spoilt[at] = (spoilt[at] ?? 0) ^ change;
        assert.notEqual(resultOf(spoilt.toString('utf8')), 'accepted');
      }),
      { numRuns: 2_000 },
    );
  });

  it('that accepts says, with one byte changed, exactly what its text says or nothing', () => {
    const bytes = Buffer.from(printAnswer(ACCEPTED).trimEnd());
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const spoilt = Buffer.from(bytes);
        spoilt[at] = (spoilt[at] ?? 0) ^ change;
        const text = spoilt.toString('utf8');
        if (resultOf(text) !== 'none') assert.equal(printAnswer(parseAnswer(text)), `${text}\n`);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** What a line says as an answer. */
function resultOf(line: string): 'none' | 'ask' | 'accepted' | 'refused' {
  try {
    return parseAnswer(line)?.verdict.result ?? 'ask';
  } catch {
    return 'none';
  }
}
