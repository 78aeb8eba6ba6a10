/**
 * Exports of FreeOTP+: `{ "tokens": [{ "type", "issuerExt", "label", "secret": [-1, 2, …], "algo", "digits", "period", "counter" }] }`. The
 * secret is a list of signed bytes, the counter that of the last code. Pure.
 */
import { entryOf, wholeNumber } from './entry.ts';
import { fieldsOf, listOf, textOf } from './fields.ts';
import type { Format } from './format.ts';

export const FREEOTP_PLUS: Format = {
  name: 'FreeOTP+',
  read: ({ json }) => {
    const tokens = listOf(fieldsOf(json)['tokens']).map(fieldsOf);
    if (!tokens.some(({ secret }) => Array.isArray(secret))) return undefined;
    const entries = tokens.map(({ type, issuerExt, label, secret, algo, digits, period, counter }, i) =>
      entryOf({
        ...{ place: `entry ${String(i + 1)}`, type, issuer: textOf(issuerExt), account: textOf(label) },
        ...{ secret: bytesOf(secret), algorithm: algo },
        ...{ digits, period, counter: nextCounter(counter) },
      }),
    );
    return { kind: 'entries', entries };
  },
};

/** Signed or not; empty where one of them is no byte. */
function bytesOf(secret: unknown): Uint8Array {
  const bytes = listOf(secret);
  const isWhole = bytes.every((byte) => typeof byte === 'number' && Number.isInteger(byte) && byte >= -128 && byte <= 255);
  return Uint8Array.from(isWhole ? (bytes as readonly number[]) : []);
}

/** Of the next code, where the counter of the last one is known; what is no number stays as it is. */
function nextCounter(last: unknown): unknown {
  const counter = wholeNumber(last);
  return counter === undefined || Number.isNaN(counter) ? last : counter + 1;
}
