/**
 * The accounts without an enrolment, in classes that sshd treats alike: who of them gets in without a code, and who is refused because there
 * is no enrolment. They may be many, so each class is one finding, with a count and some names.
 */
import { groupsByName, type User } from '../../system/users.ts';
import type { Finding } from '../finding.ts';
import type { LetIn } from '../let-in.ts';
import { ableFrom, hasShell, reachesWithoutShell, type Passwords } from './can-log-in.ts';
import { setting, type Effective } from './effective.ts';
import { meansGate } from './gate-command.ts';
import type { AlikePeople, Doors } from './apply-rules.ts';
import { differing, placesOf, type Seen, type SeenFrom } from './seen.ts';
import { requiresTouch, untouchedAccounts } from './touch.ts';
import { namesUpTo, plural } from '../../lists.ts';

/** Accounts that sshd treats alike, and their effective configuration from each vantage. */
export interface BystanderClass {
  readonly users: readonly User[];
  readonly seen: AlikePeople['seen'];
}

export interface About {
  readonly where: string;
  readonly doors: Doors;
  /** Whether sshd leaves the code to a PAM service that asks for it. */
  readonly isAskedByPam: (effective: Effective) => boolean;
  /** Of somebody whom no Match line names. */
  readonly anybody: AlikePeople['seen'];
  readonly passwords: Passwords;
  /** Whether an account without an enrolment is refused. */
  readonly areRefused: boolean;
  /** Those of the users who get in all the same, by a rule. */
  readonly letIn: LetIn;
  /** Those whom a rule lets in for the touch of the device with their key. */
  readonly letInByTouch: LetIn;
  /** The uids of those whom a setup is for. */
  readonly covered: ReadonlySet<number>;
  readonly nowMs: number;
  /** The failures of sshd's rules for a class that others have not. */
  readonly broken: (each: BystanderClass) => readonly Finding[];
}

const NAMED = 3;
/** In a larger class the files of keys are not looked for: each may be on another server. */
const MAX_LOOKED_AT = 200;

/** Whether a code is asked for at a door of this sshd. */
function isAsked(effective: Effective, { doors: { gate }, isAskedByPam }: Pick<About, 'doors' | 'isAskedByPam'>): boolean {
  return (gate && meansGate(setting(effective, 'forcecommand'))) || isAskedByPam(effective);
}

export async function examineBystanders(classes: readonly BystanderClass[], about: About): Promise<Finding[]> {
  const [exempt, open, broken] = [new Map<string, User[]>(), new Map<string, User[]>(), new Map<string, User[]>()];
  const asking = { gate: [] as User[], pam: [] as User[] };
  const touch = { gate: [] as User[], pam: [] as User[] };
  const findings = new Map<string, Finding>();
  for (const { users, seen } of classes) {
    const asked = new Set<SeenFrom>();
    const able = await whoCanLogIn(users, differing(seen), about);
    for (const [user, ways] of able) {
      const free = ways.filter(({ effective }) => !isAsked(effective, about));
      for (const way of ways) if (!free.includes(way)) asked.add(way);
      const choosing = ways.filter((way) => !free.includes(way) && !requiresTouch(way.effective));
      if (choosing.length > 0) touch[doorOf(choosing)].push(user);
      if (free.length > 0) add(isExempt(user, free, about) ? exempt : open, howOf(free, seen.length), [user]);
      else asking[doorOf(ways)].push(user);
    }
    const guarded = [...able].filter(([, ways]) => ways.some((way) => asked.has(way))).map(([user]) => user);
    if (guarded.length === 0) continue;
    const answers = [...asked].flatMap(({ effective, from }) => from.map((vantage) => ({ effective, vantage })));
    for (const { user: _, ...finding } of about.broken({ users: guarded, seen: answers })) {
      const key = JSON.stringify(finding);
      findings.set(key, finding);
      add(broken, key, guarded);
    }
  }
  return [
    ...[...exempt].map(([how, users]) => exempted(users, how, about)),
    ...[...open].map(([how, users]) => notAsked(users, how, about)),
    ...[...findings].map(([key, finding]) => alsoFor(broken.get(key) ?? [], finding)),
    ...notEnrolled(asking, about),
    ...untouched(touch, about),
  ];
}

function doorOf(ways: Seen): 'gate' | 'pam' {
  return ways.some(({ effective }) => meansGate(setting(effective, 'forcecommand'))) ? 'gate' : 'pam';
}

/**
 * Where a setup is for the user, or everybody else is asked, a line exempts them, which is a way around the code. Where nobody else is, they
 * are only not asked yet.
 */
function isExempt({ uid }: User, free: Seen, about: About): boolean {
  if (about.covered.has(uid)) return true;
  return about.anybody.some(({ vantage, effective }) => isAsked(effective, about) && free.some(({ from }) => from.includes(vantage)));
}

/** Whether somebody of whom this was seen, and of whom nothing else is known, could log in without the code that all others are asked for. */
export function isExemptSomewhere(seen: AlikePeople['seen'], about: Pick<About, 'doors' | 'isAskedByPam' | 'anybody'>): boolean {
  return seen.some(
    ({ vantage, effective }) =>
      !isAsked(effective, about) &&
      !isLimited(effective) &&
      about.anybody.some((each) => each.vantage === vantage && isAsked(each.effective, about)),
  );
}

function add(to: Map<string, User[]>, key: string, users: readonly User[]): void {
  const all = to.get(key) ?? [];
  all.push(...users);
  to.set(key, all);
}

function alsoFor(users: readonly User[], finding: Finding): Finding {
  return { ...finding, detail: `${finding.detail} (${named(users)})` };
}

/** The users who could log in, and on which connections. */
export async function whoCanLogIn(
  users: readonly User[],
  seen: Seen,
  { passwords, nowMs }: Pick<About, 'passwords' | 'nowMs'>,
): Promise<ReadonlyMap<User, Seen>> {
  const ways = new Map(users.map((user) => [user, seen.filter(({ effective }) => isWay(user, effective))] as const));
  const some = users.filter((user) => (ways.get(user) ?? []).length > 0);
  // Those without a shell are mostly of the system, and have no key.
  const unseen = [some.filter(hasShell), some.filter((user) => !hasShell(user))].filter(({ length }) => length > MAX_LOOKED_AT).flat();
  const able = new Map(unseen.map((user) => [user, ways.get(user) ?? []]));
  const needGroups = seen.some(({ effective }) => ['allowgroups', 'denygroups'].some((key) => effective.has(key)));
  const groups = needGroups ? groupsByName(some.map(({ name }) => name)) : new Map<string, readonly string[]>();
  for (const user of some.filter((each) => !able.has(each))) {
    const from = await ableFrom(user, ways.get(user) ?? [], { passwords, groups: groups.get(user.name) ?? [], nowMs });
    if (from.length > 0) able.set(user, from);
  }
  return able;
}

function isWay(user: User, effective: Effective): boolean {
  return isLimited(effective) || hasShell(user) || reachesWithoutShell(effective);
}

/** Whether sshd runs only one command for them, such as internal-sftp. */
function isLimited(effective: Effective): boolean {
  const command = setting(effective, 'forcecommand');
  return !['', 'none'].includes(command.toLowerCase()) && !meansGate(command);
}

/** How sshd lets them in, for people. `of`: the number of all connections. */
function howOf(free: Seen, of: number): string {
  const limits = [
    ...new Set(free.map(({ effective }) => (isLimited(effective) ? `limited to ${setting(effective, 'forcecommand')}` : ''))),
  ];
  const places = free.flatMap(({ from }) => from);
  const from = places.length === of ? '' : `from ${placesOf(places)}`;
  const isOpen = limits.includes('');
  return [isOpen ? 'with a key or a password alone' : limits.join(', '), from].filter((each) => each !== '').join(', ');
}

function notAsked(users: readonly User[], how: string, { where }: About): Finding {
  const title = 'Accounts that are not enrolled log in without a code, as no line asks them for one';
  const fix = 'enrol them, and let the door cover them: see notp setup --help';
  return { id: 'not-asked', severity: 'info', title, detail: `${where}: ${named(users)}: ${how}`, fix };
}

function exempted(users: readonly User[], how: string, { where, doors }: About): Finding {
  return {
    id: doors.gate ? 'FC1' : 'P2',
    severity: how.startsWith('limited') ? 'warn' : 'fail',
    title: 'Accounts log in without a code: a Match line exempts them from what is asked of all others',
    detail: `${where}: ${named(users)}: ${how}`,
    fix: 'remove that Match line, or the accounts from its users or groups',
  };
}

/** Those at the doors that ask them for a code, of whom a rule may ask for none. */
function notEnrolled({ gate, pam }: Readonly<Record<'gate' | 'pam', readonly User[]>>, { where, areRefused, letIn }: About): Finding[] {
  const inside = new Set([...letIn(gate, true), ...letIn(pam, false)]);
  const refused = areRefused ? [...gate, ...pam].filter((user) => !inside.has(user)) : [];
  const findings: Finding[] = [
    {
      id: 'let-in',
      severity: 'info',
      title: 'Accounts that can log in are not enrolled, and rules of notp.toml let them in without a code, from somewhere at least',
      detail: `${where}: ${named([...inside])}`,
      fix: 'enrol them: notp-enroll NAME, or change these rules in notp.toml',
    },
    {
      id: 'not-enrolled',
      severity: 'info',
      title: 'Accounts that can log in are not enrolled, so they are refused',
      detail: `${where}: ${named(refused)}`,
      fix: 'notp-enroll NAME, or notp-enroll --batch for many',
    },
  ];
  return findings.filter(({ id }) => (id === 'let-in' ? inside.size : refused.length) > 0);
}

/** Those of whose keys sshd does not require a touch, where a rule asks for no code because of it. */
function untouched({ gate, pam }: Readonly<Record<'gate' | 'pam', readonly User[]>>, { where, letInByTouch }: About): Finding[] {
  const users = new Set([...letInByTouch(gate, true), ...letInByTouch(pam, false)]);
  return users.size === 0 ? [] : [untouchedAccounts([...users], where)];
}

/** "5 accounts: alice, bob, carol and 2 more". */
function named(users: readonly User[]): string {
  const names = users.map(({ name }) => name);
  return `${plural(names.length, 'account')}: ${namesUpTo(NAMED, names)}`;
}
