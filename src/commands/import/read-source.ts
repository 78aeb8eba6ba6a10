/** The formats that `notp import` reads, and how they are detected. */
import { NotpError } from '../../error.ts';
import { readBase32, type CodeParameters } from '../../otp/code.ts';
import { parseMigrationUri, type Migration } from '../../otp/otpauth-migration.ts';
import { parseOtpauthUri, USUAL_PARAMETERS, type Account, type Credential } from '../../otp/uri.ts';
import { looksLikePythonNotp, parsePythonNotp, type PythonNotpFile } from '../../seal/python-notp.ts';
import type { ImportFormat } from '../../terminal/choices.ts';
import { sayHint } from '../../terminal/printer.ts';

/** The options that describe a bare secret. */
export type GivenParameters = Partial<CodeParameters & Account>;

/** What was read: secrets, or a file that needs its own password. */
export type Source =
  | { readonly kind: 'credentials'; readonly credentials: readonly Credential[] }
  | { readonly kind: 'python-notp'; readonly file: PythonNotpFile };

const MIGRATION = /^otpauth-migration:/i;
const OTPAUTH = /^otpauth:/i;

/** Reads `text` in the format `from`, or detects the format. Throws `refused` with what is wrong, never with a secret. */
export function readSource(text: string, from: ImportFormat | undefined, given: GivenParameters): Source {
  const format = from ?? detectedFormat(text);
  if (format === 'python-notp') return { kind: 'python-notp', file: parsePythonNotp(text) };
  if (format !== 'base32' && Object.keys(given).length > 0)
    throw new NotpError(
      'usage',
      'an otpauth URI already has these parameters',
      'leave out --issuer, --account, --digits, --period and --algorithm',
    );
  return {
    kind: 'credentials',
    credentials: format === 'base32' ? [bareCredential(base32Secret(text), given)] : uriCredentials(text, format),
  };
}

/** The credential of a secret (raw bytes) that came without parameters. */
export function bareCredential(secret: Uint8Array, given: GivenParameters): Credential {
  return { type: 'totp', secret, ...USUAL_PARAMETERS, issuer: '', account: '', ...given };
}

function detectedFormat(text: string): ImportFormat {
  const lines = linesOf(text);
  if (lines.some((line) => MIGRATION.test(line))) return 'otpauth-migration';
  if (lines.some((line) => OTPAUTH.test(line))) return 'uri';
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

/** One URI a line, of either kind. */
function uriCredentials(text: string, format: 'uri' | 'otpauth-migration'): Credential[] {
  const lines = linesOf(text);
  if (lines.length === 0) throw noUri('URI');
  const migrations = lines.filter((line) => MIGRATION.test(line)).map(parseMigrationUri);
  if (format === 'otpauth-migration' && migrations.length === 0) throw noUri('otpauth-migration URI');
  hintAtMissingParts(migrations);
  const others = lines.filter((line) => !MIGRATION.test(line)).map(parseOtpauthUri);
  return [...migrations.flatMap(({ credentials }) => credentials), ...others];
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

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
