/** The command tree. The options of each command are in cli/, what it does is in its own file, loaded when it is called. */
import { Command, CommanderError } from 'commander';
import { addAudit } from './cli/audit.ts';
import { addCodeCommands } from './cli/codes.ts';
import type { Finish, Surroundings } from './cli/common.ts';
import { addDoctor } from './cli/doctor.ts';
import { addDoors, DOORS } from './cli/doors.ts';
import { addEnrollCommands } from './cli/enroll.ts';
import { addEnrolmentCommands } from './cli/enrolments.ts';
import { addImport } from './cli/import.ts';
import { addKeyCommands } from './cli/keys.ts';
import { addSetup } from './cli/setup.ts';
import { addStore } from './cli/store.ts';
import { addVerify } from './cli/verify.ts';
import { NotpError } from './error.ts';
import { forbidCoreDumps } from './system/core-dumps.ts';
import { printResult, say, sayError } from './terminal/printer.ts';

export const VERSION = '0.1.0';

/** Runs the command that `words` (argv without program and script) name, and gives its exit code. Throws what a command throws. */
export async function runCommand(words: readonly string[], surroundings: Surroundings): Promise<number> {
  let exitCode: number | undefined;
  const program = commandTree(surroundings, (code) => (exitCode = code));
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version are asked for and done; all else is wrong usage, said already.
    return error.exitCode === 0 ? 0 : 2;
  }
  if (exitCode === undefined) throw new NotpError('failed', 'the command ended without an answer');
  return exitCode;
}

/** All commands with their options and help; `finish` takes the exit code of the one that ran. */
export function commandTree(surroundings: Surroundings, finish: Finish): Command {
  const program = new Command('notp');
  program
    .description('a one-time code as second factor for SSH logins')
    .version(`notp ${VERSION}`)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: printResult,
      writeErr: say,
      outputError: (message) => sayError(withoutWords(message), 'see notp --help'),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 accepted or done, 1 refused, 2 wrong usage, 3 could not decide.\nman notp tells more, man notp-gate and man notp-pam how sshd and PAM call it.',
    );
  // A door becomes the user's shell, whose limits are the user's.
  program.hook('preAction', (_, command) => {
    if (!DOORS.includes(command.name())) forbidCoreDumps();
  });
  addEnrollCommands(program, surroundings, finish);
  addVerify(program, surroundings, finish);
  addEnrolmentCommands(program, surroundings, finish);
  addKeyCommands(program, surroundings, finish);
  addStore(program, surroundings, finish);
  addAudit(program, surroundings, finish);
  addImport(program, surroundings, finish);
  addCodeCommands(program, surroundings, finish);
  addSetup(program, surroundings, finish);
  addDoctor(program, surroundings, finish);
  addDoors(program, surroundings, finish);
  return program;
}

/** What commander says is wrong, without the words that were given: one of them may be a secret or a code. */
function withoutWords(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/(but got \d+): .*/s, '$1; no secret and no code is given on the command line')
    .replace(/(unknown option '[^=']*)=.*'/s, "$1'")
    .replace(/(unknown command '[^']{0,20})[^']*'/s, "$1'")
    .replace(/(unknown command) 'otpauth[^']*'/is, '$1; no secret is given on the command line')
    .trim();
}
