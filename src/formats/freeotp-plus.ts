/**
 * Exports of FreeOTP+: `{ "tokens": [{ "type", "issuerExt", "label", "secret": [-1, 2, …], "algo", "digits", "period", "counter" }] }`. The
 * secret is a list of signed bytes, the counter that of the last code. Pure.
 */
import { entryOf } from './entry.ts';
import { fieldsOf, listOf, numberOf, textOf } from './fields.ts';
import type { Format } from './format.ts';

export const FREEOTP_PLUS: Format = {
  name: 'FreeOTP+',
  read: ({ json }) => {
    const tokens = listOf(fieldsOf(json)['tokens']).map(fieldsOf);
    if (!tokens.some(({ secret }) => Array.isArray(secret))) return undefined;
    const entries = tokens.map(({ type, issuerExt, label, secret, algo, digits, period, counter }, i) =>
      entryOf({
        ...{ place: `entry ${String(i + 1)}`, type: textOf(type), issuer: textOf(issuerExt), account: textOf(label) },
        ...{ secret: Uint8Array.from(listOf(secret), (byte) => numberOf(byte) ?? 0), algorithm: textOf(algo) },
        ...{ digits: numberOf(digits), period: numberOf(period), counter: (numberOf(counter) ?? -1) + 1 },
      }),
    );
    return { kind: 'entries', entries };
  },
};
