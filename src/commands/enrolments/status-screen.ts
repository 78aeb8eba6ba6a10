/** The text of an enrolment: a block of aligned lines, wrapped to the width of the terminal, and what to do next. Pure. */
import { escapeControls, shellCommand } from '../../otp/escape.ts';
import type { EnrolmentState, Facts } from '../../wire/facts.ts';
import { LEFT_IN_HOME, resealByHost } from '../../enrolment/store-seal.ts';
import { wrapped } from '../../terminal/columns.ts';
import { distanceOf, minuteOf } from './times.ts';

export interface StatusScreen {
  readonly columns: number;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  /** Who runs the commands that it names: root, with the service's state, or the user. */
  readonly by: 'root' | 'user';
  /** The default context, which commands need not name. */
  readonly standard: string;
}

const LABEL_COLUMNS = 16;
const INDENT = '  ';
/** With this many recovery codes or fewer, it suggests new ones. */
const FEW_RECOVERY_CODES = 2;
const STEP_UP = {
  2: 'log in with two consecutive codes (123456 654321) or a recovery code, or unlock, so that one code logs in again',
  3: 'log in with three consecutive codes (123456 654321 246802) or a recovery code, or unlock, so that one code logs in again',
} as const;

const SAYS: Readonly<Record<EnrolmentState, string>> = {
  active: 'active: it logs in',
  revoked: 'revoked: it does not log in any more',
  invited: 'invited: nobody has enrolled yet',
  incomplete: 'incomplete: the enrolment was never completed',
  missing: 'missing: the sealed file is missing, so it does not log in',
  bad: 'bad: the sealed file cannot be used, so it does not log in',
  stale: 'stale: the sealed file is not the registered one, so it does not log in',
  orphaned: 'orphaned: there is no such user any more',
};

/** One block for each of `all`, with an empty line between. */
export function statusScreen(all: readonly Facts[], screen: StatusScreen): string {
  return all.map((facts) => block(facts, screen)).join('\n');
}

function block(facts: Facts, screen: StatusScreen): string {
  const { context, user, state, problem, seal, created, last_accepted, recovery_left, token } = facts;
  const at = (time: string): string => `${minuteOf(time)} UTC (${distanceOf(time, screen.nowMs)})`;
  const rows: (readonly [string, string])[] = [['state', SAYS[state]]];
  // For the other states the texts above are enough.
  if (problem !== null && ['bad', 'stale'].includes(state)) rows.push(['problem', escapeControls(problem)]);
  if (seal !== null) rows.push(['seal', seal]);
  if (token !== undefined) rows.push(['token', escapeControls(`${token.model} ${token.serial}`.trim())]);
  if (created !== null) rows.push(['made', at(created)]);
  rows.push(['last login', last_accepted === null ? 'never' : at(last_accepted)]);
  if (logsInOnceFixed(state)) rows.push(['tries left', triesOf(facts, screen)], ['recovery codes', `${String(recovery_left)} left`]);
  if (facts.remembered > 0) rows.push(['remembered', rememberedOf(facts, screen)]);
  const steps = nextSteps(facts, screen).flatMap(({ why, run }) => [row('next', why, screen.columns), row('run', run, Infinity)]);
  // The database may hold any name.
  return [`${escapeControls(`${context} of ${user}`)}\n`, ...rows.map(([label, text]) => row(label, text, screen.columns)), ...steps].join(
    '',
  );
}

function row(label: string, text: string, columns: number): string {
  const start = INDENT + label.padEnd(LABEL_COLUMNS);
  return `${start}${wrapped(text, columns, ' '.repeat(start.length))}\n`;
}

/** Whether budget and recovery codes still matter. */
function logsInOnceFixed(state: EnrolmentState): boolean {
  return ['active', 'missing', 'bad', 'stale'].includes(state);
}

function triesOf({ budget, capacity, next_try }: Facts, { nowMs }: StatusScreen): string {
  const more = next_try === null ? '' : `; one more ${distanceOf(next_try, nowMs)}`;
  return `${String(budget)} of ${String(capacity)}${more}`;
}

function rememberedOf({ remembered, user }: Facts, { by }: StatusScreen): string {
  const sources = remembered === 1 ? '1 key and address needs' : `${String(remembered)} keys and addresses need`;
  return `${sources} no code for a while; ${by === 'root' ? shellCommand`sudo notp forget ${user}` : 'notp forget'} ends that`;
}

/** What to do, and the command for it, which stays on one line so that it can be copied. */
interface Step {
  readonly why: string;
  readonly run: string;
}

function nextSteps(facts: Facts, screen: StatusScreen): Step[] {
  const { user, context, state, problem, codes_needed: needed, recovery_left } = facts;
  const enrol = enrolWords(facts, screen);
  switch (state) {
    case 'revoked':
    case 'incomplete':
      return [{ why: 'to log in again, enrol again', run: enrol }];
    case 'invited':
      return [{ why: `${escapeControls(user)} enrols once, as ${escapeControls(user)}`, run: 'notp enroll' }];
    case 'missing':
    case 'bad':
    case 'stale':
      if (problem === LEFT_IN_HOME)
        return [{ why: 'with the passphrase, bring it into the store; the phone stays', run: resealByHost(user, context) }];
      return [{ why: 'restore the enrolled file, or the host key that is missing, or make a new enrolment', run: `${enrol} --replace` }];
    case 'orphaned':
      return [];
    case 'active':
      return [
        ...(needed > 1 ? [{ why: STEP_UP[needed === 3 ? 3 : 2], run: words('unlock', facts, screen) }] : []),
        ...(recovery_left <= FEW_RECOVERY_CODES ? [{ why: 'make new recovery codes', run: words('recovery', facts, screen) }] : []),
      ];
  }
}

function enrolWords({ user, context }: Facts, { by, standard }: StatusScreen): string {
  if (context === standard) return by === 'root' ? shellCommand`sudo notp-enroll ${user}` : 'notp enroll';
  return by === 'root' ? shellCommand`sudo notp-enroll ${user} ${context}` : shellCommand`notp enroll ${context}`;
}

function words(command: string, { user, context }: Facts, { by, standard }: StatusScreen): string {
  if (context === standard) return by === 'root' ? shellCommand`sudo notp ${command} --user ${user}` : shellCommand`notp ${command}`;
  return by === 'root' ? shellCommand`sudo notp ${command} ${context} --user ${user}` : shellCommand`notp ${command} ${context}`;
}
