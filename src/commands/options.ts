/** Shared by all commands: the surroundings of the process, common options, and checks of option values. */
import { shellCommand } from '../otp/escape.ts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { QR_STYLES } from '../terminal/choices.ts';
import type { Own } from '../enrolment/own-secrets.ts';
import { DIGITS, type Digits } from '../otp/code.ts';
import { DEFAULT_CONFIG_FILE, readConfig, type Config } from '../system/config.ts';

/** The environment, umask and clock of the process. */
export interface Surroundings {
  readonly environment: NodeJS.ProcessEnv;
  readonly umask: number;
  readonly now: () => number;
}

/** The descriptions of the argument of commands about one secret. */
export const SECRET_NAME = 'name of the secret';
export const CONTEXT = `${SECRET_NAME} (default: the context of logins)`;
export const JSON_LINES = 'print JSON, one object on each line';

/** Takes the exit code of the command that ran. */
export type Finish = (code: number) => void;

/** The flags that all commands have, as commander gives them after the checks below. */
export interface CommonFlags {
  readonly config?: string;
}

export function common(command: Command): Command {
  return command
    .option('--config <file>', `configuration file (default: ${DEFAULT_CONFIG_FILE}, which may be absent)`)
    .allowExcessArguments(false);
}

/** The option of commands that ask for a passphrase. */
export function passphraseFileOption(): Option {
  return new Option('--passphrase-file <file>', 'read the passphrase from the first line of a file, "-" for stdin');
}

/** The option of commands that draw a QR code. */
export function qrOption(description: string): Option {
  return new Option('--qr <style>', description).choices(QR_STYLES);
}

export function configOf(flags: CommonFlags): Config {
  return readConfig(flags.config);
}

/**
 * The user whose secrets a command uses: the caller, or for root `flags.user`. `onlyRoot`: the act that only root can do
 * for another user, for the error.
 */
export async function ownOf(flags: CommonFlags & { readonly user?: string }, now: () => number, onlyRoot = ''): Promise<Own> {
  const { userNamed } = await import('../enrolment/whose.ts');
  const user = userNamed(flags.user, { onlyRoot, hint: ({ name }) => shellCommand`run it with sudo, or as ${name}` });
  return { config: configOf(flags), user, now };
}

export function label(given: string): string {
  const text = given.trim();
  if (/^\P{Cc}{1,64}$/u.test(text)) return text;
  throw new InvalidArgumentError('It must be 1 to 64 printable characters.');
}

export function digits(given: string): Digits {
  const value = DIGITS.find((each) => String(each) === given);
  if (value === undefined) throw new InvalidArgumentError(`It must be one of ${DIGITS.join(', ')}.`);
  return value;
}

export function wholeNumber(min: number, max: number): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (/^\d+$/.test(given) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${String(min)} to ${String(max)}.`);
  };
}

/** The flags of the commands about your own secrets. */
export interface SecretFlags extends CommonFlags {
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

export function withPassphrase(command: Command): Command {
  return common(command).addOption(passphraseFileOption()).option('--json', JSON_LINES);
}
