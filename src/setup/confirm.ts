/**
 * Confirms a setup. Only a login that began after the setup was applied proves that logins still work, and only one that notp accepted there
 * proves that the new door opens for those whom it is for.
 */
import { NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import type { Config } from '../system/config.ts';
import { loginStart, type Moment } from '../system/ssh/session.ts';
import { administrator } from './lockout.ts';
import { hasOpened } from './opened.ts';
import { markedAtMs, markText, release, unfinishedSetup, type Setup } from './record.ts';
import { describeScope, EVERYBODY } from './scope.ts';
import { disarmTimer } from './timer.ts';

/** Throws `refused` if there is nothing to confirm, or this login proves nothing. */
export async function confirmSetup(
  config: Config,
  { environment, force }: { readonly environment: NodeJS.ProcessEnv; readonly force: boolean },
): Promise<Setup> {
  const setup = unfinishedSetup();
  if (setup === undefined) throw new NotpError('refused', 'there is no setup to confirm', 'it was confirmed already or undone');
  const applied = markText(setup, 'applied');
  if (applied === undefined) throw new NotpError('refused', 'the setup was interrupted before everything was in place', 'notp setup undo');
  requireNewLogin(setup, parseJson(applied) as Moment);
  if (!force) await requireOpened(setup, config, environment);
  if (!release(setup, 'confirmed')) throw new NotpError('refused', 'the setup is being undone', 'complete that: notp setup undo');
  disarmTimer(setup);
  return setup;
}

/** For the doors of sshd, only an SSH login proves that sshd still works; for sudo a console login is enough. */
function requireNewLogin({ door }: Setup, { ticks, bootId }: Moment): void {
  const console = door === 'sudo';
  const login = loginStart({ console });
  if (login?.bootId === bootId && login.startTicks < ticks)
    throw unproven(
      `this login (${login.name}, pid ${String(login.pid)}) is older than the setup, so it does not prove that logins still work`,
      console,
    );
  if (login === undefined)
    throw unproven(
      console
        ? 'this is not a login: neither sshd nor a console login started it'
        : 'this is not an SSH login, so it does not prove that logins still work',
      console,
    );
}

/** The login that confirms need not be that of somebody in the scope, who may not be an administrator. */
async function requireOpened(setup: Setup, config: Config, environment: NodeJS.ProcessEnv): Promise<void> {
  const { door, scope = EVERYBODY } = setup;
  if (await hasOpened({ door, scope, sinceMs: markedAtMs(setup, 'applied') }, config, administrator(environment))) return;
  const [what, how] = door === 'sudo' ? ['code at sudo', 'call sudo -k id as one of them'] : ['SSH login', 'let one of them log in by SSH'];
  throw new NotpError(
    'refused',
    `notp has accepted no ${what} since the setup (for ${describeScope(scope)}), so nothing proves that the new door opens`,
    `${how}, with a code, and run notp setup confirm again; --force confirms it anyway`,
  );
}

function unproven(why: string, console: boolean): NotpError {
  const second = 'open a second SSH connection (not one of ControlMaster, tmux, cron or systemd-run)';
  return new NotpError('refused', why, `${second}${console ? ' or log in at a console' : ''}, and run notp setup confirm there`);
}
