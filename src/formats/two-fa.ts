/** The keychain of rsc.io/2fa, `~/.2fa`: `NAME DIGITS BASE32 [COUNTER]`, one a line. The counter is that of the last code. Pure. */
import { entryOf } from './entry.ts';
import { entriesRead, type Format } from './format.ts';

const LINE = /^(\S+) ([678]) ([A-Za-z2-7]+=*)(?: (\d{20}))?\s*$/;

export const TWO_FA: Format = {
  name: '2fa',
  read: ({ text }) => {
    const lines = text.split('\n');
    if (lines.some((line) => !LINE.test(line) && line.trim() !== '')) return undefined;
    return entriesRead(
      lines.flatMap((line, i) => {
        const found = LINE.exec(line);
        if (found === null) return [];
        const [, account = '', digits, secret = '', counter] = found;
        const place = `line ${String(i + 1)}`;
        return [
          entryOf({
            ...{ place, issuer: '', account, secret, digits: Number(digits) },
            ...(counter === undefined ? { type: 'totp' } : { type: 'hotp', counter: Number(counter) + 1 }),
          }),
        ];
      }),
    );
  },
};
