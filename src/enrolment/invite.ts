/** `notp-enroll --pending alice`: lets alice enrol herself once, through her socket. */
import { NotpError } from '../error.ts';
import { shellCommand } from '../otp/escape.ts';
import { sayHint, sayLine } from '../terminal/printer.ts';
import { asUser } from '../system/privileges.ts';
import { enableSocket, hasService } from '../system/systemd.ts';
import { isRoot } from '../system/users.ts';
import { invite } from './registrar.ts';
import { withNewState } from '../state/state.ts';
import type { Plan } from './plan.ts';

/** Marks the user as invited, and makes the socket listen. */
export async function pending(plan: Plan): Promise<number> {
  await inviteUser(plan);
  sayLine(`Invited: ${plan.user.name} may enrol once, with notp enroll`);
  if (plan.config.unenrolled !== 'enroll')
    sayHint('with unenrolled = "enroll" in the configuration the gate asks for it at the next login');
  return 0;
}

async function inviteUser({ config, user, place, origin, now }: Plan): Promise<void> {
  if (!isRoot()) throw new NotpError('not_permitted', 'only root can invite', shellCommand`sudo notp-enroll --pending ${user.name}`);
  if (place.kind !== 'service' || !hasService())
    throw new NotpError('failed', 'the service is not set up on this host', 'install its units first, or enrol with notp-enroll as it is');
  await asUser(place.owner, () => withNewState(place, now, (state) => invite(state, origin, config.policy, now())));
  enableSocket(user.uid);
}
