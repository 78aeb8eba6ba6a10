/**
 * PSKC (RFC 6030), the XML in which makers deliver tokens:
 *
 *   KeyContainer
 *     EncryptionKey, MACMethod                     see pskc-key.ts
 *     KeyPackage
 *       DeviceInfo  Manufacturer, SerialNo, Model, UserId
 *       Key Algorithm="…:hotp" | "…:totp"
 *         AlgorithmParameters  ResponseFormat Length, Encoding, CheckDigits; Suite
 *         Policy                                   see pskc-policy.ts
 *         Data  Secret, Counter, TimeInterval: each PlainValue, or EncryptedValue and ValueMAC
 *
 * Pure.
 */
import { quoted } from '../otp/escape.ts';
import { pskcKeys, type PskcKeys } from './pskc-key.ts';
import { forbids } from './pskc-policy.ts';
import { CHANGED, encryptedIn, valuesIn } from './pskc-values.ts';
import { seedOfPskc } from './seeds.ts';
import { tokenFileOf, type RawToken, type TokenDefaults, type TokenFile } from './tokens.ts';
import { all, first, rootOf, textAt, type Element } from './xml.ts';

export type PskcRead =
  | { readonly kind: 'tokens'; readonly file: TokenFile }
  /** Undefined from `open` where the password or key is wrong. `by`: what it is. */
  | { readonly kind: 'locked'; readonly by: 'password' | 'pre-shared key'; readonly open: (given: string) => TokenFile | undefined };

/** Undefined where `text` is no PSKC. `nowMs`: Unix time in milliseconds, for the dates in it. */
export function readPskc(text: string, nowMs: number, defaults: TokenDefaults = {}): PskcRead | undefined {
  const root = rootOf(text);
  if (root?.name !== 'KeyContainer') return undefined;
  const encrypted = encryptedIn(root);
  const tokens = (keys: PskcKeys | undefined): TokenFile =>
    tokensIn(root, text, (each) => {
      const why = forbids(each, nowMs);
      return why === undefined ? rawOf(first(each, 'Key'), { keys, encrypted, defaults }) : { why };
    });
  if (encrypted.size === 0) return { kind: 'tokens', file: tokens(undefined) };
  const by = first(root, 'EncryptionKey', 'DerivedKey') === undefined ? 'pre-shared key' : 'password';
  return {
    kind: 'locked',
    by,
    open: (given) => {
      const keys = pskcKeys(root, given);
      if (keys === undefined) return undefined;
      const file = tokens(keys);
      // A wrong key fits no token, a changed token has a MAC of its own.
      return file.tokens.length === 0 && file.mistakes.some(({ why }) => why === CHANGED) ? undefined : file;
    },
  };
}

function tokensIn(root: Element, text: string, raw: (keyPackage: Element) => RawToken['raw']): TokenFile {
  let [line, counted] = [1, 0];
  const packages = all(root, 'KeyPackage').map((each) => {
    line += text.slice(counted, each.at).split('\n').length - 1;
    counted = each.at;
    const device = first(each, 'DeviceInfo');
    const key = first(each, 'Key');
    const model = [textAt(device, 'Manufacturer').replace(/^.*\./, ''), textAt(device, 'Model')].filter((name) => name !== '').join(' ');
    // Without a device the id of the key is all that tells it.
    const serial = textAt(device, 'SerialNo') || (key?.attributes['Id'] ?? '');
    return { line, serial, model, user: userIn(textAt(key, 'UserId') || textAt(device, 'UserId')), raw: raw(each) };
  });
  return tokenFileOf(packages);
}

/** A user's name, or the UID or CN of a distinguished name. */
function userIn(text: string): string {
  return /(?:^|,)\s*(?:UID|CN)\s*=\s*([^,]+)/i.exec(text)?.[1]?.trim() ?? text;
}

interface Reading {
  readonly keys: PskcKeys | undefined;
  readonly encrypted: ReadonlySet<string>;
  readonly defaults: TokenDefaults;
}

function rawOf(key: Element | undefined, { keys, encrypted, defaults }: Reading): RawToken['raw'] {
  const type = /[:#](\w+)$/.exec(key?.attributes['Algorithm'] ?? '')?.[1] ?? 'none';
  const format = first(key, 'AlgorithmParameters', 'ResponseFormat')?.attributes ?? {};
  const { Encoding = 'DECIMAL', Length } = format;
  if (Encoding !== 'DECIMAL') return { why: `unsupported encoding of its codes: ${quoted(Encoding)}` };
  const values = valuesIn(key, ['Secret', type === 'hotp' ? 'Counter' : 'TimeInterval'], encrypted, keys);
  if ('why' in values) return values;
  const suite = textAt(key, 'AlgorithmParameters', 'Suite').replace(/^HMAC-?/i, '');
  return {
    type,
    secret: seedIn(values.get('Secret')),
    algorithm: suite === '' ? (defaults.algorithm ?? '') : suite,
    digits: Length ?? defaults.digits,
    period: numberIn(values.get('TimeInterval')) ?? defaults.periodSeconds,
    counter: numberIn(values.get('Counter')),
  };
}

/** What was encrypted has a MAC; base64 that stands plain must be whole, and is empty where it is not. */
function seedIn(value: Uint8Array | string = ''): Uint8Array | string {
  return typeof value === 'string' ? (seedOfPskc(value.replace(/\s/g, '')) ?? '') : value;
}

/** A number in decimal, or in big-endian bytes where it was encrypted. */
function numberIn(value: Uint8Array | string | undefined): number | string | undefined {
  return value instanceof Uint8Array ? Number(`0x${Buffer.from(value).toString('hex')}`) : value;
}
