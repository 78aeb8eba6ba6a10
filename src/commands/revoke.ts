/** `notp revoke`: ends an enrolment, so that its login is refused until somebody enrols again. */
import type { Origin } from '../audit/record.ts';
import { NotpError } from '../error.ts';
import { contextName } from '../otp/names.ts';
import type { Config } from '../system/config.ts';
import { printResult, say, sayHint } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { disableSocket, hasService } from '../system/systemd.ts';
import { presentSocket } from '../verifier/open.ts';
import { revoke } from '../verifier/registrar.ts';
import { statePlace, withState } from '../verifier/state.ts';
import { confirmYes } from './confirm.ts';
import { userNamed } from './whose.ts';

export interface RevokeOptions {
  readonly context: string;
  readonly user: string | undefined;
  /** Do not ask. */
  readonly yes: boolean;
  readonly json: boolean;
}

export async function revokeEnrolment(config: Config, options: RevokeOptions, now: () => number): Promise<number> {
  const context = contextName(options.context);
  const user = userNamed(options.user, { onlyRoot: 'revoke for somebody else', hint: ({ name }) => `sudo notp revoke --user ${name}` });
  const place = statePlace(config, user);
  if (place.kind === 'user' && presentSocket(config, user) !== undefined)
    throw new NotpError('not_permitted', 'this enrolment is held by the service of this host', `sudo notp revoke --user ${user.name}`);
  const question = `Revoke ${context} of ${user.name}, so that it does not log in any more?`;
  if (!options.yes) await confirmYes(question, 'give --yes to revoke without a question', now);
  const origin: Origin = { user: user.name, uid: user.uid, context, door: 'cli' };
  const { othersLeft } = await asUser(place.owner, () =>
    withState(place, now, async (state) => {
      if (state === undefined) throw new NotpError('refused', `${user.name} is not enrolled for ${context}`, 'nothing was changed');
      return await revoke(state, origin);
    }),
  );
  if (options.json) printResult(JSON.stringify({ user: user.name, context, revoked: true }) + '\n');
  else say(`Revoked: ${user.name} does not log in with ${context} any more\n`);
  sayHint('sessions that are open stay open; loginctl terminate-user ends them');
  if (place.kind === 'service' && !othersLeft && hasService()) disableSocket(user.uid);
  return 0;
}
