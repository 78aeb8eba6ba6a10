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
import { bad, base64, canonicalJson, exactly, integer, oneOf, text, toBase64, type Fields } from './fields.ts';

export const MAX_SEALED_FILE_BYTES = 16 * 1024;
/** Caps on what a file may make us spend: 128 MiB and 6 passes are about a second. */
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
export interface PassphraseSeal {
  readonly kind: 'passphrase';
  readonly m: number;
  readonly t: number;
  readonly p: number;
  readonly salt: Uint8Array;
}

export interface HostSeal {
  readonly kind: 'host';
  /** The id of the host key, 16 hex digits; see seal/keys.ts. */
  readonly key: string;
}

/** What is bound into the ciphertext as associated data. */
export interface SealedHeader {
  /** 32 hex digits; see seal/id.ts. */
  readonly id: string;
  readonly user: string;
  readonly context: string;
  /** RFC 3339, UTC, whole seconds. */
  readonly created: string;
  readonly seal: PassphraseSeal | HostSeal;
}

export interface SealedFile extends SealedHeader {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** Names one sealed file by its whole content. */
export interface Registration {
  readonly id: string;
  /** SHA-256 of the file's bytes, hex. The id stands in the clear and proves nothing; this does. */
  readonly digest: string;
}

/** What a state registers of `file`: the id, and the SHA-256 of the bytes that printSealedFile gives. It needs no key, for the row that holds it has a MAC: see state/row-keys.ts. */
export function registrationOf(file: SealedFile): Registration {
  return { id: file.id, digest: createHash('sha256').update(printSealedFile(file)).digest('hex') };
}

const KEYS = ['notp', 'id', 'user', 'context', 'created', 'seal', 'nonce', 'ciphertext'];

/** The sealed file in `bytes`. Throws `bad_secret_file` with what is wrong. */
export function parseSealedFile(bytes: Uint8Array): SealedFile {
  if (bytes.length === 0) throw bad('the file is empty');
  if (bytes.length > MAX_SEALED_FILE_BYTES) throw bad('the file is over 16 KiB');
  const fields = exactly(canonicalJson(bytes, 'the file'), 'the file', KEYS);
  oneOf(fields, 'notp', ['sealed/1']);
  const user = text(fields, 'user', /^/);
  const context = text(fields, 'context', /^/);
  if (!isUserName(user)) throw bad('"user" is no user name');
  if (!isContextName(context)) throw bad('"context" is no context name');
  const file: SealedFile = {
    id: text(fields, 'id', /^[0-9a-f]{32}$/),
    user,
    context,
    created: text(fields, 'created', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    seal: parseSeal(fields['seal']),
    nonce: base64(fields['nonce'], 'nonce', NONCE_BYTES, NONCE_BYTES),
    ciphertext: base64(fields['ciphertext'], 'ciphertext', TAG_BYTES, MAX_SEALED_FILE_BYTES),
  };
  // One way to write it, so that the digest of what was parsed is the digest of the file.
  if (Buffer.compare(printSealedFile(file), bytes) !== 0) throw bad('the file is not written as notp writes it');
  return file;
}

/** The bytes of `file`, as parseSealedFile takes them. */
export function printSealedFile(file: SealedFile): Uint8Array {
  const { id, user, context, created } = file;
  const object = {
    notp: 'sealed/1',
    ...{ id, user, context, created },
    seal: printSeal(file.seal),
    nonce: toBase64(file.nonce),
    ciphertext: toBase64(file.ciphertext),
  };
  return new Uint8Array(Buffer.from(JSON.stringify(object, null, 2) + '\n'));
}

/**
 * The associated data: the format's name and each header field in the order of the file, every one as its length
 * in bytes (32 bits, big-endian) followed by its UTF-8, so that no two headers have the same encoding.
 */
export function associatedData(header: SealedHeader): Uint8Array {
  const seal = Object.values(printSeal(header.seal)).map(String);
  const fields = ['sealed/1', header.id, header.user, header.context, header.created, ...seal];
  return new Uint8Array(Buffer.concat(fields.flatMap((field) => lengthPrefixed(Buffer.from(field)))));
}

function lengthPrefixed(bytes: Buffer): Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

function printSeal(seal: PassphraseSeal | HostSeal): Fields {
  if (seal.kind === 'host') return { kind: 'host', key: seal.key };
  const { m, t, p } = seal;
  return { kind: 'passphrase', kdf: 'argon2id', m, t, p, salt: toBase64(seal.salt) };
}

function parseSeal(value: unknown): PassphraseSeal | HostSeal {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
  if (kind === 'host') {
    const fields = exactly(value, '"seal"', ['kind', 'key']);
    return { kind: 'host', key: text(fields, 'key', /^[0-9a-f]{16}$/) };
  }
  const fields = exactly(value, '"seal"', ['kind', 'kdf', 'm', 't', 'p', 'salt']);
  oneOf(fields, 'kind', ['passphrase', 'host']);
  oneOf(fields, 'kdf', ['argon2id']);
  const p = integer(fields, 'p', 1, MAX_KDF_LANES);
  return {
    kind: 'passphrase',
    m: integer(fields, 'm', MIN_KDF_MEMORY_KIB, MAX_KDF_MEMORY_KIB),
    t: integer(fields, 't', MIN_KDF_PASSES, MAX_KDF_PASSES),
    p,
    salt: base64(fields['salt'], 'salt', SALT_BYTES, SALT_BYTES),
  };
}
