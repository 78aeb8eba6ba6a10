/**
 * `notp import`: seals the secrets of other services. Everything is read, opened and checked before anything is
 * written, and nothing is overwritten without --replace.
 */
import { randomBytes } from 'node:crypto';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { parseGoogleAuthenticator } from '../../otp/pam-google-authenticator.ts';
import { contextName, SECRET_EXPOSED } from '../../otp/names.ts';
import { newRecoveryCodes } from '../../otp/recovery.ts';
import { withoutSecret, otpauthUri, type Credential } from '../../otp/uri.ts';
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
import { contextNames } from './names.ts';
import { conversationBeside, MAX_SOURCE_BYTES, sourceBytes, textOf, type SourceBytes } from './source.ts';
import { openEnrolments } from '../../enrolment/open.ts';
import { dropCounter, setCounter, type Own } from '../../enrolment/own-secrets.ts';
import { keyToSealWith } from '../../enrolment/own-key.ts';
import { newHeader, sealByKey, type PassphraseKey } from '../../enrolment/sealing.ts';
import { storeFiles, type ToStore } from '../../enrolment/storing.ts';

export interface ImportOptions {
  readonly context: string;
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
  refuseSecret(contextName(options.context));
  const waiting = patience(own.now);
  const source = readAny(await sourceBytes(options.file, waiting), options, own.now());
  const { credentials, skipped, passphrase } = await openSource(source, options, waiting);
  // Refuse names that do not fit into a URI, since such a secret could never be exported.
  for (const credential of credentials) otpauthUri(credential);
  const named = contextNames(options.context, credentials);
  await refuseExisting(own, named, options.replace);
  const beside = (): Conversation => conversationBeside(options.file, waiting);
  const sealingWith = passphrase ?? (await givenNewPassphrase(options.newPassphraseFile ?? options.passphraseFile, waiting, beside));
  const stored = await storeAll(own, named, sealingWith, options.replace);
  for (const [context, credential] of named) {
    printImported(own, context, credential, stored.get(context) ?? '', options.json);
    credential.secret.fill(0);
  }
  printSkipped(skipped, named.size, options.json);
  return 0;
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

/** The secrets. The password that opened a file also seals them, unless a new passphrase is given. */
async function openSource(
  source: Source,
  { given, context, file, passphraseFile, newPassphraseFile }: ImportOptions,
  waiting: Waiting,
): Promise<Secrets & { passphrase: string | undefined }> {
  if (source.kind === 'credentials') return { ...source, passphrase: undefined };
  const program = source.kind === 'locked' ? source.program : 'the Python notp';
  const question = `Password of the ${source.kind === 'locked' ? program : 'Python notp'} file: `;
  const password = await givenPassphrase(passphraseFile, question, waiting, () => conversationBeside(file, waiting));
  const secrets =
    source.kind === 'locked' ? source.open(password) : bareSecret(openPythonNotp(source.file, password), { account: context, ...given });
  if (secrets === undefined)
    throw new NotpError(
      'refused',
      `the password does not open this file of ${program}`,
      'try again; if the password is right, the file was cut off or changed; nothing was imported',
    );
  const passphrase = passphraseFile !== undefined && newPassphraseFile === undefined ? password : undefined;
  return { ...secrets, passphrase };
}

function bareSecret(secret: Uint8Array | undefined, given: GivenParameters): Secrets | undefined {
  return secret && { credentials: [bareCredential(secret, given)], skipped: [] };
}

/** Refuses a name that looks like a secret, and does not repeat it. */
function refuseSecret(context: string): void {
  if (!/^[A-Z2-7]{16,}$/.test(context)) return;
  throw new NotpError(
    'usage',
    'the name for the secret looks like the secret itself, which never goes on the command line',
    SECRET_EXPOSED,
  );
}

/** A secret in this place would look like an enrolment, but no login would accept it. */
function refuseLoginContext({ config }: Own, context: string): void {
  if (!config.contexts.includes(context)) return;
  throw new NotpError(
    'usage',
    `${context} is the context of logins here`,
    'import it under another name; notp enroll makes a secret for logins',
  );
}

async function refuseExisting(own: Own, named: ReadonlyMap<string, Credential>, replace: boolean): Promise<void> {
  const enrolments = openEnrolments(own);
  for (const context of named.keys()) {
    refuseLoginContext(own, context);
    const file = sealedPath(own.config, own.user, context);
    const found = await asUser(own.user, () => findSealed(own.config, own.user, context));
    if ((found.kind === 'sealed' && (await enrolments.isLogin(found.file))) || (await enrolments.isLoginContext(context)))
      throw new NotpError('refused', `${file} is a login of this host`, 'import it under another name; nothing was imported');
    if (found.kind !== 'absent' && !replace)
      throw new NotpError('refused', `${file} already exists`, 'give --replace to replace it, or another name; nothing was imported');
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
