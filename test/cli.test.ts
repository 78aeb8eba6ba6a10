/** The command line: help, wrong usage, and that a secret has no place on it. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ALGORITHMS } from '../src/otp/code.ts';
import { VERSION } from '../src/cli.ts';
import { QR_STYLES } from '../src/terminal/choices.ts';
import { run, type Ran } from './support/process.ts';
import { SOURCE_NOTP } from './support/world.ts';

const COMMANDS = [
  ['enroll'],
  ['verify'],
  ['status'],
  ['unlock'],
  ['revoke'],
  ['audit'],
  ['import'],
  ['setup'],
  ['host-key'],
  ['host-key', 'init'],
  ['host-key', 'id'],
  ['store'],
  ['store', 'migrate'],
  ['gate'],
  ['pam'],
];
const notp = (...words: string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words]);

describe('help', () => {
  for (const words of [[], ...COMMANDS]) {
    it(`of "${['notp', ...words].join(' ')}" goes to stdout with exit code 0, within 80 columns`, async () => {
      const { code, stdout, stderr } = await notp(...words, '--help');
      assert.equal(code, 0);
      assert.equal(stderr, '');
      assert.ok(stdout.startsWith(`Usage: ${['notp', ...words].join(' ')} `), stdout);
      assert.ok(stdout.endsWith('\n'));
      for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line);
    });
  }

  it('names every command, and the exit codes', async () => {
    const { stdout } = await notp('--help');
    for (const [name = ''] of COMMANDS) assert.match(stdout, new RegExp(`^ {2}${name} `, 'm'));
    assert.match(stdout, /Exit codes: 0 accepted or done, 1 refused, 2 wrong usage, 3 could not decide/);
  });

  it('offers --config everywhere, and every style and algorithm that enroll knows', async () => {
    for (const words of COMMANDS.filter((each) => !['host-key', 'setup', 'store'].includes(each.join()))) {
      assert.match((await notp(...words, '--help')).stdout, /--config <file>/, words.join(' '));
    }
    const { stdout } = await notp('enroll', '--help');
    for (const name of [...QR_STYLES, ...ALGORITHMS]) assert.ok(stdout.includes(`"${name}"`), name);
  });

  it('has a version', async () => {
    assert.deepEqual(await notp('--version'), { code: 0, signal: null, stdout: `notp ${VERSION}\n`, stderr: '' });
  });
});

describe('wrong usage', () => {
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['--frobnicate'], /unknown option '--frobnicate'/],
    [['enroll', '--frobnicate'], /unknown option '--frobnicate'/],
    [['enroll', '--passphrase', 'secret'], /unknown option '--passphrase'/],
    [['enroll', '--secret', 'JBSWY3DP'], /unknown option '--secret'/],
    [['verify', '--code', '123456'], /unknown option '--code'/],
    [['verify', 'ssh', '123456'], /too many arguments/],
    [['gate', 'extra'], /too many arguments/],
    [['enroll', '--config'], /argument missing/],
    [['enroll', '--seal', 'wax'], /Allowed choices are host, passphrase/],
    [['enroll', '--qr', 'blink'], /Allowed choices are unicode, ansi, ascii, none/],
    [['enroll', '--algorithm', 'MD5'], /Allowed choices are SHA1, SHA256, SHA512/],
    [['enroll', '--digits', '5'], /must be one of 6, 7, 8/],
    [['enroll', '--digits', '06'], /must be one of 6, 7, 8/],
    [['enroll', '--period', '14'], /whole number from 15 to 300/],
    [['enroll', '--period', '301'], /whole number from 15 to 300/],
    [['enroll', '--period', '3e1'], /whole number from 15 to 300/],
    [['enroll', '--recovery', '33'], /whole number from 0 to 32/],
    [['enroll', '--recovery', '-1'], /whole number from 0 to 32/],
    [['enroll', '--issuer', ''], /1 to 64 printable characters/],
    [['enroll', '--issuer', 'x'.repeat(65)], /1 to 64 printable characters/],
    [['enroll', '--account', 'a\u001b[31mb'], /1 to 64 printable characters/],
    [['audit', '-n', '1.5'], /whole number from 1 to 10000/],
    [['host-key', 'frobnicate'], /unknown command 'frobnicate'/],
  ];
  for (const [words, said] of wrong) {
    const shown = words.map((word) => (word.length > 20 ? '…' : JSON.stringify(word).slice(1, -1))).join(' ');
    it(`is said on stderr with a hint and exit code 2: notp ${shown}`, async () => {
      const { code, stdout, stderr } = await notp(...words);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, said);
      assert.match(stderr, /^notp: error: [^\n]+\nnotp: hint: see notp [^\n]*--help\n$/);
      assert.doesNotMatch(stderr.slice(0, -1).replaceAll('\n', ''), /\p{Cc}/u);
    });
  }

  let bare: Ran;
  before(async () => {
    bare = await notp();
  });
  it('without a command is the help, on stderr, with exit code 2', () => {
    assert.equal(bare.code, 2);
    assert.equal(bare.stdout, '');
    assert.match(bare.stderr, /^Usage: notp /);
  });
});
