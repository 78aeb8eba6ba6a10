/** Strict reading of JSON objects: no unknown or missing key, every value of its type, canonical base64. Pure. */
import { NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import { quoted } from '../otp/escape.ts';
import { isLabel } from '../otp/uri.ts';

export type Fields = Readonly<Record<string, unknown>>;

export function bad(what: string): NotpError {
  return new NotpError('bad_secret_file', what);
}

/** `value` as an object with exactly `keys`. `name`: how an error names it. */
export function exactly(value: unknown, name: string, keys: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${name} is not a JSON object`);
  const fields = value as Fields;
  const unknown = Object.keys(fields).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw bad(`${name} has an unknown key ${quoted(unknown)}`);
  const missing = keys.find((key) => !Object.hasOwn(fields, key));
  if (missing !== undefined) throw bad(`${name} lacks ${quoted(missing)}`);
  return fields;
}

export function text(fields: Fields, key: string, pattern: RegExp): string {
  const value = fields[key];
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw bad(`${quoted(key)} is malformed`);
}

export function oneOf<T extends string | number>(fields: Fields, key: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === fields[key]);
  if (found === undefined) throw bad(`${quoted(key)} must be one of ${allowed.join(', ')}`);
  return found;
}

export function integer(fields: Fields, key: string, min: number, max: number): number {
  const value = fields[key];
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw bad(`${quoted(key)} must be a whole number from ${String(min)} to ${String(max)}`);
}

/** An issuer or an account; see isLabel. */
export function label(fields: Fields, key: string): string {
  const value = text(fields, key, /^/);
  if (isLabel(value)) return value;
  throw bad(`${quoted(key)} is malformed`);
}

export function flag(fields: Fields, key: string): boolean {
  const value = fields[key];
  if (typeof value === 'boolean') return value;
  throw bad(`${quoted(key)} must be true or false`);
}

/** The bytes of canonical, padded base64 (RFC 4648 section 4), between `min` and `max` of them. */
export function base64(value: unknown, key: string, min: number, max: number): Uint8Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.alloc(0);
  if (bytes.toString('base64') !== value) throw bad(`${quoted(key)} is not canonical base64`);
  if (bytes.length < min || bytes.length > max) throw bad(`${quoted(key)} has the wrong length`);
  return new Uint8Array(bytes);
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** The JSON value in UTF-8 `bytes`. Printing it must give the same bytes, so that duplicate keys cannot hide. */
export function canonicalJson(bytes: Uint8Array, name: string): unknown {
  const source = Buffer.from(bytes).toString('utf8');
  const { value, printed } = parseAndPrint(source, name);
  if (printed.includes(source)) return value;
  throw bad(`${name} is not in the exact form that notp writes`);
}

/** Printing recurses, so a file full of brackets can exhaust the stack; that is refused like malformed JSON. */
function parseAndPrint(source: string, name: string): { value: unknown; printed: readonly string[] } {
  try {
    const value: unknown = parseJson(source);
    return { value, printed: [JSON.stringify(value, null, 2) + '\n', JSON.stringify(value)] };
  } catch {
    throw bad(`${name} is not JSON`);
  }
}
