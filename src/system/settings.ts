/** The settings of `notp.toml`: table, key, default, and the check that turns a TOML value into a typed one. */
import { ALGORITHMS, DIGITS, MAX_PERIOD_SECONDS, MIN_PERIOD_SECONDS } from '../otp/code.ts';
import { hasControls } from '../otp/escape.ts';
import { isContextName, isUserName } from '../otp/names.ts';

/** Checks a value of the file: gives the parsed value, or a phrase that says what it must be. */
export type Check<T> = (value: unknown) => T | Expected;
export class Expected {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

export interface Setting<T> {
  /** Empty for a key at the top. */
  readonly table: string;
  readonly key: string;
  readonly check: Check<T>;
  readonly standard: unknown;
}

/** The most contexts: each is one more secret that a guess may hit, and one more key to derive. */
export const MAX_CONTEXTS = 4;
/** Each login looks all of them up. */
const MAX_RULE_GROUPS = 256;
const MAX_KEY_FILES = 4;
const MAX_AUTHORIZED_KEYS = 8;
const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** The longest time that a person has at a prompt. A timer of Node.js counts milliseconds in 31 bits, and fires at once beyond that. */
export const MAX_TIMEOUT_MS = DAY_MS;

/** sshd's default for AuthorizedKeysFile. */
const SSHDS_KEY_FILES = ['.ssh/authorized_keys', '.ssh/authorized_keys2'];

export const DEFAULT_SECRETS = '%h/.notp';

/** The table and key of every setting, with its check and its default. */
export const SETTINGS = {
  secrets: setting('', 'secrets', absoluteOrStore, DEFAULT_SECRETS),
  contexts: setting('', 'context', contextNames, 'ssh'),
  unenrolled: setting('', 'unenrolled', among(['deny', 'enroll'] as const), 'deny'),
  socket: setting('', 'socket', absolute, '/run/notp/%U.sock'),
  judge: setting('', 'judge', absolute, '/run/notp/judge.sock'),
  rules: setting('', 'rules', among(['file', 'store'] as const), 'file'),
  ruleGroups: setting('', 'rule_groups', groupNames, []),
  hostKeys: setting('', 'host_key', keyFiles, '/etc/notp/host.key'),
  notices: setting('', 'notices', trueOrFalse, true),
  issuer: setting('code', 'issuer', matching(isIssuer, 'at most 64 printable characters'), ''),
  digits: setting('code', 'digits', among(DIGITS), 6),
  period: setting('code', 'period', wholeNumber(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS), 30),
  algorithm: setting('code', 'algorithm', among(ALGORITHMS), 'SHA1'),
  window: setting('policy', 'window', wholeNumber(0, 10), 1),
  budget: setting('policy', 'budget', wholeNumber(1, 100), 5),
  refill: setting('policy', 'refill', duration(SECOND_MS, 365 * DAY_MS), '1h'),
  maxGrant: setting('policy', 'max_grant', duration(0, 30 * DAY_MS), '24h'),
  tries: setting('gate', 'tries', wholeNumber(1, 10), 3),
  timeout: setting('gate', 'timeout', duration(SECOND_MS, MAX_TIMEOUT_MS), '60s'),
  prompt: setting('gate', 'prompt', matching(isPrompt, 'at most 64 printable characters, and one at least'), 'One-time code: '),
  sameConnection: setting('gate', 'same_connection', trueOrFalse, true),
  exposeAuthInfo: setting('gate', 'expose_auth_info', trueOrFalse, true),
  authorizedKeys: setting('gate', 'authorized_keys', authorizedKeysFiles, SSHDS_KEY_FILES),
  trustedUserCaKeys: setting('gate', 'trusted_user_ca_keys', absoluteOrNone, ''),
  authorizedPrincipals: setting('gate', 'authorized_principals', principalsFile, ''),
  url: setting('store', 'url', storeUrl, 'sqlite:/var/lib/notp/state.db'),
  passwordFile: setting('store', 'password_file', absolute, '/etc/notp/store.password'),
  authoritiesFile: setting('store', 'ca_file', absoluteOrNone, ''),
  tls: setting('store', 'tls', trueOrFalse, true),
  hostName: setting('store', 'host', matching(isHostName, 'at most 64 letters, digits, dots, hyphens and underscores'), ''),
  outage: setting('store', 'outage', among(['deny', 'local'] as const), 'deny'),
  outageFile: setting('store', 'outage_file', absolute, '/var/lib/notp/outage.db'),
  judges: setting('fleet', 'judges', judgeList, []),
  certificate: setting('fleet', 'certificate', absolute, '/etc/notp/tls.crt'),
  certificateKey: setting('fleet', 'key', absolute, '/etc/notp/tls.key'),
  certificateAuthority: setting('fleet', 'ca_file', absolute, '/etc/notp/tls-ca.crt'),
  auditFile: setting('audit', 'file', absolute, '/var/log/notp/audit.log'),
  journal: setting('audit', 'journal', trueOrFalse, true),
};

function setting<T>(table: string, key: string, check: Check<T>, standard: unknown): Setting<T> {
  return { table, key, check, standard };
}

function matching(test: (text: string) => boolean, what: string): Check<string> {
  return (value) => (typeof value === 'string' && test(value) ? value : new Expected(what));
}

/** One name, or a list of several: the devices of one account. */
function contextNames(value: unknown): readonly string[] | Expected {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isList = names.length > 0 && names.length <= MAX_CONTEXTS && new Set(names).size === names.length;
  if (isList && names.every((name) => typeof name === 'string' && isContextName(name))) return names as readonly string[];
  return new Expected(`a context name, or a list of at most ${String(MAX_CONTEXTS)} different ones`);
}

/** Names of groups, without "@". */
function groupNames(value: unknown): readonly string[] | Expected {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (names.length <= MAX_RULE_GROUPS && names.every((name) => typeof name === 'string' && isUserName(name) && !name.startsWith('@')))
    return names as readonly string[];
  return new Expected(`a list of at most ${String(MAX_RULE_GROUPS)} names of groups, without "@"`);
}

function isIssuer(text: string): boolean {
  return text.length <= 64 && !hasControls(text);
}

function isPrompt(text: string): boolean {
  return text.trim() !== '' && isIssuer(text);
}

function absolute(value: unknown): string | Expected {
  return typeof value === 'string' && isAbsolute(value) ? value : new Expected('an absolute path without ".."');
}

function absoluteOrStore(value: unknown): string | Expected {
  if (value === 'store') return value;
  const folder = absolute(value);
  return typeof folder === 'string' ? folder : new Expected(`${folder.what}, or "store" where the store keeps the sealed files of logins`);
}

/** One file, or a list of several. Their base names must differ, since they name the service's credentials. */
function keyFiles(value: unknown): readonly string[] | Expected {
  const files: readonly unknown[] = Array.isArray(value) ? value : [value];
  const names = new Set(files.map((file) => String(file).split('/').at(-1)));
  const isList = files.length > 0 && files.length <= MAX_KEY_FILES && names.size === files.length;
  if (isList && files.every((file) => typeof absolute(file) === 'string')) return files as readonly string[];
  return new Expected(`an absolute path without "..", or a list of at most ${String(MAX_KEY_FILES)} with different names`);
}

/** Like AuthorizedKeysFile of sshd_config(5): a path that is not absolute starts at the home. */
function authorizedKeysFiles(value: unknown): readonly string[] | Expected {
  const files: readonly unknown[] = Array.isArray(value) ? value : [];
  if (Array.isArray(value) && files.length <= MAX_AUTHORIZED_KEYS && files.every(isKeyFile)) return files as readonly string[];
  return new Expected(
    `a list of at most ${String(MAX_AUTHORIZED_KEYS)} paths without "..", as AuthorizedKeysFile of sshd has them: %h, %u, %U and %%, relative to the home`,
  );
}

/** Like AuthorizedPrincipalsFile of sshd_config(5). */
function principalsFile(value: unknown): string | Expected {
  if (value === '' || isKeyFile(value)) return String(value);
  return new Expected('a path without "..", as AuthorizedPrincipalsFile of sshd has it: %h, %u, %U and %%, relative to the home');
}

function isKeyFile(file: unknown): boolean {
  return typeof file === 'string' && /^(?:[^%]|%[%huU])+$/.test(file) && !hasControls(file) && !file.split('/').includes('..');
}

function absoluteOrNone(value: unknown): string | Expected {
  return value === '' ? value : absolute(value);
}

function isHostName(text: string): boolean {
  return /^[\w.-]{0,64}$/.test(text);
}

function isAbsolute(text: string): boolean {
  return /^(\/|%h\/)[^]/.test(text) && !hasControls(text) && !text.split('/').includes('..');
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

function trueOrFalse(value: unknown): boolean | Expected {
  return typeof value === 'boolean' ? value : new Expected('true or false');
}

/** `"60s"`, `"5m"`, `"1h"`, `"2d"` in milliseconds. */
function duration(minMs: number, maxMs: number): Check<number> {
  return (value) => {
    const ms = typeof value === 'string' ? durationOf(value) : undefined;
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    return new Expected(`a time such as "60s", "5m" or "1h", from "${String(minMs / SECOND_MS)}s" to "${String(maxMs / DAY_MS)}d"`);
  };
}

/** The store: a database in each home, a file of this host, or a database that many hosts share. */
export type StoreUrl = { readonly kind: 'user' } | { readonly kind: 'sqlite'; readonly path: string } | PostgresUrl;

export interface Server {
  readonly host: string;
  readonly port: number;
}

export interface PostgresUrl {
  readonly kind: 'postgres';
  /** Names, addresses, or folders with a socket. */
  readonly servers: readonly Server[];
  readonly database: string;
  readonly user: string;
}

function storeUrl(value: unknown): StoreUrl | Expected {
  if (value === 'user') return { kind: 'user' };
  const text = typeof value === 'string' ? value : '';
  const file = /^sqlite:(\/.+)$/s.exec(text)?.[1];
  if (file !== undefined && isAbsolute(file)) return { kind: 'sqlite', path: file };
  if (/^postgres(ql)?:/.test(text)) return postgresUrl(text);
  return new Expected('"sqlite:/absolute/path", "postgres://user@server/database", or "user" for a database in each home');
}

const POSTGRES_PORT = 5432;

/**
 * Parses an address of libpq's form, without password and parameters: `postgres://user@one,two:5433/database`,
 * `postgres:///database?host=/run/postgresql`.
 */
function postgresUrl(text: string): PostgresUrl | Expected {
  const [, user = 'notp', password, hosts = '', database = '', folder] =
    /^postgres(?:ql)?:\/\/(?:([\w.-]+)(:[^@]*)?@)?([\w.:,[\]-]*)\/([\w.-]+)(?:\?host=(\/[\w./-]+))?$/.exec(text) ?? [];
  if (password !== undefined) return new Expected('an address without a password: that is kept in the file that password_file names');
  const named = folder === undefined ? hosts.split(',') : [`${folder}:${hosts.replace(/^:/, '')}`];
  const servers = named.map((each) => serverOf(each, POSTGRES_PORT));
  if (database !== '' && servers.every((server) => server !== undefined)) return { kind: 'postgres', servers, database, user };
  return new Expected(
    '"postgres://user@server/database", with more servers after commas, or "postgres:///database?host=/folder/of/the/socket"',
  );
}

function serverOf(text: string, standardPort: number): Server | undefined {
  const [, name = '', port = ''] = /^(\[[\da-f:.]+\]|\/[\w./-]+|[\w.-]+)(?::(\d{0,5}))?$/i.exec(text) ?? [];
  if (name === '') return undefined;
  return { host: name.replace(/^\[|\]$/g, ''), port: port === '' ? standardPort : Number(port) };
}

const JUDGE_PORT = 8443;
const MAX_JUDGES = 8;

/** Names of hosts, each with its port where that is another. */
function judgeList(value: unknown): readonly Server[] | Expected {
  const named: readonly unknown[] = Array.isArray(value) ? value : [value];
  const servers = named.map((each) => (typeof each === 'string' && !each.startsWith('/') ? serverOf(each, JUDGE_PORT) : undefined));
  if (Array.isArray(value) && servers.length <= MAX_JUDGES && servers.every((server) => server !== undefined)) return servers;
  return new Expected(`a list of at most ${String(MAX_JUDGES)} names, such as "judge1.example.org:${String(JUDGE_PORT)}"`);
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/**
 * The milliseconds of `text`, a whole number and one of the `units`: `30s`, `90m`, `2h`, `7d`, `1w`; undefined for any other text. Also
 * for durations on a command line.
 */
export function durationOf(text: string, units = 'smhd'): number | undefined {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const unitMs = units.includes(unit) ? UNIT_MS[unit] : undefined;
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

/** Whether `text`, which begins with a date such as 2027-01-15, names a day that exists. Date would make 2 March of 30 February. */
export function isDay(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= last;
}
