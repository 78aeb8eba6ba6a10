/** The command line of one's own codes: every flag of the contract is in the help, which fits a terminal, and wrong usage says no secret again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EXPORT_FORMATS, IMPORT_FORMATS, LOGIN_FORMATS } from '../src/terminal/choices.ts';
import { run, type Ran } from './support/process.ts';
import { SOURCE_NOTP } from './support/world.ts';

const PASSPHRASE_FLAGS = ['--config <file>', '--passphrase-file <file>', '--json'];
const FLAGS = {
  code: [...PASSPHRASE_FLAGS, '[context...]', '--all', '--watch', '--once', '--copy'],
  import: [
    ...PASSPHRASE_FLAGS,
    '[context]',
    '--from <format>',
    '--file <file>',
    '--user <name>',
    '--seal <kind>',
    '--dry-run',
    '--replace',
    '--new-passphrase-file <file>',
    ...IMPORT_FORMATS,
    ...LOGIN_FORMATS,
  ],
  export: [...PASSPHRASE_FLAGS, '[context]', '--user <name>', '--to <format>', '--file <file>', '--all', ...EXPORT_FORMATS],
  list: [...PASSPHRASE_FLAGS, '--user <name>', '--all'],
  passphrase: [...PASSPHRASE_FLAGS, '[context]', '--user <name>', '--new-passphrase-file <file>', '--all'],
  rename: [...PASSPHRASE_FLAGS, '<context>', '<name>'],
  remove: ['--config <file>', '--json', '<context>', '--yes'],
  demo: ['--qr <style>', '--json'],
};
const notp = (...words: string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words]);

describe('help', () => {
  for (const [command, flags] of Object.entries(FLAGS)) {
    it(`of notp ${command} names each of its flags, and no line is over 80 columns`, async () => {
      const { code, stdout, stderr } = await notp(command, '--help');
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      assert.ok(stdout.startsWith(`Usage: notp ${command} [options]`), stdout);
      for (const flag of flags) assert.ok(stdout.includes(flag), `${flag} is missing`);
      for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line);
    });
  }

  it('of notp names each of these commands', async () => {
    const { stdout } = await notp('--help');
    for (const command of Object.keys(FLAGS)) assert.match(stdout, new RegExp(`^ {2}${command} `, 'm'));
  });
});

describe('wrong usage', () => {
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [['import', 'x', '--from', 'paper'], /Allowed choices are uri, base32, otpauth-migration, python-notp, google-authenticator, pam-oath/],
    [['import', 'x', '--period', '14'], /whole number from 15 to 300/],
    [['import', 'x', '--digits', '9'], /must be one of 6, 7, 8/],
    [['import', 'x', '--issuer', 'a\u001b[31mb'], /1 to 64 printable characters/],
    [['export', 'x', '--to', 'paper'], /Allowed choices are uri, base32, qr, png, svg/],
    [['export', 'x', 'y'], /too many arguments for 'export'/],
    [['code', 'x', '--copy', '--json'], /cannot be used with/],
    [['rename', 'x'], /missing required argument 'name'/],
    [['code', 'x', '--once', '--watch'], /cannot be used with/],
    [['list', 'x'], /too many arguments for 'list'/],
    [['passphrase', 'x', '--passphrase', 'y'], /unknown option '--passphrase'/],
    [['remove'], /missing required argument 'context'/],
    [['remove', 'x', '--passphrase-file', 'y'], /unknown option '--passphrase-file'/],
  ];
  for (const [words, said] of wrong) {
    it(`is said on stderr with a hint and exit code 2: notp ${words.join(' ').replaceAll('\u001b', '^[')}`, async () => {
      const { code, stdout, stderr } = await notp(...words);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
      assert.match(stderr, said);
      assert.match(stderr, /^notp: error: [^\n]+\nnotp: hint: see notp [^\n]*--help\n$/);
      assert.doesNotMatch(stderr.replaceAll('\n', ''), /\p{Cc}/u);
    });
  }
});
