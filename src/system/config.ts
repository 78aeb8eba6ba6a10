/** `/etc/notp/notp.toml`: every key has a default, every key is known, and an error names file, line and fix. */
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import * as path from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { NotpError } from '../error.ts';
import type { CodeParameters } from '../otp/code.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import { userInPath } from '../otp/names.ts';
import type { Policy } from '../verdict/decide.ts';
import type { Rule } from '../verdict/rules.ts';
import { rulesIn } from './rule-settings.ts';
import { DEFAULT_SECRETS, Expected, SETTINGS, type PostgresUrl, type Server, type Setting, type StoreUrl } from './settings.ts';
import { checkFolders, readTrusted } from './trusted.ts';
import { isRoot, realUid, type User } from './users.ts';

export const DEFAULT_CONFIG_FILE = '/etc/notp/notp.toml';
const MAX_CONFIG_BYTES = 64 * 1024;

export interface Config {
  /** The folder of the sealed files: `%h` is the home, `%u` the user's name. */
  readonly secrets: string;
  /** Whether the store keeps the sealed files of logins instead, so that nobody needs a home. */
  readonly secretsInStore: boolean;
  /** The contexts that log in: each is one device, and any of them opens the door. */
  readonly contexts: readonly string[];
  /** The first of them, which commands use unless they are given another. */
  readonly context: string;
  readonly unenrolled: 'deny' | 'enroll';
  /** Who is asked for a code, in the order of the file. None where the store has the rules. */
  readonly rules: readonly Rule[];
  /** Whether the store has the rules instead, for all hosts that say so. */
  readonly rulesInStore: boolean;
  /** The groups that doors look up for the rules of the store, which they cannot read; undefined: those that `rules` name. */
  readonly ruleGroups: readonly string[] | undefined;
  readonly socket: string;
  /** The socket of the judge of the PAM door. */
  readonly judge: string;
  /** The files of the host keys, which open what hosts have sealed. */
  readonly hostKeys: readonly string[];
  /** The first of them, whose key seals. */
  readonly hostKey: string;
  /** Whether users read after a login what concerns them. */
  readonly notices: boolean;
  readonly code: CodeParameters & { readonly issuer: string };
  readonly policy: Policy;
  /** The longest grant, in milliseconds; 0: none may be made. */
  readonly maxGrantMs: number;
  readonly gate: {
    readonly tries: number;
    readonly timeoutMs: number;
    /** The question for a code, as it is shown. */
    readonly prompt: string;
    readonly sameConnection: boolean;
    /** Whether sshd reports the key of a login: ExposeAuthInfo. */
    readonly exposeAuthInfo: boolean;
    /** The files of keys and their limits, in the form of sshd's AuthorizedKeysFile: %h, %u, %U and %%, relative to the home. */
    readonly authorizedKeys: readonly string[];
    /** TrustedUserCAKeys of sshd; undefined where it is not set. */
    readonly trustedUserCaKeys: string | undefined;
    /** AuthorizedPrincipalsFile of sshd; undefined where it is not set. */
    readonly authorizedPrincipals: string | undefined;
  };
  /** The place of the changing state. */
  readonly store: StoreSetting;
  /** How to reach the database of a fleet, whichever it is. */
  readonly fleet: FleetSetting;
  /** The judges that decide for this host, and the files by which they and it know each other. */
  readonly judges: JudgesSetting;
  readonly audit: { readonly file: string; readonly journal: boolean };
}

export type StoreSetting = Exclude<StoreUrl, PostgresUrl> | PostgresSetting;

/** The database of a fleet. */
export interface PostgresSetting extends PostgresUrl, FleetSetting {}

export interface FleetSetting {
  readonly passwordFile: string;
  /** The file with certificates (PEM) of the authorities for the servers; undefined: those that Node.js trusts. */
  readonly authoritiesFile: string | undefined;
  readonly tls: boolean;
  /** The name of this host in that database; empty: its host name. */
  readonly host: string;
  /** Who gets in while no server can be reached: nobody, or approved users, by this host's copy. */
  readonly outage: 'deny' | 'local';
  /** The file of that copy. */
  readonly outageFile: string;
}

export interface JudgesSetting {
  /** None on a host that decides by itself. */
  readonly servers: readonly Server[];
  /** PEM files: the certificate of this host, its key, and the authority of all certificates of the fleet. */
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

/** Whether this host is a member of a fleet: it holds nothing, and judges decide. */
export function isMember({ judges }: Pick<Config, 'judges'>): boolean {
  return judges.servers.length > 0;
}

/** The defaults, for a machine without a file, and for a door that must record that the file is broken. */
export function defaultConfig(): Config {
  return fromTables({}, DEFAULT_CONFIG_FILE, '');
}

/** Reads the configuration. The default file may be missing; a file that was named must exist. Throws `bad_configuration`. */
export function readConfig(file: string | undefined): Config {
  const name = file ?? DEFAULT_CONFIG_FILE;
  const bytes = readOwned(path.resolve(name));
  if (bytes === undefined && file !== undefined) throw new NotpError('bad_configuration', `${name}: there is no such file`);
  return parseConfig(bytes === undefined ? '' : decodeUtf8(bytes, name), name);
}

function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new NotpError('bad_configuration', `${file} is not UTF-8`, 'TOML must be UTF-8: convert the file with iconv(1)');
  }
}

/** The configuration in `source`; `file` is for messages. */
export function parseConfig(source: string, file: string): Config {
  const tables = tablesIn(source, file, 'the file is TOML; see the example in examples/notp.toml');
  refuseUnknown(tables, file, source);
  return fromTables(tables, file, source);
}

/** The rules in `source`, a file with nothing but [[rule]] tables; `file` is for messages. Throws `bad_configuration`. */
export function parseRules(source: string, file: string): readonly Rule[] {
  const tables = tablesIn(source, file, 'the file is TOML with [[rule]] tables; see notp.toml(5)');
  const other = Object.keys(tables).find((name) => name !== 'rule');
  if (other !== undefined)
    throw new NotpError(
      'bad_configuration',
      `${file}:${lineOf(source, '', other)}: ${quoted(other)} is no rule`,
      'a file of rules has [[rule]] tables and nothing else; the rest stays in notp.toml of each host',
    );
  return rulesIn(tables['rule'], file, source);
}

/** Reads a file of rules as parseRules() takes it. Throws `bad_configuration`. */
export function rulesText(file: string): string {
  const bytes = readOwned(path.resolve(file));
  if (bytes === undefined) throw new NotpError('bad_configuration', `${file}: there is no such file`);
  return decodeUtf8(bytes, file);
}

function tablesIn(source: string, file: string, hint: string): Record<string, unknown> {
  try {
    return parse(source);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new NotpError('bad_configuration', `${file}:${String(error.line)}: ${error.message.split('\n')[0] ?? ''}`, hint);
  }
}

/** The name of this host in a fleet and for the rules. */
export function thisHost({ fleet }: Pick<Config, 'fleet'>): string {
  return fleet.host === '' ? hostname() : fleet.host;
}

/** The credential of a host with a single key file. */
export const ONLY_KEY = 'host.key';

/**
 * The names of the host key files as credentials of the service (LoadCredential= in systemd.exec(5)). A single one always has the
 * same name.
 */
export function credentialNames({ hostKeys }: Pick<Config, 'hostKeys'>): readonly string[] {
  return hostKeys.length === 1 ? [ONLY_KEY] : hostKeys.map((file) => path.basename(file));
}

/** A path of the configuration for `user`: `%h`, `%u`, `%U` and `%%`. A user name that cannot be a file name is encoded. */
export function expand(template: string, user: User): string {
  const values: Record<string, string> = { h: user.home, u: userInPath(user.name), U: String(user.uid), '%': '%' };
  return template.replace(/%(.)/g, (whole, letter: string) => values[letter] ?? whole);
}

/** Reads a configuration file of root, or for a user one of their own. Only root can name another file at a door. */
function readOwned(file: string): Uint8Array | undefined {
  const owner = isRoot() ? 0 : realUid();
  let folders = false;
  try {
    folders = checkFolders('/', path.dirname(file), owner);
    return folders ? readTrusted(file, { owner, maxBytes: MAX_CONFIG_BYTES, forbidden: 0o022 }) : undefined;
  } catch (error) {
    if (!(error instanceof NotpError)) throw error;
    throw new NotpError('bad_configuration', error.message, folders ? howToOwn(file, owner) : (error.hint ?? FOLDERS));
  }
}

const FOLDERS = 'put it in folders that only root can write, such as /etc/notp';

/** How to correct the owner or mode of `file`, in folders that only `owner`, who runs this, and root can change. */
function howToOwn(file: string, owner: number): string {
  const must = 'it must be a regular file of root that only root can write';
  const stats = look(file);
  if (stats?.isFile() !== true || stats.nlink !== 1) return must;
  if (stats.uid === owner) return `${must}: ${shellCommand`chmod 644 ${file}`}`;
  return owner === 0 ? `${must}: ${shellCommand`chown -h root ${file} && chmod 644 ${file}`}` : must;
}

function look(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file);
  } catch {
    return undefined;
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
      RULES_INSTEAD[`${name} = ${JSON.stringify(holder?.[key])}`] ?? `the default is ${key} = ${JSON.stringify(standard)}`,
    );
  };
  const contexts = get(SETTINGS.contexts);
  const hostKeys = get(SETTINGS.hostKeys);
  const secrets = get(SETTINGS.secrets);
  const fleet = fleetOf(get);
  const store = storeAt(get(SETTINGS.url), fleet);
  if (secrets === 'store' && store.kind === 'user')
    throw new NotpError(
      'bad_configuration',
      `${file}:${lineOf(source, '', 'secrets')}: secrets = "store" needs a store of the host or of a fleet, and store.url is "user"`,
      'leave out one of the two',
    );
  const budget = get(SETTINGS.budget);
  if (budget < contexts.length)
    throw new NotpError(
      'bad_configuration',
      `${file}:${lineOf(source, 'policy', 'budget')}: policy.budget = ${String(budget)} is less than the ${String(contexts.length)} contexts of a login, and a try costs one for each`,
      `set budget to ${String(contexts.length)} or more, or shorten the list of context`,
    );
  if (fleet.outage === 'local' && store.kind !== 'postgres')
    throw new NotpError(
      'bad_configuration',
      `${file}:${lineOf(source, 'store', 'outage')}: store.outage = "local" is for the database of a fleet, and store.url names none`,
      'leave out one of the two',
    );
  const judges = judgesOf(get);
  if (isMember({ judges }) && secrets !== 'store')
    throw new NotpError(
      'bad_configuration',
      `${file}:${lineOf(source, 'fleet', 'judges')}: fleet.judges names judges, who have the sealed files in their store`,
      'secrets = "store" at the top of the file',
    );
  const rulesInStore = get(SETTINGS.rules) === 'store';
  const ruleGroups = get(SETTINGS.ruleGroups);
  const misplaced = misplacedRules(tables, { rulesInStore, ruleGroups, store });
  if (misplaced !== undefined)
    throw new NotpError('bad_configuration', `${file}:${lineOf(source, '', misplaced.key)}: ${misplaced.what}`, misplaced.fix);
  return {
    secrets: secrets === 'store' ? DEFAULT_SECRETS : secrets,
    secretsInStore: secrets === 'store',
    contexts,
    context: contexts[0] ?? '',
    unenrolled: get(SETTINGS.unenrolled),
    rules: rulesIn(tables['rule'], file, source),
    rulesInStore,
    ruleGroups: rulesInStore ? ruleGroups : undefined,
    socket: get(SETTINGS.socket),
    judge: get(SETTINGS.judge),
    hostKeys,
    hostKey: hostKeys[0] ?? '',
    notices: get(SETTINGS.notices),
    code: {
      issuer: get(SETTINGS.issuer),
      digits: get(SETTINGS.digits),
      periodSeconds: get(SETTINGS.period),
      algorithm: get(SETTINGS.algorithm),
    },
    policy: { window: get(SETTINGS.window), budget, refillMs: get(SETTINGS.refill) },
    maxGrantMs: get(SETTINGS.maxGrant),
    gate: {
      tries: get(SETTINGS.tries),
      timeoutMs: get(SETTINGS.timeout),
      prompt: get(SETTINGS.prompt),
      sameConnection: get(SETTINGS.sameConnection),
      exposeAuthInfo: get(SETTINGS.exposeAuthInfo),
      authorizedKeys: get(SETTINGS.authorizedKeys),
      trustedUserCaKeys: nonEmpty(get(SETTINGS.trustedUserCaKeys)),
      authorizedPrincipals: nonEmpty(get(SETTINGS.authorizedPrincipals)),
    },
    store,
    fleet,
    judges,
    audit: { file: get(SETTINGS.auditFile), journal: get(SETTINGS.journal) },
  };
}

/** Rules are in one place: nobody must look for the order of two lists. */
function misplacedRules(
  tables: Record<string, unknown>,
  { rulesInStore, ruleGroups, store }: Pick<Config, 'rulesInStore' | 'store'> & { readonly ruleGroups: readonly string[] },
): { readonly key: string; readonly what: string; readonly fix: string } | undefined {
  if (!rulesInStore)
    return ruleGroups.length === 0
      ? undefined
      : { key: 'rule_groups', what: 'rule_groups is for rules in the store', fix: 'add rules = "store", or delete it' };
  if (tables['rule'] !== undefined)
    return {
      key: 'rule',
      what: 'with rules = "store", rules of this file would not count',
      fix: 'bring them into the store: notp rules put FILE',
    };
  if (store.kind !== 'user') return undefined;
  return {
    key: 'rules',
    what: 'rules = "store" needs a store of the host or of a fleet, and store.url is "user"',
    fix: 'leave out one of the two',
  };
}

function fleetOf(get: <T>(setting: Setting<T>) => T): FleetSetting {
  const { passwordFile, authoritiesFile: caFile, tls, hostName, outage, outageFile } = SETTINGS;
  return {
    ...{ passwordFile: get(passwordFile), tls: get(tls), host: get(hostName), outage: get(outage), outageFile: get(outageFile) },
    authoritiesFile: nonEmpty(get(caFile)),
  };
}

function judgesOf(get: <T>(setting: Setting<T>) => T): JudgesSetting {
  const { judges, certificate, certificateKey, certificateAuthority } = SETTINGS;
  return { servers: get(judges), certificate: get(certificate), key: get(certificateKey), authority: get(certificateAuthority) };
}

function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text;
}

function storeAt(url: StoreUrl, fleet: FleetSetting): StoreSetting {
  return url.kind === 'postgres' ? { ...url, ...fleet } : url;
}

/** The store that `url` names, as [store] url would. Throws `usage`. */
export function storeNamed(url: string, { fleet }: Pick<Config, 'fleet'>): StoreSetting {
  const parsed = SETTINGS.url.check(url);
  if (parsed instanceof Expected) throw new NotpError('usage', `${quoted(url)} must be ${parsed.what}`);
  return storeAt(parsed, fleet);
}

function refuseUnknown(tables: Record<string, unknown>, file: string, source: string): void {
  const known = Object.values<Setting<unknown>>(SETTINGS);
  const refuse = (table: string, key: string): void => {
    if (!known.some((each) => each.table === table && each.key === key)) throw unknownKey(table, key, file, source);
  };
  for (const [name, value] of Object.entries(tables)) {
    if (name === 'rule') continue;
    // TOML allows an empty name, which is not one of our tables.
    if (name === '' || !known.some(({ table }) => table === name)) refuse('', name);
    else if (isPlainTable(value)) for (const key of Object.keys(value)) refuse(name, key);
    else throw noTable(name, file, source);
  }
}

function noTable(name: string, file: string, source: string): NotpError {
  const where = `${file}:${lineOf(source, '', name)}`;
  return new NotpError('bad_configuration', `${where}: ${quoted(name)} must be a table`, `write [${name}] on a line of its own`);
}

/** The parser also gives a date as an object, but it is not a table. */
function isPlainTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function unknownKey(table: string, key: string, file: string, source: string): NotpError {
  const settings = Object.values(SETTINGS);
  const keys = settings.filter((each) => each.table === table).map((each) => each.key);
  const tables = table === '' ? new Set([...settings.flatMap((each) => (each.table === '' ? [] : [`[${each.table}]`])), '[[rule]]']) : [];
  const where = table === '' ? '' : ` in [${table}]`;
  return new NotpError(
    'bad_configuration',
    `${file}:${lineOf(source, table, key)}: unknown key ${quoted(key)}${where}`,
    RULES_INSTEAD[`${table}.${key}`] ?? `known here: ${[...keys, ...tables].join(', ')}`,
  );
}

/** The rule for what drafts of notp had as settings. */
const RULES_INSTEAD: Readonly<Record<string, string>> = {
  'unenrolled = "allow"': 'write a rule: [[rule]], and in it ask = "code" and enrol_by = 2027-01-15, the last day without an enrolment',
  'gate.trust': 'write a rule: [[rule]], and in it ask = "code" and remember = "12h"',
};

/** The number of the line that sets `key` of `table`, as text; the parser keeps no positions. */
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
  // Inside an inline table only the table's own line can be named.
  return table === '' ? '1' : lineOf(source, '', table);
}
