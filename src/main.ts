/** The entry. Deny is the initial state, and this file alone ends the process. */
import { runCommand } from './cli.ts';
import { NotpError, type ErrorCode } from './error.ts';
import { sayThrown } from './system/printer.ts';

const COULD_NOT_DECIDE = 3;

// An awaited promise that never settles would end the process with 0, which PAM reads as success.
process.exitCode = COULD_NOT_DECIDE;
process.exit(await main());

async function main(): Promise<number> {
  const umask = process.umask(0o077);
  try {
    return await runCommand(process.argv.slice(2), { environment: process.env, umask, now: Date.now });
  } catch (error) {
    sayThrown(error);
    return error instanceof NotpError ? exitCodeOf(error.code) : COULD_NOT_DECIDE;
  }
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
