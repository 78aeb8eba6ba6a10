/** Would the setup lock out the administrator who runs it, or root? They are locked out if they need a code and have none. */
import * as fs from 'node:fs';
import { socketProblem } from '../doctor/host/service.ts';
import { hasKeyLogin } from '../doctor/sshd/can-log-in.ts';
import { is, setting } from '../doctor/sshd/effective.ts';
import { refusedKeys } from '../doctor/sshd/keys.ts';
import { judgeEach, type Seen, type SeenFrom } from '../doctor/sshd/seen.ts';
import { shellCommand } from '../otp/escape.ts';
import { thisHost, type Config } from '../system/config.ts';
import { authInfo, clientAddress, environmentAbove, keyTypeOf } from '../system/ssh/session.ts';
import { isAddress } from '../verdict/address.ts';
import { asUser } from '../system/privileges.ts';
import { groupsOf, userByName, userByUid, type User } from '../system/users.ts';
import { accountOf } from '../login/account.ts';
import { groupFacts } from '../login/ruling.ts';
import { sealedFiles } from '../login/sealed-files.ts';
import { withState } from '../state/state.ts';
import { fitOf, nameOf, rulingOn, type Facts } from '../verdict/rules.ts';
import { statePlace } from '../state/place.ts';
import { askSshd, ownVantages } from './ask-sshd.ts';
import type { Plan, SetupDoor } from './plan.ts';
import { isEverybody, type Scope } from './scope.ts';

/** Why the administrator or root could no longer log in after `plan`, each reason with its fix. Empty if they could. */
export async function lockOutReasons(
  config: Config,
  { door, scope }: Plan,
  { environment, now }: { readonly environment: NodeJS.ProcessEnv; readonly now: () => number },
): Promise<string[]> {
  const admin = administrator(environment);
  const root = userByUid(0);
  const [asAdmin = [], asRoot = []] = door === 'sudo' ? [] : await askSshd([admin.name, root.name], ownVantages(environment));
  const waysOfRoot = await loginsOf(root, asRoot);
  const people = [
    ...(door === 'sudo' || admin.uid !== 0 ? [{ user: admin, seen: asAdmin }] : []),
    ...(waysOfRoot.length > 0 ? [{ user: root, seen: waysOfRoot }] : []),
  ];
  const concerned = people.filter(({ user }) => (door !== 'sudo' || user.uid !== 0) && isIn(user, scope));
  const session = door === 'sudo' ? NOWHERE : sessionOf(environment);
  const reasons: string[] = [];
  // One after the other, as the process becomes that user for the check.
  for (const { user, seen } of concerned)
    reasons.push(
      ...(await codeReasons(config, door, user, { session, now })),
      ...rootReasons(door, user, seen),
      ...(await keyReasons(config, door, user, seen)),
    );
  return reasons;
}

/** The user who called sudo; else the one who logged in (loginuid, proc(5)); else root. A false value only removes a protection. */
export function administrator(environment: NodeJS.ProcessEnv): User {
  const sudoer = userByName(environment['SUDO_USER'] ?? '');
  if (sudoer !== undefined) return sudoer;
  try {
    return userByUid(Number(fs.readFileSync('/proc/self/loginuid', 'latin1')));
  } catch {
    return userByUid(0);
  }
}

/** Whether `user` is in the scope of the setup. */
export function isIn(user: User, scope: Scope): boolean {
  if (isEverybody(scope) || scope.users.some(({ uid }) => uid === user.uid)) return true;
  const groups = groupsOf(user);
  return scope.groups.some((group) => groups.includes(group));
}

/** The connections on which root can log in by SSH now: by password, or with an existing key. */
async function loginsOf(root: User, seen: Seen): Promise<Seen> {
  const found: SeenFrom[] = [];
  for (const each of seen) {
    const permitted = setting(each.effective, 'permitrootlogin');
    const isOpen = ['', 'no', 'yes'].includes(permitted) ? permitted === 'yes' : await hasKeyLogin(root, each.effective);
    if (isOpen) found.push(each);
  }
  return found;
}

function rootReasons(door: SetupDoor, user: User, seen: Seen): string[] {
  const refused = door === 'pam' && user.uid === 0 && seen.some(({ effective }) => !is(effective, 'permitrootlogin', 'yes'));
  return refused
    ? ['root: no code ever matches with PermitRootLogin prohibit-password: set it to yes, so that sshd asks for key and code']
    : [];
}

/** Keys that sshd accepts but the gate would refuse. */
async function keyReasons({ gate }: Config, door: SetupDoor, user: User, seen: Seen): Promise<string[]> {
  if (door !== 'gate') return [];
  const found = await asUser(user, () => judgeEach(seen, (effective) => refusedKeys(user, effective, gate)));
  return found.filter(({ severity }) => severity === 'fail').map(({ detail, fix }) => `${user.name}: ${detail}: ${fix}`);
}

/** What is known of the session of the caller, whose next login will be like it. */
type Session = Pick<Facts, 'address' | 'keyType'>;

/** A login of which neither source nor key is known; sudo tells none. */
export const NOWHERE: Session = { address: undefined, keyType: undefined };

/** sudo takes the variables of sshd away, so those of the shell above it are read. */
function sessionOf(environment: NodeJS.ProcessEnv): Session {
  const known = clientAddress(environment) === undefined ? environmentAbove() : environment;
  const address = clientAddress(known) ?? '';
  return { address: isAddress(address) ? address : undefined, keyType: keyTypeOf(authInfo(known)) };
}

/** Judges the next login as the door would: by the rules, the enrolment, and at the gate by the socket, without which nobody is heard. */
async function codeReasons(
  config: Config,
  door: SetupDoor,
  user: User,
  { session, now }: { readonly session: Session; readonly now: () => number },
): Promise<string[]> {
  const files = await sealedFiles(config, user, config.contexts, now);
  const place = statePlace(config, user);
  const asked = { files, account: config.contexts, origin: { user: user.name } };
  const account = await asUser(place.owner, () =>
    withState(
      place,
      now,
      async (state) => await state?.store.exclusively((transaction) => accountOf(transaction, asked, { policy: config.policy, now })),
    ),
  );
  const facts = factsOf(user, door, config, session);
  const { ask, rule, enrolByMs = 0 } = rulingOn(config.rules, facts);
  if (ask === 'refuse' && rule !== undefined && fitOf(rule, facts) === 'yes') return [`${user.name}: ${nameOf(rule)} refuses: change it`];
  const isEnrolled = account !== undefined && account.devices.length > 0;
  const reason = account?.refusal.reason ?? 'not_enrolled';
  const isLetIn = ask === 'nothing' ? reason !== 'revoked' : reason === 'not_enrolled' && now() < enrolByMs;
  const unheard = door === 'gate' && place.kind === 'service' ? socketProblem(config, user) : undefined;
  if ((isEnrolled || isLetIn) && unheard === undefined) return [];
  if (isEnrolled && unheard !== undefined) return [`${user.name}: ${unheard.detail}: ${unheard.fix}`];
  // It makes the socket too.
  const how = place.kind === 'service' ? shellCommand`notp-enroll ${user.name}` : shellCommand`as ${user.name}: notp enroll`;
  return [`${user.name}: ${reason.replaceAll('_', ' ')}: ${how}`];
}

/** What is known of the next login: `session` says where it comes from and with which key, as far as that is known. */
export function factsOf(user: User, door: SetupDoor, config: Config, session: Session): Facts {
  return {
    ...{ user: user.name, ...groupFacts(config, user), service: door === 'sudo' ? 'sudo' : 'sshd' },
    ...{ ...session, host: thisHost(config), firstFactor: true },
  };
}
