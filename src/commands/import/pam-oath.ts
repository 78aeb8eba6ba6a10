/** `notp import --from pam-oath`: imports the logins of a whole users file; see users-file.ts. */
import { parsePamOath, type PamOathFile } from '../../otp/pam-oath.ts';
import { NotpError } from '../../error.ts';
import { quoted } from '../../otp/escape.ts';
import { onEndingSignals, type Waiting } from '../../system/bytes.ts';
import type { Config } from '../../system/config.ts';
import { usersByName, type User } from '../../system/users.ts';
import { hostPlace } from './login-plan.ts';
import { pamOathText } from './login-source.ts';
import { importUsersFile, type UsersFileOptions } from './users-file.ts';

/** The exit code is 0 if no token failed. Throws if the import ended early, or if there is nothing to import. */
export async function importPamOath(config: Config, options: UsersFileOptions, now: () => number): Promise<number> {
  const place = hostPlace(config, 'pam-oath');
  const waiting: Waiting = { deadlineMs: Infinity, interrupt: onEndingSignals() };
  const { text, file = 'stdin' } = await pamOathText(options.file, waiting);
  const all = parsePamOath(text, now());
  const users = usersByName([...all.tokens, ...all.mistakes, options].flatMap(({ user }) => user ?? []));
  const work = { ...chosen(all, options.user, users, file), from: file, users };
  return await importUsersFile({ config, options, place, now, interrupt: waiting.interrupt }, work);
}

/** The tokens of `user` in any spelling, or of all users. Throws `usage` if there are none. */
function chosen({ tokens, mistakes }: PamOathFile, user: string | undefined, users: ReadonlyMap<string, User>, file: string): PamOathFile {
  const nameOf = (spelling: string | undefined): string | undefined => users.get(spelling ?? '')?.name ?? spelling;
  const isWanted = (each: { readonly user: string | undefined }): boolean => user === undefined || nameOf(each.user) === nameOf(user);
  const wanted = { tokens: tokens.filter(isWanted), mistakes: mistakes.filter(isWanted) };
  if (wanted.tokens.length > 0 || (tokens.length > 0 && wanted.mistakes.length > 0)) return wanted;
  if (user !== undefined && tokens.length > 0)
    throw new NotpError('usage', `${file} has no token of ${quoted(user)}`, 'leave out --user, or name another user');
  const [first] = mistakes;
  throw first === undefined
    ? new NotpError('usage', `${file} has no token in it`, 'it must be the users file of pam_oath; nothing was imported')
    : new NotpError(
        'usage',
        `${file} is not a users file of pam_oath: no line is a token; line ${String(first.line)}: ${first.why}`,
        'usersfile= in /etc/pam.d names the file; nothing was imported',
      );
}
