/** The text of the story of one attempt, wrapped to the width of the terminal. Pure except for the time zone. */
import type { Entry } from '../../audit/entry.ts';
import type { LogRecord } from '../../audit/filter.ts';
import { escapeControls } from '../../otp/escape.ts';
import { WORDING, type Reason } from '../../verdict/reasons.ts';
import { fitted, rowOf, type TableOptions } from './table.ts';
import { clockOf, dayOf } from '../../terminal/local-time.ts';
import { spanOf } from './time.ts';
import { adviceOn, eventText } from './words.ts';
import { wrapped } from '../../terminal/columns.ts';

export interface Story {
  readonly ref: string;
  /** The records with this reference; never empty. */
  readonly records: readonly LogRecord[];
  /** Other records of that user in the hour before and the hour after, oldest first. */
  readonly before: readonly LogRecord[];
  readonly after: readonly LogRecord[];
  /** The number of records left out on each side, those farther away. */
  readonly left: { readonly before: number; readonly after: number };
  /** The first acceptance of that user after the attempt, however late. */
  readonly gotIn: LogRecord | undefined;
}

export interface StoryOptions extends TableOptions {
  readonly nowMs: number;
}

const LABEL_COLUMNS = 8;
/** Failed proofs, which cost a try of the guess budget. */
const PAID: readonly string[] = ['wrong_code', 'wrong_passphrase', 'replayed'] satisfies readonly Reason[];
/** A user name that needs no quoting in a command. */
const PLAIN_NAME = /^[\w.-]+$/;

/** The whole output. */
export function storyScreen(story: Story, options: StoryOptions): string {
  const attempts = story.records.map(({ entry }) => attempt(entry, options));
  return [...attempts, around(story, options), summary(story, options)].filter((part) => part !== '').join('\n');
}

function attempt(entry: Entry, options: StoryOptions): string {
  const { user, context, door, service, rhost, tty, host, reason, detail, timeMs, outageMs } = entry;
  const wording = reason !== undefined && Object.hasOwn(WORDING, reason) ? WORDING[reason as Reason] : undefined;
  const from = [rhost === undefined ? '' : `from ${rhost}`, tty === undefined ? '' : `on ${tty}`].filter((part) => part !== '').join(' ');
  const ago = spanOf(options.nowMs - timeMs);
  return lines(
    [
      ['ref', entry.ref],
      ['when', `${dayOf(timeMs)} ${clockOf(timeMs)}, ${ago} ago`],
      [
        'outage',
        outageMs === undefined ? '' : `decided ${dayOf(outageMs)} ${clockOf(outageMs)} by the copy of the host, and reported later`,
      ],
      ['who', `${whoOf(entry)}${context === '' ? '' : `, secret ${context}`}`],
      ['door', [door + (service === undefined ? '' : ` (${service})`), from].filter((part) => part !== '').join(', ')],
      ['host', host ?? ''],
      ['what', eventText(entry)],
      ['why', wording?.message ?? ''],
      ['detail', detail ?? ''],
      ['hint', wording?.hint ?? ''],
      ['to do', adviceOn(entry, PLAIN_NAME.test(user) ? user : 'USER') ?? ''],
    ],
    options,
  );
}

function whoOf({ user, uid }: Entry): string {
  if (user === '') return 'names that are not enrolled';
  return `${user}${uid === undefined ? ', unknown user' : ` (uid ${String(uid)})`}`;
}

function lines(pairs: readonly (readonly [string, string])[], { traits }: StoryOptions): string {
  const indent = ' '.repeat(LABEL_COLUMNS);
  return pairs
    .filter(([, text]) => text !== '')
    .map(([label, text]) => `${label.padEnd(LABEL_COLUMNS)}${wrapped(escapeControls(text), traits.columns, indent)}\n`)
    .join('');
}

/** The records of that user within an hour, one row each, with the attempt itself in its place. */
function around({ records, before, after, left }: Story, options: StoryOptions): string {
  if (before.length + after.length === 0) return '';
  const rows = (all: readonly LogRecord[]): string => all.map(({ entry }) => rowOf(entry, options)).join('');
  const more = (count: number): string => (count === 0 ? '' : `${fitted(`(${String(count)} more)`, options.traits)}\n`);
  const title = `${fitted('The hour before and the hour after:', options.traits)}\n`;
  return title + more(left.before) + rows(before) + rows(records) + rows(after) + more(left.after);
}

function summary({ records, before, after, left, gotIn }: Story, { traits }: StoryOptions): string {
  const [first] = records;
  if (first === undefined) return '';
  const failed = [...before, ...records, ...after].filter(({ entry }) => isPaid(entry)).length;
  const sentences = [
    ...(failed > 0
      ? [
          `${left.before + left.after > 0 ? 'At least ' : ''}${plural(failed, 'try', 'tries')} in these two hours counted against the guess budget.`,
        ]
      : []),
    // A count of names that are not enrolled belongs to no user.
    ...(first.entry.user === '' ? [] : [gotInSentence(first.entry, gotIn?.entry)]),
  ];
  if (sentences.length === 0) return '';
  return `${wrapped(escapeControls(sentences.join(' ')), traits.columns, '')}\n`;
}

/** Whether it cost a try. Refusals counted in one record came when no try was left. */
function isPaid({ reason, count }: Entry): boolean {
  return PAID.includes(reason ?? '') && count === 1;
}

function gotInSentence({ user, timeMs, event }: Entry, later: Entry | undefined): string {
  const again = event === 'login.accepted' ? ' again' : '';
  if (later === undefined) return `${user} has not got in${again} since.`;
  return `${user} got in${again} ${spanOf(later.timeMs - timeMs)} later (ref ${later.ref}).`;
}

function plural(count: number, one: string, many: string): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}
