/** The command tree: names, options, help. What a command does is in its own file, loaded when it is called. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { NotpError } from './error.ts';
import { ALGORITHMS, DIGITS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, type Algorithm, type Digits } from './otp/code.ts';
import { MAX_RECOVERY_CODES, RECOVERY_CODES } from './otp/recovery.ts';
import { DEFAULT_CONFIG_FILE, readConfig, type Config } from './system/config.ts';
import { printResult, say, sayError } from './system/printer.ts';
import type { EnrollOptions } from './commands/enroll-plan.ts';
import type { QrStyle } from './commands/qr.ts';

export const VERSION = '0.1.0';

/** The other name of the program, under which it is `enroll` with the user as first word. */
const NOTP_ENROLL = 'notp-enroll';

/** What the process was started with. */
export interface Surroundings {
  readonly environment: NodeJS.ProcessEnv;
  readonly umask: number;
  readonly now: () => number;
}

/** What commander hands over, after the checks of each option below. */
interface CommonFlags {
  readonly config?: string;
}
interface EnrollFlags extends CommonFlags {
  readonly user?: string;
  readonly seal?: EnrollOptions['seal'];
  readonly issuer?: string;
  readonly account?: string;
  readonly digits?: Digits;
  readonly period?: number;
  readonly algorithm?: Algorithm;
  readonly recovery: number;
  readonly replace?: boolean;
  readonly confirm: boolean;
  readonly qr?: QrStyle;
  readonly qrFile?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}
interface VerifyFlags extends CommonFlags {
  readonly user?: string;
  readonly codeStdin?: boolean;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}
interface AuditFlags extends CommonFlags {
  readonly lines: number;
}
interface PamFlags extends CommonFlags {
  readonly firstPass?: boolean;
  readonly promptTty?: boolean;
}

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

function commandTree(surroundings: Surroundings, finish: (code: number) => void): Command {
  const program = new Command('notp');
  program
    .description('a one-time code as second factor for SSH logins')
    .version(`notp ${VERSION}`)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: printResult,
      writeErr: say,
      outputError: (message) => sayError(message.replace(/^error: /, '').trim(), 'see notp --help'),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 accepted or done, 1 refused, 2 wrong usage, 3 could not decide.\nREADME.md tells how sshd and PAM call it, and what to do about each refusal.',
    );
  addEnroll(program.command('enroll').argument('[context]', CONTEXT), surroundings, finish);
  addNotpEnroll(program, surroundings, finish);
  addVerify(program, surroundings, finish);
  addAudit(program, finish);
  addHostKey(program, surroundings, finish);
  addDoors(program, surroundings, finish);
  return program;
}

const CONTEXT = 'name of the secret (default: the context of logins)';

/** `notp-enroll alice`: what administrators call. The user stands first; with --user, or alone, it is `notp enroll`. */
function addNotpEnroll(program: Command, surroundings: Surroundings, finish: (code: number) => void): void {
  const command = program
    .command(NOTP_ENROLL, { hidden: true })
    .configureHelp({ commandUsage: () => 'notp-enroll [options] [user] [context]' })
    .argument('[user]', 'whose login; somebody else needs root (default: yourself)')
    .argument('[context]', CONTEXT);
  addEnroll(command, surroundings, finish);
}

function addEnroll(command: Command, { now }: Surroundings, finish: (code: number) => void): void {
  const enroll = common(command)
    .description('make a new secret for a login: show it as QR code, confirm it with a code, seal and register it')
    .option('--user <name>', 'whose login; somebody else needs root')
    .addOption(
      new Option('--seal <kind>', 'how to seal it (default: host for root, passphrase for everybody else)').choices(['host', 'passphrase']),
    )
    .option('--issuer <text>', 'what the phone shows as the service (default: the host name)', label)
    .option('--account <text>', 'what the phone shows as the account (default: user@host)', label)
    .option('--digits <n>', 'digits of a code: 6, 7 or 8', digits)
    .option('--period <seconds>', 'seconds that a code is shown', wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS))
    .addOption(new Option('--algorithm <name>', 'hash of the codes').choices(ALGORITHMS))
    .option('--recovery <n>', 'number of recovery codes', wholeNumber(0, MAX_RECOVERY_CODES), RECOVERY_CODES)
    .option('--replace', 'replace an enrolment that is there; it works until the new one is confirmed')
    .option('--no-confirm', 'do not ask for a code of the new secret')
    .addOption(
      new Option('--qr <style>', 'how to draw the QR code (default: unicode on a terminal, else ascii; none with --json)').choices([
        'unicode',
        'ansi',
        'ascii',
        'none',
      ]),
    )
    .option('--qr-file <file>', 'also write the QR code to a new .png or .svg file')
    .option('--passphrase-file <file>', 'read the passphrase from the first line of a file, "-" for stdin')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  notp enroll              your own login, sealed by a passphrase\n  sudo notp-enroll alice   the login of alice, sealed by this host',
    );
  enroll.action(async () => {
    const { user, ...flags } = enroll.opts<EnrollFlags>();
    const words: (string | undefined)[] = enroll.name() === NOTP_ENROLL && user === undefined ? enroll.args : [user, ...enroll.args];
    if (words.length > 2) throw new NotpError('usage', 'too many arguments', 'see --help');
    const config = configOf(flags);
    const { enroll: run } = await import('./commands/enroll.ts');
    finish(await run(config, await enrollOptions(words, flags, config), now));
  });
}

async function enrollOptions([user, context]: readonly (string | undefined)[], flags: EnrollFlags, config: Config): Promise<EnrollOptions> {
  const { hostname } = await import('node:os');
  const { realUser } = await import('./system/users.ts');
  const { seal, recovery, confirm, qr, qrFile, passphraseFile } = flags;
  return {
    ...{ user, seal, recovery, confirm, qr, qrFile, passphraseFile },
    context: context ?? config.context,
    issuer: flags.issuer ?? '',
    account: flags.account ?? `${user ?? realUser().name}@${hostname()}`,
    digits: flags.digits ?? config.code.digits,
    periodSeconds: flags.period ?? config.code.periodSeconds,
    algorithm: flags.algorithm ?? config.code.algorithm,
    replace: flags.replace === true,
    json: flags.json === true,
  };
}

function addVerify(program: Command, { now }: Surroundings, finish: (code: number) => void): void {
  common(program.command('verify'))
    .description('ask for a code and judge it as a login would; the code is used up')
    .argument('[context]', 'name of the secret (default: the context of logins)')
    .option('--user <name>', 'whose code; somebody else needs root')
    .option('--code-stdin', 'read the code from the first line of stdin (a passphrase may stand before it)')
    .option('--passphrase-file <file>', 'read the passphrase from the first line of a file, "-" for stdin')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  notp verify deploy && ./deploy.sh')
    .action(async (context: string | undefined, flags: VerifyFlags) => {
      const config = configOf(flags);
      const command = await import('./commands/verify.ts');
      const { user, passphraseFile } = flags;
      const options = { user, passphraseFile, codeStdin: flags.codeStdin === true, json: flags.json === true };
      finish(await command.verify(config, { context: context ?? config.context, ...options }, now));
    });
}

function addAudit(program: Command, finish: (code: number) => void): void {
  common(program.command('audit'))
    .description('print the last records of the audit log, one JSON object a line')
    .option('-n, --lines <n>', 'how many', wholeNumber(1, 10_000), 20)
    .option('--json', 'the same: it is JSON always')
    .action(async (flags: AuditFlags) => {
      const command = await import('./commands/audit.ts');
      finish(await command.audit(configOf(flags), { lines: flags.lines }));
    });
}

function addHostKey(program: Command, { now }: Surroundings, finish: (code: number) => void): void {
  const hostKey = program.command('host-key').description('the key of this host that host seals are made with').helpCommand(false);
  common(hostKey.command('init'))
    .description("make the key where there is none, and the service's folders; print the key's id")
    .action(async (flags: CommonFlags) => {
      const command = await import('./commands/host-key.ts');
      finish(await command.initHostKey(configOf(flags), now));
    });
  common(hostKey.command('id'))
    .description("print the key's id")
    .action(async (flags: CommonFlags) => {
      const command = await import('./commands/host-key.ts');
      finish(command.printHostKeyId(configOf(flags)));
    });
}

function addDoors(program: Command, surroundings: Surroundings, finish: (code: number) => void): void {
  common(program.command('gate'))
    .description("for sshd's ForceCommand: ask for a code, then become the user's shell")
    .action(async (flags: CommonFlags) => {
      const { gate } = await import('./doors/gate.ts');
      finish(await gate({ ...surroundings, configuration: () => configOf(flags) }));
    });
  common(program.command('pam'))
    .description('for pam_exec: judge the code on stdin for PAM_USER')
    .option('--first-pass', "exit 0 only in the first pass of sshd's PAM stack (the branch to the password)")
    .option('--prompt-tty', 'ask on the terminal that PAM_TTY names (sudo, su, login)')
    .action(async (flags: PamFlags) => {
      const { firstPass, pam } = await import('./doors/pam.ts');
      if (flags.firstPass === true) finish(firstPass(surroundings.environment));
      else finish(await pam({ ...surroundings, promptTty: flags.promptTty === true, configuration: () => configOf(flags) }));
    });
}

function common(command: Command): Command {
  return command
    .option('--config <file>', `configuration file (default: ${DEFAULT_CONFIG_FILE}, which may be absent)`)
    .allowExcessArguments(false);
}

function configOf(flags: CommonFlags): Config {
  return readConfig(flags.config);
}

function label(given: string): string {
  if (/^\P{Cc}{1,64}$/u.test(given)) return given;
  throw new InvalidArgumentError('It must be 1 to 64 printable characters.');
}

function digits(given: string): Digits {
  const value = DIGITS.find((each) => String(each) === given);
  if (value === undefined) throw new InvalidArgumentError(`It must be one of ${DIGITS.join(', ')}.`);
  return value;
}

function wholeNumber(min: number, max: number): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (/^\d+$/.test(given) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${String(min)} to ${String(max)}.`);
  };
}
