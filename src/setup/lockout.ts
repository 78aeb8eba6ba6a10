/** Who would be locked out: the administrator who sets up, and root, where they would be asked for a code and have none. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setting, words } from '../doctor/sshd/effective.ts';
import { refusedKeys } from '../doctor/sshd/keys.ts';
import { shellCommand } from '../otp/escape.ts';
import { expand, type Config } from '../system/config.ts';
import { asUser } from '../system/privileges.ts';
import { groupsOf, userByName, userByUid, type User } from '../system/users.ts';
import { accountOf } from '../login/account.ts';
import { sealedFiles } from '../login/sealed-files.ts';
import { withState } from '../state/state.ts';
import { statePlace } from '../state/place.ts';
import type { Plan, SetupDoor } from './plan.ts';
import { isEverybody, type Scope } from './scope.ts';
import { effectiveConfig } from './sshd.ts';

/** Why the administrator would not get in any more after `plan`, with the way out of each. Empty where they would. */
export async function lockedOut(
  config: Config,
  { door, scope }: Plan,
  { environment, now }: { readonly environment: NodeJS.ProcessEnv; readonly now: () => number },
): Promise<string[]> {
  const admin = administrator(environment);
  const root = userByUid(0);
  const people = door === 'sudo' ? [admin] : [...(admin.uid === 0 ? [] : [admin]), ...(canLogIn(root) ? [root] : [])];
  const concerned = people.filter((user) => (door !== 'sudo' || user.uid !== 0) && isIn(user, scope));
  const reasons: string[] = [];
  // One after the other: to look, the process becomes that user.
  for (const user of concerned)
    reasons.push(...(await noCode(config, door, user, now)), ...rootsOwn(door, user), ...(await keysRefused(config, door, user)));
  return reasons;
}

/** Who called sudo; else who logged in (loginuid, proc(5)); else root. It only protects, so it may be believed. */
function administrator(environment: NodeJS.ProcessEnv): User {
  const sudoer = userByName(environment['SUDO_USER'] ?? '');
  if (sudoer !== undefined) return sudoer;
  try {
    return userByUid(Number(fs.readFileSync('/proc/self/loginuid', 'latin1')));
  } catch {
    return userByUid(0);
  }
}

/** Whether `user` is among those whom the setup concerns. */
export function isIn(user: User, scope: Scope): boolean {
  if (isEverybody(scope) || scope.users.some(({ uid }) => uid === user.uid)) return true;
  const groups = groupsOf(user);
  return scope.groups.some((group) => groups.includes(group));
}

/** Whether root could log in by SSH now: by password, or with a key that is there. */
function canLogIn(root: User): boolean {
  const sshd = effectiveConfig(root.name);
  const permitted = setting(sshd, 'permitrootlogin');
  if (['', 'no', 'yes'].includes(permitted)) return permitted === 'yes';
  const files = words(sshd, 'authorizedkeysfile').map((file) => path.resolve(root.home, expand(file, root)));
  const hasKeys = files.some((file) => (fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0);
  return hasKeys || !['', 'none'].includes(setting(sshd, 'authorizedkeyscommand'));
}

function rootsOwn(door: SetupDoor, user: User): string[] {
  const refused = door === 'pam' && user.uid === 0 && setting(effectiveConfig(user.name), 'permitrootlogin') !== 'yes';
  return refused
    ? ['root: no code ever matches under PermitRootLogin prohibit-password: set it to yes, which asks for key and code then']
    : [];
}

/** Keys that the gate would refuse though sshd takes them. */
async function keysRefused({ gate }: Config, door: SetupDoor, user: User): Promise<string[]> {
  if (door !== 'gate') return [];
  const effective = effectiveConfig(user.name);
  const found = await asUser(user, () => refusedKeys(user, effective, gate));
  return found.filter(({ severity }) => severity === 'fail').map(({ detail, fix }) => `${user.name}: ${detail}: ${fix}`);
}

async function noCode(config: Config, door: SetupDoor, user: User, now: () => number): Promise<string[]> {
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
  if (account !== undefined && account.devices.length > 0) return [];
  const reason = account?.refusal.reason ?? 'not_enrolled';
  // At the gate it has an effect only where users' own state is all there is.
  const allowed = config.unenrolled === 'allow' && (door !== 'gate' || place.kind === 'user');
  if (reason === 'not_enrolled' && allowed) return [];
  const how = place.kind === 'service' ? shellCommand`notp-enroll ${user.name}` : shellCommand`as ${user.name}: notp enroll`;
  return [`${user.name}: ${reason.replaceAll('_', ' ')}: ${how}`];
}
