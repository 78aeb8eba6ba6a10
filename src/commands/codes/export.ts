/** `notp export`: gives out a secret unencrypted, to move it to a phone or another program. */
import { existsSync } from 'node:fs';
import { isatty } from 'node:tty';
import { messageOf, NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { toBase32 } from '../../otp/code.ts';
import { withoutSecret, otpauthUri, type Credential } from '../../otp/uri.ts';
import type { SealedFile } from '../../seal/file.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { writeNew } from '../../system/trusted.ts';
import type { ExportFormat } from '../../terminal/choices.ts';
import { givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import { openEnrolments } from '../../enrolment/open.ts';
import { newFile } from '../../system/new-file.ts';
import { isOutOfSight, nextCounter, openSealed, ownSealed, type Own } from '../../enrolment/own-secrets.ts';
import { drawFittingQr, drawQr, qrImage } from '../../terminal/qr.ts';
import { Option, type Command } from 'commander';
import { EXPORT_FORMATS } from '../../terminal/choices.ts';
import { CONTEXT, ownOf, type Finish, type SecretFlags, type Surroundings, withPassphrase } from '../options.ts';

export interface ExportOptions {
  readonly context: string;
  readonly to: ExportFormat;
  /** A new file; undefined: stdout. */
  readonly file: string | undefined;
  readonly json: boolean;
  readonly passphraseFile: string | undefined;
}

export async function exportSecret(own: Own, options: ExportOptions): Promise<number> {
  const { context, to, json } = options;
  const file = options.file === undefined ? undefined : newFile(options.file);
  if ((to === 'png' || to === 'svg') && file === undefined && !json && isatty(1))
    throw new NotpError('usage', `${to} cannot be shown on a terminal`, shellCommand`give --file ${context}.${to}, or redirect stdout`);
  // Check this first, before a code is used up.
  if (file !== undefined && existsSync(file)) throw notWritten(`${file} already exists`);
  const credential = await credentialOf(own, options);
  try {
    const output = json ? Buffer.from(jsonOf(context, credential)) : outputOf(credential, to, file === undefined && isatty(1));
    if (file === undefined) printResult(output);
    else writeFile(file, output);
    return 0;
  } finally {
    credential.secret.fill(0);
  }
}

async function credentialOf(own: Own, options: ExportOptions): Promise<Credential> {
  if (isOutOfSight(own, options.context)) return await openEnrolments(own).giveOut(options.context, undefined);
  const sealed = await ownSealed(own, options.context);
  if (sealed.seal.kind === 'host') return await openEnrolments(own).giveOut(options.context, sealed);
  return await ownCredential(own, sealed, options);
}

async function ownCredential(own: Own, sealed: SealedFile, { context, passphraseFile }: ExportOptions): Promise<Credential> {
  const payload = openSealed(sealed, await givenPassphrase(passphraseFile, `Passphrase for ${context}: `, patience(own.now)));
  return payload.type === 'hotp' ? { ...payload, counter: await nextCounter(own, sealed.id) } : payload;
}

function outputOf(credential: Credential, to: ExportFormat, terminal: boolean): Uint8Array {
  switch (to) {
    case 'uri':
      return Buffer.from(`${otpauthUri(credential)}\n`);
    case 'base32':
      return Buffer.from(`${toBase32(credential.secret)}\n`);
    case 'qr':
      return Buffer.from(terminal ? drawnOnTerminal(credential) : drawQr(otpauthUri(credential), 'ascii'));
    case 'png':
    case 'svg':
      return qrImage(otpauthUri(credential), to);
  }
}

function drawnOnTerminal(credential: Credential): string {
  const drawing = drawFittingQr(credential, 'unicode', process.stdout, ', or give --to png --file');
  if (drawing !== '') return drawing;
  throw new NotpError('failed', 'the QR code was not drawn');
}

function jsonOf(context: string, credential: Credential): string {
  return JSON.stringify({ context, ...withoutSecret(credential), secret: toBase32(credential.secret), uri: otpauthUri(credential) }) + '\n';
}

function writeFile(file: string, bytes: Uint8Array): void {
  try {
    writeNew(file, bytes);
  } catch (error) {
    throw notWritten(messageOf(error));
  }
  sayHint(`${file} holds the secret unencrypted: delete it after use`);
}

function notWritten(why: string): NotpError {
  return new NotpError('failed', why, '--file never overwrites; name a new file');
}

interface ExportFlags extends SecretFlags {
  readonly user?: string;
  readonly to: ExportFormat;
  readonly file?: string;
  readonly all?: boolean;
}

/** Adds `export`. */
export function addExport(program: Command, { now }: Surroundings, finish: Finish): void {
  withPassphrase(program.command('export'))
    .description('give out a secret unencrypted, for a phone or another program')
    .argument('[context]', CONTEXT)
    .option('--user <name>', 'user of a login sealed by this host; only root can name another user')
    .addOption(new Option('--to <format>', 'output format').choices(EXPORT_FORMATS).default('uri'))
    .option('--file <file>', 'write to a new file (default: stdout)')
    .addOption(
      new Option('--all', 'write all your secrets that the passphrase opens into a sealed archive').conflicts(['to', 'user', 'json']),
    )
    .addHelpText(
      'after',
      '\nA login sealed by this host is shown to root, and to its user after a code.\n\nExamples:\n  notp export --to qr         the QR code of your login, for a second phone\n  notp export github --to uri\n  notp export --all --file backup.notp    a backup; notp import --file reads it',
    )
    .action(async (context: string | undefined, flags: ExportFlags) => {
      const { to, file, passphraseFile } = flags;
      const own = await ownOf(flags, now, 'show the secret of somebody else');
      if (flags.all === true) {
        if (context !== undefined) throw new NotpError('usage', '--all exports every secret', 'leave out the name, or --all');
        const { exportArchive } = await import('./export-all.ts');
        finish(await exportArchive(own, { file, passphraseFile }));
        return;
      }
      finish(await exportSecret(own, { context: context ?? own.config.context, to, file, passphraseFile, json: flags.json === true }));
    });
}
