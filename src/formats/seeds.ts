/**
 * The seeds of hardware tokens: hex, base32 or base64 (RFC 4648), each only as it is whole. A seed that was cut or mistyped is none, and
 * never another one. Pure.
 */
import { fromBase32, MAX_SECRET_BYTES, MIN_SECRET_BYTES } from '../otp/code.ts';

export type Notation = 'hex' | 'base32' | 'base64';

/** Why there is no seed. */
export interface NoSeed {
  readonly why: string;
}

export const MALFORMED_SECRET = 'its secret is malformed, or too short or too long';
/** In bytes, of keys and digests. Text that was cut seldom has such a length. */
const SEED_BYTES: readonly number[] = [10, 16, 20, 24, 25, 28, 32, 40, 48, 64, 128];
/** In bytes, of hex, which has no padding and no groups that would tell what is missing. */
const HEX_BYTES: readonly number[] = [10, 16, 20, 24, 32, 48, 64, 128];
/** In characters: hex in groups. */
const MAX_WRITTEN = 4 * MAX_SECRET_BYTES;

const READERS: Readonly<Record<Notation, (text: string) => Uint8Array | undefined>> = {
  hex: fromHex,
  base32: (text) => readBase32Seed(text.toUpperCase()),
  base64: readBase64Seed,
};

/** The seed in `written`, whose notation is known or is one of all three; why there is none where none fits, or more than one. */
export function seedOf(written: string, notation?: Notation): Uint8Array | NoSeed {
  const text = written.trim();
  if (text.length > MAX_WRITTEN) return { why: MALFORMED_SECRET };
  const wanted: readonly Notation[] = notation === undefined ? ['hex', 'base32', 'base64'] : [notation];
  const hex = wanted.includes('hex') ? hexDigits(text) : undefined;
  // Hex that was cut may be whole in another notation.
  if (hex !== undefined && !isWholeHex(hex)) return { why: `its secret has ${String(hex.length / 2)} bytes in hex: it may have been cut` };
  const found = wanted.flatMap((name) => {
    const seed = READERS[name](text);
    return seed === undefined ? [] : [{ name, seed }];
  });
  const [first, second] = found;
  // In both cases it may be base32 that somebody typed: then base64 is no longer sure, but base32 is not either.
  const isSure = notation !== undefined || isOfOneCase(text) || found.some(({ name }) => name !== 'base32');
  if (first === undefined || !isSure) return { why: MALFORMED_SECRET };
  if (second === undefined) return first.seed;
  return { why: `its secret may be ${first.name} or ${second.name}: name its column "secret ${first.name}" or "secret ${second.name}"` };
}

/** The seed in a PSKC, which is base64 with its padding; what is hex, whole as base32 or all of one case was something else before. */
export function seedOfPskc(text: string): Uint8Array | undefined {
  if (text.length > MAX_WRITTEN || hexDigits(text) !== undefined || isOfOneCase(text) || readBase32Seed(text) !== undefined)
    return undefined;
  return fromBase64(text);
}

function isOfOneCase(text: string): boolean {
  return text === text.toUpperCase() || text === text.toLowerCase();
}

function fromHex(text: string): Uint8Array | undefined {
  const digits = hexDigits(text);
  return digits !== undefined && isWholeHex(digits) ? new Uint8Array(Buffer.from(digits, 'hex')) : undefined;
}

function isWholeHex(digits: string): boolean {
  return HEX_BYTES.includes(digits.length / 2);
}

/** The digits of what is hex, of whatever length. */
function hexDigits(text: string): string | undefined {
  const digits = withoutGroups(text).replace(/^0x/i, '');
  return /^(?:[0-9a-f]{2})+$/i.test(digits) && digits.length >= 2 * MIN_SECRET_BYTES ? digits : undefined;
}

/** In one case, padded or not. */
function readBase32Seed(text: string): Uint8Array | undefined {
  const [, letters = '', padding = ''] = /^([A-Z2-7]+|[a-z2-7]+)(={0,6})$/.exec(withoutGroups(text)) ?? [];
  try {
    const seed = fromBase32(letters.toUpperCase());
    const isWhole = (letters.length + padding.length) % 8 === 0 || (padding === '' && SEED_BYTES.includes(seed.length));
    return isWhole && seed.length >= MIN_SECRET_BYTES ? seed : undefined;
  } catch {
    return undefined;
  }
}

/** Padded or not, with letters of both cases, which base32 and hex seldom have. */
function readBase64Seed(text: string): Uint8Array | undefined {
  return isOfOneCase(text) ? undefined : (fromBase64(text) ?? fromBase64(text + '='.repeat(-text.length & 3)));
}

/** Of base64 with its padding, the bytes of a seed. */
function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text && SEED_BYTES.includes(bytes.length) ? new Uint8Array(bytes) : undefined;
}

function withoutGroups(text: string): string {
  return text.replace(/[\s-]/g, '');
}
