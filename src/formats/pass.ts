/** An entry of gopass, and of pass, whose secret stands behind a name instead of in a URI: `totp: BASE32`. Pure. */
import { entryOf } from './entry.ts';
import { entriesRead, type Format } from './format.ts';

const LINE = /^(totp|hotp|otp)(?:[ _-]secret)?\s*:\s*([A-Za-z2-7 -]+=*)\s*$/i;

export const PASS: Format = {
  name: 'pass',
  read: ({ text }) =>
    entriesRead(
      text.split('\n').flatMap((line, i) => {
        const [, type = '', secret] = LINE.exec(line) ?? [];
        if (secret === undefined) return [];
        return [
          entryOf({
            place: `line ${String(i + 1)}`,
            type: type.toLowerCase() === 'hotp' ? 'hotp' : 'totp',
            issuer: '',
            account: '',
            secret,
          }),
        ];
      }),
    ),
};
