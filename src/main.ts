/** The entry. Deny is the initial state, and this file alone ends the process. */
import * as path from 'node:path';
import { setFlagsFromString, startupSnapshot } from 'node:v8';
import { runCommand } from './cli.ts';
import { NotpError, type ErrorCode } from './error.ts';
import { shedFileLimit, shedSwitches } from './system/inherited.ts';
import { sayThrown } from './terminal/printer.ts';

const COULD_NOT_DECIDE = 3;

if (startupSnapshot.isBuildingSnapshot()) intoSnapshot();
else start();

/** Begins what packaging/executable.ts makes, a snapshot in which the doors are loaded and nothing was run. The executable goes on with start(). */
function intoSnapshot(): void {
  // All functions are compiled, and kept. The executable runs without these options, and refuses the snapshot of others.
  for (const option of ['--lazy', '--flush-bytecode']) setFlagsFromString(option);
  // Node.js sets them anew at the start. Until then they are of the process that makes the snapshot.
  Object.assign(process, { argv: [], execArgv: [], execPath: '' });
  Object.defineProperty(process, 'pid', { value: 0 });
  startupSnapshot.setDeserializeMainFunction(start);
}

function start(): void {
  // An awaited promise that never settles would end the process with 0, which PAM reads as success.
  process.exitCode = COULD_NOT_DECIDE;
  shedSwitches(process.argv[1] ?? '', process.argv.slice(2));
  void main().then((code) => process.exit(code));
}

async function main(): Promise<number> {
  const umask = process.umask(0o077);
  try {
    const [word] = process.argv.slice(2);
    if (word === 'pam') shedFileLimit(process.argv.slice(2));
    return await runCommand(words(), { environment: process.env, umask, now: Date.now });
  } catch (error) {
    sayThrown(error);
    return error instanceof NotpError ? exitCodeOf(error.code) : COULD_NOT_DECIDE;
  }
}

/**
 * The words of the command. The executable has a second name, notp-enroll, which is a command too; the script bin/notp
 * adds that word itself.
 */
function words(): string[] {
  const [, called = '', ...given] = process.argv;
  return path.basename(called) === 'notp-enroll' ? ['notp-enroll', ...given] : given;
}

function exitCodeOf(code: ErrorCode): number {
  switch (code) {
    case 'usage':
      return 2;
    case 'refused':
    case 'not_permitted':
      return 1;
    case 'failed':
    case 'bad_secret_file':
    case 'bad_configuration':
    case 'store_unavailable':
    case 'audit_unavailable':
      return COULD_NOT_DECIDE;
  }
}
