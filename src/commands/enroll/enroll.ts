/** `notp enroll` and `notp-enroll`: enrol your own login, that of another user, or those of many users. */
import { Option, type Command } from 'commander';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { ALGORITHMS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, type Algorithm, type Digits } from '../../otp/code.ts';
import { MAX_RECOVERY_CODES, RECOVERY_CODES } from '../../otp/recovery.ts';
import type { Config } from '../../system/config.ts';
import type { BatchOptions } from './batch-plan.ts';
import type { EnrollOptions } from '../../enrolment/plan.ts';
import { IMAGES, type ImageKind, type QrStyle } from '../../terminal/choices.ts';
import { cutAccount } from '../../otp/names.ts';
import {
  common,
  configOf,
  CONTEXT,
  digits,
  label,
  passphraseFileOption,
  qrOption,
  wholeNumber,
  type CommonFlags,
  type Finish,
  type Surroundings,
} from '../options.ts';

/** The other name of the program: the command `enroll` with the user as first word. */
const NOTP_ENROLL = 'notp-enroll';

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
  readonly batch?: string;
  readonly out?: string;
  readonly image?: ImageKind;
  readonly dryRun?: boolean;
}

const EXAMPLES = `
Examples:
  notp enroll              your own login, sealed by a passphrase
  sudo notp-enroll alice   the login of alice, sealed by this host
  sudo notp-enroll --batch users.txt --out /root/handouts
                           all users of a list, with a page to hand out to each`;

const BATCH_HELP = `
A batch asks nothing: the first login of each user confirms the code. The list
has one user name on each line; blank lines and "# remarks" are ignored. Users
who cannot be enrolled are named, and the batch continues. After an interruption
the same command continues where it ended; keep the hand-outs in DIR until then.
If a line of --json was cut off, or its user comes again, the later line counts.
--account may contain %u for the name of each user (default: %u@host).`;

/** Adds `enroll` and `notp-enroll`. */
export function addEnrollCommands(program: Command, surroundings: Surroundings, finish: Finish): void {
  addEnroll(program.command('enroll').argument('[context]', CONTEXT), surroundings, finish);
  addNotpEnroll(program, surroundings, finish);
}

/**
 * `notp-enroll alice`, for administrators: the user comes first. With --user, or without arguments, it is the same as
 * `notp enroll`.
 */
function addNotpEnroll(program: Command, surroundings: Surroundings, finish: Finish): void {
  const command = program
    .command(NOTP_ENROLL, { hidden: true })
    .configureHelp({ commandUsage: () => 'notp-enroll [options] [user] [context]' })
    .argument('[user]', 'user of the login; only root can name another user (default: yourself)')
    .argument('[context]', CONTEXT);
  addEnroll(command, surroundings, finish);
}

function addEnroll(command: Command, { now }: Surroundings, finish: Finish): void {
  const enroll = withBatchOptions(withOptions(common(command)));
  enroll.addHelpText('after', EXAMPLES + '\n' + BATCH_HELP);
  enroll.action(async () => {
    const flags = enroll.opts<EnrollFlags>();
    const config = configOf(flags);
    const byUser = enroll.name() === NOTP_ENROLL && flags.user === undefined;
    if (flags.batch !== undefined) {
      if (byUser) await refuseUser(enroll.args[0]);
      const options = await batchOptions(flags.batch, enroll.args, flags, config);
      const { enrollBatch } = await import('./batch.ts');
      finish(await enrollBatch(config, options, now));
      return;
    }
    refuseOutsideBatch(flags);
    const words: (string | undefined)[] = byUser ? enroll.args : [flags.user, ...enroll.args];
    if (words.length > 2) throw new NotpError('usage', 'too many arguments', 'see --help');
    const { enroll: run } = await import('../../enrolment/enroll.ts');
    await run(config, await enrollOptions(words, flags, config), now);
    finish(0);
  });
}

function withOptions(command: Command): Command {
  return command
    .description('make a new secret for a login: show it as QR code, confirm it with a code, seal and register it')
    .option('--user <name>', 'user of the login; only root can name another user')
    .addOption(
      new Option('--seal <kind>', 'how to seal it (default: host for root, passphrase for everybody else)').choices(['host', 'passphrase']),
    )
    .option('--issuer <text>', 'service name that the phone shows (default: the host name)', label)
    .option('--account <text>', 'account name that the phone shows (default: user@host)', label)
    .option('--digits <n>', 'digits of a code: 6, 7 or 8', digits)
    .option('--period <seconds>', 'seconds that a code is shown', wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS))
    .addOption(new Option('--algorithm <name>', 'hash algorithm of the codes').choices(ALGORITHMS))
    .option('--recovery <n>', 'number of recovery codes', wholeNumber(0, MAX_RECOVERY_CODES), RECOVERY_CODES)
    .option('--replace', 'replace an existing enrolment; it works until the new one is confirmed')
    .option('--pending', 'make no secret; let the user enrol once, through the service of this host')
    .option('--no-confirm', 'do not ask for a code of the new secret')
    .addOption(qrOption('how to draw the QR code (default: as the terminal can, else ascii; none with --json)'))
    .option('--qr-file <file>', 'also write the QR code to a new .png or .svg file')
    .addOption(passphraseFileOption())
    .option('--json', 'print one JSON object; a line for each user of a batch');
}

function withBatchOptions(command: Command): Command {
  return command
    .optionsGroup('Options for many users:')
    .option('--batch <file>', 'enrol all users of a list, one name on each line; "-" for stdin; root only')
    .option('--out <dir>', 'folder of the hand-outs: NAME.txt and a picture for each user; created with mode 0700 if it is missing')
    .addOption(new Option('--image <kind>', 'the picture beside each hand-out (default: png)').choices(IMAGES))
    .option('--dry-run', 'only show what the batch would do');
}

function refuseOutsideBatch({ out, image, dryRun }: EnrollFlags): void {
  if (out === undefined && image === undefined && dryRun === undefined) return;
  throw new NotpError('usage', '--out, --image and --dry-run belong to --batch', 'give --batch FILE, or --qr-file for one user');
}

/** Refuses a user as first word of `notp-enroll --batch`, since there it would be read as a context. */
async function refuseUser(word: string | undefined): Promise<void> {
  const { userByName } = await import('../../system/users.ts');
  if (word === undefined || userByName(word) === undefined) return;
  throw new NotpError(
    'usage',
    `with --batch the users come from the file, but ${word} is a user`,
    shellCommand`leave it out; for a context of that name use: notp enroll ${word} --batch`,
  );
}

/** `words`: at most the context, since the users are in the file. */
async function batchOptions(file: string, words: readonly string[], flags: EnrollFlags, config: Config): Promise<BatchOptions> {
  if (words.length > 1 || flags.user !== undefined)
    throw new NotpError('usage', 'with --batch the users come from the file', 'give no user, at most a context');
  if (flags.qrFile !== undefined || flags.passphraseFile !== undefined)
    throw new NotpError(
      'usage',
      '--qr-file and --passphrase-file are for one user',
      'leave them out: a batch seals by the host, and --out makes pictures',
    );
  const { hostname } = await import('node:os');
  const account = flags.account ?? `%u@${hostname()}`;
  if (!account.includes('%u'))
    throw new NotpError('usage', '--account would be the same for all users', 'put %u into it, for the name of each user');
  return {
    each: await enrollOptions([undefined, words[0]], { ...flags, account }, config),
    file,
    out: flags.out,
    image: flags.image ?? 'png',
    dryRun: flags.dryRun === true,
  };
}

async function enrollOptions([user, context]: readonly (string | undefined)[], flags: EnrollFlags, config: Config): Promise<EnrollOptions> {
  const { hostname } = await import('node:os');
  const { accountName, realUser } = await import('../../system/users.ts');
  const name = user === undefined ? realUser().name : accountName(user);
  const { seal, recovery, confirm, qr, qrFile, passphraseFile } = flags;
  return {
    ...{ user, seal, recovery, confirm, qr, qrFile, passphraseFile },
    context: context ?? config.context,
    issuer: flags.issuer ?? '',
    account: flags.account ?? cutAccount(`${name}@${hostname()}`),
    digits: flags.digits ?? config.code.digits,
    periodSeconds: flags.period ?? config.code.periodSeconds,
    algorithm: flags.algorithm ?? config.code.algorithm,
    replace: flags.replace === true,
    pending: flags.pending === true,
    json: flags.json === true,
  };
}
