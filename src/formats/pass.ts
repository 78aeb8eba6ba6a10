/** An entry of gopass, and of pass, whose secret stands behind a name instead of in a URI: `totp: BASE32`, perhaps with `digits: 8`. Pure. */
import { entryOf } from './entry.ts';
import { entriesRead, type Format } from './format.ts';

const SECRET = /^(totp|hotp|otp)(?:[ _-]secret)?\s*:(.*)$/i;
const BASE32 = /^[A-Za-z2-7 -]+=*$/;
const PARAMETER = /^(?:[ht]?otp[ _-])?(digits|period|algorithm|counter)\s*:(.*)$/i;

export const PASS: Format = {
  name: 'pass',
  read: ({ text }) => {
    const lines = text.split('\n');
    const secrets = lines.flatMap((line, i) => {
      const [, type = '', secret = ''] = SECRET.exec(line) ?? [];
      return BASE32.test(secret.trim()) ? [{ place: `line ${String(i + 1)}`, type: type.toLowerCase(), secret: secret.trim() }] : [];
    });
    const parameters = lines.flatMap((line) => {
      const [, name, value = ''] = PARAMETER.exec(line) ?? [];
      return name === undefined ? [] : [[name.toLowerCase(), value.trim()] as const];
    });
    const isClear = parameters.length === 0 || (secrets.length === 1 && new Map(parameters).size === parameters.length);
    return entriesRead(
      secrets.map(({ place, type, secret }) =>
        isClear
          ? entryOf({ place, type: type === 'hotp' ? type : 'totp', issuer: '', account: '', secret, ...Object.fromEntries(parameters) })
          : { place, name: '', why: 'which digits, period, algorithm or counter it has is unclear' },
      ),
    );
  },
};
