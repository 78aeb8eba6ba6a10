/** The family of the clock: codes are the clock's, so it must be right, and it must not have gone back behind a code that was accepted. */
import { spawnSync } from 'node:child_process';
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import type { Enrolment } from '../../store/store.ts';
import { MAX_SKEW_MS } from '../../store/clock.ts';
import { ok, type Finding } from '../finding.ts';

const TIMEDATECTL = '/usr/bin/timedatectl';
const TIMEOUT_MS = 10_000;

/** `skewMs`: how far the clock of this host is ahead of that of the store, which counts then; undefined where this host's is the only one. */
export function examineClock(config: Config, enrolments: readonly Enrolment[], nowMs: number, skewMs?: number): Finding[] {
  const store = skewMs === undefined ? [] : [besideStore(config, skewMs)];
  return [synchronised(), ...store, ...behind(config, enrolments, nowMs - (skewMs ?? 0))];
}

/** Logins are judged by the store's clock, so one that is a little off refuses nobody; records and new enrolments go by the host's. */
function besideStore({ code, policy }: Config, skewMs: number): Finding {
  const toleranceMs = Math.max(1, policy.window) * code.periodSeconds * 1000;
  if (Math.abs(skewMs) <= toleranceMs) return ok('clock-store', 'The clock agrees with that of the store');
  const seconds = String(Math.round(Math.abs(skewMs) / 1000));
  const isRefused = Math.abs(skewMs) > MAX_SKEW_MS;
  return {
    id: 'clock-store',
    severity: isRefused ? 'fail' : 'warn',
    title: isRefused
      ? 'The clocks of this host and of the store differ too much: all are refused'
      : 'The clock of this host is not that of the store',
    detail: `it is ${seconds} s ${skewMs > 0 ? 'ahead' : 'behind'}; ${isRefused ? 'one of the two is wrong' : "logins are judged by the store's, records and new enrolments are of this one"}`,
    fix: 'timedatectl set-ntp true, or run chrony, on this host and on the server of the store',
  };
}

function synchronised(): Finding {
  const { status, stdout } = spawnSync(TIMEDATECTL, ['show', '--property=NTPSynchronized', '--value'], {
    encoding: 'utf8',
    env: {},
    timeout: TIMEOUT_MS,
  });
  if (status === 0 && stdout.trim() === 'yes') return ok('clock-synchronised', 'The clock is synchronised');
  const told = status === 0 && stdout.trim() === 'no';
  const title = told
    ? 'The clock is not synchronised: codes are refused when it is more than a minute off'
    : 'Nobody tells whether the clock is synchronised';
  const detail = told ? 'timedatectl: NTPSynchronized=no' : 'timedatectl does not answer';
  return { id: 'clock-synchronised', severity: told ? 'warn' : 'info', title, detail, fix: 'timedatectl set-ntp true, or run chrony' };
}

/** Enrolments whose last accepted code is of later than now; see the clock in verdict/decide.ts. */
function behind({ code, policy }: Config, enrolments: readonly Enrolment[], nowMs: number): Finding[] {
  const toleranceMs = (policy.window + 1) * code.periodSeconds * 1000;
  const findings = enrolments
    .filter((each) => lastCodeMs(each) > nowMs + toleranceMs)
    .map((each): Finding => {
      const { user, context } = each;
      const detail = `${context}: the last code was of ${new Date(lastCodeMs(each)).toISOString()}, it is ${new Date(nowMs).toISOString()}`;
      return {
        id: 'clock-behind',
        severity: 'fail',
        title: 'The clock is behind the last login, so codes are refused',
        detail,
        fix: shellCommand`where the clock is right now: notp unlock --user ${user}; else timedatectl set-ntp true`,
        user,
      };
    });
  return findings.length > 0 ? findings : [ok('clock-behind', 'The clock is not behind any login')];
}

/** When the last accepted code began; a recovery code, which leaves the step as it is, hides nothing. */
function lastCodeMs({ state, lastAcceptedMs }: Enrolment): number {
  return state.periodSeconds === undefined ? lastAcceptedMs : state.lastStep * state.periodSeconds * 1000;
}
