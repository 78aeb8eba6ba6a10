/**
 * The accounts without an enrolment, in classes that sshd treats alike: who of them gets in without a code, and who is refused because there
 * is no enrolment. They may be many, so each class is one finding, with a count and some names.
 */
import { groupsByName, type User } from '../../system/users.ts';
import type { Finding, Severity } from '../finding.ts';
import { canLogIn, hasShell, type Passwords } from './can-log-in.ts';
import { setting, type Effective } from './effective.ts';
import { meansGate } from './gate-command.ts';
import { leavesCodeToPam } from './pam-rules.ts';
import type { Doors } from './apply-rules.ts';
import { placeOf, type Vantage } from './vantage.ts';

/** Accounts that sshd treats alike, and their effective configuration from each vantage. */
export interface BystanderClass {
  readonly users: readonly User[];
  readonly seen: readonly { readonly vantage: Vantage; readonly effective: Effective }[];
}

export interface About {
  readonly where: string;
  readonly doors: Doors;
  /** The effective configuration of somebody whom no Match line names. */
  readonly anybody: Effective;
  readonly passwords: Passwords;
  /** Whether an account without an enrolment is refused. */
  readonly areRefused: boolean;
  readonly nowMs: number;
  /** The failures of sshd's rules for a class that others have not. */
  readonly broken: (each: BystanderClass) => readonly Finding[];
}

const NAMED = 3;
/** In a larger class the files of keys are not looked for: each may be on another server. */
const MAX_LOOKED_AT = 200;

/** Whether a code is asked for at this door of sshd. */
function isAsked(effective: Effective, { gate, pam }: Doors): boolean {
  return (gate && meansGate(setting(effective, 'forcecommand'))) || (pam && leavesCodeToPam(effective));
}

export async function examineBystanders(classes: readonly BystanderClass[], about: About): Promise<Finding[]> {
  const [open, broken, refused] = [new Map<string, User[]>(), new Map<string, User[]>(), [] as User[]];
  const findings = new Map<string, Finding>();
  for (const { users, seen } of classes) {
    const free = seen.filter(({ effective }) => !isAsked(effective, about.doors));
    const [first] = free.length > 0 ? free : seen;
    if (first === undefined) continue;
    const able = await whoCanLogIn(users, first.effective, about);
    if (able.length === 0) continue;
    if (free.length > 0) add(open, howOf(free, seen.length), able);
    else {
      refused.push(...able);
      for (const { user: _, ...finding } of about.broken({ users, seen })) {
        const key = JSON.stringify(finding);
        findings.set(key, finding);
        add(broken, key, able);
      }
    }
  }
  return [
    ...[...open].map(([how, users]) => withoutCode(users, how, about)),
    ...[...findings].map(([key, finding]) => alsoFor(broken.get(key) ?? [], finding)),
    ...notEnrolled(refused, about),
  ];
}

function add(to: Map<string, User[]>, key: string, users: readonly User[]): void {
  to.set(key, [...(to.get(key) ?? []), ...users]);
}

function alsoFor(users: readonly User[], finding: Finding): Finding {
  return { ...finding, detail: `${finding.detail} (${named(users)})` };
}

async function whoCanLogIn(users: readonly User[], effective: Effective, { passwords, nowMs }: About): Promise<User[]> {
  const some = users.filter((user) => isLimited(effective) || hasShell(user));
  if (some.length > MAX_LOOKED_AT) return some;
  const needGroups = ['allowgroups', 'denygroups'].some((key) => effective.has(key));
  const groups = needGroups ? groupsByName(some.map(({ name }) => name)) : new Map<string, readonly string[]>();
  const able: User[] = [];
  // One after the other, as the process becomes each user for the check.
  for (const user of some) if (await canLogIn(user, effective, { passwords, groups: groups.get(user.name) ?? [], nowMs })) able.push(user);
  return able;
}

/** Whether sshd runs only one command for them, such as internal-sftp. */
function isLimited(effective: Effective): boolean {
  const command = setting(effective, 'forcecommand');
  return !['', 'none'].includes(command.toLowerCase()) && !meansGate(command);
}

/** How sshd lets them in, for people. */
function howOf(free: BystanderClass['seen'], of: number): string {
  const limits = [
    ...new Set(free.map(({ effective }) => (isLimited(effective) ? `limited to ${setting(effective, 'forcecommand')}` : ''))),
  ];
  const from = free.length === of ? '' : `from ${[...new Set(free.map(({ vantage }) => placeOf(vantage)))].join(', ')}`;
  const isOpen = limits.includes('');
  return [isOpen ? 'with a key or a password alone' : limits.join(', '), from].filter((each) => each !== '').join(', ');
}

/** Where everybody else is asked, a line exempts them, which is a way around the code. Where nobody else is, they are only not asked yet. */
function withoutCode(users: readonly User[], how: string, { where, doors, anybody }: About): Finding {
  const detail = `${where}: ${named(users)}: ${how}`;
  if (!isAsked(anybody, doors)) {
    const title = 'Accounts that are not enrolled log in without a code, as no line asks them for one';
    return { id: 'not-asked', severity: 'info', title, detail, fix: 'enrol them, and let the door cover them: see notp setup --help' };
  }
  const severity: Severity = how.startsWith('limited') ? 'warn' : 'fail';
  const title = 'Accounts log in without a code: a Match line exempts them from what is asked of all others';
  return {
    id: doors.gate ? 'FC1' : 'P2',
    severity,
    title,
    detail,
    fix: 'remove that Match line, or the accounts from its users or groups',
  };
}

function notEnrolled(users: readonly User[], { where, areRefused }: About): Finding[] {
  if (users.length === 0 || !areRefused) return [];
  const title = 'Accounts that can log in are not enrolled, so they are refused';
  return [
    {
      id: 'not-enrolled',
      severity: 'info',
      title,
      detail: `${where}: ${named(users)}`,
      fix: 'notp-enroll NAME, or notp-enroll --batch for many',
    },
  ];
}

/** "5 accounts: alice, bob, carol and 2 more". */
function named(users: readonly User[]): string {
  const names = users.slice(0, NAMED).map(({ name }) => name);
  const rest = users.length > NAMED ? ` and ${String(users.length - NAMED)} more` : '';
  return `${String(users.length)} ${users.length === 1 ? 'account' : 'accounts'}: ${names.join(', ')}${rest}`;
}
