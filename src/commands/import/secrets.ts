/**
 * `notp import`: seals the secrets of other services. Everything is read, opened and checked before anything is
 * written, and nothing is overwritten without --replace.
 */
import { randomBytes } from 'node:crypto';
import { NotpError } from '../../error.ts';
import { namesUpTo } from '../../lists.ts';
import { shellCommand } from '../../otp/escape.ts';
import { parseGoogleAuthenticator } from '../../otp/pam-google-authenticator.ts';
import { contextName } from '../../otp/names.ts';
import { newRecoveryCodes } from '../../otp/recovery.ts';
import { withoutSecret, otpauthUri, type Credential } from '../../otp/uri.ts';
import { openArchive, type Archived } from '../../seal/archive.ts';
import { printSealedFile } from '../../seal/file.ts';
import { openPythonNotp } from '../../seal/python-notp.ts';
import type { Waiting } from '../../system/bytes.ts';
import type { Conversation } from '../../terminal/conversation.ts';
import { printResult, sayLine } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { findSealed, sealedPath } from '../../system/secrets.ts';
import { givenNewPassphrase, givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import type { ImportFormat } from '../../terminal/choices.ts';
import type { Skipped } from '../../formats/format.ts';
import { bareCredential, readInput, skippedLine, type GivenParameters, type Secrets, type Source } from './read-source.ts';
import { refuseLoginName, refuseSecretAsName } from '../own-names.ts';
import { contextNames } from './names.ts';
import { conversationBeside, MAX_SOURCE_BYTES, sourceBytes, textOf, type SourceBytes } from './source.ts';
import { type Own, dropCounter, keyToSealWith, setCounter } from '../../enrolment/own-secrets.ts';
import { newHeader, sealByKey, type PassphraseKey } from '../../enrolment/sealing.ts';
import { storeFiles, type ToStore } from '../../enrolment/storing.ts';

export interface ImportOptions {
  /** Undefined: an archive, which has names. */
  readonly context: string | undefined;
  readonly from: ImportFormat | 'google-authenticator' | undefined;
  /** Undefined: stdin, or the terminal. */
  readonly file: string | undefined;
  readonly given: GivenParameters;
  readonly replace: boolean;
  readonly json: boolean;
  /** The passphrase to seal with. It also opens a locked file; `newPassphraseFile` seals if it is given. */
  readonly passphraseFile: string | undefined;
  readonly newPassphraseFile: string | undefined;
}

/** Any further skipped entries are only counted. */
const MAX_LINES = 20;

export async function importSecrets(own: Own, options: ImportOptions): Promise<number> {
  const { context } = options;
  if (context !== undefined) refuseSecretAsName(contextName(context));
  const waiting = patience(own.now);
  const source = readAny(await sourceBytes(options.file, waiting), options, own.now());
  if (source.kind !== 'archive' && context === undefined) throw needsName();
  const { named, skipped, passphrase } = await openSource(source, { ...options, context: context ?? '' }, waiting);
  // Refuse names that do not fit into a URI, since such a secret could never be exported.
  for (const credential of named.values()) otpauthUri(credential);
  await refuseExisting(own, named, options.replace);
  const beside = (): Conversation => conversationBeside(options.file, waiting);
  const sealingWith = passphrase ?? (await givenNewPassphrase(options.newPassphraseFile ?? options.passphraseFile, waiting, beside));
  const stored = await storeAll(own, named, sealingWith, options.replace);
  for (const [name, credential] of named) {
    printImported(own, name, credential, stored.get(name) ?? '', options.json);
    credential.secret.fill(0);
  }
  printSkipped(skipped, named.size, options.json);
  return 0;
}

export function needsName(): NotpError {
  return new NotpError('usage', 'the secret needs a name', 'give a name, as in notp import github; for a login give --from, see --help');
}

function printSkipped(skipped: readonly Skipped[], imported: number, json: boolean): void {
  if (json) for (const each of skipped) printResult(JSON.stringify({ context: null, result: 'skipped', ...each }) + '\n');
  if (skipped.length === 0) return;
  sayLine(`Imported ${String(imported)} of ${String(imported + skipped.length)} secrets`);
  sayLine(`Skipped: ${String(skipped.length)}`);
  for (const each of skipped.slice(0, MAX_LINES)) sayLine(`  ${skippedLine(each)}`);
  if (skipped.length > MAX_LINES) sayLine(`  and ${String(skipped.length - MAX_LINES)} more`);
}

/** A google-authenticator file has no issuer and account. Its emergency codes and used steps matter for logins only. */
function readAny(input: SourceBytes, { from, given }: ImportOptions, nowMs: number): Source {
  if (from !== 'google-authenticator') return readInput(input, from, given);
  const { issuer = '', account = '' } = given;
  const { credential } = parseGoogleAuthenticator(textOf(input.name, input.bytes, MAX_SOURCE_BYTES), nowMs);
  return { kind: 'credentials', credentials: [{ ...credential, issuer, account }], skipped: [] };
}

interface Named {
  readonly named: ReadonlyMap<string, Credential>;
  readonly skipped: readonly Skipped[];
  /** Undefined: it has to be asked for. */
  readonly passphrase: string | undefined;
}

type Locked = Exclude<Source, { kind: 'credentials' }>;
type Opening = ImportOptions & { readonly context: string };

/** The secrets and their names. The password that opened a file also seals them, unless a new passphrase is given. */
async function openSource(source: Source, options: Opening, waiting: Waiting): Promise<Named> {
  const { context, file, passphraseFile, newPassphraseFile } = options;
  if (source.kind === 'credentials')
    return { named: contextNames(context, source.credentials), skipped: source.skipped, passphrase: undefined };
  const program = programOf(source);
  const question = `Password of the ${program} file: `;
  const password = await givenPassphrase(passphraseFile, question, waiting, () => conversationBeside(file, waiting));
  const secrets = openWith(source, password, options);
  if (secrets === undefined)
    throw new NotpError(
      'refused',
      `the password does not open this file of ${source.kind === 'python-notp' ? 'the ' : ''}${program}`,
      'try again; if the password is right, the file was cut off or changed, or is of another program; nothing was imported',
    );
  const isKept = newPassphraseFile === undefined && (passphraseFile !== undefined || source.kind === 'archive');
  return { ...secrets, passphrase: isKept ? password : undefined };
}

function programOf(source: Locked): string {
  switch (source.kind) {
    case 'locked':
      return source.program;
    case 'python-notp':
      return 'Python notp';
    case 'archive':
      return 'notp';
  }
}

/** Undefined where the password is wrong. */
function openWith(source: Locked, password: string, { context, given }: Opening): Omit<Named, 'passphrase'> | undefined {
  if (source.kind === 'archive') return fromArchive(openArchive(source.archive, password), context);
  const secrets =
    source.kind === 'locked' ? source.open(password) : bareSecret(openPythonNotp(source.file, password), { account: context, ...given });
  return secrets && { named: contextNames(context, secrets.credentials), skipped: secrets.skipped };
}

/** All of an archive, or the one that is called `context`. */
function fromArchive(all: readonly Archived[] | undefined, context: string): Omit<Named, 'passphrase'> | undefined {
  if (all === undefined) return undefined;
  const chosen = all.filter((each) => context === '' || each.context === context);
  if (chosen.length > 0) return { named: new Map(chosen.map((each) => [each.context, each.credential])), skipped: [] };
  throw new NotpError(
    'refused',
    `the archive has no secret${context === '' ? '' : ` ${context}`}`,
    `it has ${namesUpTo(
      MAX_LINES,
      all.map((each) => each.context),
    )}`,
  );
}

function bareSecret(secret: Uint8Array | undefined, given: GivenParameters): Secrets | undefined {
  return secret && { credentials: [bareCredential(secret, given)], skipped: [] };
}

async function refuseExisting(own: Own, named: ReadonlyMap<string, Credential>, replace: boolean): Promise<void> {
  for (const context of named.keys()) {
    const found = await refuseLoginName(own, context, 'import it');
    if (found.kind !== 'absent' && !replace)
      throw new NotpError(
        'refused',
        `${sealedPath(own.config, own.user, context)} already exists`,
        'give --replace to replace it, or another name; nothing was imported',
      );
  }
}

/** Stores all of them or none, and gives the id of each. */
async function storeAll(
  own: Own,
  named: ReadonlyMap<string, Credential>,
  passphrase: string,
  replace: boolean,
): Promise<ReadonlyMap<string, string>> {
  const earlier = await earlierIds(own, [...named.keys()]);
  const shared = await keyToSealWith(own, passphrase);
  const files = [...named].map(([context, credential]) => sealedFile(own, context, credential, shared));
  shared.key.fill(0);
  await storeFiles(files, async () => {
    // Another process may have stored a file meanwhile.
    await refuseExisting(own, named, replace);
    // Set the counter first, since a sealed file without a counter shows no code.
    for (const { id, credential } of files) if (credential.type === 'hotp') await setCounter(own, id, credential.counter);
  });
  for (const id of earlier) await dropCounter(own, id);
  return new Map(files.map(({ context, id }) => [context, id]));
}

function sealedFile(
  { config, user, now }: Own,
  context: string,
  credential: Credential,
  shared: PassphraseKey,
): ToStore & { readonly context: string; readonly credential: Credential; readonly id: string } {
  const header = newHeader(user.name, context, now());
  const payload = { ...credential, recovery: newRecoveryCodes(0, randomBytes).kept };
  const bytes = printSealedFile(sealByKey(header, payload, shared));
  return { config, user, file: sealedPath(config, user, context), bytes, context, credential, id: header.id };
}

async function earlierIds({ config, user }: Own, contexts: readonly string[]): Promise<string[]> {
  const found = await asUser(user, () => contexts.map((context) => findSealed(config, user, context)));
  return found.flatMap((each) => (each.kind === 'sealed' ? [each.file.id] : []));
}

function printImported({ config, user }: Own, context: string, credential: Credential, id: string, json: boolean): void {
  const file = sealedPath(config, user, context);
  if (json) printResult(JSON.stringify({ context, file, id, ...withoutSecret(credential) }) + '\n');
  else sayLine(`Imported ${context}: ${file}; ${shellCommand`notp code ${context}`} shows its codes`);
}
