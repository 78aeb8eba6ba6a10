/** `/etc/notp/notp.toml`: every key has a default, every key is known, and an error names file, line and fix. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { NotpError } from '../error.ts';
import type { CodeParameters } from '../otp/code.ts';
import { quoted, shellCommand } from '../otp/escape.ts';
import { userInPath } from '../otp/names.ts';
import type { Policy } from '../verdict/decide.ts';
import { DEFAULT_SECRETS, Expected, SETTINGS, type PostgresUrl, type Setting, type StoreUrl } from './settings.ts';
import { checkFolders, readTrusted } from './trusted.ts';
import { isRoot, realUid, type User } from './users.ts';

export const DEFAULT_CONFIG_FILE = '/etc/notp/notp.toml';
const MAX_CONFIG_BYTES = 64 * 1024;

export interface Config {
  /** Where sealed files are: `%h` is the home, `%u` the user's name. */
  readonly secrets: string;
  /** Whether those of logins are in the store instead, so that nobody needs a home. */
  readonly secretsInStore: boolean;
  /** What logins go by: each is one device, and any of them opens the door. */
  readonly contexts: readonly string[];
  /** The first of them, which commands are about unless they are told otherwise. */
  readonly context: string;
  readonly unenrolled: 'deny' | 'allow' | 'enroll';
  readonly socket: string;
  /** The socket of the judge of the PAM door. */
  readonly judge: string;
  /** The files of the keys that open what hosts have sealed. */
  readonly hostKeys: readonly string[];
  /** The first of them, whose key seals. */
  readonly hostKey: string;
  readonly code: CodeParameters & { readonly issuer: string };
  readonly policy: Policy;
  readonly gate: {
    readonly tries: number;
    readonly timeoutMs: number;
    readonly sameConnection: boolean;
    readonly trustMs: number;
    /** Whether sshd tells the key of a login: ExposeAuthInfo. */
    readonly exposeAuthInfo: boolean;
    /** Where keys and their limits stand, as sshd's AuthorizedKeysFile has it: %h, %u, %U and %%, relative to the home. */
    readonly authorizedKeys: readonly string[];
    /** TrustedUserCAKeys of sshd; undefined where it has none. */
    readonly trustedUserCaKeys: string | undefined;
    /** AuthorizedPrincipalsFile of sshd; undefined where it has none. */
    readonly authorizedPrincipals: string | undefined;
  };
  /** Where the changing state is. */
  readonly store: StoreSetting;
  /** How a database of a fleet is reached, whichever it is. */
  readonly fleet: FleetSetting;
  readonly audit: { readonly file: string; readonly journal: boolean };
}

export type StoreSetting = Exclude<StoreUrl, PostgresUrl> | PostgresSetting;

/** The database of a fleet. */
export interface PostgresSetting extends PostgresUrl, FleetSetting {}

export interface FleetSetting {
  readonly passwordFile: string;
  /** Certificates (PEM) of who vouches for the servers; undefined: those that Node.js trusts. */
  readonly authoritiesFile: string | undefined;
  readonly tls: boolean;
  /** What this host is called there; empty: its name. */
  readonly host: string;
  /** Who gets in while no server of it can be reached: nobody, or whoever is approved, by a copy of this host. */
  readonly outage: 'deny' | 'local';
  /** Where that copy is. */
  readonly outageFile: string;
}

/** The defaults, for a machine without a file and for a door that must record that the file is broken. */
export function defaultConfig(): Config {
  return fromTables({}, DEFAULT_CONFIG_FILE, '');
}

/** Reads the configuration. The default file may be absent; one that was named must be there. Throws `bad_configuration`. */
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
    throw new NotpError('bad_configuration', `${file} is not UTF-8`, 'the file is TOML, which is UTF-8; see iconv(1)');
  }
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

/** The credential of a host that has one key file. */
export const ONLY_KEY = 'host.key';

/** What the files of the host's keys are called as credentials of the service (LoadCredential= in systemd.exec(5)): one alone is always the same. */
export function credentialNames({ hostKeys }: Pick<Config, 'hostKeys'>): readonly string[] {
  return hostKeys.length === 1 ? [ONLY_KEY] : hostKeys.map((file) => path.basename(file));
}

/** A path of the configuration for `user`: `%h`, `%u`, `%U` and `%%`. A name that is no name of a file is encoded. */
export function expand(template: string, user: User): string {
  const values: Record<string, string> = { h: user.home, u: userInPath(user.name), U: String(user.uid), '%': '%' };
  return template.replace(/%(.)/g, (whole, letter: string) => values[letter] ?? whole);
}

/** Root's, or, without root, one's own: whoever can name another file at a door is root already. */
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

const FOLDERS = 'it must lie in folders of root that nobody else can write, as /etc/notp is';

/** In folders that nobody but `owner`, who runs this, and root can change. */
function howToOwn(file: string, owner: number): string {
  const must = 'it must be a plain file of root that nobody else can write';
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
      `the default is ${key} = ${JSON.stringify(standard)}`,
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
  return {
    secrets: secrets === 'store' ? DEFAULT_SECRETS : secrets,
    secretsInStore: secrets === 'store',
    contexts,
    context: contexts[0] ?? '',
    unenrolled: get(SETTINGS.unenrolled),
    socket: get(SETTINGS.socket),
    judge: get(SETTINGS.judge),
    hostKeys,
    hostKey: hostKeys[0] ?? '',
    code: {
      issuer: get(SETTINGS.issuer),
      digits: get(SETTINGS.digits),
      periodSeconds: get(SETTINGS.period),
      algorithm: get(SETTINGS.algorithm),
    },
    policy: { window: get(SETTINGS.window), budget, refillMs: get(SETTINGS.refill) },
    gate: {
      tries: get(SETTINGS.tries),
      timeoutMs: get(SETTINGS.timeout),
      sameConnection: get(SETTINGS.sameConnection),
      trustMs: get(SETTINGS.trust),
      exposeAuthInfo: get(SETTINGS.exposeAuthInfo),
      authorizedKeys: get(SETTINGS.authorizedKeys),
      trustedUserCaKeys: nonEmpty(get(SETTINGS.trustedUserCaKeys)),
      authorizedPrincipals: nonEmpty(get(SETTINGS.authorizedPrincipals)),
    },
    store,
    fleet,
    audit: { file: get(SETTINGS.auditFile), journal: get(SETTINGS.journal) },
  };
}

function fleetOf(get: <T>(setting: Setting<T>) => T): FleetSetting {
  const { passwordFile, authoritiesFile: caFile, tls, hostName, outage, outageFile } = SETTINGS;
  return {
    ...{ passwordFile: get(passwordFile), tls: get(tls), host: get(hostName), outage: get(outage), outageFile: get(outageFile) },
    authoritiesFile: nonEmpty(get(caFile)),
  };
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
    // TOML allows an empty name, which is none of our tables.
    if (name === '' || !known.some(({ table }) => table === name)) refuse('', name);
    else if (isPlainTable(value)) for (const key of Object.keys(value)) refuse(name, key);
    else throw noTable(name, file, source);
  }
}

function noTable(name: string, file: string, source: string): NotpError {
  const where = `${file}:${lineOf(source, '', name)}`;
  return new NotpError('bad_configuration', `${where}: ${quoted(name)} must be a table`, `write [${name}] on a line of its own`);
}

/** A date is an object for the parser too, but no table. */
function isPlainTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function unknownKey(table: string, key: string, file: string, source: string): NotpError {
  const settings = Object.values(SETTINGS);
  const keys = settings.filter((each) => each.table === table).map((each) => each.key);
  const tables = table === '' ? new Set(settings.flatMap((each) => (each.table === '' ? [] : [`[${each.table}]`]))) : [];
  const where = table === '' ? '' : ` in [${table}]`;
  return new NotpError(
    'bad_configuration',
    `${file}:${lineOf(source, table, key)}: unknown key ${quoted(key)}${where}`,
    `known here: ${[...keys, ...tables].join(', ')}`,
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
  // Inside an inline table there is only the table's own line to name.
  return table === '' ? '1' : lineOf(source, '', table);
}
