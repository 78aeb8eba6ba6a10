/** `notp list --all`: prints a line for each enrolment of each user, and how many cannot log in. Root only. */
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { escapeControls, shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayHint, whileRead } from '../../terminal/printer.ts';
import { openProgress } from '../../terminal/progress.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { requireRoot } from '../../system/privileges.ts';
import { realUser } from '../../system/users.ts';
import { factsOfAll, type AllFacts } from '../../enrolment/read-facts.ts';
import type { EnrolmentState, Facts } from '../../wire/facts.ts';
import { statePlace } from '../../state/place.ts';
import { columnsOf } from '../../terminal/columns.ts';
import { minuteOf } from './times.ts';

export const NOBODY_YET = 'nobody is enrolled yet: notp-enroll NAME enrols a user';
const GAP = '  ';
/** The states that somebody should fix; the others are intended. */
const BROKEN: readonly EnrolmentState[] = ['incomplete', 'missing', 'bad', 'stale', 'orphaned'];

export async function listAll(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const all = await everybodysFacts(config, now);
  const print = json ? jsonLines : lines(all.enrolments, isatty(1) ? outputTraits().columns : Infinity);
  let broken = 0;
  let first = '';
  await printEach(all, now, (facts) => {
    const cannot = facts.filter(({ state }) => BROKEN.includes(state));
    if (broken === 0) first = cannot[0]?.user ?? '';
    broken += cannot.length;
    return print(facts);
  });
  const total = all.enrolments.length;
  if (total === 0) sayHint(NOBODY_YET);
  else if (broken > 0 && !json)
    sayHint(shellCommand`${String(broken)} of ${String(total)} cannot log in: notp status --user ${first} shows why`);
  return 0;
}

/** Prints what `text` gives for each user, one after the other, with a bar where nobody sees the output come. Ends where nobody reads it. */
export async function printEach(all: AllFacts, now: () => number, text: (facts: readonly Facts[]) => string): Promise<void> {
  const progress = isatty(1) ? undefined : openProgress(all.enrolments.length, now);
  let done = 0;
  await whileRead(async () => {
    for await (const facts of all.ofUsers) {
      progress?.show(done, facts[0]?.user ?? '');
      printResult(text(facts));
      done += facts.length;
    }
  });
  progress?.end();
}

/** One JSON object on each line. */
export function jsonLines(all: readonly Facts[]): string {
  return all.map((facts) => `${JSON.stringify(facts)}\n`).join('');
}

/**
 * The facts of every enrolment in the state of this host. Throws `not_permitted` without root, `refused` if each user
 * keeps their own state.
 */
export async function everybodysFacts(config: Config, now: () => number): Promise<AllFacts> {
  requireRoot('list the enrolments of all users');
  const place = statePlace(config, realUser());
  if (place.kind === 'service') return await factsOfAll(config, place, now);
  throw new NotpError('refused', 'each user of this host keeps their own state', "notp status --user NAME shows one user's");
}

/** A function that gives a line for each of `all`, aligned; if one of them may be wider than `columns`, each enrolment takes two lines. */
export function lines(all: AllFacts['enrolments'], columns: number): (facts: readonly Facts[]) => string {
  const widths = [widest(all.map(({ user }) => user)), widest(all.map(({ context }) => context))] as const;
  const isWide = widths[0] + widths[1] + STATE_COLUMNS + 2 * GAP.length <= columns;
  return (facts) => facts.map((each) => line(each, widths, isWide)).join('');
}

function widest(texts: readonly string[]): number {
  return texts.reduce((width, text) => Math.max(width, columnsOf(escapeControls(text))), 0);
}

function line({ user, context, seal, state, last_accepted }: Facts, widths: readonly [number, number], isWide: boolean): string {
  const last = last_accepted === null ? 'never' : `${minuteOf(last_accepted)}Z`;
  const name = [padded(escapeControls(user), widths[0]), padded(escapeControls(context), widths[1])].join(GAP);
  const kind = seal ?? '-';
  if (!isWide) return `${name.trimEnd()}\n    ${[kind, state, last].join(GAP)}\n`;
  return `${[name, kind.padEnd(SEAL_COLUMNS), state.padEnd(STATE_WIDTH), last].join(GAP)}\n`;
}

function padded(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - columnsOf(text)));
}

const SEAL_COLUMNS = 'passphrase'.length;
const STATE_WIDTH = 'incomplete'.length;
const STATE_COLUMNS = SEAL_COLUMNS + STATE_WIDTH + '2026-11-24 11:30Z'.length + 2 * GAP.length;
