/** Gives hardware tokens to users: one by its serial number, many by a list, or all as their file says. Pure. */
import { NotpError } from '../../error.ts';
import type { HardwareToken, TokenFile, TokenMistake } from '../../formats/tokens.ts';
import { quoted, shellCommand } from '../../otp/escape.ts';
import type { PamOathFile, PamOathMistake, PamOathToken } from '../../otp/pam-oath.ts';

/** One line of a list: whose the token is. */
export interface Assignment {
  readonly line: number;
  readonly user: string;
  readonly serial: string;
}

/** The tokens that the list names, each for one user, with the lines of the list. */
export function assigned({ tokens, mistakes }: TokenFile, list: readonly Assignment[], file: string): PamOathFile {
  const bySerial = Map.groupBy(tokens, ({ serial }) => serial);
  const wrong = new Map(mistakes.map((each) => [each.serial, each.why]));
  const owners = new Map<string, string>();
  const found: PamOathToken[] = [];
  const failed: PamOathMistake[] = [];
  for (const { line, user, serial } of list) {
    const fail = (why: string): void => void failed.push({ line, user: user === '' ? undefined : user, why });
    const theirs = bySerial.get(serial);
    const owner = owners.get(serial);
    if (user === '' || serial === '') fail('it must be a user and a serial number, separated by a comma');
    else if (owner !== undefined) fail(`token ${quoted(serial)} is given to ${owner} already`);
    else if (theirs === undefined)
      fail(`token ${quoted(serial)}${wrong.has(serial) ? `: ${wrong.get(serial) ?? ''}` : ` is not in ${file}`}`);
    else {
      owners.set(serial, user);
      found.push(...theirs.map((each) => tokenOf(each, user, line)));
    }
  }
  return { tokens: found, mistakes: failed };
}

/**
 * The tokens that the file itself gives to users. `accountOf`: the account that a name is one of. Where two names of the file lead to one
 * account, nobody knows whose it is. Throws `usage` if the file names nobody.
 */
export function asTheFileSays({ tokens, mistakes }: TokenFile, accountOf: (name: string) => string | undefined, file: string): PamOathFile {
  const named = tokens.filter(({ user }) => user !== '');
  if (named.length === 0) throw nobodys(tokens, mistakes, file);
  const nameOf = (user: string): string => namesOf(user).find((name) => accountOf(name) !== undefined) ?? user;
  const spellings = Map.groupBy(new Set([...tokens, ...mistakes].map(({ user }) => user)), (user) => accountOf(nameOf(user)));
  const found: PamOathToken[] = [];
  const failed: PamOathMistake[] = mistakes.map(({ line, user, serial, why }) => ({
    line,
    user: user === '' ? undefined : user,
    why: `${serial === '' ? '' : `token ${quoted(serial)}: `}${why}`,
  }));
  for (const each of named) {
    const { line, user, serial } = each;
    const account = accountOf(nameOf(user));
    const other = account === undefined ? undefined : spellings.get(account)?.find((name) => name.toLowerCase() !== user.toLowerCase());
    if (other === undefined) found.push(tokenOf(each, nameOf(user), line));
    else
      failed.push({
        ...{ line, user: nameOf(user) },
        why: `token ${quoted(serial)}: ${quoted(user)} and ${quoted(other)} are both ${account ?? ''} here: say whose it is with --assign`,
      });
  }
  return { tokens: found, mistakes: failed };
}

/** The names that may be meant: as it stands, and without its domain. */
export function namesOf(user: string): readonly string[] {
  return [user, user.replace(/@[^@]*$/, '')];
}

function nobodys(tokens: readonly HardwareToken[], [mistake]: readonly TokenMistake[], file: string): NotpError {
  const [first] = tokens;
  if (first !== undefined)
    return new NotpError(
      'usage',
      `${file} does not say whose its ${String(tokens.length)} tokens are`,
      shellCommand`for one: --user NAME --serial ${first.serial}; for many: --assign FILE, each line a user, a comma and a serial number`,
    );
  const why = mistake === undefined ? '' : `: line ${String(mistake.line)}: ${mistake.why}`;
  return new NotpError('usage', `${file} has no token that notp can use${why}`, 'nothing was imported');
}

function tokenOf({ serial, model, credential }: HardwareToken, user: string, line: number): PamOathToken {
  return { line, user, credential, pin: false, lastStep: undefined, notes: [], token: { serial, model } };
}
