/**
 * PSKC (RFC 6030), the XML in which makers deliver tokens:
 *
 *   KeyContainer
 *     EncryptionKey, MACMethod                     see pskc-key.ts
 *     KeyPackage
 *       DeviceInfo  Manufacturer, SerialNo, Model, UserId
 *       Key Algorithm="…:hotp" | "…:totp"
 *         AlgorithmParameters  ResponseFormat Length, Encoding; Suite
 *         Data  Secret, Counter, TimeInterval: each PlainValue, or EncryptedValue and ValueMAC
 *
 * Pure.
 */
import { quoted } from '../otp/escape.ts';
import { base64Of } from './fields.ts';
import { pskcKeys, type PskcKeys } from './pskc-key.ts';
import { tokenFileOf, type RawToken, type TokenDefaults, type TokenFile } from './tokens.ts';
import { all, first, rootOf, textAt, type Element } from './xml.ts';

export type PskcRead =
  | { readonly kind: 'tokens'; readonly file: TokenFile }
  /** Undefined from `open` where the password or key is wrong. `by`: what it is. */
  | { readonly kind: 'locked'; readonly by: 'password' | 'pre-shared key'; readonly open: (given: string) => TokenFile | undefined };

/** Undefined where `text` is no PSKC. */
export function readPskc(text: string, defaults: TokenDefaults = {}): PskcRead | undefined {
  const root = rootOf(text);
  if (root?.name !== 'KeyContainer') return undefined;
  const tokens = (keys: PskcKeys | undefined): TokenFile => tokensIn(root, text, keys, defaults);
  const isLocked = all(root, 'KeyPackage', 'Key', 'Data', 'Secret', 'EncryptedValue').length > 0;
  if (!isLocked) return { kind: 'tokens', file: tokens(undefined) };
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

const CHANGED = 'its MAC is wrong: it was changed, or the key is another';

function tokensIn(root: Element, text: string, keys: PskcKeys | undefined, defaults: TokenDefaults): TokenFile {
  let [line, counted] = [1, 0];
  const packages = all(root, 'KeyPackage').map((each) => {
    line += text.slice(counted, each.at).split('\n').length - 1;
    counted = each.at;
    const device = first(each, 'DeviceInfo');
    const key = first(each, 'Key');
    const model = [textAt(device, 'Manufacturer').replace(/^.*\./, ''), textAt(device, 'Model')].filter((name) => name !== '').join(' ');
    // Without a device the id of the key is all that tells it.
    const serial = textAt(device, 'SerialNo') || (key?.attributes['Id'] ?? '');
    return { line, serial, model, user: userIn(textAt(key, 'UserId') || textAt(device, 'UserId')), raw: rawOf(key, keys, defaults) };
  });
  return tokenFileOf(packages);
}

/** A user's name, or the UID or CN of a distinguished name. */
function userIn(text: string): string {
  return /(?:^|,)\s*(?:UID|CN)\s*=\s*([^,]+)/i.exec(text)?.[1]?.trim() ?? text;
}

function rawOf(key: Element | undefined, keys: PskcKeys | undefined, defaults: TokenDefaults): RawToken['raw'] {
  const type = /[:#](\w+)$/.exec(key?.attributes['Algorithm'] ?? '')?.[1] ?? 'none';
  const format = first(key, 'AlgorithmParameters', 'ResponseFormat')?.attributes ?? {};
  const { Encoding = 'DECIMAL', Length } = format;
  if (Encoding !== 'DECIMAL') return { why: `unsupported encoding of its codes: ${quoted(Encoding)}` };
  const valueOf = (name: string): Uint8Array | string | undefined => valueIn(first(key, 'Data', name), keys);
  const secret = valueOf('Secret');
  if (secret === undefined) return { why: CHANGED };
  const [counter, period] = ['Counter', 'TimeInterval'].map((name) => numberIn(valueOf(name)));
  const suite = textAt(key, 'AlgorithmParameters', 'Suite').replace(/^HMAC-?/i, '');
  return {
    type,
    secret: typeof secret === 'string' ? base64Of(secret) : secret,
    algorithm: suite === '' ? (defaults.algorithm ?? '') : suite,
    digits: Length === undefined ? defaults.digits : Number(Length),
    period: period ?? defaults.periodSeconds,
    counter,
  };
}

/** Text that stands plain, or bytes that were encrypted; undefined where the MAC is wrong or there is no key. */
function valueIn(data: Element | undefined, keys: PskcKeys | undefined): Uint8Array | string | undefined {
  const encrypted = first(data, 'EncryptedValue');
  if (encrypted === undefined) return textAt(data, 'PlainValue');
  return keys?.open(encrypted, textAt(data, 'ValueMAC'));
}

/** A number in decimal, or in big-endian bytes where it was encrypted. */
function numberIn(value: Uint8Array | string | undefined): number | undefined {
  if (value === undefined || value.length === 0) return undefined;
  return Number(typeof value === 'string' ? value : `0x${Buffer.from(value).toString('hex')}`);
}
