/** `notp import --from pskc` and `--from csv`: hardware tokens become logins, one or many; see users-file.ts. */
import { NotpError } from '../../error.ts';
import { readPskc } from '../../formats/pskc.ts';
import { readAssignments, readTokenCsv } from '../../formats/token-csv.ts';
import { MAX_TOKEN_FILE_BYTES, type TokenDefaults, type TokenFile } from '../../formats/tokens.ts';
import type { PamOathFile } from '../../otp/pam-oath.ts';
import type { Waiting } from '../../system/bytes.ts';
import type { Config } from '../../system/config.ts';
import { usersByName } from '../../system/users.ts';
import { givenPassphrase, patience } from '../../terminal/ask-passphrase.ts';
import { hostPlace } from './login-plan.ts';
import { tokenFileText } from './login-source.ts';
import { conversationBeside, fileText } from './source.ts';
import { assigned, asTheFileSays, namesOf } from './token-owners.ts';
import { importUsersFile, type UsersFileOptions } from './users-file.ts';

export interface TokenFileOptions extends UsersFileOptions {
  readonly from: 'pskc' | 'csv';
  /** The serial number of the token of `user`. */
  readonly serial: string | undefined;
  /** A list of users and serial numbers. */
  readonly assign: string | undefined;
  /** The password or key of a locked file. */
  readonly passphraseFile: string | undefined;
  readonly given: TokenDefaults;
}

/** The exit code is 0 if no token failed. Throws if the import ended early, or if there is nothing to import. */
export async function importTokenFile(config: Config, options: TokenFileOptions, now: () => number): Promise<number> {
  refuseWords(options);
  const place = hostPlace(config, options.from);
  const waiting = patience(now);
  const { text, file = 'stdin' } = await tokenFileText(options.file, waiting);
  const found = await readTokens(text, file, options, waiting, now());
  const { work, from } = chosen(found, file, options);
  const users = usersByName([...work.tokens, ...work.mistakes].flatMap(({ user }) => user ?? []));
  return await importUsersFile({ config, options, place, now, interrupt: waiting.interrupt }, { ...work, from, users });
}

function refuseWords({ serial, assign, user }: TokenFileOptions): void {
  if (serial !== undefined && (user === undefined || assign !== undefined))
    throw new NotpError('usage', '--serial names the token of one user', 'give --user too, and leave out --assign');
}

async function readTokens(text: string, file: string, options: TokenFileOptions, waiting: Waiting, nowMs: number): Promise<TokenFile> {
  const { from, given, passphraseFile } = options;
  const csv = from === 'csv' ? readTokenCsv(text, given) : undefined;
  if (csv !== undefined && 'why' in csv)
    throw new NotpError(
      'usage',
      `${file} ${csv.why}`,
      'remove those that do not say how codes are made; it knows digits, algorithm, time interval, counter and type',
    );
  if (csv !== undefined) return csv;
  const read = from === 'pskc' ? readPskc(text, nowMs, given) : undefined;
  if (read === undefined)
    throw new NotpError('usage', `${file} is no file of tokens that notp knows`, 'give --from pskc for XML (RFC 6030), or --from csv');
  if (read.kind === 'tokens') return read.file;
  const question = `${read.by === 'password' ? 'Password' : 'Pre-shared key (hex)'} of the tokens: `;
  const opened = read.open(await givenPassphrase(passphraseFile, question, waiting, () => conversationBeside(options.file, waiting)));
  if (opened === undefined)
    throw new NotpError('refused', `the ${read.by} does not open ${file}`, 'ask the sender of the tokens for it; nothing was imported');
  return opened;
}

/** The tokens with their users, and the name of the file whose lines they are. */
function chosen(found: TokenFile, file: string, { serial, assign, user }: TokenFileOptions): { work: PamOathFile; from: string } {
  if (serial !== undefined) {
    const work = assigned(found, [{ line: 1, user: user ?? '', serial }], file);
    const [mistake] = work.mistakes;
    if (mistake !== undefined) throw new NotpError('usage', mistake.why, 'nothing was imported');
    return { work, from: file };
  }
  const users = usersByName([...found.tokens, ...found.mistakes].flatMap((each) => namesOf(each.user)));
  const all = assign === undefined ? asTheFileSays(found, (name) => users.get(name)?.name, file) : assigned(found, listIn(assign), file);
  const isWanted = (each: { readonly user: string | undefined }): boolean => user === undefined || each.user === user;
  const work = { tokens: all.tokens.filter(isWanted), mistakes: all.mistakes.filter(isWanted) };
  if (work.tokens.length === 0 && work.mistakes.length === 0)
    throw new NotpError('usage', `${assign ?? file} has no token of ${user ?? 'anybody'}`, 'nothing was imported');
  return { work, from: assign ?? file };
}

function listIn(file: string): ReturnType<typeof readAssignments> {
  return readAssignments(fileText(file, MAX_TOKEN_FILE_BYTES));
}
