/** The family of the clock: codes are the clock's, so it must be right, and it must not have gone back behind a code that was accepted. */
import { spawnSync } from 'node:child_process';
import { shellWord } from '../otp/escape.ts';
import type { Config } from '../system/config.ts';
import type { Enrolment } from '../store/store.ts';
import { ok, type Finding } from './finding.ts';

const TIMEDATECTL = '/usr/bin/timedatectl';
const TIMEOUT_MS = 10_000;

export function examineClock(config: Config, enrolments: readonly Enrolment[], nowMs: number): Finding[] {
  return [synchronised(), ...behind(config, enrolments, nowMs)];
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
        fix: `where the clock is right now: notp unlock --user ${shellWord(user)}; else timedatectl set-ntp true`,
        user,
      };
    });
  return findings.length > 0 ? findings : [ok('clock-behind', 'The clock is not behind any login')];
}

/** When the last accepted code began; a recovery code, which leaves the step as it is, hides nothing. */
function lastCodeMs({ state, lastAcceptedMs }: Enrolment): number {
  return state.periodSeconds === undefined ? lastAcceptedMs : state.lastStep * state.periodSeconds * 1000;
}
