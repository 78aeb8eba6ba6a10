/** The commands about one's own codes, of other services too. */
import { Option, type Command } from 'commander';
import { EXPORT_FORMATS, type ExportFormat, type QrStyle } from '../terminal/formats.ts';
import { shellWord } from '../otp/escape.ts';
import {
  common,
  configOf,
  CONTEXT as LOGIN_CONTEXT,
  ownOf,
  passphraseFileOption,
  qrOption,
  type CommonFlags,
  type Finish,
  type Surroundings,
} from './common.ts';

interface SecretFlags extends CommonFlags {
  readonly passphraseFile?: string;
  readonly json?: boolean;
}
interface ListFlags extends SecretFlags {
  readonly user?: string;
  readonly all?: boolean;
}
interface CodeFlags extends SecretFlags {
  readonly once?: boolean;
  readonly watch?: boolean;
}
interface ExportFlags extends SecretFlags {
  readonly user?: string;
  readonly to: ExportFormat;
  readonly file?: string;
}
interface PassphraseFlags extends SecretFlags {
  readonly user?: string;
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

/** Adds `demo`, `code`, `list`, `export`, `passphrase` and `remove`. */
export function addCodeCommands(program: Command, surroundings: Surroundings, finish: Finish): void {
  addCode(program, surroundings, finish);
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
      const { code } = await import('../commands/codes/code.ts');
      const { passphraseFile } = flags;
      const options = { context, passphraseFile, once: flags.once === true, watch: flags.watch === true, json: flags.json === true };
      finish(await code(await ownOf(flags, now), options));
    });
}

function addExport(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('export'))
    .description('give a secret out in the clear, for a phone or another program')
    .argument('[context]', LOGIN_CONTEXT)
    .option('--user <name>', 'whose login, sealed by this host; somebody else needs root')
    .addOption(new Option('--to <format>', 'as what').choices(EXPORT_FORMATS).default('uri'))
    .option('--file <file>', 'write it to a new file (default: stdout)')
    .addHelpText(
      'after',
      '\nWhat this host has sealed is shown to root, and to its user after a code.\n\nExamples:\n  notp export --to qr         the QR code of your login, for a second phone\n  notp export github --to uri',
    )
    .action(async (context: string | undefined, flags: ExportFlags) => {
      const { exportSecret } = await import('../commands/codes/export.ts');
      const { to, file, passphraseFile } = flags;
      const own = await ownOf(flags, now, 'show the secret of somebody else');
      finish(await exportSecret(own, { context: context ?? own.config.context, to, file, passphraseFile, json: flags.json === true }));
    });
}

function addList(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('list'))
    .description('list your secrets: name, seal, day; with a passphrase also issuer and account of those it opens')
    .option('--user <name>', 'the secrets of somebody else; needs root')
    .addOption(
      new Option('--all', 'every enrolment of every user, and whether it logs in; needs root').conflicts(['user', 'passphraseFile']),
    )
    .addHelpText('after', '\nExamples:\n  notp list\n  sudo notp list --all    user, context, seal, state, last login')
    .action(async ({ user, all, passphraseFile, ...flags }: ListFlags) => {
      const json = flags.json === true;
      if (all === true) {
        const { listAll } = await import('../commands/enrolments/list-all.ts');
        return finish(await listAll(configOf(flags), { json }, now));
      }
      const { listSecrets } = await import('../commands/codes/list.ts');
      const { userNamed } = await import('../enrolment/whose.ts');
      const whose = userNamed(user, {
        onlyRoot: "list somebody else's secrets",
        hint: ({ name }) => `sudo notp list --user ${shellWord(name)}`,
      });
      finish(await listSecrets({ config: configOf(flags), user: whose, now }, { passphraseFile, ask: false, json }));
    });
}

function addPassphrase(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('passphrase'))
    .description('seal a secret with another passphrase')
    .argument('[context]', LOGIN_CONTEXT)
    .option('--user <name>', 'whose; somebody else needs root')
    .option('--new-passphrase-file <file>', 'read the new passphrase from the first line of a file, "-" for stdin (after the old one)')
    .action(async (context: string | undefined, flags: PassphraseFlags) => {
      const { changePassphrase } = await import('../commands/codes/passphrase.ts');
      const { passphraseFile, newPassphraseFile } = flags;
      const own = await ownOf(flags, now, 'change the passphrase of somebody else');
      const options = { context: context ?? own.config.context, passphraseFile, newPassphraseFile };
      finish(await changePassphrase(own, { ...options, json: flags.json === true }));
    });
}

function addRemove(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('remove'))
    .description('delete one of your secrets, for good; what logs in here is not removed')
    .argument('<context>', CONTEXT)
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action(async (context: string, flags: RemoveFlags) => {
      const { remove } = await import('../commands/codes/remove.ts');
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
      const { demo } = await import('../commands/codes/demo.ts');
      finish(await demo({ qr: flags.qr, json: flags.json === true }, now));
    });
}

function withPassphrase(command: Command): Command {
  return common(command).addOption(passphraseFileOption()).option('--json', 'print JSON, one object a line');
}
