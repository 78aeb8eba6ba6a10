/**
 * Runs the commands that show something and ask nothing, or with the word `asking` those that ask or stay, one after the other, with each
 * command line and its exit code. In one process, so that it takes seconds.
 */
import * as fs from 'node:fs';
import { runCommand } from '../../src/cli.ts';
import { sayThrown } from '../../src/terminal/printer.ts';

const P = ['--passphrase-file', '/srv/passphrase'];

/** In this order, since some change what the next ones show. */
const COMMANDS: readonly (readonly string[])[] = [
  [],
  ['help', '--all'],
  ['help', 'code'],
  ['cod'],
  ['list', '--user', 'nobody-here'],
  ['list'],
  ['list', ...P],
  ['code', 'github', '--once', ...P],
  ['code', '--all', '--once', ...P],
  ['code', 'git', '--json', ...P],
  ['code', 'shop', '--once', ...P],
  ['export', 'github', ...P],
  ['export', '--all', '--file', '/srv/backup.notp', ...P],
  ['import', 'shop', '--file', '/srv/shop.txt', ...P],
  ['import', 'shop', '--file', '/srv/shop.txt', ...P],
  ['import', '--file', '/srv/backup.notp', ...P],
  ['rename', 'github', 'hub', ...P],
  ['passphrase', 'hub', ...P, '--new-passphrase-file', '/srv/weak'],
  ['passphrase', '--all', ...P, '--new-passphrase-file', '/srv/passphrase'],
  ['remove', 'hub', '--yes'],
  ['status', '--user', 'alice'],
  ['status', '--all'],
  ['list', '--all'],
  ['verify', '--user', 'alice', '--code-stdin'],
  ['unlock', '--user', 'alice'],
  ['recovery', '--user', 'alice', '--recovery', '3'],
  ['reseal', '--user', 'alice'],
  ['grant', 'alice', '--for', '2h', '--reason', 'no phone today'],
  ['grants'],
  ['forget', 'alice'],
  ['fleet'],
  ['revoke', '--user', 'alice', '--yes'],
  ['revoke', '--user', 'alice', '--yes'],
  ['audit'],
  ['audit', 'report'],
  ['audit', 'verify'],
  ['help', 'metrics'],
  ['metrics', '--textfile', '/srv/notp.txt'],
  ['rules'],
  ['rules', 'explain', 'alice'],
  ['config', 'check'],
  ['host-key', 'id'],
  ['host-key', 'retire'],
  ['store', 'hosts'],
  ['setup', 'callers'],
];

/** In the order of ANSWERS in command-screens.test.ts. */
const ASKING: readonly (readonly string[])[] = [
  ['code', 'github'],
  ['code', '--all'],
  ['code'],
  ['import', 'new'],
  ['verify', '--user', 'alice'],
  ['remove', 'new'],
  ['remove', 'new'],
  ['revoke', '--user', 'alice'],
];

process.umask(0o077);
// Each of them hears the signals that end it.
process.setMaxListeners(0);
for (const words of process.argv[2] === 'asking' ? ASKING : COMMANDS) {
  fs.writeSync(1, `$ notp ${words.join(' ')}\n`);
  let code: number | string;
  try {
    code = await runCommand(words, { environment: process.env, umask: 0o022, now: Date.now });
  } catch (error) {
    sayThrown(error);
    code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
  }
  fs.writeSync(1, `(${String(code)})\n\n`);
}
