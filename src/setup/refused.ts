/** Whom a setup of a door would refuse, although they could log in or use sudo until now: told before anything is written. */
import { examineState } from '../doctor/host/state.ts';
import { usersWithSealedFile } from '../doctor/host/enrolled.ts';
import { askedBySudo } from '../doctor/pam/sudoers.ts';
import { groupAlike } from '../doctor/people.ts';
import { whoCanLogIn } from '../doctor/sshd/bystanders.ts';
import { hasShell, shadowPasswords } from '../doctor/sshd/can-log-in.ts';
import { canBeAsked } from '../doctor/sshd/sshd.ts';
import { NotpError } from '../error.ts';
import { namesUpTo, plural } from '../lists.ts';
import { statePlace } from '../state/place.ts';
import { statusToBe } from '../store/enrolment.ts';
import type { Config } from '../system/config.ts';
import { groupsByName, realUser, type User } from '../system/users.ts';
import { fitOf, rulingOn } from '../verdict/rules.ts';
import { allVantages, askSshd, matchCriteriaNow } from './ask-sshd.ts';
import { usersIn } from './limits.ts';
import { factsOf, NOWHERE } from './lockout.ts';
import type { Plan, SetupDoor } from './plan.ts';

const NAMED = 3;

/** Sentences for people: one for each reason, with a count and some names. Empty where nobody is refused. The caller is root. */
export async function refusedBy({ door, scope }: Plan, config: Config, now: () => number): Promise<string[]> {
  try {
    const users = usersIn(scope);
    const able = door === 'sudo' ? askedAtSudo(users) : await ableToLogIn(users, now());
    const reasons = await reasonsOf(able, door, { config, now });
    const what = door === 'sudo' ? 'that can use sudo now will be refused there' : 'that can log in now will be refused';
    const sentences = [...reasons].map(
      ([reason, names]) => `${plural(names.length, 'account')} ${what}, ${reason}: ${namesUpTo(NAMED, names)}`,
    );
    return sentences.length === 0 ? [] : [...sentences, 'to enrol them first: notp-enroll NAME, or notp-enroll --batch for many'];
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    return [`it is not known who will be refused: ${error.message}`];
  }
}

interface Known {
  readonly config: Config;
  readonly now: () => number;
}

/** The names of those of `users` who will be refused, by the reason. */
async function reasonsOf(users: readonly User[], door: SetupDoor, { config, now }: Known): Promise<ReadonlyMap<string, string[]>> {
  const known = await enrolmentsOf(config, now);
  const reasons = new Map<string, string[]>();
  for (const user of users) {
    const reason = whyRefused(user, door, { config, status: known.get(user.name), nowMs: now() });
    if (reason === undefined) continue;
    const names = reasons.get(reason) ?? [];
    names.push(user.name);
    reasons.set(reason, names);
  }
  return reasons;
}

/** The status of each user's best enrolment. */
async function enrolmentsOf(config: Config, now: () => number): Promise<ReadonlyMap<string, string>> {
  const place = statePlace(config, realUser());
  if (place.kind === 'user') return new Map((await usersWithSealedFile(config)).names.map((name) => [name, ACTIVE]));
  const { enrolments } = await examineState(place, now);
  const found = enrolments.filter(({ context }) => config.contexts.includes(context)).map((each) => [each.user, statusToBe(each)] as const);
  return new Map(found.toSorted(([, a], [, b]) => Number(a === ACTIVE) - Number(b === ACTIVE)));
}

const ACTIVE = 'active';

/** Those whom sshd lets in by something, from anywhere. */
async function ableToLogIn(users: readonly User[], nowMs: number): Promise<User[]> {
  const criteria = matchCriteriaNow();
  const classes = groupAlike(
    users.filter(({ name }) => canBeAsked(name)).map((user) => ({ user, enrolments: [] })),
    criteria,
  ).map((alike) => alike.map(({ user }) => user));
  const answers = await askSshd(
    classes.map(([user]) => user?.name ?? ''),
    allVantages(criteria),
  );
  const able: User[] = [];
  for (const [i, alike] of classes.entries())
    able.push(...(await whoCanLogIn(alike, answers[i] ?? [], { passwords: shadowPasswords(), nowMs })).keys());
  return able;
}

/** Those whom sudo asks for their password. Whoever has no shell comes to no sudo, and root is not asked. */
function askedAtSudo(users: readonly User[]): User[] {
  const isAsked = askedBySudo();
  if (isAsked === undefined) throw new NotpError('failed', 'the rules of sudo cannot be read');
  const some = users.filter((user) => user.uid !== 0 && hasShell(user));
  const groups = groupsByName(some.map(({ name }) => name));
  return some.filter((user) => isAsked(user, groups.get(user.name) ?? []));
}

function whyRefused(
  user: User,
  door: SetupDoor,
  { config, status, nowMs }: { readonly config: Config; readonly status: string | undefined; readonly nowMs: number },
): string | undefined {
  if (config.rules.length > 0) {
    const facts = factsOf(user, door, config, NOWHERE);
    const { ask, rule, enrolByMs = 0 } = rulingOn(config.rules, facts);
    if (ask === 'refuse' && rule !== undefined && fitOf(rule, facts) === 'yes') return 'by a rule of notp.toml';
    if ((ask === 'nothing' && status !== 'revoked') || (status === undefined && nowMs < enrolByMs)) return undefined;
  }
  if (status === ACTIVE) return undefined;
  if (status === undefined) return door === 'gate' && config.unenrolled === 'enroll' ? undefined : 'as they are not enrolled';
  return `as their enrolment is ${status}`;
}
