/** Round trips of random secrets: imported, their codes agree with oathtool; exported and imported again, they are the same. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { ALGORITHMS, DIGITS, toBase32 } from '../../../src/otp/code.ts';
import { lacks } from '../../support/world.ts';
import { assertCodeOf, ownCodes } from './own-codes.ts';

const RUNS = 10;
/** Letters that have troubled some reader of URIs. */
const LETTERS = [
  'a',
  'Z',
  '7',
  ' ',
  ':',
  '@',
  '.',
  '-',
  '_',
  '+',
  '%',
  '&',
  '=',
  '?',
  '#',
  '/',
  '"',
  "'",
  'ü',
  'ß',
  '東',
  '京',
  '😀',
  '%41',
];

const name = (minLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...LETTERS), minLength, maxLength: 12 }).filter((text) => text === text.trim());

const CREDENTIAL = fc.record({
  secret: fc.uint8Array({ minLength: 10, maxLength: 64 }),
  algorithm: fc.constantFrom(...ALGORITHMS),
  digits: fc.constantFrom(...DIGITS),
  period: fc.integer({ min: 15, max: 300 }),
  issuer: name(1),
  account: name(1),
});
type Random = typeof CREDENTIAL extends fc.Arbitrary<infer T> ? T : never;

it(
  'random secrets with random names come through import, code, export and import',
  { skip: lacks({ programs: ['oathtool'] }) },
  async (test) => {
    const seed = Date.now();
    test.diagnostic(`seed ${String(seed)}`);
    const credentials = fc.sample(CREDENTIAL, { numRuns: RUNS, seed });
    const own = ownCodes('round-trip');
    const imported = await own.import('first', credentials.map(uriOf).join('\n'), ['--json']);
    assert.equal(imported.code, 0, imported.stderr);
    const first = linesOf(imported.stdout);
    assert.deepEqual(
      first.map(({ issuer, account, algorithm, digits, period }) => ({ issuer, account, algorithm, digits, period })),
      credentials.map(({ issuer, account, algorithm, digits, period }) => ({ issuer, account, algorithm, digits, period })),
      `seed ${String(seed)}`,
    );
    const exported: string[] = [];
    for (const [i, { secret, algorithm, digits, period }] of credentials.entries()) {
      const context = String(first[i]?.['context']);
      const kind = [`--totp=${algorithm.toLowerCase()}`, `--digits=${String(digits)}`, `--time-step-size=${String(period)}s`];
      await assertCodeOf(own, context, toBase32(secret), kind);
      const { stdout } = await own.opening(['export', context, '--json']);
      const { uri, secret: same } = JSON.parse(stdout) as { uri: string; secret: string };
      assert.equal(same, toBase32(secret));
      exported.push(uri);
    }
    const again = await own.import('second', exported.join('\n'), ['--json']);
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(linesOf(again.stdout).map(names), first.map(names), `seed ${String(seed)}`);
    const last = linesOf(again.stdout).at(-1);
    const { stdout } = await own.opening(['export', String(last?.['context'])]);
    assert.equal(stdout, `${exported.at(-1) ?? ''}\n`);
  },
);

function names({ context, issuer, account, algorithm, digits, period }: Record<string, unknown>): unknown[] {
  return [String(context).replace(/^(first|second)/, ''), issuer, account, algorithm, digits, period];
}

/** As the Key URI Format has it: each part percent-encoded. */
function uriOf({ secret, algorithm, digits, period, issuer, account }: Random): string {
  const [label, parameter] = [`${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`, encodeURIComponent(issuer)];
  return `otpauth://totp/${label}?secret=${toBase32(secret)}&issuer=${parameter}&algorithm=${algorithm}&digits=${String(digits)}&period=${String(period)}`;
}

function linesOf(stdout: string): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
