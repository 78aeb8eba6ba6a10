/** The command tree. Each command is loaded only when it is called. */
import { Command, CommanderError } from 'commander';
import { everydayHelp, GROUP_OF, GROUPS, helpWords } from './commands/help.ts';
import type { Finish, Surroundings } from './commands/options.ts';
import { NotpError } from './error.ts';
import { forbidCoreDumps } from './system/core-dumps.ts';
import { breakBetweenWords, isUnread, printLines, sayError, sayLines } from './terminal/printer.ts';

export const VERSION = '0.1.0';

/** Runs the command in `words` (argv without program and script) and gives its exit code. Throws what the command throws. */
export async function runCommand(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const [first = '', ...asked] = words;
  if (!DOORS.includes(first)) breakBetweenWords();
  if (first === '') {
    sayLines(everydayHelp());
    return 2;
  }
  try {
    if (first !== 'help') return await run(words, surroundings);
    const meant = helpWords(asked);
    // Of a word that is no command it would be the help of all.
    const isCommand = meant === undefined || meant[0] === '--help' || COMMANDS.some((each) => each.words.includes(meant[0] ?? ''));
    if (meant !== undefined) return await run(isCommand ? meant : meant.slice(0, 1), surroundings);
    printLines(everydayHelp());
    return 0;
  } catch (error) {
    const unread = exitCodeUnread(words);
    if (unread === undefined || !isUnread(error)) throw error;
    return unread;
  }
}

/** What is only there to be read, and changes nothing. */
const READ = ['help', 'list', 'status', 'code', 'audit', 'rules', 'demo', 'export', 'doctor', 'metrics'];
/** Those whose exit code is an answer, which nobody has waited for. */
const ANSWERS = ['doctor', 'audit verify'];

/** The exit code of a command whose reader, such as head(1), has left; undefined where that is an error. */
function exitCodeUnread(words: readonly string[]): number | undefined {
  if (words.some((word) => ['--help', '-h', '--version', '-V'].includes(word))) return 0;
  if (!READ.includes(words[0] ?? '')) return undefined;
  return ANSWERS.some((each) => words.join(' ').startsWith(each)) ? 3 : 0;
}

async function run(words: readonly string[], surroundings: Surroundings): Promise<number> {
  let exitCode: number | undefined;
  const program = await commandTree(surroundings, (code) => (exitCode = code), words[0]);
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Exit code 0 means help or version was printed. Anything else is wrong usage; commander has printed the message.
    return error.exitCode === 0 ? 0 : 2;
  }
  if (exitCode === undefined) throw new NotpError('failed', 'the command ended without an exit code');
  return exitCode;
}

type Add = (program: Command, surroundings: Surroundings, finish: Finish) => void;

/** The gate becomes the user's shell, so it must not change limits such as the size of core dumps. */
const DOORS = ['gate', 'pam', 'serve'];

/** The commands with the words that call them, in the order of the help. */
const COMMANDS: readonly { readonly words: readonly string[]; readonly load: () => Promise<Add> }[] = [
  { words: ['enroll', 'notp-enroll'], load: async () => (await import('./commands/enroll/enroll.ts')).addEnrollCommands },
  { words: ['verify'], load: async () => (await import('./commands/verify/verify.ts')).addVerify },
  { words: ['status'], load: async () => (await import('./commands/enrolments/status.ts')).addStatus },
  { words: ['forget'], load: async () => (await import('./commands/enrolments/forget.ts')).addForget },
  { words: ['revoke'], load: async () => (await import('./commands/enrolments/revoke.ts')).addRevoke },
  { words: ['recovery'], load: async () => (await import('./commands/keys/recovery.ts')).addRecovery },
  { words: ['reseal'], load: async () => (await import('./commands/keys/reseal.ts')).addReseal },
  { words: ['import'], load: async () => (await import('./commands/import/import.ts')).addImport },
  { words: ['code'], load: async () => (await import('./commands/codes/code.ts')).addCode },
  { words: ['list'], load: async () => (await import('./commands/codes/list.ts')).addList },
  { words: ['export'], load: async () => (await import('./commands/codes/export.ts')).addExport },
  { words: ['passphrase'], load: async () => (await import('./commands/codes/passphrase.ts')).addPassphrase },
  { words: ['rename'], load: async () => (await import('./commands/codes/rename.ts')).addRename },
  { words: ['remove'], load: async () => (await import('./commands/codes/remove.ts')).addRemove },
  { words: ['demo'], load: async () => (await import('./commands/codes/demo.ts')).addDemo },
  { words: ['grant'], load: async () => (await import('./commands/grants/grant.ts')).addGrant },
  { words: ['grants'], load: async () => (await import('./commands/grants/grants.ts')).addGrants },
  { words: ['setup'], load: async () => (await import('./commands/setup/setup.ts')).addSetup },
  { words: ['doctor'], load: async () => (await import('./commands/doctor/doctor.ts')).addDoctor },
  { words: ['audit'], load: async () => (await import('./commands/audit/audit.ts')).addAudit },
  { words: ['metrics'], load: async () => (await import('./commands/metrics/metrics.ts')).addMetrics },
  { words: ['unlock'], load: async () => (await import('./commands/enrolments/unlock.ts')).addUnlock },
  { words: ['rules'], load: async () => (await import('./commands/rules/rules.ts')).addRules },
  { words: ['config'], load: async () => (await import('./commands/rules/config.ts')).addConfig },
  { words: ['host-key'], load: async () => (await import('./commands/keys/host-key.ts')).addHostKey },
  { words: ['store'], load: async () => (await import('./commands/store/store.ts')).addStore },
  { words: ['fleet'], load: async () => (await import('./commands/fleet/fleet.ts')).addFleet },
  { words: DOORS, load: async () => (await import('./commands/doors/doors.ts')).addDoors },
];

/**
 * The program with the command that `word` calls, or with all commands if `word` calls none. `finish` takes the exit code of
 * the command that ran.
 */
export async function commandTree(surroundings: Surroundings, finish: Finish, word?: string): Promise<Command> {
  const called = COMMANDS.filter(({ words }) => word !== undefined && words.includes(word));
  const program = new Command('notp');
  program
    .description('a one-time code as second factor for SSH logins')
    .version(`notp ${VERSION}`)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: printLines,
      writeErr: sayLines,
      outputError: (message) => sayError(withoutWords(message), 'see notp --help'),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 accepted or done, 1 refused, 2 wrong usage, 3 could not decide.\nSee also: man notp, and man notp-gate and man notp-pam for sshd and PAM.',
    );
  program.hook('preAction', (_, command) => {
    if (!DOORS.includes(command.name())) forbidCoreDumps();
  });
  for (const { load } of word === '--version' ? [] : called.length === 0 ? COMMANDS : called) (await load())(program, surroundings, finish);
  for (const command of program.commands) command.helpGroup(GROUPS[GROUP_OF[command.name()] ?? 'administration']);
  return program;
}

/** The message of commander without the words that were typed: one of them may be a secret or a code. */
function withoutWords(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)\s*$/s, ' (did you mean $1?)')
    .replace(/(but got \d+): .*/s, '$1; secrets and codes never go on the command line')
    .replace(/(unknown option '[^=']*)=.*'/s, "$1'")
    .replace(/(unknown command '[^']{0,20})[^']*'/s, "$1'")
    .replace(/(unknown command) 'otpauth[^']*'/is, '$1; secrets never go on the command line')
    .trim();
}
