/** The commands that look after logins. */
import { Option, type Command } from 'commander';
import { NotpError } from '../error.ts';
import { ALGORITHMS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, type Algorithm, type Digits } from '../otp/code.ts';
import { MAX_RECOVERY_CODES, RECOVERY_CODES } from '../otp/recovery.ts';
import type { Config } from '../system/config.ts';
import type { EnrollOptions } from '../commands/enroll-plan.ts';
import type { QrStyle } from '../commands/formats.ts';
import {
  common,
  configOf,
  digits,
  label,
  passphraseFileOption,
  qrOption,
  wholeNumber,
  type CommonFlags,
  type Finish,
  type Surroundings,
} from './common.ts';

/** The other name of the program, under which it is `enroll` with the user as first word. */
const NOTP_ENROLL = 'notp-enroll';
const CONTEXT = 'name of the secret (default: the context of logins)';

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
  readonly pending?: boolean;
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
interface RevokeFlags extends CommonFlags {
  readonly user?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}
interface AuditFlags extends CommonFlags {
  readonly lines: number;
}

/** Adds `enroll`, `notp-enroll`, `verify`, `revoke`, `audit` and `host-key`. */
export function addLoginCommands(program: Command, surroundings: Surroundings, finish: Finish): void {
  addEnroll(program.command('enroll').argument('[context]', CONTEXT), surroundings, finish);
  addNotpEnroll(program, surroundings, finish);
  addVerify(program, surroundings, finish);
  addRevoke(program, surroundings, finish);
  addAudit(program, surroundings, finish);
  addHostKey(program, surroundings, finish);
}

/** `notp-enroll alice`: what administrators call. The user stands first; with --user, or alone, it is `notp enroll`. */
function addNotpEnroll(program: Command, surroundings: Surroundings, finish: Finish): void {
  const command = program
    .command(NOTP_ENROLL, { hidden: true })
    .configureHelp({ commandUsage: () => 'notp-enroll [options] [user] [context]' })
    .argument('[user]', 'whose login; somebody else needs root (default: yourself)')
    .argument('[context]', CONTEXT);
  addEnroll(command, surroundings, finish);
}

function addEnroll(command: Command, { now }: Surroundings, finish: Finish): void {
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
    .option('--pending', 'make nothing: let the user enrol once, through the service of this host')
    .option('--no-confirm', 'do not ask for a code of the new secret')
    .addOption(qrOption('how to draw the QR code (default: unicode on a terminal, else ascii; none with --json)'))
    .option('--qr-file <file>', 'also write the QR code to a new .png or .svg file')
    .addOption(passphraseFileOption())
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
    const { enroll: run } = await import('../commands/enroll.ts');
    finish(await run(config, await enrollOptions(words, flags, config), now));
  });
}

async function enrollOptions([user, context]: readonly (string | undefined)[], flags: EnrollFlags, config: Config): Promise<EnrollOptions> {
  const { hostname } = await import('node:os');
  const { realUser } = await import('../system/users.ts');
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
    pending: flags.pending === true,
    json: flags.json === true,
  };
}

function addVerify(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('verify'))
    .description('ask for a code and judge it as a login would; the code is used up')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'whose code; somebody else needs root')
    .option('--code-stdin', 'read the code from the first line of stdin (a passphrase may stand before it)')
    .addOption(passphraseFileOption())
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  notp verify deploy && ./deploy.sh')
    .action(async (context: string | undefined, flags: VerifyFlags) => {
      const config = configOf(flags);
      const command = await import('../commands/verify.ts');
      const { user, passphraseFile } = flags;
      const options = { user, passphraseFile, codeStdin: flags.codeStdin === true, json: flags.json === true };
      finish(await command.verify(config, { context: context ?? config.context, ...options }, now));
    });
}

function addRevoke(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('revoke'))
    .description('end an enrolment: its login is refused until somebody enrols again')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'whose enrolment; somebody else needs root')
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action(async (context: string | undefined, flags: RevokeFlags) => {
      const config = configOf(flags);
      const { revokeEnrolment } = await import('../commands/revoke.ts');
      const options = { context: context ?? config.context, user: flags.user, yes: flags.yes === true, json: flags.json === true };
      finish(await revokeEnrolment(config, options, now));
    });
}

function addAudit(program: Command, { now }: Surroundings, finish: Finish): void {
  const audit = common(program.command('audit'))
    .description('print the last records of the audit log, one JSON object a line; verify: check that it is whole')
    .helpCommand(false)
    .option('-n, --lines <n>', 'how many', wholeNumber(1, 10_000), 20)
    .option('--json', 'the same: it is JSON always')
    .action(async (flags: AuditFlags) => {
      const command = await import('../commands/audit.ts');
      finish(await command.audit(configOf(flags), { lines: flags.lines }));
    });
  common(audit.command('verify'))
    .description('check that no record was changed, removed, moved or cut off, in rotated files too')
    .option('--json', 'print one JSON object')
    .action(async (_: unknown, command: Command) => {
      const flags = command.optsWithGlobals<CommonFlags & { readonly json?: boolean }>();
      const { verifyAudit } = await import('../commands/audit-verify.ts');
      finish(await verifyAudit(configOf(flags), { json: flags.json === true }, now));
    });
}

function addHostKey(program: Command, { now }: Surroundings, finish: Finish): void {
  const hostKey = program.command('host-key').description('the key of this host that host seals are made with').helpCommand(false);
  common(hostKey.command('init'))
    .description("make the key where there is none, and the service's folders; print the key's id")
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/host-key.ts');
      finish(await command.initHostKey(configOf(flags), now));
    });
  common(hostKey.command('id'))
    .description("print the key's id")
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/host-key.ts');
      finish(command.printHostKeyId(configOf(flags)));
    });
}
