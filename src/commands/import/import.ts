/** `notp import`: imports secrets of other services, and logins of other PAM modules. */
import { Option, type Command } from 'commander';
import { NotpError } from '../../error.ts';
import { ALGORITHMS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, type Algorithm, type Digits } from '../../otp/code.ts';
import { IMPORT_FORMATS, LOGIN_FORMATS, type ImportFormat, type LoginFormat } from '../../terminal/choices.ts';
import type { GivenParameters } from './read-source.ts';
import type { Config } from '../../system/config.ts';
import {
  common,
  configOf,
  digits,
  label,
  ownOf,
  passphraseFileOption,
  wholeNumber,
  type CommonFlags,
  type Finish,
  type Surroundings,
  JSON_LINES,
} from '../options.ts';

interface ImportFlags extends CommonFlags {
  readonly from?: ImportFormat | LoginFormat;
  readonly file?: string;
  readonly user?: string;
  readonly serial?: string;
  readonly assign?: string;
  readonly seal?: 'host' | 'passphrase';
  readonly dryRun?: boolean;
  readonly replace?: boolean;
  readonly issuer?: string;
  readonly account?: string;
  readonly digits?: Digits;
  readonly period?: number;
  readonly algorithm?: Algorithm;
  readonly passphraseFile?: string;
  readonly newPassphraseFile?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Secrets of other services are for you alone; their format is detected, also
in files of Aegis, 2FAS, Ente, andOTP, FreeOTP+, Stratum, Bitwarden, KeePassXC,
1Password, Proton, pass and gopass.
For a login, name the PAM module that asked for its codes before, or the
format of the file that came with the tokens (--from):
  google-authenticator  ~/.google_authenticator, of one user
  pam-oath              its users file, of many users; only root
  pskc                  hardware tokens, RFC 6030; only root
  csv                   hardware tokens, as for Entra; only root
The phones keep working, and no used code works again.

Examples:
  notp import github                              type or paste it, hidden
  zbarimg -q --raw code.png | notp import github  a picture of a QR code
  notp import phone --file transfer.txt           otpauth-migration URIs
  notp import phone --file aegis.json             a backup of another app
  notp import work --file ~/old/work              a file of the Python notp
  notp import --file backup.notp                  from notp export --all
  notp import --from google-authenticator         your own login
  sudo notp import --from google-authenticator --user alice --dry-run
  sudo notp import --from pam-oath --file /etc/users.oath
  sudo notp import --from pskc --file tokens.xml --user alice --serial 4711
  sudo notp import --from csv --file tokens.csv --assign owners.csv`;

/** Adds `import`. */
export function addImport(program: Command, { now }: Surroundings, finish: Finish): void {
  const command = common(program.command('import'))
    .description('import a secret from another app, file or PAM module')
    .argument(
      '[context]',
      'name for the secret; for several, issuer and account are added to it (default: the context of logins; of an archive: all of it)',
    )
    .addOption(
      new Option('--from <format>', 'format of the secret (default: detected); needed for a login').choices([
        ...IMPORT_FORMATS,
        ...LOGIN_FORMATS,
      ]),
    )
    .option('--file <file>', 'read the secret from a file, "-" for stdin (default: stdin, or the terminal)')
    .option('--user <name>', 'user of the login (only root can name another user); with many: import only this user')
    .option('--serial <number>', 'serial number of the hardware token of --user')
    .option('--assign <file>', 'whose hardware tokens they are: a user, a comma and a serial number on each line')
    .addOption(new Option('--seal <kind>', 'how to seal a login (default: host for root, else passphrase)').choices(['host', 'passphrase']))
    .option('--dry-run', 'show which logins would be imported, and change nothing')
    .option('--replace', 'replace an existing secret of that name, or an existing enrolment');
  addSecretOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (context: string | undefined, flags: ImportFlags) => {
      finish(await runImport(context, flags, now));
    });
}

/** The options that describe a bare secret, and the passphrase options. */
function addSecretOptions(command: Command): Command {
  return command
    .option('--issuer <text>', 'service name of a bare secret', label)
    .option('--account <text>', 'account name of a bare secret', label)
    .option('--digits <n>', 'digits of the codes of a bare secret, 6, 7 or 8', digits)
    .option('--period <seconds>', 'seconds that each code of a bare secret is shown', wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS))
    .addOption(new Option('--algorithm <name>', 'hash algorithm of a bare secret').choices(ALGORITHMS))
    .addOption(passphraseFileOption())
    .option('--new-passphrase-file <file>', 'seal with this passphrase, if --passphrase-file opens a locked file')
    .option('--json', JSON_LINES);
}

async function runImport(context: string | undefined, flags: ImportFlags, now: () => number): Promise<number> {
  const config = configOf(flags);
  if (flags.from === 'pskc' || flags.from === 'csv') return await importTokens(config, context, { ...flags, from: flags.from }, now);
  if (flags.serial !== undefined || flags.assign !== undefined)
    throw new NotpError('usage', '--serial and --assign are for hardware tokens', 'give --from pskc or --from csv');
  if (flags.from === 'pam-oath') return await importUsersFile(config, context, flags, now);
  if (flags.from === 'google-authenticator' && (context === undefined || config.contexts.includes(context)))
    return await importLogin(config, context ?? config.context, flags, now);
  return await importServiceSecrets(context, flags.from, flags, now);
}

async function importLogin(config: Config, context: string, flags: ImportFlags, now: () => number): Promise<number> {
  const { importGoogleAuthenticator } = await import('./pam-google-authenticator.ts');
  const { user, seal, file, passphraseFile, newPassphraseFile } = flags;
  const options = { context, user, seal, file, given: givenIn(flags), passphraseFile: newPassphraseFile ?? passphraseFile };
  return await importGoogleAuthenticator(config, { ...options, ...switches(flags) }, now);
}

/** Refuses what the logins of many users cannot have. */
function refuseForMany(context: string | undefined, { seal }: ImportFlags): void {
  if (context !== undefined)
    throw new NotpError('usage', 'the logins of a users file get the contexts of notp.toml', 'leave out the name; --user imports one user');
  if (seal === 'passphrase')
    throw new NotpError(
      'usage',
      'the logins of a users file are sealed with the key of the host',
      'leave out --seal: only the users themselves know a passphrase',
    );
}

async function importTokens(
  config: Config,
  context: string | undefined,
  flags: ImportFlags & { readonly from: 'pskc' | 'csv' },
  now: () => number,
): Promise<number> {
  refuseForMany(context, flags);
  if (flags.issuer !== undefined || flags.account !== undefined || flags.newPassphraseFile !== undefined)
    throw new NotpError('usage', 'hardware tokens have no issuer, account or passphrase', 'leave out these options');
  const { importTokenFile } = await import('./token-file.ts');
  const { from, user, file, serial, assign, passphraseFile } = flags;
  const given = givenIn(flags);
  return await importTokenFile(config, { from, user, file, serial, assign, passphraseFile, given, ...switches(flags) }, now);
}

async function importUsersFile(config: Config, context: string | undefined, flags: ImportFlags, now: () => number): Promise<number> {
  refuseForMany(context, flags);
  if (Object.keys(givenIn(flags)).length > 0 || flags.passphraseFile !== undefined || flags.newPassphraseFile !== undefined)
    throw new NotpError('usage', 'a users file already has these parameters', 'leave out the options for bare secrets and passphrases');
  const { importPamOath } = await import('./pam-oath.ts');
  const { user, file } = flags;
  return await importPamOath(config, { user, file, ...switches(flags) }, now);
}

/** Imports a secret of another service, which a google-authenticator file may hold too. */
async function importServiceSecrets(
  context: string | undefined,
  from: ImportFormat | 'google-authenticator' | undefined,
  flags: ImportFlags,
  now: () => number,
): Promise<number> {
  if (flags.user !== undefined || flags.seal !== undefined || flags.dryRun === true)
    throw new NotpError(
      'usage',
      '--user, --seal and --dry-run are for logins',
      'leave them out: a secret of another service is for you alone, and is sealed by a passphrase',
    );
  const { importSecrets, needsName } = await import('./secrets.ts');
  // Only an archive, which is a file, brings names.
  if (context === undefined && flags.file === undefined) throw needsName();
  const { file, passphraseFile, newPassphraseFile } = flags;
  const options = { context, from, file, given: givenIn(flags), passphraseFile, newPassphraseFile };
  const { replace, json } = switches(flags);
  return await importSecrets(await ownOf(flags, now), { ...options, replace, json });
}

function switches({ replace, json, dryRun }: ImportFlags): { readonly replace: boolean; readonly json: boolean; readonly dryRun: boolean } {
  return { replace: replace === true, json: json === true, dryRun: dryRun === true };
}

function givenIn({ issuer, account, digits: count, period: periodSeconds, algorithm }: ImportFlags): GivenParameters {
  const all = { issuer, account, digits: count, periodSeconds, algorithm };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
