/** `notp export --all`: one sealed archive of one's own secrets, which `notp import` reads. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { isatty } from 'node:tty';
import { nextCounter, type Own } from '../../enrolment/own-secrets.ts';
import { newPassphraseKey } from '../../enrolment/sealing.ts';
import { messageOf, NotpError } from '../../error.ts';
import { namesUpTo, plural } from '../../lists.ts';
import { printArchive, sealArchive, type Archived } from '../../seal/archive.ts';
import { NONCE_BYTES, type SealedFile } from '../../seal/file.ts';
import { Keyring } from '../../seal/keyring.ts';
import { newFile } from '../../system/new-file.ts';
import { writeNew } from '../../system/trusted.ts';
import { givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import { printResult, sayError, sayLine } from '../../terminal/printer.ts';
import { noSecrets, ownSecrets, sayLeftOut } from './passphrase-all.ts';

export interface ArchiveOptions {
  /** A new file; undefined: stdout. */
  readonly file: string | undefined;
  readonly passphraseFile: string | undefined;
}

const MAX_NAMES = 10;

/** Gives 1 if a secret is left out: it has another passphrase, or its file cannot be used. */
export async function exportArchive(own: Own, { passphraseFile, ...options }: ArchiveOptions): Promise<number> {
  const file = options.file === undefined ? undefined : newFile(options.file);
  if (file === undefined && isatty(1))
    throw new NotpError('usage', 'an archive is no text for a terminal', 'give --file FILE, or redirect stdout');
  if (file !== undefined && existsSync(file)) throw notWritten(`${file} already exists`);
  const { files, unusable } = await ownSecrets(own);
  if (files.length === 0) throw noSecrets(unusable, 'notp export shows a login');
  const passphrase = await givenPassphrase(passphraseFile, 'Passphrase of the secrets, and of the archive: ', patience(own.now));
  const { all, lost } = await archived(own, files, passphrase);
  try {
    if (all.length === 0 && lost.size > 0) throw noSecrets([...lost.values()], 'nothing was written');
    if (all.length === 0) throw new NotpError('refused', 'this passphrase opens none of them', 'nothing was written');
    write(file, archiveOf(all, passphrase, own.now()));
  } finally {
    for (const { credential } of all) credential.secret.fill(0);
  }
  const isIn = (context: string): boolean => all.some((each) => each.context === context) || lost.has(context);
  const others = say(
    file,
    all.length,
    files.map(({ context }) => context).filter((context) => !isIn(context)),
  );
  return sayLeftOut('not in the archive', [...unusable, ...lost.values()]) || others;
}

interface Opened {
  readonly all: readonly Archived[];
  /** Why the others that open are not among them, by name: without its counter a HOTP secret shows no right code. */
  readonly lost: ReadonlyMap<string, string>;
}

async function archived(own: Own, files: readonly SealedFile[], passphrase: string): Promise<Opened> {
  const keyring = new Keyring(passphrase);
  const all: Archived[] = [];
  const lost = new Map<string, string>();
  try {
    for (const file of files) {
      const payload = keyring.open(file);
      if (payload === undefined) continue;
      const { recovery: _, token: __, ...credential } = payload;
      const { context } = file;
      try {
        const counted = credential.type === 'hotp' ? { ...credential, counter: await nextCounter(own, file.id) } : credential;
        all.push({ context, credential: counted });
      } catch (error) {
        credential.secret.fill(0);
        if (!(error instanceof NotpError)) throw error;
        lost.set(context, `${context}: ${error.message}`);
      }
    }
    return { all, lost };
  } finally {
    keyring.close();
  }
}

function archiveOf(all: readonly Archived[], passphrase: string, nowMs: number): Uint8Array {
  const { seal, key } = newPassphraseKey(passphrase);
  try {
    const created = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
    return printArchive(sealArchive({ created, seal }, all, key, new Uint8Array(randomBytes(NONCE_BYTES))));
  } finally {
    key.fill(0);
  }
}

function write(file: string | undefined, bytes: Uint8Array): void {
  if (file === undefined) {
    printResult(bytes);
    return;
  }
  try {
    writeNew(file, bytes);
  } catch (error) {
    throw notWritten(messageOf(error));
  }
}

function say(file: string | undefined, count: number, others: readonly string[]): 0 | 1 {
  sayLine(`${plural(count, 'secret')} in ${file ?? 'the archive'}, sealed by the same passphrase; notp import --file reads it`);
  if (others.length === 0) return 0;
  sayError(
    `not in the archive, since another passphrase seals them: ${namesUpTo(MAX_NAMES, others)}`,
    'export them to an archive of their own, with their passphrase',
  );
  return 1;
}

function notWritten(why: string): NotpError {
  return new NotpError('failed', why, '--file never overwrites; name a new file');
}
