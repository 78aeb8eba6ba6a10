/**
 * The table of records: a line for each record, below a line for each day. On a narrow terminal each record takes two lines.
 * The reference is never cut, and no line is wider than the terminal. Pure except for the time zone.
 */
import { painted } from '../../terminal/painted.ts';
import type { Entry } from '../../audit/entry.ts';
import { escapeControls } from '../../otp/escape.ts';
import type { Traits } from '../../terminal/traits.ts';
import { clockOf, dayOf } from '../../terminal/local-time.ts';
import { EVENT_COLUMNS, eventText } from './words.ts';
import { columnsOf, cutToColumns } from '../../terminal/columns.ts';

export interface TableOptions {
  readonly traits: Pick<Traits, 'columns' | 'colour' | 'utf8'>;
  /** The default context, which is not shown. */
  readonly context: string;
  /** Whether to show the host of each record. */
  readonly hosts?: boolean;
}

/** Below this a record takes two lines. */
const ONE_LINE_FROM_COLUMNS = 72;
const USER_COLUMNS = 12;
const DOOR_COLUMNS = 4;
/** The user of a record that counts several names without an enrolment. */
const SEVERAL = '(several)';

/** A function that gives the text of each record in turn, or of a line that is not a record. */
export function tablePrinter(options: TableOptions): (entry: Entry | undefined, line: string) => string {
  let day = '';
  return (entry, line) => {
    if (entry === undefined) return `${fitted(`not a record: ${line}`, options.traits)}\n`;
    const today = dayOf(entry.timeMs);
    const header = today === day ? '' : `${painted(today, 'bold', options.traits)}\n`;
    day = today;
    return header + rowOf(entry, options);
  };
}

/** One record, with its newline. */
export function rowOf(entry: Entry, options: TableOptions): string {
  const { traits } = options;
  const start = `${clockOf(entry.timeMs)} ${escapeControls(entry.ref).padEnd(8)} `;
  const who = escapeControls(
    entry.context === options.context || entry.context === '' ? entry.user || SEVERAL : `${entry.user}/${entry.context}`,
  );
  const what = escapeControls(eventText(entry));
  const tone = entry.result === 'refused' || entry.result === 'failed' ? 'red' : undefined;
  if (traits.columns < ONE_LINE_FROM_COLUMNS) {
    const more = fitted(`  ${[what, entry.door, sourceOf(entry, options)].filter((part) => part !== '').join('  ')}`, traits);
    return `${fitted(start + who, traits)}\n${painted(more, tone, traits)}\n`;
  }
  const cells = [
    cell(who, USER_COLUMNS, traits),
    painted(cell(what, EVENT_COLUMNS, traits), tone, traits),
    cell(entry.door, DOOR_COLUMNS, traits),
  ];
  const used = start.length + USER_COLUMNS + EVENT_COLUMNS + DOOR_COLUMNS + cells.length;
  return `${start}${cells.join(' ')} ${cutToColumns(sourceOf(entry, options), traits.columns - used, traits.utf8)}`.trimEnd() + '\n';
}

/**
 * The source: the address, else the terminal, else the service; before it the host, and "outage" if the decision was
 * reported later.
 */
function sourceOf({ host, rhost, tty, service, outageMs }: Entry, { hosts }: TableOptions): string {
  const parts = [hosts === true ? `${host ?? ''}:` : '', outageMs === undefined ? '' : 'outage,', rhost ?? tty ?? service ?? ''];
  return escapeControls(parts.filter((part) => part !== '').join(' '));
}

function cell(text: string, columns: number, { utf8 }: TableOptions['traits']): string {
  const cut = cutToColumns(escapeControls(text), columns, utf8);
  return cut + ' '.repeat(Math.max(0, columns - columnsOf(cut)));
}

/** `text` with its controls escaped, cut to the terminal. */
export function fitted(text: string, { columns, utf8 }: TableOptions['traits']): string {
  return cutToColumns(escapeControls(text), columns, utf8);
}
