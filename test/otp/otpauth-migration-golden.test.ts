/** The transfer that everybody has as an example is read, and refused wherever it is damaged. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NotpError } from '../../src/error.ts';
import { fromBase32 } from '../../src/otp/code.ts';
import { parseMigrationUri } from '../../src/otp/otpauth-migration.ts';
import { assertRefuses } from './credentials.ts';
import { uriOf } from './otpauth-migration-writer.ts';

/** The account that public readers of this format have as their example, with every field, as a phone writes it. */
const GOLDEN = 'CjUKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZSABKAEwAhABGAEgACjKlYjnBQ==';
/** The same as those readers have it: without what may be left out, and with a length that leaves half of the account outside it. */
const SHORT = 'CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZTAC';
const HALF_OUTSIDE = 'CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZSABKAEwAhABGAEgACjKlYjnBQ==';
const EXAMPLE = { algorithm: 'SHA1', digits: 6, issuer: 'Example', account: 'alice@google.com' } as const;
const HELLO = 'JBSWY3DPEHPK3PXP';

describe('the transfer that public readers have as their example', () => {
  const ways = {
    'in percent-encoding': encodeURIComponent(GOLDEN),
    'in the open': GOLDEN,
    'without padding': GOLDEN.replaceAll('=', ''),
    'with half of the account outside it': HALF_OUTSIDE,
    'in the alphabet for URIs': GOLDEN.replaceAll('+', '-').replaceAll('/', '_'),
  };
  for (const [how, data] of Object.entries(ways)) {
    it(`is read ${how}`, () => {
      const { credentials: found, ...rest } = parseMigrationUri(`otpauth-migration://offline?data=${data}`);
      assert.deepEqual(found, [{ type: 'totp', secret: fromBase32(HELLO), ...EXAMPLE, periodSeconds: 30 }]);
      assert.deepEqual(rest, { part: 0, parts: 1 });
    });
  }

  it('is read where it leaves out version, algorithm and digits, and does not say of how many codes it is one', () => {
    const { credentials: found, parts } = parseMigrationUri(`otpauth-migration://offline?data=${SHORT}`);
    assert.deepEqual(found, [{ type: 'totp', secret: fromBase32(HELLO), ...EXAMPLE, periodSeconds: 30 }]);
    assert.equal(parts, 0);
  });

  it('is refused wherever it is cut off, unless nothing of the account is lost', () => {
    const whole = Buffer.from(GOLDEN, 'base64');
    const account = 2 + (whole[1] ?? 0);
    const accepted = [...whole.keys()].filter((length) => {
      try {
        assert.deepEqual(parseMigrationUri(uriOf(whole.subarray(0, length))).credentials[0]?.secret, fromBase32(HELLO));
        return true;
      } catch (error) {
        assert.ok(error instanceof NotpError && error.code === 'refused', String(error));
        return false;
      }
    });
    // Only version, number of codes and place among them are lost.
    assert.deepEqual(accepted, [account, account + 2, account + 4, account + 6]);
  });

  it('is refused in capitals or with another name for its data', () => {
    for (const uri of ['otpauth-migration://offline?date=', 'otpauth-migration://online?data=', 'otpauth-migration:offline?data='])
      assertRefuses(() => parseMigrationUri(uri + GOLDEN), /its data is not base64/, GOLDEN);
    assertRefuses(() => parseMigrationUri(`OTPAUTH-MIGRATION://OFFLINE?DATA=${GOLDEN.toUpperCase()}`), /./, GOLDEN);
    assert.equal(parseMigrationUri(`OTPAUTH-MIGRATION://OFFLINE/?DATA=${GOLDEN}`).credentials.length, 1);
  });

  for (const data of ['', '=', 'A', '%', '%zz', '%E4', 'Cj EK', 'CjEK!', `${GOLDEN}A`, `A${GOLDEN}`, '////']) {
    it(`is not ${JSON.stringify(data.slice(0, 8))}`, () => {
      assertRefuses(() => parseMigrationUri(`otpauth-migration://offline?data=${data}`), /./, GOLDEN);
    });
  }

  it('with any one byte changed is read or refused, and nothing else', () => {
    const whole = Buffer.from(GOLDEN, 'base64');
    for (const at of whole.keys())
      for (let flip = 1; flip < 256; flip++) {
        const changed = uriOf(Uint8Array.from(whole).with(at, (whole[at] ?? 0) ^ flip));
        try {
          assert.ok(parseMigrationUri(changed).credentials.length > 0);
        } catch (error) {
          assert.ok(error instanceof NotpError && error.code === 'refused', `byte ${at} ^ ${flip}: ${String(error)}`);
          assert.doesNotMatch(error.message, /\p{Cc}/u);
        }
      }
  });
});
