/** Confirming a setup: only a login that began after it was in place shows that one still gets in. */
import { NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import { loginStart, type Moment } from '../system/ssh-session.ts';
import { markText, release, unfinishedSetup, type Setup } from './record.ts';
import { disarmTimer } from './timer.ts';

/** Throws `refused` where there is nothing to confirm, or this login proves nothing. */
export function confirmSetup(): Setup {
  const setup = unfinishedSetup();
  if (setup === undefined) throw new NotpError('refused', 'there is no setup to confirm', 'it is confirmed already, or was undone');
  const applied = markText(setup, 'applied');
  if (applied === undefined) throw new NotpError('refused', 'the setup was broken off before all was in place', 'notp setup undo');
  requireNewLogin(setup, parseJson(applied) as Moment);
  if (!release(setup, 'confirmed')) throw new NotpError('refused', 'the setup is being undone', 'notp setup undo completes that');
  disarmTimer(setup);
  return setup;
}

/** Only a login by SSH shows that sshd still lets one in. */
function requireNewLogin({ door }: Setup, { ticks, bootId }: Moment): void {
  const console = door === 'sudo';
  const login = loginStart({ console });
  if (login?.bootId === bootId && login.startTicks < ticks)
    throw unproven(
      `this login (${login.name}, pid ${String(login.pid)}) is older than the setup, and does not show that one still gets in`,
      console,
    );
  if (login === undefined)
    throw unproven(
      console
        ? 'this is no login: neither sshd nor the login of a console started it'
        : 'this is no login by SSH, and does not show that one still gets in',
      console,
    );
}

function unproven(why: string, console: boolean): NotpError {
  const second = 'open a second SSH connection (not one of ControlMaster, tmux, cron or systemd-run)';
  return new NotpError('refused', why, `${second}${console ? ' or log in at a console' : ''}, and run notp setup confirm there`);
}
