/** Every parser of what comes from outside, with what must hold of it whatever it is given. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { entryOf } from '../../src/audit/entry.ts';
import { linkOf, linkOfBytes, startOf, step } from '../../src/audit/walk.ts';
import { momentOf } from '../../src/commands/audit/time.ts';
import { readInput, readSource } from '../../src/commands/import/read-source.ts';
import { parseCounters, printCounters } from '../../src/commands/metrics/counters.ts';
import { parseEffective } from '../../src/doctor/sshd/effective.ts';
import { modulesOf, pamStack } from '../../src/doctor/pam/stack.ts';
import { parseDoctorAnswer, printDoctorAnswer } from '../../src/doctor/answer.ts';
import { readSshdFiles, wordsOf } from '../../src/doctor/sshd/files.ts';
import { NotpError } from '../../src/error.ts';
import { readExport } from '../../src/formats/formats.ts';
import { readPskc } from '../../src/formats/pskc.ts';
import { readAssignments, readTokenCsv } from '../../src/formats/token-csv.ts';
import type { TokenFile } from '../../src/formats/tokens.ts';
import { readBase32, toBase32 } from '../../src/otp/code.ts';
import { parseGoogleAuthenticator } from '../../src/otp/pam-google-authenticator.ts';
import { parseMigrationUri } from '../../src/otp/otpauth-migration.ts';
import { parsePamOath } from '../../src/otp/pam-oath.ts';
import { MAX_READINGS, parseProof, readings, typedLine } from '../../src/otp/proof.ts';
import { otpauthUri, parseOtpauthUri } from '../../src/otp/uri.ts';
import { looksLikeArchive, parseArchive, printArchive } from '../../src/seal/archive.ts';
import { parseSealedFile, printSealedFile } from '../../src/seal/file.ts';
import { parsePayload, printPayload } from '../../src/seal/seal.ts';
import { looksLikePythonNotp, parsePythonNotp } from '../../src/seal/python-notp.ts';
import { parseManifest } from '../../src/setup/manifest.ts';
import { parseAuthorizedKey } from '../../src/system/ssh/authorized-keys.ts';
import { parseConfig, parseRules } from '../../src/system/config.ts';
import { lineInFile } from '../../src/system/accounts/passwd-file.ts';
import { parseCertificate } from '../../src/system/ssh/certificate.ts';
import { parseEnrolAnswer, printEnrolAnswer } from '../../src/wire/enrolment.ts';
import { isEnrolQuestion, parseEnrolQuestion, printEnrolQuestion } from '../../src/wire/enrolment.ts';
import { parsePong, printPong } from '../../src/wire/ping.ts';
import { parseAnswer, parseQuestion, parseRefusal, printAnswer, printQuestion, printRefusal } from '../../src/wire/question.ts';
import { scratchFolder } from '../support/world.ts';

export interface Parser {
  /** Its corpus is in test/fuzz/corpora/ under this name. */
  readonly name: string;
  /** The row of TRIALS.md that it counts in. */
  readonly family:
    | 'sealed files'
    | 'questions and answers of the socket'
    | 'the configuration'
    | 'files to import'
    | 'what is typed'
    | "sshd's and PAM's files"
    | 'audit lines'
    | 'other files';
  /** Parses `input`, and throws what is no documented outcome. */
  readonly check: (input: Buffer) => void;
}

const NOW_MS = 1_795_000_000_000;
const CORPORA = path.join(import.meta.dirname, 'corpora');

/** The corpus of a parser: real inputs, and those that once broke something. */
export function samplesOf({ name }: Pick<Parser, 'name'>): readonly Buffer[] {
  const folder = path.join(CORPORA, name);
  return fs.readdirSync(folder).map((file) => fs.readFileSync(path.join(folder, file)));
}

/** A value, or a NotpError of one line that shows nothing of a terminal's business. */
function valueOrRefusal<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    assert.doesNotMatch(error.message, /[\p{Cc}\p{Cf}]/u, 'the message has control characters');
    assert.ok(error.message.length < 2_000, 'the message is as long as the input');
    return undefined;
  }
}

/** What was accepted comes back the same after it is written and read again. */
function roundTrip<T>(parse: () => T, again: (value: T) => unknown): void {
  const value = valueOrRefusal(parse);
  if (value !== undefined) assert.deepEqual(again(value), value);
}

const text = (input: Buffer): string => input.toString('utf8');
const withoutNewline = (line: string): string => line.replace(/\n$/, '');
let scratch: string | undefined;
/** A file of `input`, for what reads files. */
function fileOf(input: Buffer): string {
  scratch ??= scratchFolder('fuzz');
  const file = path.join(scratch, 'input');
  fs.writeFileSync(file, input);
  return file;
}

export const PARSERS: readonly Parser[] = [
  {
    name: 'sealed-file',
    family: 'sealed files',
    check: (input) =>
      roundTrip(
        () => parseSealedFile(input),
        (file) => parseSealedFile(printSealedFile(file)),
      ),
  },
  {
    name: 'payload',
    family: 'sealed files',
    check: (input) =>
      roundTrip(
        () => parsePayload(input),
        (payload) => parsePayload(printPayload(payload)),
      ),
  },
  {
    name: 'archive',
    family: 'sealed files',
    check: (input) => {
      looksLikeArchive(input);
      roundTrip(
        () => parseArchive(input),
        (archive) => parseArchive(printArchive(archive)),
      );
    },
  },
  {
    name: 'question',
    family: 'questions and answers of the socket',
    check: (input) =>
      roundTrip(
        () => parseQuestion(text(input)),
        (question) => parseQuestion(withoutNewline(printQuestion(question))),
      ),
  },
  {
    name: 'refusal',
    family: 'questions and answers of the socket',
    check: (input) =>
      roundTrip(
        () => parseRefusal(text(input)),
        (refusal) => (refusal === undefined ? undefined : parseRefusal(withoutNewline(printRefusal(refusal)))),
      ),
  },
  {
    name: 'answer',
    family: 'questions and answers of the socket',
    check: (input) =>
      roundTrip(
        () => parseAnswer(text(input)),
        (answer) => parseAnswer(withoutNewline(printAnswer(answer))),
      ),
  },
  {
    name: 'pong',
    family: 'questions and answers of the socket',
    check: (input) =>
      roundTrip(
        () => parsePong(text(input)),
        (health) => parsePong(withoutNewline(printPong(health))),
      ),
  },
  {
    name: 'enrol-question',
    family: 'questions and answers of the socket',
    check: (input) => {
      isEnrolQuestion(text(input));
      roundTrip(
        () => parseEnrolQuestion(text(input)),
        (question) => parseEnrolQuestion(withoutNewline(printEnrolQuestion(question))),
      );
    },
  },
  {
    name: 'enrol-answer',
    family: 'questions and answers of the socket',
    check: (input) =>
      roundTrip(
        () => parseEnrolAnswer(text(input)),
        (answer) => parseEnrolAnswer(withoutNewline(printEnrolAnswer(answer))),
      ),
  },
  {
    name: 'config',
    family: 'the configuration',
    check: (input) => void valueOrRefusal(() => parseConfig(text(input), '/etc/notp/notp.toml')),
  },
  {
    name: 'rules',
    family: 'the configuration',
    check: (input) => void valueOrRefusal(() => parseRules(text(input), 'rules.toml')),
  },
  {
    name: 'otpauth',
    family: 'files to import',
    check: (input) =>
      roundTrip(
        () => {
          const credential = parseOtpauthUri(text(input));
          // Names that are read may be too long to be written with every parameter, which it says.
          otpauthUri(credential);
          return credential;
        },
        (credential) => parseOtpauthUri(otpauthUri(credential)),
      ),
  },
  { name: 'migration', family: 'files to import', check: (input) => void valueOrRefusal(() => parseMigrationUri(text(input))) },
  {
    name: 'google-authenticator',
    family: 'files to import',
    check: (input) => void valueOrRefusal(() => parseGoogleAuthenticator(text(input), NOW_MS)),
  },
  { name: 'pam-oath', family: 'files to import', check: (input) => void valueOrRefusal(() => parsePamOath(text(input), NOW_MS)) },
  {
    name: 'python-notp',
    family: 'files to import',
    check: (input) => {
      looksLikePythonNotp(text(input));
      valueOrRefusal(() => parsePythonNotp(text(input)));
    },
  },
  {
    name: 'export',
    family: 'files to import',
    check: (input) => {
      const read = valueOrRefusal(() => readExport(input));
      // A locked one takes as long as its password takes.
      for (const each of read?.kind === 'entries' ? read.entries : [])
        if ('credential' in each) otpauthUri(each.credential);
        else assert.doesNotMatch(each.why, /[\p{Cc}\p{Cf}]/u);
      valueOrRefusal(() => readInput({ bytes: input, name: 'stdin' }, undefined, {}));
    },
  },
  {
    name: 'tokens',
    family: 'files to import',
    check: (input) => {
      const csv = readTokenCsv(text(input));
      if (csv !== undefined && 'why' in csv) assert.doesNotMatch(csv.why, /[\p{Cc}\p{Cf}]/u);
      for (const file of [openedPskc(text(input)), csv]) {
        if (file !== undefined && 'why' in file) continue;
        for (const { credential } of file?.tokens ?? []) otpauthUri(credential);
        for (const { why } of file?.mistakes ?? []) assert.doesNotMatch(why, /[\p{Cc}\p{Cf}]/u);
      }
      readAssignments(text(input));
    },
  },
  {
    name: 'any-secret',
    family: 'files to import',
    check: (input) => {
      valueOrRefusal(() => readSource(text(input), undefined, {}));
      const bytes = readBase32(text(input));
      if (bytes !== undefined) assert.deepEqual(readBase32(toBase32(bytes)), bytes);
    },
  },
  {
    name: 'typed',
    family: 'what is typed',
    check: (input) => {
      const line = typedLine(input);
      if (line === undefined) return;
      for (const seal of ['host', 'passphrase', 'either'] as const) assert.ok(readings(line, seal).length <= MAX_READINGS);
      const proof = parseProof(line);
      if (proof?.kind === 'code') assert.match(proof.code, /^\d{6,8}$/);
      if (proof?.kind === 'codes') assert.match(proof.codes.join(' '), /^\d{6,8}( \d{6,8}){1,2}$/);
    },
  },
  { name: 'moment', family: 'what is typed', check: (input) => void valueOrRefusal(() => momentOf(text(input), NOW_MS)) },
  {
    name: 'authorized-keys',
    family: "sshd's and PAM's files",
    check: (input) =>
      void text(input)
        .split('\n')
        .map((line) => parseAuthorizedKey(line)),
  },
  {
    name: 'certificate',
    family: "sshd's and PAM's files",
    check: (input) => {
      const [type = '', blob = ''] = text(input).split(' ');
      const decoded = orRangeError(() => parseCertificate(type, blob));
      if (decoded !== undefined) assert.equal(typeof decoded.authority, 'string');
    },
  },
  { name: 'sshd-T', family: "sshd's and PAM's files", check: (input) => void parseEffective(text(input)) },
  {
    name: 'sshd-config',
    family: "sshd's and PAM's files",
    check: (input) => {
      for (const line of text(input).split('\n')) wordsOf(line);
      orSystemError(() => readSshdFiles(fileOf(input)));
    },
  },
  {
    name: 'pam-stack',
    family: "sshd's and PAM's files",
    check: (input) => {
      orSystemError(() => modulesOf(pamStack(fileOf(input), 'auth') ?? []));
    },
  },
  {
    name: 'audit-line',
    family: 'audit lines',
    check: (input) => {
      let walk = startOf([undefined], { seq: 0, hash: '' });
      for (const line of text(input).split(/(?<=\n)/)) {
        entryOf(line);
        const bytes = Buffer.from(line);
        // Read from its end or parsed whole, a link is the same.
        if (line.endsWith('\n')) assert.deepEqual(linkOfBytes(bytes) ?? linkOf(line), linkOf(line) ?? linkOfBytes(bytes));
        ({ walk } = step(walk, { line: bytes, place: '', keys: [undefined] }));
      }
    },
  },
  {
    name: 'passwd',
    family: 'other files',
    check: (input) => {
      const [nsswitch, passwd] = [path.join(CORPORA, 'nsswitch/debian'), fileOf(input)];
      for (const key of ['alice', '1000', 'root']) {
        const line = lineInFile(key === '1000' ? 'uid' : 'name', key, { passwd, nsswitch });
        if (line !== undefined) assert.equal(line.split(':').length, 7);
      }
    },
  },
  {
    name: 'nsswitch',
    family: 'other files',
    check: (input) => void lineInFile('name', 'root', { passwd: '/etc/passwd', nsswitch: fileOf(input) }),
  },
  {
    name: 'manifest',
    family: 'other files',
    check: (input) => void valueOrRefusal(() => parseManifest(text(input))),
  },
  {
    name: 'doctor-answer',
    family: 'other files',
    check: (input) => {
      const answer = valueOrRefusal(() => parseDoctorAnswer(input));
      if (answer !== undefined) assert.deepEqual(parseDoctorAnswer(printDoctorAnswer(answer)), answer);
    },
  },
  {
    name: 'counters',
    family: 'other files',
    check: (input) => {
      const counters = valueOrRefusal(() => parseCounters(input));
      if (counters !== undefined) assert.deepEqual(parseCounters(printCounters(counters)), counters);
    },
  },
];

/** The tokens of a PSKC file, with the pre-shared key of RFC 6030 where it is locked by one: a password would take its time. */
function openedPskc(written: string): TokenFile | undefined {
  const read = readPskc(written, 0);
  if (read?.kind === 'locked') return read.by === 'pre-shared key' ? read.open('12345678901234567890123456789012') : undefined;
  return read?.file;
}

/** The documented outcome of a blob that is no certificate. */
function orRangeError<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A file that is named in the input and is not there, or that is too large or too deep, is said so. */
function orSystemError(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    const plain = error instanceof Error && Object.getPrototypeOf(error) === Error.prototype;
    if (!plain) throw error;
  }
}
