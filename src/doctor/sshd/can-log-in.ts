/** Whether sshd could let an account in at all: allowed by name, not expired, and with a key or a password; and what it reaches without a shell. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf } from '../../error.ts';
import { keyFiles } from '../../system/ssh/authorized-keys.ts';
import { asUser } from '../../system/privileges.ts';
import { matchesPattern } from '../../system/ssh/patterns.ts';
import type { User } from '../../system/users.ts';
import { is, setting, words, type Effective } from './effective.ts';
import { knowsMoreThanUnix } from '../pam/stack.ts';
import type { Seen, SeenFrom } from './seen.ts';

const SHADOW = '/etc/shadow';
const DAY_MS = 86_400_000;
/** Programs in place of a shell that end at once. */
const NO_SHELLS = ['nologin', 'false', 'sync', 'shutdown', 'halt'];

/** What /etc/shadow says of an account. */
interface Password {
  readonly isSet: boolean;
  readonly isEmpty: boolean;
  /** Whether PAM may know another one, as of a directory. */
  readonly isElsewhere: boolean;
  /** Days since 1970 after which the account is closed. */
  readonly lastDay: number;
}

export type Passwords = ReadonlyMap<string, Password>;

/** Empty without root, or where another database has the passwords. `services`: the PAM services of sshd. */
export function shadowPasswords(services: readonly string[] = ['sshd']): Passwords {
  try {
    const isElsewhere = services.some(knowsMoreThanUnix);
    const lines = fs.readFileSync(SHADOW, 'utf8').split('\n');
    return new Map(
      lines.map((line) => {
        const [name = '', hash = '', , , , , , expires = ''] = line.split(':');
        const lastDay = expires === '' ? Infinity : Number(expires);
        return [name, { isSet: !/^[!*]/.test(hash), isEmpty: hash === '', isElsewhere, lastDay }] as const;
      }),
    );
  } catch {
    return new Map();
  }
}

/** Whether the passwd database gives the account a shell. */
export function hasShell({ shell }: Pick<User, 'shell'>): boolean {
  return !NO_SHELLS.includes(path.basename(shell));
}

/** The accounts of services that systemd makes while they run (DynamicUser= in systemd.exec(5)), and nobody: no password, no key, no shell. */
const [FIRST_DYNAMIC, LAST_DYNAMIC] = [61_184, 65_534];
/** Below are the accounts of the system, see SYS_UID_MAX in login.defs(5). */
const FIRST_PERSON = 1000;

/** What is known of an account without a line in shadow(5), which may be of a directory. */
function unknownPassword({ uid }: User): Password {
  const isDynamic = uid >= FIRST_DYNAMIC && uid <= LAST_DYNAMIC;
  return { isSet: uid !== 0 && !isDynamic, isEmpty: false, isElsewhere: false, lastDay: Infinity };
}

/**
 * What a client reaches without a shell: files by the sftp server in sshd itself, and by forwarding the network and programs (D-Bus). For a
 * session all else needs the shell, also a forced command.
 */
export function reachesWithoutShell(effective: Effective): boolean {
  const isOpen = (key: string): boolean => !is(effective, key, 'no');
  const forwards = !is(effective, 'disableforwarding', 'yes') && ['allowtcpforwarding', 'allowstreamlocalforwarding'].some(isOpen);
  const isForced = !['', 'none'].includes(setting(effective, 'forcecommand').toLowerCase());
  const servers = (effective.get('subsystem') ?? []).map((line) => line.split(/\s+/)[1]);
  return forwards || isOpen('permittunnel') || (!isForced && servers.includes('internal-sftp'));
}

interface Known {
  readonly passwords: Passwords;
  readonly groups: readonly string[];
  readonly nowMs: number;
}

/** The connections on which canLogIn(). */
export async function ableFrom(user: User, seen: Seen, known: Known): Promise<SeenFrom[]> {
  const able: SeenFrom[] = [];
  // One after the other, as the process becomes the user for the check.
  for (const each of seen) if (await canLogIn(user, each.effective, known)) able.push(each);
  return able;
}

/**
 * Whether a login could succeed, without any code. `groups`: those of the user. `nowMs`: Unix time in milliseconds. Where something is
 * not known, as the password in a directory, it counts as possible.
 */
async function canLogIn(user: User, effective: Effective, { passwords, groups, nowMs }: Known): Promise<boolean> {
  const password = passwords.get(user.name) ?? unknownPassword(user);
  const isOpen = password.lastDay >= Math.floor(nowMs / DAY_MS) && isAllowed(user.name, groups, effective);
  if (!isOpen || (user.uid === 0 && is(effective, 'permitrootlogin', 'no'))) return false;
  return hasPasswordLogin(user, effective, password) || isVouchedFor(effective) || (await hasKeyLogin(user, effective));
}

/** See DenyUsers in sshd_config(5). For `USER@HOST` some host may match, and some may not. */
function isAllowed(name: string, groups: readonly string[], effective: Effective): boolean {
  const [denied, allowed] = [words(effective, 'denyusers'), words(effective, 'allowusers')];
  const [deniedGroups, allowedGroups] = [words(effective, 'denygroups'), words(effective, 'allowgroups')];
  if (
    matchesAny(
      [name],
      denied.filter((pattern) => !pattern.includes('@')),
    ) ||
    matchesAny(groups, deniedGroups)
  )
    return false;
  const users = allowed.map((pattern) => pattern.replace(/@[^@]*$/, ''));
  return (users.length === 0 || matchesAny([name], users)) && (allowedGroups.length === 0 || matchesAny(groups, allowedGroups));
}

function matchesAny(names: readonly string[], patterns: readonly string[]): boolean {
  return patterns.some((pattern) => names.some((name) => matchesPattern(name, pattern)));
}

function hasPasswordLogin(user: User, effective: Effective, { isSet, isEmpty, isElsewhere }: Password): boolean {
  const { uid } = user;
  const isAsked =
    is(effective, 'passwordauthentication', 'yes') ||
    (is(effective, 'usepam', 'yes') && is(effective, 'kbdinteractiveauthentication', 'yes'));
  if (!isAsked || (uid === 0 && !is(effective, 'permitrootlogin', 'yes'))) return false;
  // A directory has no passwords of the system's own accounts, of which there are many.
  const isSystems = uid > 0 && uid < FIRST_PERSON && !hasShell(user);
  if (isElsewhere && !isSystems && is(effective, 'usepam', 'yes')) return true;
  return isSet && (!isEmpty || is(effective, 'permitemptypasswords', 'yes'));
}

/**
 * Whether sshd may find a key of the user. The user controls these files, and on NFS root may see fewer of them. So they are
 * looked at as that user, none is opened, and one that cannot be looked at counts as a key.
 */
export async function hasKeyLogin(user: User, effective: Effective): Promise<boolean> {
  if (is(effective, 'pubkeyauthentication', 'no')) return false;
  const isNamed = (key: string): boolean => !['', 'none'].includes(setting(effective, key));
  if (isNamed('authorizedkeyscommand') || isNamed('trustedusercakeys')) return true;
  const templates = words(effective, 'authorizedkeysfile').filter((file) => file !== 'none');
  const files = keyFiles(templates, user);
  try {
    return files.length > 0 && (await asUser(user, () => files.some(mayHoldKeys)));
  } catch {
    return true;
  }
}

function mayHoldKeys(file: string): boolean {
  try {
    return fs.lstatSync(file).size > 0;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
  }
}

function isVouchedFor(effective: Effective): boolean {
  return ['hostbasedauthentication', 'gssapiauthentication'].some((key) => is(effective, key, 'yes'));
}
