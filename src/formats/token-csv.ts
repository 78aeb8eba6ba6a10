/**
 * CSV in which makers deliver tokens and which Entra imports: with a header, whose columns are known by their names (Entra, Token2), or
 * without one: `serial,seed` (Feitian), and the log of Yubico's tool, `OATH-HOTP,TIME,SLOT,ID,,SEED,…`. Also the list that gives tokens to
 * users, `user,serial`. Pure.
 */
import { recordsOf, rowsOf } from './csv.ts';
import { seedOf } from './seeds.ts';
import { tokenFileOf, type RawToken, type TokenDefaults, type TokenFile } from './tokens.ts';

/** The names of the columns, without blanks and marks. */
const COLUMNS = {
  user: ['upn', 'user', 'username', 'userprincipalname'],
  serial: ['serialnumber', 'serial', 'serialno', 'sn', 'tokenserialnumber'],
  seed: ['secretkey', 'secret', 'seed', 'key'],
  hex: ['secrethex', 'secretkeyhex', 'seedhex'],
  base32: ['secretbase32', 'secretkeybase32', 'seedbase32'],
  base64: ['secretbase64', 'secretkeybase64', 'seedbase64'],
  period: ['timeinterval', 'interval', 'period', 'timeintervalinseconds', 'timestep'],
  manufacturer: ['manufacturer', 'vendor'],
  model: ['model', 'type', 'tokentype'],
  digits: ['digits', 'otplength'],
  algorithm: ['algorithm', 'hash', 'hashfunction'],
  counter: ['counter'],
} as const;

const SEEDS = ['hex', 'base32', 'base64', 'seed'] as const;
/** What a seed looks like, or did before somebody mistyped it. */
const SEED_LIKE = /^[\w+/=-]{10,}$/;

/** Undefined where it has neither a header that is known nor rows of a known form. */
export function readTokenCsv(text: string, defaults: TokenDefaults = {}): TokenFile | undefined {
  const rows = rowsOf(text).map(({ line, row }) => ({ line, row: known(row) }));
  if (rows.some(({ row }) => 'serial' in row && SEEDS.some((name) => name in row)))
    return tokenFileOf(rows.map(({ line, row }) => tokenOf(line, row, defaults)));
  const bare = recordsOf(text).filter(({ fields: [begin = ''] }) => !/^LOGGING START/i.test(begin));
  const found = bare.map(({ line, fields }) => ({ line, row: bareRow(fields) }));
  const isKnown = found.some(({ row }) => SEED_LIKE.test(row.seed));
  return isKnown ? tokenFileOf(found.map(({ line, row }) => tokenOf(line, row, defaults))) : undefined;
}

type Row = Readonly<Partial<Record<keyof typeof COLUMNS, string>>>;

function known(row: Readonly<Record<string, string>>): Row {
  const names = Object.entries(row).map(([name, value]) => [name.replace(/[^a-z0-9]/g, ''), value] as const);
  const found = Object.entries(COLUMNS).map(([column, spellings]) => [
    column,
    names.find(([name]) => (spellings as readonly string[]).includes(name))?.[1],
  ]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as Row;
}

function bareRow([first = '', second = '', , id = '', , seed = '']: readonly string[]): Row & { readonly seed: string } {
  if (!/^OATH-HOTP$/i.test(first)) return { serial: first, seed: second };
  // A key without an id of its own is known by the time at which it was made.
  return { serial: id || second, seed, counter: '0', manufacturer: 'Yubico' };
}

function tokenOf(line: number, row: Row, defaults: TokenDefaults): RawToken {
  const { user = '', serial = '', period = '', manufacturer = '', model = '', digits = '', algorithm = '', counter = '' } = row;
  const names = { line, serial, user, model: [manufacturer, model].filter((name) => name !== '').join(' ') };
  const seed = seedIn(row);
  if ('why' in seed) return { ...names, raw: seed };
  const raw = {
    // A token by events has a counter and no interval.
    type: counter !== '' || Number(period || '1') === 0 || /hotp|event/i.test(model) ? 'hotp' : 'totp',
    secret: seed,
    algorithm: algorithm === '' ? (defaults.algorithm ?? '') : algorithm,
    digits: numberOrNone(digits) ?? defaults.digits,
    period: numberOrNone(period) ?? defaults.periodSeconds,
    counter: numberOrNone(counter),
  };
  return { ...names, raw };
}

/** By the notation that the name of its column has, or by any. */
function seedIn({ hex = '', base32 = '', base64 = '', seed = '' }: Row): ReturnType<typeof seedOf> {
  if (hex !== '') return seedOf(hex, 'hex');
  if (base32 !== '') return seedOf(base32, 'base32');
  return base64 === '' ? seedOf(seed) : seedOf(base64, 'base64');
}

function numberOrNone(text: string): number | undefined {
  return text === '' ? undefined : Number(text);
}

/** One user and one serial number a line, with or without a header. */
export function readAssignments(text: string): readonly { readonly line: number; readonly user: string; readonly serial: string }[] {
  const records = recordsOf(text).map(({ line, fields: [user = '', serial = ''] }) => ({ line, user, serial }));
  return records.filter(({ user, serial }) => !user.startsWith('#') && !/^serial/i.test(serial));
}
