/** The questions of the wire: what is printed is read back the same, and nothing else is read at all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { MAX_SEALED_FILE_BYTES } from '../../src/seal/file.ts';
import { MAX_LINE, parseQuestion, printAnswer, printQuestion } from '../../src/wire/question.ts';
import { anyQuestion, changed, QUESTION, wrongKeys, wrongValues } from './questions.ts';

const LINE = printQuestion(QUESTION).trimEnd();
const FILE = { context: 'ssh', sealed: '{}', wrong: '' };
const withFiles = (...files: readonly unknown[]): string => changed(LINE, { files });

function refusedAsQuestion(lines: readonly string[]): void {
  for (const line of lines) assert.throws(() => parseQuestion(line), { name: 'NotpError' }, line.slice(0, 400));
}

describe('a question', () => {
  it('is one line, and reads back as it was, whatever it holds', () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        const line = printQuestion(question);
        assert.equal(line.indexOf('\n'), line.length - 1);
        assert.deepEqual(parseQuestion(line.slice(0, -1)), question);
      }),
    );
  });

  it('without a key, with an unknown one, or with one twice is refused', () => {
    refusedAsQuestion([...wrongKeys(LINE), ...wrongValues(LINE).filter((line) => !isStillOne(line))]);
  });

  it('of another version, or that is an answer, is refused', () => {
    refusedAsQuestion([changed(LINE, { notp: 'question/1' }), changed(LINE, { notp: 'enrol/1' }), printAnswer(undefined)]);
  });

  it('that is no JSON object, or not written as notp writes it, is refused', () => {
    const raw = LINE.replace('correct horse', 'correct\0horse');
    const blanks = [
      ` ${LINE}`,
      `${LINE} `,
      LINE.replace(':', ': '),
      LINE.replace('"pid":1', '"pid":1.0'),
      LINE.replace('horse', 'h\\u006frse'),
    ];
    refusedAsQuestion([
      '',
      '\0',
      'null',
      '[]',
      '1',
      '"x"',
      '{',
      '{}',
      '['.repeat(100_000),
      LINE.slice(0, -1),
      `${LINE}${LINE}`,
      raw,
      ...blanks,
    ]);
  });

  it('with a context that is no name, or a door that is none, is refused', () => {
    const contexts = ['', '..', '../ssh', '.ssh', 'a/b', 'a b', 'a\u0000', 'x'.repeat(65), 'ssh\n'];
    refusedAsQuestion(contexts.map((context) => withFiles({ ...FILE, context })));
    refusedAsQuestion(['sudo', 'GATE', '', 'serve'].map((door) => changed(LINE, { door })));
  });

  it('with texts from outside that are too long is refused, one character over', () => {
    for (const key of ['service', 'rhost', 'tty']) {
      assert.doesNotThrow(() => parseQuestion(changed(LINE, { [key]: 'x'.repeat(1_024) })));
      refusedAsQuestion([changed(LINE, { [key]: 'x'.repeat(1_025) })]);
    }
    assert.doesNotThrow(() => parseQuestion(withFiles({ ...FILE, wrong: 'x'.repeat(1_024) })));
    refusedAsQuestion([withFiles({ ...FILE, wrong: 'x'.repeat(1_025) })]);
  });

  it('cuts the reason why a file cannot be read to what is taken', () => {
    const { files } = parseQuestion(printQuestion({ ...QUESTION, files: [{ ...FILE, wrong: 'é'.repeat(5_000) }] }).trimEnd());
    assert.equal(files[0]?.wrong, 'é'.repeat(1_024));
  });

  it('with a connection or a key that cannot be one is refused', () => {
    const good = { pid: 1, startTicks: 2, bootId: '01234567-89ab-cdef-0123-456789abcdef' };
    const bad = [
      { pid: 0 },
      { pid: 2 ** 31 },
      { pid: '1' },
      { startTicks: -1 },
      { startTicks: 1e300 },
      { bootId: '' },
      { bootId: 'x'.repeat(36) },
      { more: 1 },
    ];
    refusedAsQuestion([...bad.map((other) => changed(LINE, { connection: { ...good, ...other } })), changed(LINE, { connection: [good] })]);
    refusedAsQuestion(['ab', 'AB'.repeat(32), 'ab'.repeat(33), 'xy'.repeat(32)].map((keyDigest) => changed(LINE, { keyDigest })));
  });
});

const device = (context: string): typeof FILE => ({ ...FILE, context });

describe('the files of a question', () => {
  it('are one to four, the first of which names the context', () => {
    const contexts = ['backup', 'ssh', 'yubikey', 'phone'];
    const { files, origin } = parseQuestion(withFiles(...contexts.map(device)));
    assert.deepEqual(files, contexts.map(device));
    assert.equal(origin.context, 'backup');
    assert.equal(parseQuestion(withFiles(device('ssh'))).files.length, 1);
    refusedAsQuestion([withFiles(), withFiles(...contexts.map(device), device('fifth'))]);
  });

  it('are each of another context, or a secret would be guessed at twice for one token', () => {
    refusedAsQuestion([withFiles(FILE, FILE), withFiles(FILE, device('backup'), { ...FILE, sealed: 'other' })]);
  });

  it('are a list of objects with a context, a text and a reason, and nothing else', () => {
    refusedAsQuestion([null, '', {}, { 0: FILE, length: 1 }, FILE].map((files) => changed(LINE, { files })));
    const bad = [
      null,
      1,
      'ssh',
      [],
      {},
      { context: 'ssh', sealed: '{}' },
      { ...FILE, more: 1 },
      { ...FILE, sealed: null },
      { ...FILE, wrong: 1 },
    ];
    refusedAsQuestion(bad.flatMap((each) => [withFiles(each), withFiles(FILE, each)]));
    const swapped = { sealed: '{}', context: 'ssh', wrong: '' };
    assert.deepEqual(parseQuestion(withFiles(swapped)).files, [FILE]);
  });

  it('of the largest size, every character escaped, fit into a line', () => {
    const sealed = '\u0000'.repeat(MAX_SEALED_FILE_BYTES);
    const line = printQuestion({ ...QUESTION, files: ['a', 'b', 'c', 'd'].map((context) => ({ context, sealed, wrong: '' })) });
    assert.ok(line.length < MAX_LINE, `${line.length}`);
  });
});

const reading = { passphrase: null, kind: 'code', codes: ['123456'] };
const withReadings = (...readings: readonly unknown[]): string => changed(LINE, { readings });

describe('the readings of a question', () => {
  it('are three at most, for each costs a key derivation', () => {
    assert.equal(parseQuestion(withReadings(reading, reading, reading)).readings.length, 3);
    refusedAsQuestion([
      withReadings(reading, reading, reading, reading),
      changed(LINE, { readings: null }),
      changed(LINE, { readings: { 0: reading } }),
    ]);
  });

  it('hold codes that are texts of 6 to 8 digits, or of the letters of recovery codes', () => {
    const codes = [123_456, '12345', '123456789', '12345a', '１２３４５６', ' 123456', '123456\n', '', null, ['123456'], { length: 6 }];
    refusedAsQuestion(codes.map((code) => withReadings({ ...reading, codes: [code] })));
    refusedAsQuestion(['', 'abc', 'A1', 'A'.repeat(33), 1].map((code) => withReadings({ ...reading, kind: 'recovery', codes: [code] })));
  });

  it('hold as many codes as their kind has', () => {
    refusedAsQuestion([[], ['123456', '123456'], '123456', null, {}].map((codes) => withReadings({ ...reading, codes })));
    refusedAsQuestion([0, 1, 4].map((count) => withReadings({ ...reading, kind: 'codes', codes: Array<string>(count).fill('123456') })));
    refusedAsQuestion(['remembered', 'totp', '', null].map((kind) => withReadings({ ...reading, kind })));
  });

  it('hold a passphrase of at most 511 bytes', () => {
    const long = 'é'.repeat(255);
    assert.equal(parseQuestion(withReadings({ ...reading, passphrase: `${long}x` })).readings[0]?.passphrase, `${long}x`);
    refusedAsQuestion([withReadings({ ...reading, passphrase: `${long}xx` }), withReadings({ ...reading, passphrase: 1 })]);
    refusedAsQuestion([withReadings({ ...reading, more: 1 }), withReadings({ kind: 'code', codes: ['123456'] }), withReadings(null)]);
  });
});

/** Free text may be of any characters. */
function isStillOne(line: string): boolean {
  const [twice, text] = [/^\{("\w+":).*\1/.test(line), /"(service|rhost|tty)":"\\u0000\?"/.exec(line)];
  return text !== null && !twice;
}
