/** The commands about what a login is sealed with: recovery codes, its seal, the key of the host. */
import { Option, type Command } from 'commander';
import { NotpError } from '../error.ts';
import { MAX_RECOVERY_CODES, RECOVERY_CODES } from '../otp/recovery.ts';
import {
  common,
  configOf,
  CONTEXT,
  ownOf,
  passphraseFileOption,
  wholeNumber,
  type CommonFlags,
  type Finish,
  type Surroundings,
} from './common.ts';

interface RecoveryFlags extends CommonFlags {
  readonly user?: string;
  readonly recovery: number;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}
interface ResealFlags extends CommonFlags {
  readonly user?: string;
  readonly all?: boolean;
  readonly seal?: 'host' | 'passphrase';
  readonly passphraseFile?: string;
  readonly newPassphraseFile?: string;
  readonly json?: boolean;
}
interface RetireFlags extends CommonFlags {
  readonly yes?: boolean;
}

const SOMEBODY = 'whose login; somebody else needs root';

/** Adds `recovery`, `reseal` and `host-key`. */
export function addKeyCommands(program: Command, surroundings: Surroundings, finish: Finish): void {
  addRecovery(program, surroundings, finish);
  addReseal(program, surroundings, finish);
  addHostKey(program, surroundings, finish);
}

function addRecovery(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('recovery'))
    .description('make new recovery codes for a login; its secret stays, and the old codes are worth nothing')
    .argument('[context]', CONTEXT)
    .option('--user <name>', SOMEBODY)
    .option('--recovery <n>', 'how many', wholeNumber(0, MAX_RECOVERY_CODES), RECOVERY_CODES)
    .addOption(passphraseFileOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  notp recovery                     your own; asks for your passphrase or a code\n  sudo notp recovery --user alice',
    )
    .action(async (context: string | undefined, flags: RecoveryFlags) => {
      const { newRecovery } = await import('../commands/keys/recovery.ts');
      const own = await ownOf(flags, now, 'make recovery codes for somebody else');
      const { passphraseFile, recovery: count } = flags;
      finish(await newRecovery(own, { context: context ?? own.config.context, passphraseFile, count, json: flags.json === true }));
    });
}

function addReseal(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('reseal'))
    .description('seal a login anew, by the key of this host or by a passphrase; its secret stays')
    .argument('[context]', CONTEXT)
    .option('--user <name>', SOMEBODY)
    .option('--all', 'everybody whom an earlier key of this host sealed, under the present key')
    .addOption(
      new Option('--seal <kind>', 'how to seal it (default: as it is, with the present key of the host)').choices(['host', 'passphrase']),
    )
    .addOption(passphraseFileOption())
    .option(
      '--new-passphrase-file <file>',
      'with --seal passphrase: read the passphrase to be from the first line of a file, "-" for stdin',
    )
    .option('--json', 'print JSON, one object a line')
    .addHelpText(
      'after',
      '\nExamples:\n  notp reseal --seal passphrase    your own login, from the host to a passphrase\n  sudo notp reseal --all           after notp host-key rotate',
    )
    .action(async (context: string | undefined, flags: ResealFlags) => {
      const command = await import('../commands/keys/reseal.ts');
      const { seal, passphraseFile, newPassphraseFile, all } = flags;
      const json = flags.json === true;
      if (all === true) {
        if (context !== undefined || flags.user !== undefined || seal !== undefined)
          throw new NotpError('usage', '--all stands alone: it seals under the present key of the host', 'see notp reseal --help');
        finish(await command.resealAll(configOf(flags), { json }, now));
        return;
      }
      if (newPassphraseFile !== undefined && seal !== 'passphrase')
        throw new NotpError('usage', '--new-passphrase-file goes with --seal passphrase', 'see notp reseal --help');
      const own = await ownOf(flags, now, 'seal the login of somebody else');
      finish(await command.reseal(own, { context: context ?? own.config.context, seal, passphraseFile, newPassphraseFile, json }));
    });
}

function addHostKey(program: Command, { now }: Surroundings, finish: Finish): void {
  const hostKey = program.command('host-key').description('the key of this host that host seals are made with').helpCommand(false);
  common(hostKey.command('init'))
    .description("make the key where there is none, and the service's folders; print the key's id")
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/keys/host-key.ts');
      finish(await command.initHostKey(configOf(flags), now));
    });
  common(hostKey.command('id'))
    .description("print the key's id")
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/keys/host-key.ts');
      finish(command.printHostKeyId(configOf(flags)));
    });
  common(hostKey.command('rotate'))
    .description('make a new key; the present one goes on opening what it sealed, until notp reseal --all and notp host-key retire')
    .action(async (flags: CommonFlags) => {
      const command = await import('../commands/keys/rotate.ts');
      finish(await command.rotateHostKey(configOf(flags), now));
    });
  common(hostKey.command('retire'))
    .description('remove the keys before the present one, where nothing is sealed with them any more')
    .option('--yes', 'also where something is: its users must be enrolled again')
    .action(async (flags: RetireFlags) => {
      const command = await import('../commands/keys/rotate.ts');
      finish(await command.retireHostKeys(configOf(flags), { yes: flags.yes === true }, now));
    });
}
