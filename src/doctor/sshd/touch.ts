/**
 * Keys on security devices (`sk-*`) for which a rule asks for no code: the touch of the device is the second factor. sshd demands it,
 * unless the line of the key, or its certificate, says no-touch-required. PubkeyAuthOptions takes that choice away, see sshd_config(5).
 * With verify-required the device asks for its PIN, which is a second factor too.
 */
import { namesUpTo, plural } from '../../lists.ts';
import { authorizedKeysOf, keyFiles, type AuthorizedKey } from '../../system/ssh/authorized-keys.ts';
import { asUser } from '../../system/privileges.ts';
import type { User } from '../../system/users.ts';
import { ok, type Finding } from '../finding.ts';
import type { LetIn } from '../let-in.ts';
import type { Person } from '../people.ts';
import { is, words, type Effective } from './effective.ts';
import { judgeEach, type Seen } from './seen.ts';

const ID = 'touch';
const FIX = 'PubkeyAuthOptions touch-required';
const CHOICE = 'no PubkeyAuthOptions requires the touch, and the line of a key or a certificate may say no-touch-required';
const NAMED = 3;

/** `perUser`: the configurations of each user. `isAsked`: whether sshd leaves a login to a door, and so to the rules. */
export async function examineTouch(
  people: readonly Person[],
  perUser: ReadonlyMap<string, Seen>,
  { letInByTouch, isAsked }: { readonly letInByTouch: LetIn; readonly isAsked: (effective: Effective) => boolean },
): Promise<Finding[]> {
  const users = letInByTouch(
    people.map(({ user }) => user),
    false,
  );
  const found: Finding[] = [];
  for (const user of users) {
    const seen = (perUser.get(user.name) ?? []).filter(({ effective }) => isAsked(effective) && !isShut(user, effective));
    found.push(
      ...(await asUser(user, () => judgeEach(seen, (effective) => (requiresTouch(effective) ? [] : [untouched(user, effective)])))),
    );
  }
  return users.size === 0 || found.length > 0 ? found : [ok(ID, 'sshd requires the touch for which rules ask for no code')];
}

/** Of accounts that are not enrolled, in any number: their files of keys are not read. */
export function untouchedAccounts(users: readonly User[], where: string): Finding {
  const names = users.map(({ name }) => name);
  return choice(`${where}: ${CHOICE}: ${plural(names.length, 'account')} without an enrolment: ${namesUpTo(NAMED, names)}`);
}

/** Whether sshd demands a touch or a PIN of every key on a device, whatever its line says. */
export function requiresTouch(effective: Effective): boolean {
  return words(effective, 'pubkeyauthoptions').some((word) => ['touch-required', 'verify-required'].includes(word.toLowerCase()));
}

function isShut({ name }: User, effective: Effective): boolean {
  return is(effective, 'pubkeyauthentication', 'no') || (name === 'root' && is(effective, 'permitrootlogin', 'no'));
}

/** The caller is `user`, or root as them. */
function untouched(user: User, effective: Effective): Finding {
  const files = keyFiles(
    words(effective, 'authorizedkeysfile').filter((file) => file !== 'none'),
    user,
  );
  const places = files
    .flatMap(linesIn)
    .filter(needsNoTouch)
    .map(({ place }) => place);
  if (places.length === 0) return { ...choice(CHOICE), user: user.name };
  return {
    id: ID,
    severity: 'fail',
    title: 'A rule asks for no code because of a touch that a key does without',
    detail: `no-touch-required: ${namesUpTo(NAMED, places)}`,
    fix: FIX,
    user: user.name,
  };
}

function choice(detail: string): Finding {
  return { id: ID, severity: 'warn', title: 'A rule asks for no code because of a touch that a key may do without', detail, fix: FIX };
}

/** The lines of a file; none where it cannot be read: who is refused at the gate for that is told there (FC13). */
function linesIn(file: string): AuthorizedKey[] {
  try {
    return authorizedKeysOf(file);
  } catch {
    return [];
  }
}

/** An authority's certificates need no touch where both its line and they say so. */
function needsNoTouch({ key, options, isAuthority }: AuthorizedKey): boolean {
  return (isAuthority || key?.startsWith('sk-') === true) && options?.some(({ name }) => name === 'no-touch-required') === true;
}
