/** A user in a terminal who enrols through the service. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { readConfig } from '../../../src/system/config.ts';
import { asUser } from '../../../src/system/privileges.ts';
import { userByUid } from '../../../src/system/users.ts';
import { invite } from '../../../src/enrolment/registrar.ts';
import { withNewState } from '../../../src/state/state.ts';
import { statePlace } from '../../../src/state/place.ts';
import { asked, code, questionFor, type ServeWorld, type Service } from '../../doors/serve-world.ts';
import { runInTerminal, type Terminal } from '../../support/process.ts';
import { oathCode, SBIN_PATH, secretShown, type TestUser } from '../../support/world.ts';

/** What notp-enroll --pending does, which needs a running systemd besides. */
export async function inviteUser(world: ServeWorld, { uid }: TestUser): Promise<void> {
  const config = readConfig(world.config);
  const user = userByUid(uid);
  const place = statePlace(config, user);
  const origin = { user: user.name, uid: user.uid, context: 'ssh', door: 'cli' } as const;
  await asUser(place.owner, () => withNewState(place, Date.now, (state) => invite(state, origin, config.policy, Date.now())));
}

/** `notp enroll` as `user`, in a terminal. */
export function enrolling(world: ServeWorld, user: TestUser, ...words: readonly string[]): Terminal {
  const identity = ['setpriv', `--reuid=${String(user.uid)}`, `--regid=${String(user.gid)}`, '--init-groups'];
  const environment = { PATH: SBIN_PATH, HOME: user.home, TERM: 'xterm' };
  const command = [...identity, world.notp, 'enroll', '--config', world.config, ...words];
  return runInTerminal(command, { clearEnvironment: true, environment, cwd: user.home, columns: 120 });
}

/** Waits for the new key and gives it. */
export async function newKey(terminal: Terminal): Promise<string> {
  const secret = await secretShown(terminal);
  await terminal.expect(/One-time code: /);
  return secret;
}

/** Enrols to the end, and gives the new secret. */
export async function enrolled(terminal: Terminal): Promise<string> {
  const secret = await newKey(terminal);
  terminal.send(`${oathCode(secret)}\r`);
  await terminal.expect(/Enrolled /);
  assert.equal(await terminal.exited, 0);
  return secret;
}

/** The sealed file of `user`. */
export function fileOf({ home }: TestUser): string {
  return `${home}/.notp/ssh`;
}

/** What the service says to the next code of `secret` for the file that is in place. */
export async function logIn(service: Pick<Service, 'socket'>, user: TestUser, secret: string): Promise<string> {
  const file = fs.existsSync(fileOf(user)) ? fileOf(user) : undefined;
  return await asked(service, questionFor(file, code(oathCode(secret, { offsetSeconds: 30 }))));
}
