/**
 * The sealed file, `~/.notp/<context>`: one JSON object, two-space indented, one newline at its end.
 *
 *   { "notp": "sealed/1", "id", "user", "context", "created",
 *     "seal": { "kind": "passphrase", "kdf": "argon2id", "m", "t", "p", "salt" } | { "kind": "host", "key" },
 *     "nonce", "ciphertext" }
 *
 * Parsing is strict and says what is wrong; printing is its inverse. Pure.
 */
import { createHash } from 'node:crypto';
import { isContextName, isUserName } from '../otp/names.ts';
import { bad, base64, canonicalJson, literal, object, shaped, text, toBase64, union, wholeNumber, string, type Infer } from './shape.ts';

export const MAX_SEALED_FILE_BYTES = 16 * 1024;
/** Caps on the cost that a file may ask for: 128 MiB and 6 passes take about a second. */
export const MAX_KDF_MEMORY_KIB = 128 * 1024;
export const MAX_KDF_PASSES = 6;
export const MAX_KDF_LANES = 8;
/** Floors: a file that asks for less was not written by notp, whose default is 64 MiB and 3 passes. RFC 9106 section 4. */
export const MIN_KDF_MEMORY_KIB = 16 * 1024;
export const MIN_KDF_PASSES = 2;
export const SALT_BYTES = 16;
export const NONCE_BYTES = 24;
const TAG_BYTES = 16;

/** Argon2id (RFC 9106): m in KiB, t passes, p lanes. */
export const PASSPHRASE_SEAL = object({
  kind: literal('passphrase'),
  kdf: literal('argon2id'),
  m: wholeNumber(MIN_KDF_MEMORY_KIB, MAX_KDF_MEMORY_KIB),
  t: wholeNumber(MIN_KDF_PASSES, MAX_KDF_PASSES),
  p: wholeNumber(1, MAX_KDF_LANES),
  salt: base64(SALT_BYTES, SALT_BYTES),
}).map(({ kind, m, t, p, salt }) => ({ kind, m, t, p, salt }));

const HOST_SEAL = object({
  kind: literal('host'),
  /** The id of the host key, 16 hex digits; see seal/keys.ts. */
  key: text(/^[0-9a-f]{16}$/),
});

const SEALED_FILE = object({
  notp: literal('sealed/1'),
  /** 32 hex digits; see seal/id.ts. */
  id: text(/^[0-9a-f]{32}$/),
  user: string().assert(isUserName, 'is not a user name'),
  context: string().assert(isContextName, 'is not a context name'),
  /** RFC 3339, UTC, whole seconds. */
  created: text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  seal: union(PASSPHRASE_SEAL, HOST_SEAL),
  nonce: base64(NONCE_BYTES, NONCE_BYTES),
  ciphertext: base64(TAG_BYTES, MAX_SEALED_FILE_BYTES),
}).map(({ id, user, context, created, seal, nonce, ciphertext }) => ({ id, user, context, created, seal, nonce, ciphertext }));

export type PassphraseSeal = Readonly<Infer<typeof PASSPHRASE_SEAL>>;
export type HostSeal = Readonly<Infer<typeof HOST_SEAL>>;
export type SealedFile = Readonly<Infer<typeof SEALED_FILE>>;
/** What is bound into the ciphertext as associated data. */
export type SealedHeader = Omit<SealedFile, 'nonce' | 'ciphertext'>;

/** Identifies one sealed file by its whole content. */
export interface Registration {
  readonly id: string;
  /** SHA-256 of the file's bytes, hex. The id is in the clear and proves nothing; the digest does. */
  readonly digest: string;
}

/**
 * The registration of `file`: its id and the SHA-256 of the bytes of printSealedFile. It needs no key, since its row has a
 * MAC: see state/host-keys.ts.
 */
export function registrationOf(file: SealedFile): Registration {
  return { id: file.id, digest: createHash('sha256').update(printSealedFile(file)).digest('hex') };
}

/** The sealed file in `bytes`. Throws `bad_secret_file` with what is wrong. */
export function parseSealedFile(bytes: Uint8Array): SealedFile {
  if (bytes.length === 0) throw bad('the file is empty');
  if (bytes.length > MAX_SEALED_FILE_BYTES) throw bad('the file is over 16 KiB');
  const file = shaped(SEALED_FILE, canonicalJson(bytes, 'the file'), 'the file');
  // One way to write it, so that the digest of what was parsed is the digest of the file.
  if (Buffer.compare(printSealedFile(file), bytes) !== 0) throw bad('the file is not in the exact form that notp writes');
  return file;
}

/** The bytes of `file`; the inverse of parseSealedFile. */
export function printSealedFile(file: SealedFile): Uint8Array {
  const { id, user, context, created } = file;
  const fields = {
    notp: 'sealed/1',
    ...{ id, user, context, created },
    seal: printSeal(file.seal),
    nonce: toBase64(file.nonce),
    ciphertext: toBase64(file.ciphertext),
  };
  return new Uint8Array(Buffer.from(JSON.stringify(fields, null, 2) + '\n'));
}

/** The associated data: the format's name and each header field in the order of the file, encoded by encodeFields. */
export function associatedData(header: SealedHeader): Uint8Array {
  return encodeFields(['sealed/1', header.id, header.user, header.context, header.created, ...sealFields(header.seal)]);
}

/** The fields of a seal in the order of the file. */
export function sealFields(seal: PassphraseSeal | HostSeal): readonly string[] {
  return Object.values(printSeal(seal)).map(String);
}

/** Each field as its length in bytes (32 bits, big-endian) and its UTF-8, so that no two lists have the same encoding. */
export function encodeFields(fields: readonly string[]): Uint8Array {
  return new Uint8Array(Buffer.concat(fields.flatMap((field) => lengthPrefixed(Buffer.from(field)))));
}

function lengthPrefixed(bytes: Buffer): Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

export function printSeal(seal: PassphraseSeal | HostSeal): Readonly<Record<string, string | number>> {
  if (seal.kind === 'host') return { kind: 'host', key: seal.key };
  const { m, t, p } = seal;
  return { kind: 'passphrase', kdf: 'argon2id', m, t, p, salt: toBase64(seal.salt) };
}
