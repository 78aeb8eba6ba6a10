/**
 * CSV in which makers deliver tokens and which Entra imports: with a header, whose columns are known by their names (Entra, Token2), or
 * without one: `serial,seed` (Feitian), and the log of Yubico's tool, `OATH-HOTP,TIME,SLOT,ID,,SEED,…`. Also the list that gives tokens to
 * users, `user,serial`. Pure.
 */
import { quoted } from '../otp/escape.ts';
import { recordsOf } from './csv.ts';
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
  period: [
    ...['timeinterval', 'interval', 'period', 'timeintervalinseconds', 'timestep', 'timesteps', 'timestepinseconds', 'timestepseconds'],
    ...['step', 'stepsize', 'intervalseconds', 'intervalinseconds', 'periodseconds', 'periodinseconds'],
  ],
  manufacturer: ['manufacturer', 'vendor'],
  model: ['model'],
  type: ['type', 'tokentype', 'otptype'],
  digits: ['digits', 'otplength', 'otpdigits', 'codelength', 'codedigits', 'length', 'numberofdigits'],
  algorithm: ['algorithm', 'hash', 'hashfunction', 'hashalgorithm', 'algo', 'hmac', 'hmacalgorithm'],
  counter: ['counter', 'initialcounter', 'startcounter', 'countervalue', 'eventcounter', 'movingfactor'],
} as const;

/** Columns that are not read: they do not say how codes are made, or that a token is out of use. */
const HARMLESS: readonly string[] = [
  ...['name', 'fullname', 'displayname', 'firstname', 'lastname', 'givenname', 'surname', 'email', 'emailaddress', 'mail', 'phone'],
  ...['department', 'company', 'organization', 'organisation', 'team', 'costcenter', 'costcentre', 'office', 'location', 'site', 'country'],
  ...['comment', 'comments', 'note', 'notes', 'description', 'remark', 'remarks', 'issuer', 'account', 'label'],
  ...['batch', 'batchnumber', 'order', 'ordernumber', 'ponumber', 'invoice', 'box', 'lot', 'lotnumber', 'partnumber', 'sku', 'barcode'],
  ...['productiondate', 'manufacturedate', 'manufacturingdate', 'created', 'deliverydate', 'shippingdate', 'warranty'],
];

const SEEDS = ['hex', 'base32', 'base64', 'seed'] as const;
/** What a seed looks like, or did before somebody mistyped it. */
const SEED_LIKE = /^[\w+/=-]{10,}$/;
const MAX_NAMED = 5;

/**
 * Undefined where it has neither a header that is known nor rows of a known form; why it is refused where it has columns that are not
 * known, which may say how the codes are made.
 */
export function readTokenCsv(text: string, defaults: TokenDefaults = {}): TokenFile | { readonly why: string } | undefined {
  const records = recordsOf(text);
  const [header, ...rest] = records;
  const names = header?.fields.map((name) => name.toLowerCase()) ?? [];
  const columns = names.map((name) => columnIn(columnName(name)));
  if (rest.length > 0 && columns.includes('serial') && SEEDS.some((name) => columns.includes(name))) {
    const isPassedOver = (i: number): boolean => columns[i] === undefined && rest.some(({ fields }) => Boolean(fields[i]));
    const unknown = names.filter((name, i) => !HARMLESS.includes(columnName(name)) && isPassedOver(i));
    if (unknown.length > 0) return { why: `has columns that notp does not know: ${unknown.slice(0, MAX_NAMED).map(quoted).join(', ')}` };
    return tokenFileOf(rest.map(({ line, fields }) => tokenOf(line, rowIn(names, columns, fields), defaults)));
  }
  const bare = records.filter(({ fields: [begin = ''] }) => !/^LOGGING START/i.test(begin));
  const found = bare.map(({ line, fields }) => ({ line, row: bareRow(fields) }));
  const isKnown = found.some(({ row }) => SEED_LIKE.test(row.seed));
  return isKnown ? tokenFileOf(found.map(({ line, row }) => tokenOf(line, row, defaults))) : undefined;
}

type Column = keyof typeof COLUMNS;
/** `odd`: why not all of it can be read. */
type Row = Readonly<Partial<Record<Column, string>>> & { readonly odd?: string };

function columnIn(name: string): Column | undefined {
  return (Object.keys(COLUMNS) as Column[]).find((column) => (COLUMNS[column] as readonly string[]).includes(name));
}

/** The values by their columns. */
function rowIn(names: readonly string[], columns: readonly (Column | undefined)[], fields: readonly string[]): Row {
  const row: Partial<Record<Column, string>> = {};
  const from: Partial<Record<Column, string>> = {};
  let odd = fields.slice(names.length).some((field) => field !== '') ? 'it has more fields than the header' : undefined;
  for (const [i, column] of columns.entries()) {
    const [name = '', value = ''] = [names[i], fields[i]];
    if (column === undefined || value === '') continue;
    const earlier = row[column];
    if (earlier !== undefined && earlier !== value) odd ??= `its columns ${quoted(from[column] ?? '')} and ${quoted(name)} differ`;
    row[column] = earlier ?? value;
    from[column] ??= name;
  }
  return odd === undefined ? row : { ...row, odd };
}

/** The fields of the log of Yubico's tool after the seed, as far as they say how codes are made. */
const YUBICO = { digits: 11, counter: 12 } as const;

function bareRow(fields: readonly string[]): Row & { readonly seed: string } {
  const [first = '', second = '', , id = '', , seed = ''] = fields;
  if (!/^OATH-HOTP$/i.test(first)) {
    const isMore = fields.slice(2).some((field) => field !== '');
    return {
      serial: first,
      seed: second,
      ...(isMore ? { odd: 'it has more than serial number and seed, and no header that says what' } : {}),
    };
  }
  const [digits = '', counter = ''] = [fields[YUBICO.digits], fields[YUBICO.counter]];
  // A key without an id of its own is known by the time at which it was made.
  return { serial: id || second, seed, digits, counter: counter || '0', manufacturer: 'Yubico' };
}

function tokenOf(line: number, row: Row, defaults: TokenDefaults): RawToken {
  const { user = '', serial = '', period = '', manufacturer = '', model = '', type = '', digits = '', algorithm = '', counter = '' } = row;
  const names = { line, serial, user, model: [manufacturer, model || type].filter((name) => name !== '').join(' ') };
  const [seed, kind] = [seedIn(row), kindOf(row)];
  if (row.odd !== undefined) return { ...names, raw: { why: row.odd } };
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

/** By the notation that the name of its column has, or by any. In several notations it is the same. */
function seedIn(row: Row): ReturnType<typeof seedOf> {
  const written = SEEDS.flatMap((name) => (row[name] === undefined ? [] : [seedOf(row[name], name === 'seed' ? undefined : name)]));
  const [first = seedOf(''), ...others] = written;
  if ('why' in first) return first;
  for (const other of others) {
    if ('why' in other) return other;
    if (Buffer.compare(first, other) !== 0) return { why: 'its secret is another one in each column' };
  }
  return first;
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
