/**
 * CSV in which makers deliver tokens and which Entra imports: with a header, whose columns are known by their names (Entra, Token2), or
 * without one: `serial,seed` (Feitian), and the log of Yubico's tool, `OATH-HOTP,TIME,SLOT,ID,,SEED,…`. Also the list that gives tokens to
 * users, `user,serial`. Pure.
 */
import { recordsOf, rowsOf } from './csv.ts';
import { seedOf, type NoSeed } from './seeds.ts';
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
  model: ['model'],
  type: ['type', 'tokentype', 'otptype'],
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
  const names = Object.entries(row).map(([name, value]) => [columnName(name), value] as const);
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
  const { user = '', serial = '', period = '', manufacturer = '', model = '', type = '', digits = '', algorithm = '', counter = '' } = row;
  const names = { line, serial, user, model: [manufacturer, model || type].filter((name) => name !== '').join(' ') };
  const [seed, kind] = [seedIn(row), kindOf(row)];
  if ('why' in seed) return { ...names, raw: seed };
  if ('why' in kind) return { ...names, raw: kind };
  const raw = {
    ...kind,
    secret: seed,
    algorithm: algorithm === '' ? (defaults.algorithm ?? '') : algorithm,
    digits: digits === '' ? defaults.digits : digits,
    period: period === '' ? defaults.periodSeconds : period,
    counter: counter === '' ? undefined : counter,
  };
  return { ...names, raw };
}

/**
 * By the type or model, or else by the counter or interval, of which a token has one. A type is not contradicted by what a table has in each
 * of its rows: counter 0, interval 30.
 */
function kindOf({ type = '', model = '', counter = '', period = '' }: Row): { readonly type: 'totp' | 'hotp' } | NoSeed {
  const hasCounter = counter !== '';
  const hasInterval = !['', '0'].includes(period);
  const named = namedIn(type) ?? namedIn(model);
  if (named === 'totp' && hasCounter && counter !== '0') return { why: 'its type is TOTP, but it has a counter' };
  if (named === 'hotp' && hasInterval && period !== '30') return { why: 'its type is HOTP, but it has an interval' };
  if (named !== undefined) return { type: named };
  if (hasCounter && hasInterval) return { why: 'it has a counter and an interval, but no type' };
  return { type: hasCounter || period === '0' ? 'hotp' : 'totp' };
}

/** What a type or model says, where it says one. */
function namedIn(text: string): 'totp' | 'hotp' | undefined {
  const isTimed = /(?<![a-z])(?:totp|time(?:[ -]?based)?)(?![a-z])/i.test(text);
  const isCounted = /(?<![a-z])(?:hotp|event(?:[ -]?based)?)(?![a-z])/i.test(text);
  if (isTimed === isCounted) return undefined;
  return isTimed ? 'totp' : 'hotp';
}

/** By the notation that the name of its column has, or by any. */
function seedIn({ hex = '', base32 = '', base64 = '', seed = '' }: Row): ReturnType<typeof seedOf> {
  if (hex !== '') return seedOf(hex, 'hex');
  if (base32 !== '') return seedOf(base32, 'base32');
  return base64 === '' ? seedOf(seed) : seedOf(base64, 'base64');
}

/** One user and one serial number a line, with or without a header. */
export function readAssignments(text: string): readonly { readonly line: number; readonly user: string; readonly serial: string }[] {
  // A remark is no line of the table: its marks do not say what separates the columns.
  const records = recordsOf(text.replace(/^[ \t]*#.*$/gm, '')).map(({ line, fields: [user = '', serial = ''] }) => ({
    line,
    user,
    serial,
  }));
  const [first, ...rest] = records;
  if (first === undefined) return [];
  const isHeader = COLUMNS.serial.some((name) => name === columnName(first.serial.toLowerCase()));
  return isHeader ? rest : [first, ...rest];
}

/** Without blanks and marks. */
function columnName(written: string): string {
  return written.replace(/[^a-z0-9]/g, '');
}
