/** Codes agree with an independent implementation, oathtool(1), over thousands of random secrets and parameters. */
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { it } from 'node:test';
import { ALGORITHMS, codeAt, DIGITS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, stepAt, type CodeParameters } from '../../src/otp/code.ts';
import { lacks, must } from '../support/world.ts';

const SECRETS = 120;
const CODES_EACH = 30;

/** CODES_EACH codes from the step of `seconds` on. */
function oathCodes(secret: Uint8Array, seconds: number, { algorithm, digits, periodSeconds }: CodeParameters): string[] {
  const parameters = [`--totp=${algorithm.toLowerCase()}`, `--digits=${digits}`, `--time-step-size=${periodSeconds}s`];
  const when = [`--now=@${seconds}`, `--window=${CODES_EACH - 1}`];
  return must(['oathtool', ...parameters, ...when, Buffer.from(secret).toString('hex')])
    .trim()
    .split('\n');
}

it('thousands of codes are the ones that oathtool prints', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  for (let i = 0; i < SECRETS; i++) {
    const algorithm = ALGORITHMS[i % 3] ?? 'SHA1';
    const digits = DIGITS[Math.floor(i / 3) % 3] ?? 6;
    const parameters = { algorithm, digits, periodSeconds: randomInt(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS + 1) };
    const secret = randomBytes(randomInt(10, 65));
    const seconds = randomInt(2 ** 32);
    const first = stepAt(seconds * 1000, parameters.periodSeconds);
    const ours = Array.from({ length: CODES_EACH }, (_, k) => codeAt(secret, first + k, parameters));
    const what = `secret ${secret.toString('hex')} at ${seconds}: ${JSON.stringify(parameters)}`;
    assert.deepEqual(ours, oathCodes(secret, seconds, parameters), what);
  }
});
