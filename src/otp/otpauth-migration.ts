/**
 * otpauth-migration:// URIs, which Google Authenticator's "Transfer accounts" and apps with the same format show as QR
 * codes, several accounts in each. The data is a protocol buffer:
 *
 *   Payload { repeated Account accounts = 1; int32 version = 2; int32 batch_size = 3; int32 batch_index = 4; int32 batch_id = 5 }
 *   Account { bytes secret = 1; string name = 2; string issuer = 3; int algorithm = 4; int digits = 5; int type = 6; int64 counter = 7 }
 *
 * Pure.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { NotpError } from '../error.ts';
import { MAX_SECRET_BYTES, MIN_SECRET_BYTES, type Algorithm, type Digits } from './code.ts';
import { quoted } from './escape.ts';
import { USUAL_PARAMETERS, type CredentialNames, type Credential } from './uri.ts';
import { isLabel } from './names.ts';

/** The accounts of one QR code, and its place among the QR codes of one transfer. */
export interface Migration {
  readonly credentials: readonly Credential[];
  /** From 0. */
  readonly part: number;
  /** 0 if it is missing. Some programs do not write it; but it comes after the accounts, so accounts may be cut off too. */
  readonly parts: number;
}

/** The numbers of the format; 0 or a missing field means the default. */
const ALGORITHM_NUMBERS: readonly Algorithm[] = [USUAL_PARAMETERS.algorithm, 'SHA1', 'SHA256', 'SHA512'];
const DIGIT_NUMBERS: readonly Digits[] = [USUAL_PARAMETERS.digits, 6, 8];
const TYPE_NUMBERS = ['totp', 'hotp', 'totp'] as const;

/** Throws `refused` with what is wrong, never with a secret. */
export function parseMigrationUri(uri: string): Migration {
  const fields = fieldsOf(dataOf(uri), 'the transfer');
  const credentials = (fields.bytes.get(1) ?? []).map((bytes, i) => credentialOf(bytes, `account ${String(i + 1)}`));
  if (credentials.length === 0) throw bad('it holds no account');
  return { credentials, part: number(fields, 4), parts: number(fields, 3) };
}

function dataOf(uri: string): Uint8Array {
  const written = /^otpauth-migration:\/\/offline\/?\?data=([A-Za-z0-9+/=%_-]+)$/i.exec(uri)?.[1];
  const base64 = decoded(written ?? '');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === 0 || bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) throw bad('its data is not base64');
  return new Uint8Array(bytes);
}

/** Percent-encoded or not, in either alphabet of base64; empty where the percent-encoding is damaged. */
function decoded(written: string): string {
  try {
    return decodeURIComponent(written).replaceAll('-', '+').replaceAll('_', '/');
  } catch {
    return '';
  }
}

function credentialOf(bytes: Uint8Array, place: string): Credential {
  const fields = fieldsOf(bytes, place);
  const account = namesOf(fields);
  const name = `${place} (${quoted(account.account)})`;
  const secret = fields.bytes.get(1)?.at(-1);
  if (secret === undefined || secret.length < MIN_SECRET_BYTES || secret.length > MAX_SECRET_BYTES)
    throw bad(`${name} has a secret that is too short or too long`);
  if (!isLabel(account.issuer) || !isLabel(account.account)) throw bad(`${place} has a name that is too long or holds control characters`);
  const algorithm = ALGORITHM_NUMBERS[number(fields, 4)];
  const digits = DIGIT_NUMBERS[number(fields, 5)];
  const type = TYPE_NUMBERS[number(fields, 6)];
  if (algorithm === undefined || digits === undefined || type === undefined)
    throw bad(`${name} uses an unsupported algorithm, number of digits or type`);
  const rest = { secret: Uint8Array.from(secret), algorithm, digits, ...account };
  if (type === 'hotp') return { type, ...rest, counter: number(fields, 7) };
  return { type, ...rest, periodSeconds: USUAL_PARAMETERS.periodSeconds };
}

/** The name is `account` or `issuer:account`. */
function namesOf(fields: Fields): CredentialNames {
  const [name, issuer] = [2, 3].map((field) => text(fields, field).trim()) as [string, string];
  if (issuer !== '' && name.startsWith(`${issuer}:`)) return { issuer, account: name.slice(issuer.length + 1).trim() };
  const colon = name.indexOf(':');
  if (issuer !== '' || colon === -1) return { issuer, account: name };
  return { issuer: name.slice(0, colon).trim(), account: name.slice(colon + 1).trim() };
}

/** The fields of a message, by field number. */
interface Fields {
  readonly numbers: ReadonlyMap<number, number>;
  readonly bytes: ReadonlyMap<number, readonly Uint8Array[]>;
}

function fieldsOf(message: Uint8Array, name: string): Fields {
  const numbers = new Map<number, number>();
  const bytes = new Map<number, Uint8Array[]>();
  try {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (wireType === WireType.Varint) numbers.set(field, Number(reader.int64()));
      else if (wireType === WireType.LengthDelimited) listAt(bytes, field).push(reader.bytes());
      else reader.skip(wireType, field);
    }
  } catch {
    throw bad(`${name} is cut off or damaged`);
  }
  return { numbers, bytes };
}

function listAt(lists: Map<number, Uint8Array[]>, field: number): Uint8Array[] {
  const list = lists.get(field) ?? [];
  lists.set(field, list);
  return list;
}

function number({ numbers }: Fields, field: number): number {
  const value = numbers.get(field) ?? 0;
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw bad('a number in it is out of range');
}

function text({ bytes }: Fields, field: number): string {
  return Buffer.from(bytes.get(field)?.at(-1) ?? []).toString('utf8');
}

function bad(why: string): NotpError {
  return new NotpError('refused', `this otpauth-migration URI cannot be used: ${why}`, 'scan the QR code again; nothing was imported');
}
