/**
 * Shows a new secret to a person: URI, QR code, key and what to do. On 80 columns and 24 rows the QR code stands at the bottom with the
 * rest beside it, so that all is seen at once. Without room beside it, the rest stands below, where it is seen even if the QR code is too high.
 */
import type { WriteStream } from 'node:tty';
import { groupedKey, otpauthUri, type Credential } from '../otp/uri.ts';
import type { QrStyle } from './choices.ts';
import { wrapped } from './columns.ts';
import { say, sayHint } from './printer.ts';
import { columnsOfQr, drawFittingQr, hasOf, usualStyle } from './qr.ts';
import { DEFAULT_ROWS, traitsOf, type Traits } from './traits.ts';

export interface SecretScreen {
  readonly stream: WriteStream;
  /** Writes to `stream`. */
  readonly print: (text: string) => void;
  /** The style that was asked for. */
  readonly style: QrStyle | undefined;
  /** Sentences on what to do once an app has the secret; may be empty. */
  readonly after: string;
  /** What else helps where the terminal is too small, from a comma on; may be empty. */
  readonly otherwise: string;
}

const GAP = '  ';
/** The key beside the QR code takes 24 columns. */
const MIN_BESIDE_COLUMNS = 28;
const MAX_BESIDE_COLUMNS = 60;
const KEY_INDENT = ' '.repeat('Key: '.length);
const FOUR_GROUPS = /\S+(?: \S+){0,3}/g;
/** Of the question, or the live code, which follows. */
const ROWS_BELOW = 1;

/** Prints the secret; what to do goes to stderr, unless it stands beside the QR code. */
export function showSecret(credential: Credential, { stream, print, style, after, otherwise }: SecretScreen): void {
  const screen = traitsOf(process.env, stream);
  const chosen = style ?? (stream.isTTY ? usualStyle(screen) : 'ascii');
  const remedy = chosen === 'unicode' ? otherwise : `${otherwise}, or --qr unicode if it shows UTF-8`;
  const drawing = drawFittingQr(credential, chosen, stream, remedy);
  const key = groupedKey(credential.secret);
  const todo = `${waysOf(drawing)} ${after}`.trimEnd();
  const beside = stream.isTTY ? withBeside(drawing, key, todo, screen) : undefined;
  print(`URI: ${otpauthUri(credential)}\n${beside ?? drawing}`);
  const below = beside !== undefined ? '' : `${wrapped(`Key: ${key}`, stream.isTTY ? screen.columns : Infinity, KEY_INDENT)}\n`;
  const last = beside !== undefined ? '' : `${wrapped(todo, screen.columns, '')}\n`;
  const needed = rowsOf(drawing) + rowsOf(below + last) + ROWS_BELOW;
  if (stream.isTTY && drawing !== '' && needed > screen.rows)
    sayHint(`all of this needs ${String(needed)} rows, and this terminal ${hasOf(stream.rows, DEFAULT_ROWS)}: make it higher${remedy}`);
  else if (stream.isTTY && drawing !== '' && chosen === 'ascii') sayHint(`few apps can scan ##: type in the key${remedy}`);
  print(below);
  say(last);
}

function waysOf(drawing: string): string {
  if (drawing === '') return 'Type the key into an authenticator app.';
  return 'Scan this with an authenticator app, or type in the key.';
}

/** `drawing` with key and words at its right; undefined if there is no room. */
function withBeside(drawing: string, key: string, todo: string, { columns }: Traits): string | undefined {
  const room = Math.min(MAX_BESIDE_COLUMNS, columns - columnsOfQr(drawing) - GAP.length);
  const keyLines = (key.match(FOUR_GROUPS) ?? []).map((groups, i) => (i === 0 ? 'Key: ' : KEY_INDENT) + groups);
  const lines = ['', ...keyLines, '', ...wrapped(todo, room, '').split('\n')];
  if (room < MIN_BESIDE_COLUMNS || lines.length > rowsOf(drawing)) return undefined;
  const rows = drawing.slice(0, -1).split('\n');
  return rows.map((row, y) => ((lines[y] ?? '') === '' ? `${row}\n` : `${row}${GAP}${lines[y] ?? ''}\n`)).join('');
}

function rowsOf(text: string): number {
  return text.split('\n').length - 1;
}
