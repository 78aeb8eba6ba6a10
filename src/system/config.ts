/** `/etc/notp/notp.toml`: every key has a default, every key is known, and an error names file, line and fix. */
import { parse, TomlError } from 'smol-toml';
import { NotpError } from '../error.ts';
import { ALGORITHMS, DIGITS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS, type CodeParameters } from '../otp/code.ts';
import { quoted } from '../otp/escape.ts';
import { isContextName } from '../otp/names.ts';
import type { Policy } from '../verdict/decide.ts';
import * as path from 'node:path';
import { checkFolders, readTrusted } from './trusted.ts';
import { isRoot, realUid, type User } from './users.ts';

export const DEFAULT_CONFIG_FILE = '/etc/notp/notp.toml';
const MAX_CONFIG_BYTES = 64 * 1024;

export interface Config {
  /** `%h` is the home, `%u` the user's name. */
  readonly secrets: string;
  readonly context: string;
  readonly unenrolled: 'deny' | 'allow' | 'enroll';
  readonly socket: string;
  readonly hostKey: string;
  readonly code: CodeParameters & { readonly issuer: string };
  readonly policy: Policy;
  readonly gate: { readonly tries: number; readonly timeoutMs: number; readonly sameConnection: boolean };
  /** The service's database, or undefined where each user keeps their own (`url = "user"`). */
  readonly database: string | undefined;
  readonly audit: { readonly file: string; readonly journal: boolean };
}

/** A value as it stands in the file: gives the parsed value, or a sentence on what it should be. */
type Check<T> = (value: unknown) => T | Expected;
class Expected {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** The table and key of every setting, with its check and its default. */
const SETTINGS = {
  secrets: setting('', 'secrets', absolute, '%h/.notp'),
  context: setting('', 'context', matching(isContextName, 'a context name'), 'ssh'),
  unenrolled: setting('', 'unenrolled', among(['deny', 'allow', 'enroll'] as const), 'deny'),
  socket: setting('', 'socket', absolute, '/run/notp/%U.sock'),
  hostKey: setting('', 'host_key', absolute, '/etc/notp/host.key'),
  issuer: setting(
    'code',
    'issuer',
    matching((text) => text.length <= 64 && /^\P{Cc}*$/u.test(text), 'at most 64 printable characters'),
    '',
  ),
  digits: setting('code', 'digits', among(DIGITS), 6),
  period: setting('code', 'period', wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS), 30),
  algorithm: setting('code', 'algorithm', among(ALGORITHMS), 'SHA1'),
  window: setting('policy', 'window', wholeNumber(0, 10), 1),
  budget: setting('policy', 'budget', wholeNumber(1, 100), 5),
  refill: setting('policy', 'refill', duration(1_000), '1h'),
  tries: setting('gate', 'tries', wholeNumber(1, 10), 3),
  timeout: setting('gate', 'timeout', duration(1_000), '60s'),
  sameConnection: setting('gate', 'same_connection', (value) => (typeof value === 'boolean' ? value : new Expected('true or false')), true),
  trust: setting(
    'gate',
    'trust',
    (value) => (value === '0s' ? 0 : new Expected('"0s": trust needs the service, which this version does not have')),
    '0s',
  ),
  url: setting('store', 'url', storeUrl, 'sqlite:/var/lib/notp/state.db'),
  auditFile: setting('audit', 'file', absolute, '/var/log/notp/audit.log'),
  journal: setting('audit', 'journal', (value) => (typeof value === 'boolean' ? value : new Expected('true or false')), true),
};

/** The defaults, for a machine without a file and for a door that must record that the file is broken. */
export function defaultConfig(): Config {
  return fromTables({}, DEFAULT_CONFIG_FILE, '');
}

/** Reads the configuration. The default file may be absent; one that was named must be there. Throws `bad_configuration`. */
export function readConfig(file: string | undefined): Config {
  const name = file ?? DEFAULT_CONFIG_FILE;
  const bytes = readOwned(path.resolve(name));
  if (bytes === undefined && file !== undefined) throw new NotpError('bad_configuration', `${name}: there is no such file`);
  return parseConfig(bytes === undefined ? '' : Buffer.from(bytes).toString('utf8'), name);
}

/** The configuration in `source`; `file` is for messages. */
export function parseConfig(source: string, file: string): Config {
  let tables: Record<string, unknown>;
  try {
    tables = parse(source);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new NotpError(
      'bad_configuration',
      `${file}:${String(error.line)}: ${error.message.split('\n')[0] ?? ''}`,
      'the file is TOML; see the example in examples/notp.toml',
    );
  }
  refuseUnknown(tables, file, source);
  return fromTables(tables, file, source);
}

/** A path of the configuration for `user`: `%h`, `%u`, `%U` and `%%`. */
export function expand(template: string, user: User): string {
  const values: Record<string, string> = { h: user.home, u: user.name, U: String(user.uid), '%': '%' };
  return template.replace(/%(.)/g, (whole, letter: string) => values[letter] ?? whole);
}

/** Root's, or, without root, one's own: whoever can name another file at a door is root already. */
function readOwned(file: string): Uint8Array | undefined {
  const owner = isRoot() ? 0 : realUid();
  try {
    if (!checkFolders('/', path.dirname(file), owner)) return undefined;
    return readTrusted(file, { owner, maxBytes: MAX_CONFIG_BYTES, forbidden: 0o022 });
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    throw new NotpError(
      'bad_configuration',
      error.message,
      `it must belong to root and be writable by nobody else: chown root ${file}; chmod 644 ${file}`,
    );
  }
}

function fromTables(tables: Record<string, unknown>, file: string, source: string): Config {
  const get = <T>({ table, key, check, standard }: Setting<T>): T => {
    const holder = table === '' ? tables : (tables[table] as Record<string, unknown> | undefined);
    const value = check(holder?.[key] ?? standard);
    if (!(value instanceof Expected)) return value;
    const name = table === '' ? key : `${table}.${key}`;
    throw new NotpError(
      'bad_configuration',
      `${file}:${lineOf(source, table, key)}: ${name} must be ${value.what}`,
      `the default is ${key} = ${JSON.stringify(standard)}`,
    );
  };
  get(SETTINGS.trust);
  return {
    secrets: get(SETTINGS.secrets),
    context: get(SETTINGS.context),
    unenrolled: get(SETTINGS.unenrolled),
    socket: get(SETTINGS.socket),
    hostKey: get(SETTINGS.hostKey),
    code: {
      issuer: get(SETTINGS.issuer),
      digits: get(SETTINGS.digits),
      periodSeconds: get(SETTINGS.period),
      algorithm: get(SETTINGS.algorithm),
    },
    policy: { window: get(SETTINGS.window), budget: get(SETTINGS.budget), refillMs: get(SETTINGS.refill) },
    gate: { tries: get(SETTINGS.tries), timeoutMs: get(SETTINGS.timeout), sameConnection: get(SETTINGS.sameConnection) },
    database: get(SETTINGS.url).path,
    audit: { file: get(SETTINGS.auditFile), journal: get(SETTINGS.journal) },
  };
}

function refuseUnknown(tables: Record<string, unknown>, file: string, source: string): void {
  const known = Object.values(SETTINGS).map(({ table, key }) => ({ table, key }));
  for (const [name, value] of Object.entries(tables)) {
    const isTable = known.some(({ table }) => table === name);
    if (isTable && (typeof value !== 'object' || value === null || Array.isArray(value))) {
      throw new NotpError(
        'bad_configuration',
        `${file}:${lineOf(source, '', name)}: ${quoted(name)} must be a table`,
        `write [${name}] on a line of its own`,
      );
    }
    const entries = isTable ? Object.keys(value as object).map((key) => ({ table: name, key })) : [{ table: '', key: name }];
    for (const { table, key } of entries) {
      if (!known.some((each) => each.table === table && each.key === key)) throw unknownKey(table, key, file, source);
    }
  }
}

function unknownKey(table: string, key: string, file: string, source: string): NotpError {
  const keys = Object.values(SETTINGS)
    .filter((each) => each.table === table)
    .map((each) => each.key);
  const where = table === '' ? '' : ` in [${table}]`;
  return new NotpError(
    'bad_configuration',
    `${file}:${lineOf(source, table, key)}: unknown key ${quoted(key)}${where}`,
    `known here: ${keys.join(', ')}`,
  );
}

/** The number of the line where `key` of `table` is set, as text; the parser keeps no positions. */
function lineOf(source: string, table: string, key: string): string {
  let inside = '';
  for (const [i, line] of source.split('\n').entries()) {
    const header = /^\s*\[+\s*"?([^"\]]*?)"?\s*\]/.exec(line)?.[1];
    if (header !== undefined) inside = header;
    const name = /^\s*["']?([^"'=\s]+)["']?\s*=/.exec(line)?.[1];
    const isHeader = header !== undefined && (header === key || header.startsWith(`${key}.`));
    const here =
      (inside === table && (name === key || name?.startsWith(`${key}.`) === true)) ||
      name === `${table}.${key}` ||
      (table === '' && isHeader);
    if (here) return String(i + 1);
  }
  return '1';
}

interface Setting<T> {
  readonly table: string;
  readonly key: string;
  readonly check: Check<T>;
  readonly standard: unknown;
}

function setting<T>(table: string, key: string, check: Check<T>, standard: unknown): Setting<T> {
  return { table, key, check, standard };
}

function matching(test: (text: string) => boolean, what: string): Check<string> {
  return (value) => (typeof value === 'string' && test(value) ? value : new Expected(what));
}

function absolute(value: unknown): string | Expected {
  const fine = typeof value === 'string' && /^(\/|%h\/)\P{Cc}+$/u.test(value) && !value.split('/').includes('..');
  return fine ? value : new Expected('an absolute path without ".."');
}

function among<T extends string | number>(allowed: readonly T[]): Check<T> {
  return (value) =>
    allowed.find((each) => each === value) ?? new Expected(`one of ${allowed.map((each) => JSON.stringify(each)).join(', ')}`);
}

function wholeNumber(min: number, max: number): Check<number> {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
      ? value
      : new Expected(`a whole number from ${String(min)} to ${String(max)}`);
}

/** `"60s"`, `"5m"`, `"1h"`, `"2d"` in milliseconds. */
function duration(minMs: number): Check<number> {
  const unit: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  return (value) => {
    const [, count, letter] = /^(\d{1,6})([smhd])$/.exec(typeof value === 'string' ? value : '') ?? [];
    const ms = Number(count) * (unit[letter ?? ''] ?? NaN);
    return ms >= minMs ? ms : new Expected('a time such as "60s", "5m", "1h" or "2d"');
  };
}

function storeUrl(value: unknown): { path: string | undefined } | Expected {
  if (value === 'user') return { path: undefined };
  const file = /^sqlite:(\/.+)$/.exec(typeof value === 'string' ? value : '')?.[1];
  return file === undefined ? new Expected('"sqlite:/absolute/path", or "user" for a database in each home') : { path: file };
}
