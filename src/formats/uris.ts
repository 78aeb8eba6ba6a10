/**
 * otpauth and otpauth-migration URIs anywhere in a text: the JSON of Proton and 1Password, CSV and XML of KeePassXC, entries of pass, lines
 * of zbarimg. Pure.
 */
import { messageOf } from '../error.ts';
import { ALGORITHMS, DIGITS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, readBase32, toBase32 } from '../otp/code.ts';
import { parseMigrationUri } from '../otp/otpauth-migration.ts';
import { parseOtpauthUri, type Credential } from '../otp/uri.ts';
import { nameOf, shown } from './entry.ts';
import { entriesRead, jsonIn, type Entry, type Format, type Skipped } from './format.ts';

/** Escapes and entities in one URI: with millions of them, the stack of a regular expression overflows. */
const MANY = '10000';
/** The ampersand as XML writes it, by its name or its number, without the semicolon. */
const AMP = '&(?:amp|#0{0,4}38|#x0{0,4}26)';
const AMPS = new RegExp(`${AMP};`, 'gi');
const SCHEME = '(?:otpauth|otpauth-migration|steam|motp)';
/**
 * What stands before a URI tells where it ends, so that none is cut off and loses what its codes depend on: a quote (the string of JSON or
 * CSV with its escapes), a bracket of XML, a separator of CSV, or nothing: then the line is all its own.
 */
const URIS = new RegExp(
  String.raw`(?<=")(${SCHEME}:(?:\\?/){2}[^"\\]*(?:\\.[^"\\]*){0,${MANY}})|` +
    ["(?<=')S[^']*", '(?<=>)S[^<]*', '(?<=<)S[^>]*', String.raw`(?<=[,;\t])S[^,;\t]*(?:(?<=${AMP});[^,;\t]*){0,${MANY}}`, 'S.*']
      .join('|')
      .replaceAll('S', `${SCHEME}://`),
  'gi',
);

export const URIS_ANYWHERE: Format = {
  name: 'otpauth URIs',
  read: ({ text }) => {
    const entries = urisIn(text);
    return entriesRead(entries.length === 0 ? [] : [...entries, ...bareBeside(entries, text)]);
  },
};

/** A secret behind a name, as in pass, in JSON and in the XML of KeePass. */
const BARE = /(?<![\w-])[ht]?otp(?:[ _-](?:secret|seed))?(?:"?\s*:\s*"?|<\/Key>\s*<Value[^>]*>)([A-Za-z2-7 -]{16,512})/gi;

/** Secrets that stand beside URIs and are in none of them: named, since nothing says what their codes look like. */
function bareBeside(entries: readonly Entry[], text: string): readonly Skipped[] {
  const known = new Set(entries.flatMap((each) => ('credential' in each ? [toBase32(each.credential.secret)] : [])));
  let [line, counted] = [1, 0];
  return [...text.matchAll(BARE)].flatMap(({ index, 1: written = '' }) => {
    line += text.slice(counted, index).split('\n').length - 1;
    counted = index;
    const secret = readBase32(written);
    if (secret === undefined || known.has(toBase32(secret))) return [];
    return [{ place: `line ${String(line)}`, name: '', why: 'a secret without an otpauth URI: import it by itself' }];
  });
}

/** An entry for each of them, with its line. */
export function urisIn(text: string): readonly Entry[] {
  return text.split('\n').flatMap((line, i) =>
    [...(line.includes(':') ? line.matchAll(URIS) : [])].flatMap(([whole, quoted]) => {
      const uri = quoted === undefined ? whole.trim() : unescaped(quoted);
      return entriesOfUri(uri, `line ${String(i + 1)}`);
    }),
  );
}

function unescaped(quoted: string): string {
  const value = jsonIn(`"${quoted}"`);
  return typeof value === 'string' ? value : quoted;
}

/** One entry, or those of a transfer. */
export function entriesOfUri(written: string, place: string): readonly Entry[] {
  const uri = written.replace(AMPS, '&');
  const skipped = unsupportedUri(uri, place);
  if (skipped !== undefined) return [skipped];
  try {
    const credentials = /^otpauth-migration:/i.test(uri) ? parseMigrationUri(uri).credentials : [parseOtpauthUri(uri)];
    return credentials.map((credential) => ({ place, name: named(credential), credential }));
  } catch (error) {
    return [{ place, name: labelOf(uri), why: messageOf(error) }];
  }
}

function named({ issuer, account }: Credential): string {
  return nameOf(issuer, account);
}

/** Why notp cannot hold the codes of a URI that is well-formed; undefined if it can, or if the URI is malformed. */
export function unsupportedUri(uri: string, place: string): Skipped | undefined {
  const [whole, scheme = '', host = '', query = ''] = /^([a-z-]+):\/\/([^/?]*)[^?]*\??(.*)$/i.exec(uri) ?? [];
  if (whole === undefined || /^otpauth-migration$/i.test(scheme)) return undefined;
  const why = unsupportedIn(scheme.toLowerCase(), host, new URLSearchParams(query));
  return why === undefined ? undefined : { place, name: labelOf(uri), why };
}

function unsupportedIn(scheme: string, host: string, parameters: URLSearchParams): string | undefined {
  const [digits, period] = ['digits', 'period'].map((name) => /^\d{1,9}$/.exec(parameters.get(name) ?? '')?.[0]);
  const algorithm = (parameters.get('algorithm') ?? '').toUpperCase();
  const kind = scheme === 'otpauth' ? (parameters.get('encoder') ?? host) : scheme;
  if (!/^[ht]otp$/i.test(kind)) return `unsupported kind of code: ${shown(kind)}`;
  if (digits !== undefined && !DIGITS.some((each) => each === Number(digits))) return `unsupported number of digits: ${digits}`;
  if (period !== undefined && (Number(period) < MIN_PERIOD_SECONDS || Number(period) > MAX_PERIOD_SECONDS))
    return `unsupported period: ${period} seconds`;
  const isUnknown = /^[A-Z]\w{0,19}$/.test(algorithm) && !ALGORITHMS.some((each) => each === algorithm.replace(/^HMAC/, ''));
  return isUnknown ? `unsupported algorithm: ${algorithm}` : undefined;
}

/** The label in `uri`; empty where it has none, since what stands there may be the secret. */
export function labelOf(uri: string): string {
  const [, label = ''] = /^otpauth:\/\/[^/?]*\/([^?]*)\?/i.exec(uri) ?? [];
  try {
    return decodeURIComponent(label);
  } catch {
    return label;
  }
}
