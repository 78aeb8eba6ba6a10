/** The formats that `notp import` reads, and how they are detected. */
import { messageOf, NotpError } from '../../error.ts';
import { MAX_EXPORT_BYTES, readExport } from '../../formats/formats.ts';
import { textIn, type Entry, type Skipped } from '../../formats/format.ts';
import { labelOf, unsupportedUri } from '../../formats/uris.ts';
import { readBase32, type CodeParameters } from '../../otp/code.ts';
import { quoted } from '../../otp/escape.ts';
import { parseMigrationUri, type Migration } from '../../otp/otpauth-migration.ts';
import { parseOtpauthUri, USUAL_PARAMETERS, type CredentialNames, type Credential } from '../../otp/uri.ts';
import { looksLikeArchive, parseArchive, type Archive } from '../../seal/archive.ts';
import { looksLikePythonNotp, parsePythonNotp, type PythonNotpFile } from '../../seal/python-notp.ts';
import type { ImportFormat } from '../../terminal/choices.ts';
import { sayHint } from '../../terminal/printer.ts';
import { MAX_SOURCE_BYTES, textOf, type SourceBytes } from './source.ts';

/** The options that describe a bare secret. */
export type GivenParameters = Partial<CodeParameters & CredentialNames>;

/** What was read: secrets, or a file that needs its own password. */
export type Source =
  | ({ readonly kind: 'credentials' } & Secrets)
  | { readonly kind: 'locked'; readonly program: string; readonly open: (password: string) => Secrets | undefined }
  | { readonly kind: 'python-notp'; readonly file: PythonNotpFile }
  | { readonly kind: 'archive'; readonly archive: Archive };

export interface Secrets {
  readonly credentials: readonly Credential[];
  /** What notp cannot hold. */
  readonly skipped: readonly Skipped[];
}

const MIGRATION = /^otpauth-migration:/i;
const OTPAUTH = /^otpauth:/i;

/** Reads `input` as a file of another program, or as text. Throws as readSource() does. */
export function readInput({ bytes, name }: SourceBytes, from: ImportFormat | undefined, given: GivenParameters): Source {
  if (from === undefined && looksLikeArchive(bytes)) {
    if (Object.keys(given).length > 0) throw hasParameters('an archive');
    return { kind: 'archive', archive: archiveIn(bytes, name) };
  }
  const found = from === undefined && !startsWithUri(textIn(bytes.subarray(0, MAX_SOURCE_BYTES))) ? exportIn(bytes) : undefined;
  if (found === undefined)
    return readSource(textOf(name, bytes, bytes.length > MAX_EXPORT_BYTES ? MAX_EXPORT_BYTES : MAX_SOURCE_BYTES), from, given);
  if (Object.keys(given).length > 0) throw hasParameters(`a file of ${found.program}`);
  const { program } = found;
  switch (found.kind) {
    case 'unreadable':
      throw new NotpError('refused', `${name} is ${program}, which notp does not read`, found.hint);
    case 'locked':
      return {
        kind: 'locked',
        program,
        open: (password) => {
          const entries = found.open(password);
          return entries && secretsOf(entries, program);
        },
      };
    case 'entries':
      return { kind: 'credentials', ...secretsOf(found.entries, program) };
  }
}

function archiveIn(bytes: Uint8Array, name: string): Archive {
  try {
    return parseArchive(bytes);
  } catch (error) {
    throw new NotpError('refused', `${name}: ${messageOf(error)}`, 'the archive was cut off or changed; nothing was imported');
  }
}

function exportIn(bytes: Uint8Array): ReturnType<typeof readExport> {
  return bytes.length > MAX_EXPORT_BYTES ? undefined : readExport(bytes);
}

/** Throws `refused` where no secret is left. */
function secretsOf(entries: readonly Entry[], program: string): Secrets {
  const credentials = entries.flatMap((each) => ('credential' in each ? [each.credential] : []));
  const skipped = entries.flatMap((each) => ('why' in each ? [each] : []));
  if (credentials.length > 0) return { credentials, skipped };
  const why = skipped.slice(0, 1).map((each) => `: ${skippedLine(each)}`);
  throw new NotpError('refused', `this file of ${program} has no secret that notp can hold${why.join('')}`, 'nothing was imported');
}

/** A skipped entry, for a person. */
export function skippedLine({ place, name, why }: Skipped): string {
  return `${place}: ${name === '' ? '' : `${quoted(name)}: `}${why}`;
}

/** Reads `text` in the format `from`, or detects the format. Throws `refused` with what is wrong, never with a secret. */
export function readSource(text: string, from: ImportFormat | undefined, given: GivenParameters): Source {
  const format = from ?? detectedFormat(text);
  if (format === 'python-notp') return { kind: 'python-notp', file: parsePythonNotp(text) };
  if (format === 'base32') return { kind: 'credentials', credentials: [bareCredential(base32Secret(text), given)], skipped: [] };
  if (Object.keys(given).length > 0) throw hasParameters('an otpauth URI');
  return { kind: 'credentials', ...uriSecrets(text, format) };
}

function hasParameters(what: string): NotpError {
  return new NotpError(
    'usage',
    `${what} already has these parameters`,
    'leave out --issuer, --account, --digits, --period and --algorithm',
  );
}

/** The credential of a secret (raw bytes) that came without parameters. */
export function bareCredential(secret: Uint8Array, given: GivenParameters): Credential {
  return { type: 'totp', secret, ...USUAL_PARAMETERS, issuer: '', account: '', ...given };
}

function detectedFormat(text: string): ImportFormat {
  const lines = linesOf(text);
  if (lines.some(({ uri }) => MIGRATION.test(uri))) return 'otpauth-migration';
  if (lines.some(({ uri }) => OTPAUTH.test(uri))) return 'uri';
  return looksLikePythonNotp(text) ? 'python-notp' : 'base32';
}

function base32Secret(text: string): Uint8Array {
  const secret = readBase32(text);
  if (secret !== undefined) return secret;
  throw new NotpError(
    'refused',
    'this is not a secret: neither an otpauth URI, nor base32 of 10 to 128 bytes, nor a file of the Python notp',
    'base32 has the letters A to Z and the digits 2 to 7; copy it again, whole, or name the format with --from',
  );
}

/** One URI a line, of either kind. What is malformed was cut off as it was copied, so nothing is taken then. */
function uriSecrets(text: string, format: 'uri' | 'otpauth-migration'): Secrets {
  const lines = linesOf(text);
  if (lines.length === 0) throw noUri('URI');
  const migrations = lines.filter(({ uri }) => MIGRATION.test(uri)).map(({ uri }) => parseMigrationUri(uri));
  if (format === 'otpauth-migration' && migrations.length === 0) throw noUri('otpauth-migration URI');
  hintAtMissingParts(migrations);
  const others = lines.filter(({ uri }) => !MIGRATION.test(uri));
  const skipped = others.flatMap(({ line, uri }) => unsupportedUri(uri, `line ${String(line)}`) ?? []);
  // Where nothing is left, the first one is refused.
  const isAll = skipped.length === lines.length;
  const read = others.filter(({ line }) => isAll || !skipped.some(({ place }) => place === `line ${String(line)}`));
  const credentials = read.map(({ line, uri }) => (lines.length === 1 ? parseOtpauthUri(uri) : uriInLine(line, uri)));
  return { credentials: [...migrations.flatMap((each) => each.credentials), ...credentials], skipped };
}

function uriInLine(line: number, uri: string): Credential {
  try {
    return parseOtpauthUri(uri);
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    const label = labelOf(uri);
    throw new NotpError(error.code, `line ${String(line)}${label === '' ? '' : ` (${quoted(label)})`}: ${error.message}`, error.hint);
  }
}

function noUri(wanted: string): NotpError {
  return new NotpError('refused', `the input contains no ${wanted}`, 'give one URI a line, or leave out --from');
}

function hintAtMissingParts(migrations: readonly Migration[]): void {
  if (migrations.some((each) => each.parts === 0))
    sayHint('the transfer does not say how many QR codes it has: compare the imported accounts with the phone');
  const parts = Math.max(0, ...migrations.map((each) => each.parts));
  const present = new Set(migrations.map(({ part }) => part)).size;
  if (present < parts)
    sayHint(`the phone shows ${String(parts)} QR codes, but this is only ${String(present)} of them: import the others too`);
}

/** The lines without comments and without what zbarimg writes before each. */
function linesOf(text: string): readonly { readonly line: number; readonly uri: string }[] {
  return text
    .split('\n')
    .map((line, i) => ({ line: i + 1, uri: line.replace(/^\s*QR-Code:/, '').trim() }))
    .filter(({ uri }) => uri !== '' && !uri.startsWith('#'));
}

/** Whether it is a list of URIs, and not a file with some among others. */
function startsWithUri(text: string): boolean {
  const [first] = linesOf(text);
  return first !== undefined && (OTPAUTH.test(first.uri) || MIGRATION.test(first.uri));
}
