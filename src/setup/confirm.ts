/** Confirms a setup. Only a login that began after the setup was applied proves that logins still work. */
import { NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import { loginStart, type Moment } from '../system/ssh-session.ts';
import { markText, release, unfinishedSetup, type Setup } from './record.ts';
import { disarmTimer } from './timer.ts';

/** Throws `refused` if there is nothing to confirm, or this login proves nothing. */
export function confirmSetup(): Setup {
  const setup = unfinishedSetup();
  if (setup === undefined) throw new NotpError('refused', 'there is no setup to confirm', 'it was confirmed already or undone');
  const applied = markText(setup, 'applied');
  if (applied === undefined) throw new NotpError('refused', 'the setup was interrupted before everything was in place', 'notp setup undo');
  requireNewLogin(setup, parseJson(applied) as Moment);
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

function unproven(why: string, console: boolean): NotpError {
  const second = 'open a second SSH connection (not one of ControlMaster, tmux, cron or systemd-run)';
  return new NotpError('refused', why, `${second}${console ? ' or log in at a console' : ''}, and run notp setup confirm there`);
}
