/** The commands about one's own codes, of other services too. */
import { Option, type Command } from 'commander';
import { ALGORITHMS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, type Algorithm, type Digits } from '../otp/code.ts';
import { EXPORT_FORMATS, IMPORT_FORMATS, type ExportFormat, type ImportFormat, type QrStyle } from '../commands/formats.ts';
import type { Own } from '../commands/own-secrets.ts';
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

interface SecretFlags extends CommonFlags {
  readonly passphraseFile?: string;
  readonly json?: boolean;
}
interface ImportFlags extends SecretFlags {
  readonly from?: ImportFormat;
  readonly file?: string;
  readonly replace?: boolean;
  readonly issuer?: string;
  readonly account?: string;
  readonly digits?: Digits;
  readonly period?: number;
  readonly algorithm?: Algorithm;
  readonly newPassphraseFile?: string;
}
interface CodeFlags extends SecretFlags {
  readonly once?: boolean;
  readonly watch?: boolean;
}
interface ExportFlags extends SecretFlags {
  readonly to: ExportFormat;
  readonly file?: string;
}
interface PassphraseFlags extends SecretFlags {
  readonly newPassphraseFile?: string;
}
interface RemoveFlags extends CommonFlags {
  readonly yes?: boolean;
  readonly json?: boolean;
}
interface DemoFlags {
  readonly qr?: QrStyle;
  readonly json?: boolean;
}

const CONTEXT = 'name of the secret';

/** Adds `demo`, `import`, `code`, `list`, `export`, `passphrase` and `remove`. */
export function addCodeCommands(program: Command, surroundings: Surroundings, finish: Finish): void {
  addCode(program, surroundings, finish);
  addImport(program, surroundings, finish);
  addExport(program, surroundings, finish);
  addList(program, surroundings, finish);
  addPassphrase(program, surroundings, finish);
  addRemove(program, surroundings, finish);
  addDemo(program, surroundings, finish);
}

function addCode(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('code'))
    .description('show the current code of a secret, live until Ctrl-C; without a context list the secrets')
    .argument('[context]', CONTEXT)
    .addOption(new Option('--once', 'print the code once, as when stdout is no terminal').conflicts('watch'))
    .option('--watch', 'print each new code on a line of its own where stdout is no terminal')
    .addHelpText(
      'after',
      '\nExamples:\n  notp code github             live, in large digits\n  notp code github | xclip     the code alone',
    )
    .action(async (context: string | undefined, flags: CodeFlags) => {
      const { code } = await import('../commands/code.ts');
      const { passphraseFile } = flags;
      const options = { context, passphraseFile, once: flags.once === true, watch: flags.watch === true, json: flags.json === true };
      finish(await code(await ownOf(flags, now), options));
    });
}

function addImport(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('import'))
    .description('seal the secret of another service by a passphrase; it is read from a file, stdin or the terminal')
    .argument('<context>', 'name for the secret; of several, each gets its issuer and account added')
    .addOption(new Option('--from <format>', 'what it is, where that cannot be seen from it').choices(IMPORT_FORMATS))
    .option('--file <file>', 'read it from a file (default: stdin, or the terminal)')
    .option('--replace', 'replace a secret of that name')
    .option('--issuer <text>', 'of a bare secret: the service', label)
    .option('--account <text>', 'of a bare secret: the account', label)
    .option('--digits <n>', 'of a bare secret: digits of a code, 6, 7 or 8', digits)
    .option('--period <seconds>', 'of a bare secret: seconds that a code is shown', wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS))
    .addOption(new Option('--algorithm <name>', 'of a bare secret: hash of the codes').choices(ALGORITHMS))
    .option('--new-passphrase-file <file>', 'seal with this passphrase, where --passphrase-file opens a file of the Python notp')
    .addHelpText(
      'after',
      '\nExamples:\n  notp import github                              type it or paste it, hidden' +
        '\n  zbarimg -q --raw code.png | notp import github  a picture of a QR code' +
        '\n  notp import phone --file transfer.txt           otpauth-migration URIs' +
        '\n  notp import work --file ~/old/work              a file of the Python notp',
    )
    .action(async (context: string, flags: ImportFlags) => {
      const { importSecrets } = await import('../commands/import.ts');
      const { from, file, issuer, account, period: periodSeconds, algorithm, passphraseFile, newPassphraseFile } = flags;
      const all = { issuer, account, digits: flags.digits, periodSeconds, algorithm };
      const told = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
      const options = { context, from, file, told, passphraseFile, newPassphraseFile };
      finish(await importSecrets(await ownOf(flags, now), { ...options, replace: flags.replace === true, json: flags.json === true }));
    });
}

function addExport(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('export'))
    .description('give a secret out in the clear, for a phone or another program')
    .argument('<context>', CONTEXT)
    .addOption(new Option('--to <format>', 'as what').choices(EXPORT_FORMATS).default('uri'))
    .option('--file <file>', 'write it to a new file (default: stdout)')
    .action(async (context: string, flags: ExportFlags) => {
      const { exportSecret } = await import('../commands/export.ts');
      const { to, file, passphraseFile } = flags;
      finish(await exportSecret(await ownOf(flags, now), { context, to, file, passphraseFile, json: flags.json === true }));
    });
}

function addList(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('list'))
    .description('list your secrets: name, seal, day; with a passphrase also issuer and account of those it opens')
    .action(async (flags: SecretFlags) => {
      const { listSecrets } = await import('../commands/list.ts');
      const { passphraseFile } = flags;
      finish(await listSecrets(await ownOf(flags, now), { passphraseFile, ask: false, json: flags.json === true }));
    });
}

function addPassphrase(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('passphrase'))
    .description('seal a secret with another passphrase')
    .argument('<context>', CONTEXT)
    .option('--new-passphrase-file <file>', 'read the new passphrase from the first line of a file, "-" for stdin (after the old one)')
    .action(async (context: string, flags: PassphraseFlags) => {
      const { changePassphrase } = await import('../commands/passphrase.ts');
      const { passphraseFile, newPassphraseFile } = flags;
      finish(await changePassphrase(await ownOf(flags, now), { context, passphraseFile, newPassphraseFile, json: flags.json === true }));
    });
}

function addRemove(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('remove'))
    .description('delete one of your secrets, for good; what logs in here is not removed')
    .argument('<context>', CONTEXT)
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action(async (context: string, flags: RemoveFlags) => {
      const { remove } = await import('../commands/remove.ts');
      finish(await remove(await ownOf(flags, now), { context, yes: flags.yes === true, json: flags.json === true }));
    });
}

function addDemo(program: Command, { now }: Surroundings, finish: Finish): void {
  program
    .command('demo')
    .description('try it: a throw-away secret, its QR code and its live codes; nothing is kept')
    .allowExcessArguments(false)
    .addOption(qrOption('how to draw the QR code'))
    .option('--json', 'print one JSON object')
    .action(async (flags: DemoFlags) => {
      const { demo } = await import('../commands/demo.ts');
      finish(await demo({ qr: flags.qr, json: flags.json === true }, now));
    });
}

function withPassphrase(command: Command): Command {
  return common(command).addOption(passphraseFileOption()).option('--json', 'print JSON, one object a line');
}

async function ownOf(flags: CommonFlags, now: () => number): Promise<Own> {
  const { realUser } = await import('../system/users.ts');
  return { config: configOf(flags), user: realUser(), now };
}
