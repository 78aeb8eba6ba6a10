/** otpauth:// URIs (the Key URI Format of Google Authenticator), every parameter spelled out. Pure. */
import { generateURI } from 'otplib';
import { toBase32, type CodeParameters } from './code.ts';

export interface Account {
  readonly issuer: string;
  readonly account: string;
}

/**
 * The URI of a TOTP secret (raw bytes). otplib leaves defaults out, and apps disagree about defaults, so each
 * parameter is written whatever its value.
 */
export function otpauthUri(secret: Uint8Array, parameters: CodeParameters, { issuer, account }: Account): string {
  const written = generateURI({ secret: toBase32(secret), label: labelPart(account), issuer: labelPart(issuer) });
  const [label = '', query = ''] = written.split('?');
  const all = new URLSearchParams(query);
  all.set('algorithm', parameters.algorithm);
  all.set('digits', String(parameters.digits));
  all.set('period', String(parameters.periodSeconds));
  // Phones read "+" as a plus sign, not as a blank.
  return `${label}?${all.toString().replaceAll('+', '%20')}`;
}

/** A colon parts issuer and account, and the format has no way to write another one. */
function labelPart(text: string): string {
  return text.toWellFormed().replaceAll(':', '-');
}

/** Base32 in groups of four, for a person who types the key. */
export function groupedKey(secret: Uint8Array): string {
  return (toBase32(secret).match(/.{1,4}/g) ?? []).join(' ');
}
