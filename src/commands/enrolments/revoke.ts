/** `notp revoke`: ends an enrolment, so that its login is refused until somebody enrols again. */
import type { Origin } from '../../audit/record.ts';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { contextName } from '../../otp/names.ts';
import type { Config } from '../../system/config.ts';
import { openConversation } from '../../terminal/conversation.ts';
import { printResult, sayHint, sayLine } from '../../terminal/printer.ts';
import { asUser } from '../../system/privileges.ts';
import { realUser } from '../../system/users.ts';
import { disableSocket, hasService } from '../../system/systemd.ts';
import { presentSocket } from '../../login/open.ts';
import { revoke } from '../../enrolment/registrar.ts';
import { sent } from '../../wire/remote.ts';
import { sealedFile } from '../../login/sealed-files.ts';
import { withState } from '../../state/state.ts';
import { statePlace, type StatePlace } from '../../state/place.ts';
import { patience } from '../../terminal/ask-passphrase.ts';
import { confirmYes } from '../../terminal/confirm.ts';
import type { Own } from '../../enrolment/own-secrets.ts';
import { askProof, refusalOf, withService } from '../../enrolment/through-service.ts';
import { enrolledUser, originOf } from '../../enrolment/whose.ts';
import type { Command } from 'commander';
import { type CommonFlags, type Finish, type Surroundings, common, configOf } from '../options.ts';

export interface RevokeOptions {
  readonly context: string;
  readonly user: string | undefined;
  /** Do not ask. */
  readonly yes: boolean;
  readonly json: boolean;
}

export async function revokeEnrolment(config: Config, options: RevokeOptions, now: () => number): Promise<number> {
  const context = contextName(options.context);
  const user = await enrolledUser(config, options.user, now, {
    onlyRoot: 'revoke for somebody else',
    hint: ({ name }) => shellCommand`sudo notp revoke --user ${name}`,
  });
  const place = statePlace(config, user.uid === undefined ? realUser() : user);
  const question = `Revoke ${context} of ${user.name}, so that it does not log in any more?`;
  if (!options.yes) await confirmYes(question, 'give --yes to revoke without a question', now);
  const socket = place.kind === 'user' && user.uid !== undefined ? presentSocket(config, user) : undefined;
  const { othersLeft } =
    socket === undefined || user.uid === undefined
      ? await here(place, { ...originOf(user), context, door: 'cli' }, now)
      : await throughService({ config, user, now }, socket, context);
  if (options.json) printResult(JSON.stringify({ user: user.name, context, revoked: true }) + '\n');
  else sayLine(`Revoked: ${user.name} does not log in with ${context} any more`);
  sayHint('sessions that are open stay open; loginctl terminate-user ends them');
  if (user.uid !== undefined && place.kind === 'service' && !othersLeft && hasService()) disableSocket(user.uid);
  return 0;
}

async function here(place: StatePlace, origin: Origin, now: () => number): Promise<{ readonly othersLeft: boolean }> {
  return await asUser(place.owner, () =>
    withState(place, now, async (state) => {
      if (state === undefined)
        throw new NotpError('refused', `${origin.user} is not enrolled for ${origin.context}`, 'nothing was changed');
      return await revoke(state, origin);
    }),
  );
}

/** After a proof: who merely runs as the user must not lock them out. The socket stays, for only root can end it. */
async function throughService({ config, user, now }: Own, socket: string, context: string): Promise<{ readonly othersLeft: true }> {
  const found = await sealedFile(config, user, context, now);
  return await withService(user, socket, async (ask) => {
    const conversation = openConversation(patience(now));
    const readings = await askProof(found, conversation, '').finally(() => {
      conversation.close();
    });
    const answer = await ask({ step: 'revoke', ...sent({ context, found }), readings });
    if (answer.kind === 'done') return { othersLeft: true };
    throw refusalOf(answer);
  });
}

interface RevokeFlags extends CommonFlags {
  readonly user?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
}

const CONTEXT = 'name of the secret';

/** Adds `revoke`. */
export function addRevoke(program: Command, { now }: Surroundings, finish: Finish): void {
  common(program.command('revoke'))
    .description('end an enrolment: its login is refused until somebody enrols again')
    .argument('[context]', `${CONTEXT} (default: the context of logins)`)
    .option('--user <name>', 'whose enrolment; somebody else needs root')
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action(async (context: string | undefined, flags: RevokeFlags) => {
      const config = configOf(flags);
      const options = { context: context ?? config.context, user: flags.user, yes: flags.yes === true, json: flags.json === true };
      finish(await revokeEnrolment(config, options, now));
    });
}
