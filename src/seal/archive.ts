/**
 * The archive of one's own secrets, which `notp export --all` writes and `notp import` reads: one JSON object, two-space indented, one
 * newline at its end.
 *
 *   { "notp": "archive/1", "created", "seal": { "kind": "passphrase", "kdf": "argon2id", "m", "t", "p", "salt" }, "nonce", "ciphertext" }
 *
 * XChaCha20-Poly1305 as in a sealed file, with the format's name, `created` and the fields of the seal as associated data. The
 * plaintext is compact JSON: each secret under its name, with the counter where it counts. Neither user nor host is bound into it, since
 * it is there to move. Pure.
 */
import { NotpError } from '../error.ts';
import { ALGORITHMS, DIGITS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, toBase32 } from '../otp/code.ts';
import { isContextName } from '../otp/names.ts';
import type { Credential } from '../otp/uri.ts';
import { encodeFields, NONCE_BYTES, PASSPHRASE_SEAL, printSeal, sealFields, type PassphraseSeal } from './file.ts';
import { passphraseKey } from './keys.ts';
import { SECRET } from './seal.ts';
import {
  bad,
  base64,
  canonicalJson,
  label,
  listOf,
  literal,
  object,
  oneOf,
  shaped,
  string,
  text,
  toBase64,
  union,
  wholeNumber,
  type Infer,
} from './shape.ts';
import { decrypt, encrypt } from './xchacha.ts';

/** Room for more secrets than anybody types in. */
export const MAX_ARCHIVE_BYTES = 4 * 1024 * 1024;
export const MAX_ARCHIVE_SECRETS = 2_000;
const TAG_BYTES = 16;
const FORMAT = 'archive/1';

const ARCHIVE = object({
  notp: literal(FORMAT),
  /** RFC 3339, UTC, whole seconds. */
  created: text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  seal: PASSPHRASE_SEAL,
  nonce: base64(NONCE_BYTES, NONCE_BYTES),
  ciphertext: base64(TAG_BYTES, MAX_ARCHIVE_BYTES),
}).map(({ created, seal, nonce, ciphertext }) => ({ created, seal, nonce, ciphertext }));
export type Archive = Readonly<Infer<typeof ARCHIVE>>;

const COMMON = {
  context: string().assert(isContextName, 'is not a context name'),
  secret: SECRET,
  algorithm: oneOf(ALGORITHMS),
  digits: oneOf(DIGITS),
  issuer: label,
  account: label,
};
const CONTENT = listOf(
  union(
    object({ type: literal('totp'), ...COMMON, period: wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS) }).map(
      ({ context, period: periodSeconds, ...rest }): Archived => ({ context, credential: { ...rest, periodSeconds } }),
    ),
    object({ type: literal('hotp'), ...COMMON, counter: wholeNumber(0, Number.MAX_SAFE_INTEGER) }).map(
      ({ context, ...credential }): Archived => ({ context, credential }),
    ),
  ),
  MAX_ARCHIVE_SECRETS,
);

/** One secret and its name. The caller wipes the secret. */
export interface Archived {
  readonly context: string;
  readonly credential: Credential;
}

/** Whether `bytes` begin as an archive, whole or not. */
export function looksLikeArchive(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 64)).toString('latin1').startsWith(`{\n  "notp": "${FORMAT}"`);
}

/** The archive in `bytes`. Throws `bad_secret_file` with what is wrong. */
export function parseArchive(bytes: Uint8Array): Archive {
  if (bytes.length > MAX_ARCHIVE_BYTES) throw bad(`the archive is over ${String(MAX_ARCHIVE_BYTES / 1024)} KiB`);
  return shaped(ARCHIVE, canonicalJson(bytes, 'the archive'), 'the archive');
}

/** The bytes of `archive`; the inverse of parseArchive. */
export function printArchive({ created, seal, nonce, ciphertext }: Archive): Uint8Array {
  const fields = { notp: FORMAT, created, seal: printSeal(seal), nonce: toBase64(nonce), ciphertext: toBase64(ciphertext) };
  return new Uint8Array(Buffer.from(JSON.stringify(fields, null, 2) + '\n'));
}

/** `key`: of `header.seal`. `nonce`: NONCE_BYTES fresh random bytes. Throws `refused` where it would be too large to be read back. */
export function sealArchive(
  header: Pick<Archive, 'created' | 'seal'>,
  all: readonly Archived[],
  key: Uint8Array,
  nonce: Uint8Array,
): Archive {
  const plaintext = Buffer.from(JSON.stringify(all.map(printed)));
  const archive = { ...header, nonce, ciphertext: encrypt(plaintext, { key, nonce, associated: associated(header) }) };
  plaintext.fill(0);
  if (all.length <= MAX_ARCHIVE_SECRETS && printArchive(archive).length <= MAX_ARCHIVE_BYTES) return archive;
  throw new NotpError('refused', 'these are too many secrets for one archive', 'export them by name');
}

/**
 * The secrets, or undefined if the passphrase is wrong or any part of the archive was changed. Throws `bad_secret_file` if the content
 * is not as notp writes it.
 */
export function openArchive(archive: Archive, passphrase: string): readonly Archived[] | undefined {
  const key = passphraseKey(passphrase, archive.seal);
  const plaintext = decrypt(archive.ciphertext, { key, nonce: archive.nonce, associated: associated(archive) });
  key.fill(0);
  if (plaintext === undefined) return undefined;
  try {
    const all = shaped(CONTENT, canonicalJson(plaintext, 'the content of the archive'), 'the content of the archive');
    if (new Set(all.map(({ context }) => context)).size !== all.length) throw bad('the archive has two secrets of one name');
    return all;
  } finally {
    plaintext.fill(0);
  }
}

function printed({ context, credential }: Archived): object {
  const { type, secret, algorithm, digits, issuer, account } = credential;
  const moving = credential.type === 'totp' ? { period: credential.periodSeconds } : { counter: credential.counter };
  return { context, type, secret: toBase32(secret), algorithm, digits, issuer, account, ...moving };
}

function associated({ created, seal }: { readonly created: string; readonly seal: PassphraseSeal }): Uint8Array {
  return encodeFields([FORMAT, created, ...sealFields(seal)]);
}
