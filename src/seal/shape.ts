/**
 * Shapes of JSON objects. One definition both reads the object strictly (every key known and present, every value of its type, base64
 * canonical) and gives its type. Pure.
 */
import { array, err, literal, ok, union, unknown, type Type } from '@badrap/valita';
import { NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import { quoted } from '../otp/escape.ts';
import { isLabel } from '../otp/names.ts';

export { array, boolean, literal, null as nil, object, string, tuple, union, type Infer, type Type } from '@badrap/valita';

export function bad(what: string): NotpError {
  return new NotpError('bad_secret_file', what);
}

/** Reads `value` by `shape`. Throws `bad_secret_file` with the first fault, never with a value; the message calls it `name`. */
export function shaped<T>(shape: Type<T>, value: unknown, name: string): T {
  const read = shape.try(value);
  if (read.ok) return read.value;
  const first = read.issues.slice(0, 1).map((issue) => wordingOf(issue, name));
  throw bad(first.join(''));
}

type Issue = Exclude<ReturnType<Type['try']>, { ok: true }>['issues'][number];

const TYPE_NAMES: Readonly<Record<string, string>> = { object: 'a JSON object', array: 'a list', string: 'text', boolean: 'true or false' };

function wordingOf(issue: Issue, name: string): string {
  const keys = issue.path.filter((part) => typeof part === 'string').map(quoted);
  const [place = name, outer = name] = keys.toReversed();
  switch (issue.code) {
    case 'unrecognized_keys':
      return `${place} has an unknown key ${issue.keys.map((key) => quoted(String(key))).join(', ')}`;
    case 'missing_value':
      return `${outer} lacks ${place}`;
    case 'invalid_literal':
      return `${place} must be one of ${issue.expected.map(String).join(', ')}`;
    case 'invalid_type':
      return `${place} is not ${issue.expected.map((type) => TYPE_NAMES[type] ?? type).join(', ')}`;
    case 'custom_error':
      return `${place} ${String(issue.message)}`;
    default:
      return `${place} is malformed`;
  }
}

/** Accepts the values for which `guard` holds; `why` is the message for the others. */
function guarded<T>(guard: (value: unknown) => value is T, why: string): Type<T> {
  return unknown().assert(guard, why);
}

const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isString = (value: unknown): value is string => typeof value === 'string';

export function text(pattern: RegExp): Type<string> {
  return guarded((value): value is string => isString(value) && pattern.test(value), 'is malformed');
}

export function oneOf<const T extends string | number>(allowed: readonly T[]): Type<T> {
  return union(...allowed.map((each) => literal<T>(each)));
}

export function wholeNumber(min: number, max: number): Type<number> {
  const isOne = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
  return guarded(isOne, `must be a whole number from ${String(min)} to ${String(max)}`);
}

/** A list of at most `max` values. The length is checked before any of them is read. */
export function listOf<T>(shape: Type<T>, max: number): Type<readonly T[]> {
  return guarded(isList, 'is not a list')
    .assert((values) => values.length <= max, `is a list of more than ${String(max)}`)
    .chain(array(shape));
}

/** Reads null as undefined. */
export function optional<T>(shape: Type<T>): Type<T | undefined> {
  return shape.nullable(() => undefined as T | undefined);
}

/** An issuer or an account; see isLabel. */
export const label = guarded((value): value is string => isString(value) && isLabel(value), 'is malformed');

/** Between `min` and `max` bytes in canonical, padded base64 (RFC 4648 section 4). */
export function base64(min: number, max: number): Type<Uint8Array> {
  return encoded('canonical base64', decodeBase64, min, max);
}

/** Between `min` and `max` bytes, written as text. `decode` gives undefined if the text is not `encoding`. */
export function encoded(encoding: string, decode: (value: string) => Uint8Array | undefined, min: number, max: number): Type<Uint8Array> {
  return unknown().chain((value) => {
    const bytes = isString(value) ? decode(value) : undefined;
    if (bytes === undefined) return err(`is not ${encoding}`);
    return bytes.length < min || bytes.length > max ? err('has the wrong length') : ok(bytes);
  });
}

function decodeBase64(value: string): Uint8Array | undefined {
  const bytes = Buffer.from(value, 'base64');
  return bytes.toString('base64') === value ? new Uint8Array(bytes) : undefined;
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** `JSON.parse` of UTF-8 bytes that must come back the same when printed, so that duplicate keys cannot hide. */
export function canonicalJson(bytes: Uint8Array, name: string): unknown {
  const source = Buffer.from(bytes).toString('utf8');
  const { value, printed } = parseAndPrint(source, name);
  if (printed.includes(source)) return value;
  throw bad(`${name} is not in the exact form that notp writes`);
}

/** Printing recurses, so a file of brackets alone can exhaust the stack. Such a file is refused, too. */
function parseAndPrint(source: string, name: string): { value: unknown; printed: readonly string[] } {
  try {
    const value: unknown = parseJson(source);
    return { value, printed: [JSON.stringify(value, null, 2) + '\n', JSON.stringify(value)] };
  } catch {
    throw bad(`${name} is not JSON`);
  }
}
