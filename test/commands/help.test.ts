/** `notp` alone, `notp help`, and a reader that leaves early. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everydayHelp, GROUP_OF, GROUPS, helpWords } from '../../src/commands/help.ts';
import { run, type Ran } from '../support/process.ts';
import { lacks, SOURCE_NOTP } from '../support/world.ts';
import { COMMANDS } from '../man/pages.ts';
import { ownCodes, SECRET } from './codes/own-codes.ts';

/** Runs `words` into a pipe that is closed at once. */
function unread(words: readonly string[]): Promise<Ran> {
  const command = words.map((word) => `'${word}'`).join(' ');
  return run(['bash', '-c', `${command} | sleep 0; exit \${PIPESTATUS[0]}`]);
}

const notp = (...words: string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words]);

describe('the everyday help', () => {
  it('fits 80 columns and 24 rows with the prompt below it, and names commands that are there, in groups', () => {
    const lines = everydayHelp().trimEnd().split('\n');
    assert.ok(lines.length <= 23, String(lines.length));
    for (const line of lines) assert.ok(line.length <= 80, line);
    for (const title of Object.values(GROUPS)) assert.ok(everydayHelp().includes(`\n${title}`), title);
    const names = lines.flatMap((line) => /^ {2}(\S+) {2,}/.exec(line)?.[1] ?? []);
    assert.ok(names.length > 10);
    const known = new Set(COMMANDS.flatMap((each) => [each, each.split(' ')[1] ?? each]));
    for (const name of names) assert.ok(known.has(name), name);
  });

  it('is what notp alone says on stderr with exit code 2, and notp help on stdout', async () => {
    assert.deepEqual(await notp(), { code: 2, signal: null, stdout: '', stderr: everydayHelp() });
    assert.deepEqual(await notp('help'), { code: 0, signal: null, stdout: everydayHelp(), stderr: '' });
  });
});

describe('notp help', () => {
  it('--all lists every command in its group', async () => {
    const { code, stdout } = await notp('help', '--all');
    assert.equal(code, 0);
    assert.deepEqual(await notp('--help'), { code: 0, signal: null, stdout, stderr: '' });
    const groups = stdout.split(/^(?=\S.*:$)/m);
    // notp-enroll is a program of its own, too, and not in this list.
    for (const [name, group] of Object.entries(GROUP_OF).filter(([each]) => each !== 'notp-enroll'))
      assert.match(groups.find((each) => each.startsWith(GROUPS[group])) ?? '', new RegExp(`^ {2}${name}[ |]`, 'm'), name);
  });

  it('knows the group of every command', () => {
    for (const name of new Set(COMMANDS.map((each) => each.split(' ')[1] ?? each))) if (name !== 'notp') assert.ok(name in GROUP_OF, name);
  });

  it('COMMAND is the help of that command, or of one below it', async () => {
    for (const words of [['code'], ['audit', 'verify'], ['notp-enroll']]) {
      const asked = await notp('help', ...words);
      assert.deepEqual(asked, await notp(...words, '--help'));
      assert.match(asked.stdout, /^Usage: notp/);
    }
    assert.deepEqual(helpWords(['code']), ['code', '--help']);
  });

  it('of what is no command is an error, which names what was meant on the same line', async () => {
    for (const words of [['help', 'cod'], ['cod']]) {
      const { code, stdout, stderr } = await notp(...words);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
      assert.equal(stderr, "notp: error: unknown command 'cod' (did you mean code?)\nnotp: hint: see notp --help\n");
    }
    assert.match(
      (await notp('list', '--al')).stderr,
      /^notp: error: unknown option '--al' \(did you mean --all\?\)\nnotp: hint: see notp --help\n$/,
    );
  });
});

describe('a reader that leaves', { skip: lacks({ programs: ['sh', 'python3'] }) }, () => {
  it('was an error of list and of help', async () => {
    const own = ownCodes('unread');
    for (const name of ['a', 'b']) assert.equal((await own.import(name, SECRET)).code, 0);
    const given = ['--config', own.config];
    for (const words of [
      ['help', '--all'],
      ['code', '--help'],
      ['list', ...given],
      ['code', '--all', ...given, '--passphrase-file', own.passphraseFile],
      ['rules', ...given],
    ]) {
      const { code, stderr } = await unread([...SOURCE_NOTP, ...words]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, words.join(' '));
    }
  });

  it('does not make an answer of the audit that nobody has read', async () => {
    const own = ownCodes('unread-verify');
    await own.enrol();
    const { code, stderr } = await unread([...SOURCE_NOTP, 'audit', 'verify', '--config', own.config]);
    assert.deepEqual({ code, stderr }, { code: 3, stderr: '' });
  });

  it('is still an error where what was printed is there once only', async () => {
    const own = ownCodes('unread-enrol');
    const words = [
      'enroll',
      '--config',
      own.config,
      '--seal',
      'passphrase',
      '--passphrase-file',
      own.passphraseFile,
      '--no-confirm',
      '--json',
    ];
    const { code, stderr } = await unread([...SOURCE_NOTP, ...words]);
    assert.equal(code, 3);
    assert.match(stderr, /the result cannot be written to stdout: broken pipe \(EPIPE\)/);
  });
});
