/** Checks of the clock: codes depend on it, so it must be right, and it must not be behind a code that was already accepted. */
import * as fs from 'node:fs';
import { shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { outputOf } from '../../system/output.ts';
import type { Enrolment } from '../../store/store.ts';
import { MAX_SKEW_MS } from '../../store/clock.ts';
import { changing, ok, type Finding } from '../finding.ts';

const TIMEDATECTL = '/usr/bin/timedatectl';
const TIMEOUT_MS = 10_000;
/** Names the container manager, where there is one; see os-release in systemd's container interface. */
const CONTAINER = '/run/systemd/container';

/** `skewMs`: how far this host's clock is ahead of the store's, which then decides; undefined if the store has no clock of its own. */
export function examineClock(config: Config, enrolments: readonly Enrolment[], nowMs: number, skewMs?: number): Finding[] {
  const store = skewMs === undefined ? [] : [examineSkew(config, skewMs)];
  return [examineSynchronisation(), ...store, ...examineLastCodes(config, enrolments, nowMs - (skewMs ?? 0))];
}

/** Logins use the store's clock, so a small difference refuses nobody. Records and new enrolments use the host's clock. */
function examineSkew({ code, policy }: Config, skewMs: number): Finding {
  const toleranceMs = Math.max(1, policy.window) * code.periodSeconds * 1000;
  if (Math.abs(skewMs) <= toleranceMs) return ok('clock-store', 'The clock agrees with that of the store');
  const seconds = changing(Math.round(Math.abs(skewMs) / 1000));
  const isRefused = Math.abs(skewMs) > MAX_SKEW_MS;
  return {
    id: 'clock-store',
    severity: isRefused ? 'fail' : 'warn',
    title: isRefused
      ? 'The clocks of this host and of the store differ too much, so every login is refused'
      : 'The clock of this host differs from that of the store',
    detail: `it is ${seconds} s ${skewMs > 0 ? 'ahead' : 'behind'}; ${isRefused ? 'one of the two is wrong' : "logins use the store's, records and new enrolments use this one"}`,
    fix: 'timedatectl set-ntp true, or run chrony, on this host and on the server of the store',
  };
}

function examineSynchronisation(): Finding {
  const output = outputOf(TIMEDATECTL, ['show', '--property=NTPSynchronized', '--value'], { timeoutMs: TIMEOUT_MS });
  const said = 'stdout' in output ? output.stdout.trim() : undefined;
  if (said === 'yes') return ok('clock-synchronised', 'The clock is synchronised');
  const saysNo = said === 'no';
  // A container has the clock of its host, and can neither set it nor see who does.
  if (saysNo && fs.existsSync(CONTAINER))
    return {
      id: 'clock-synchronised',
      severity: 'info',
      title: 'The clock is that of the host of this container',
      detail: '',
      fix: 'check it there: timedatectl',
    };
  const title = saysNo
    ? 'The clock is not synchronised: codes are refused when it is more than a minute off'
    : 'It is not known whether the clock is synchronised';
  const silence = 'failed' in output ? output.failed : 'timedatectl does not say';
  const detail = saysNo ? 'timedatectl: NTPSynchronized=no' : silence;
  return { id: 'clock-synchronised', severity: saysNo ? 'warn' : 'info', title, detail, fix: 'timedatectl set-ntp true, or run chrony' };
}

/** Enrolments whose last accepted code lies in the future; see the clock in verdict/decide.ts. */
function examineLastCodes({ code, policy }: Config, enrolments: readonly Enrolment[], nowMs: number): Finding[] {
  const toleranceMs = (policy.window + 1) * code.periodSeconds * 1000;
  const findings = enrolments
    .filter((each) => lastCodeMs(each) > nowMs + toleranceMs)
    .map((each): Finding => {
      const { user, context } = each;
      const detail = `${context}: the last code is from ${new Date(lastCodeMs(each)).toISOString()}, but it is ${changing(new Date(nowMs).toISOString())}`;
      return {
        id: 'clock-behind',
        severity: 'fail',
        title: 'The clock is behind the last login, so codes are refused',
        detail,
        fix: shellCommand`timedatectl set-ntp true; if the clock is right already, notp unlock --user ${user}`,
        user,
      };
    });
  return findings.length > 0 ? findings : [ok('clock-behind', 'The clock is not behind any login')];
}

/** The start of the last accepted code's period. A recovery code does not change the step, so it hides nothing here. */
function lastCodeMs({ state, lastAcceptedMs }: Enrolment): number {
  return state.periodSeconds === undefined ? lastAcceptedMs : state.lastStep * state.periodSeconds * 1000;
}
