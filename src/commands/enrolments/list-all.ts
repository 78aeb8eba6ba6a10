/** `notp list --all`: prints a line for each enrolment of each user, and how many cannot log in. Root only. */
import { isatty } from 'node:tty';
import { NotpError } from '../../error.ts';
import { escapeControls, shellCommand } from '../../otp/escape.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayHint } from '../../terminal/printer.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { isRoot, realUser } from '../../system/users.ts';
import { factsOfAll } from '../../enrolment/read-facts.ts';
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
  const columns = isatty(1) ? outputTraits().columns : Infinity;
  printResult(json ? jsonLines(all) : table(all, columns));
  const broken = all.filter(({ state }) => BROKEN.includes(state));
  const [first] = broken;
  if (all.length === 0) sayHint(NOBODY_YET);
  else if (first !== undefined && !json)
    sayHint(shellCommand`${String(broken.length)} of ${String(all.length)} cannot log in: notp status --user ${first.user} shows why`);
  return 0;
}

/** One JSON object on each line. */
export function jsonLines(all: readonly Facts[]): string {
  return all.map((facts) => `${JSON.stringify(facts)}\n`).join('');
}

/**
 * The facts of every enrolment in the state of this host. Throws `not_permitted` without root, `refused` if each user
 * keeps their own state.
 */
export async function everybodysFacts(config: Config, now: () => number): Promise<readonly Facts[]> {
  if (!isRoot()) throw new NotpError('not_permitted', 'only root can list the enrolments of all users', 'run this with sudo');
  const place = statePlace(config, realUser());
  if (place.kind === 'service') return await factsOfAll(config, place, now);
  throw new NotpError('refused', 'each user of this host keeps their own state', "notp status --user NAME shows one user's");
}

/** Aligned lines; if one is wider than `columns`, each enrolment takes two lines. */
export function table(all: readonly Facts[], columns: number): string {
  const rows = all.map(({ user, context, seal, state, last_accepted }) => {
    const last = last_accepted === null ? 'never' : `${minuteOf(last_accepted)}Z`;
    return [escapeControls(user), escapeControls(context), seal ?? '-', state, last] as const;
  });
  const names = aligned(rows.map(([user, context]) => [user, context]));
  const facts = aligned(rows.map(([, , ...rest]) => rest));
  const wide = names.every((name, i) => columnsOf(`${name}${GAP}${facts[i] ?? ''}`) <= columns);
  const line = (name: string, i: number): string =>
    (wide ? `${name}${GAP}` : `${name.trimEnd()}\n    `) + (facts[i] ?? '').trimEnd() + '\n';
  return names.map(line).join('');
}

/** A line for each row, with each column as wide as its widest cell. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number): number => rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0);
  const widths = (rows[0] ?? []).map((_, column) => width(column));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(GAP));
}
