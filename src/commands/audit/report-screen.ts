/** The text of the report: for each user a bar for each day, then the reasons and the sources. Pure. */
import { painted } from '../../terminal/painted.ts';
import { byCount, totalOf, type Day, type UserReport } from '../../audit/report.ts';
import { escapeControls } from '../../otp/escape.ts';
import type { Traits } from '../../terminal/traits.ts';
import { cutToColumns, wrapped } from '../../terminal/columns.ts';

type Screen = Pick<Traits, 'columns' | 'colour' | 'utf8'>;

const MAX_BAR_COLUMNS = 30;
const MAX_SOURCES_SHOWN = 5;

/** Common to all days: the highest number of logins and refusals, and the width of the text. */
interface Scale {
  readonly most: number;
  readonly words: number;
}

/** The whole output. All bars have one scale. */
export function reportScreen(reports: readonly UserReport[], screen: Screen): string {
  const days = reports.flatMap((report) => [...report.days.values()]);
  const scale = {
    most: days.reduce((most, { logins, refused }) => Math.max(most, logins + refused), 1),
    words: days.reduce((words, day) => Math.max(words, countsOf(day).length), 0),
  };
  return reports.map((report) => block(report, scale, screen)).join('\n');
}

function block(report: UserReport, scale: Scale, screen: Screen): string {
  const total = totalOf(report);
  const name = report.user ?? '(unknown names)';
  const days = [...report.days].map(([day, each]) => dayLine(day, each, scale, screen));
  const reasons = byCount(total.refusals).map(([reason, times]) => `${reason} ${String(times)}`);
  const more = report.sources.size > MAX_SOURCES_SHOWN || report.otherSources > 0 ? ['and others'] : [];
  const sources = byCount(report.sources)
    .slice(0, MAX_SOURCES_SHOWN)
    .map(([rhost, times]) => `${rhost} (${String(times)})`);
  return [
    painted(cut(`${name}: ${countsOf(total)}`, screen), 'bold', screen),
    ...days,
    ...(reasons.length === 0 ? [] : [listed('refused', reasons, screen)]),
    ...(sources.length === 0 ? [] : [listed('from', [...sources, ...more], screen)]),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** `  2026-11-24 12 in, 3 refused  ██████░░` */
function dayLine(day: string, { logins, refused }: Day, { most, words }: Scale, { columns, utf8, colour }: Screen): string {
  const start = `  ${columns < 60 ? day.slice(5) : day} ${countsOf({ logins, refused }).padEnd(words)}  `;
  const room = Math.min(MAX_BAR_COLUMNS, columns - start.length);
  if (room < 2) return start.trimEnd();
  const [whole, part] = utf8 ? ['█', '░'] : ['#', '-'];
  const outside = Math.min(scaled(refused, most, room), room - Number(logins > 0));
  const inside = Math.min(scaled(logins, most, room), room - outside);
  const rest = part.repeat(outside);
  return start + whole.repeat(inside) + painted(rest, 'red', { colour });
}

/** The columns of `value`: at least one unless it is 0. */
function scaled(value: number, most: number, room: number): number {
  return value === 0 ? 0 : Math.max(1, Math.round((value / most) * room));
}

function countsOf({ logins, refused }: Pick<Day, 'logins' | 'refused'>): string {
  return `${String(logins)} in${refused === 0 ? '' : `, ${String(refused)} refused`}`;
}

function listed(label: string, items: readonly string[], { columns, utf8 }: Screen): string {
  const text = wrapped(escapeControls(items.join(', ')), columns, ' '.repeat(label.length + 4));
  return `  ${label}: ${text}`
    .split('\n')
    .map((line) => cutToColumns(line, columns, utf8))
    .join('\n');
}

function cut(text: string, { columns, utf8 }: Screen): string {
  return cutToColumns(escapeControls(text), columns, utf8);
}
