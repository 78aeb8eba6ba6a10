/**
 * Finds the `command=` of the key that opened this session. ForceCommand makes sshd ignore it, and a key meant for one command
 * would get a shell. With `ExposeAuthInfo yes` sshd names the key, and the gate enforces the command.
 * See AUTHORIZED_KEYS FILE FORMAT in sshd(8) and ExposeAuthInfo in sshd_config(5).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { causeOf, errnoOf, NotpError } from '../../error.ts';
import { expand, type Config } from '../config.ts';
import { parseCertificate, type Certificate } from './certificate.ts';
import { addressMatches, type Match } from './patterns.ts';
import type { User } from '../users.ts';

const MAX_BYTES = 4 * 1024 * 1024;
/** The longest line that older versions of sshd read. */
const MAX_LINE = 8192;
const KEY_TYPE =
  /^(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)$/;
/** One option. A backslash escapes a quote and nothing else. Control characters are refused. */
// oxlint-disable-next-line no-control-regex -- it searches for control characters
const OPTION = /([A-Za-z0-9-]+)(?:="((?:[^"\\\u0000-\u001f\u007f-\u009f\ufffd]|\\"|\\(?!"))*)")?/gu;
/**
 * The options that every supported sshd reads alike, with the values for which that is certain. Any other option makes the line
 * unknown.
 */
const FLAGS =
  /^(?:restrict|cert-authority|no-touch-required|verify-required|(?:no-)?(?:port-forwarding|agent-forwarding|x11-forwarding|pty|user-rc))$/;
const REPEATABLE: Readonly<Record<string, RegExp>> = {
  environment: /^[A-Za-z_]\w*=/,
  permitopen: /^[A-Za-z0-9.-]+:[1-9]\d{0,3}$/,
  permitlisten: /^[A-Za-z0-9.-]+:[1-9]\d{0,3}$/,
};
const PRINCIPALS = /^[\w.@-]+(?:,[\w.@-]+)*$/;
const ONCE: Readonly<Record<string, RegExp>> = { command: /^/, from: /^/, 'expiry-time': /^/, principals: PRINCIPALS };
/** More than any two time zones differ. */
const ZONES_MS = 26 * 3_600_000;

/** What sshd knew when it looked up the key. */
export interface Asking {
  /** The user's name. */
  readonly name: string;
  /** The files that it read, absolute. */
  readonly files: readonly string[];
  /** TrustedUserCAKeys and AuthorizedPrincipalsFile, absolute. */
  readonly authorities: string | undefined;
  readonly principals: string | undefined;
  /** The client's address; undefined where it is unknown. */
  readonly address: string | undefined;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
}

/** What sshd looks up for `user`, by the configuration of the gate. */
export function askingFor({ gate }: Config, user: User): Omit<Asking, 'address' | 'nowMs'> {
  const [principals] = gate.authorizedPrincipals === undefined ? [] : keyFiles([gate.authorizedPrincipals], user);
  return { name: user.name, files: keyFiles(gate.authorizedKeys, user), authorities: gate.trustedUserCaKeys, principals };
}

/**
 * The forced command of the key in `authInfo` (the content of the file that SSH_USER_AUTH names), or undefined.
 * Each line is judged: sshd used it, did not use it, or that is unknown, because sshd may read it differently from the gate. Within
 * a file the first line that was certainly used ends the search. A certificate may have a command of its own (force-command).
 * Throws `not_permitted` where a file cannot be read, no line has the key, or lines that differ may have been used: an unknown
 * limit must not be lost.
 */
export function keyCommand(authInfo: string, asking: Asking): string | undefined {
  const shown = [...authInfo.matchAll(/^publickey (\S+) (\S+)/gm)];
  if (shown.length === 0) return undefined;
  const files = asking.files.map(authorizedKeysOf);
  const commands = shown.map(([, type = '', blob = '']) => commandOf(type, blob, files, asking));
  return commands.find((command) => command !== undefined);
}

/** Throws `not_permitted` where this user has keys or certificates that may be limited: sshd did not say which key was used. */
export function requireNoLimits(asking: Omit<Asking, 'address' | 'nowMs'>): void {
  if (asking.files.flatMap(authorizedKeysOf).every(isUnlimited) && asking.authorities === undefined) return;
  throw new NotpError(
    'not_permitted',
    'sshd does not tell which key this login used, and there are keys with a command= or certificates for this user',
    'set ExposeAuthInfo yes in sshd_config, or remove these keys',
  );
}

/** Whether this line is certainly a plain key without a limit. */
export function isUnlimited({ key, options, command, isAuthority }: AuthorizedKey): boolean {
  return key !== undefined && isKnown(options) && command === undefined && !isAuthority;
}

/** sshd reads the files first and then asks the authorities. Older versions do it the other way round, so neither overrules the other. */
function commandOf(type: string, blob: string, files: readonly (readonly AuthorizedKey[])[], asking: Asking): string | undefined {
  const certificate = parseCertificate(type, blob);
  const key = certificate?.authority ?? `${type} ${blob}`;
  const inFiles = files.flatMap((lines) => upToFirst(lines, (line) => admits(line, key, certificate, asking)));
  const possible = [...inFiles, ...(certificate === undefined ? [] : linesOfAuthorities(certificate, asking))];
  if (possible.length === 0)
    throw unknownLimit(`no line of ${placesOf(certificate, asking).join(', ')} has this key and admits this client`);
  if (certificate?.forceCommand !== undefined) return certificate.forceCommand;
  const places = [...new Set(possible.map(({ place }) => place))].join(', ');
  if (possible.some(hidesCommand)) throw unknownLimit(`the gate cannot read a line that may have this key: ${places}`);
  const commands = new Set(possible.map(({ command }) => command));
  if (commands.size > 1) throw unknownLimit(`several lines differ, and each may be the one that sshd took: ${places}`);
  return [...commands][0];
}

/**
 * The lines that sshd may have used after it found the authority in TrustedUserCAKeys. It stops at the first line that names a
 * principal.
 */
function linesOfAuthorities(certificate: Certificate, asking: Asking): AuthorizedKey[] {
  const { name, authorities, principals } = asking;
  const trusted = authorities === undefined ? [] : authorizedKeysOf(authorities);
  if (trusted.every(({ key }) => sameKey(key, certificate.authority) === 'no')) return [];
  if (principals === undefined)
    return isFor(certificate, [name]) === 'no' ? [] : [{ ...lineOf('', authorities ?? ''), isAuthority: true, options: [] }];
  const named = upToFirst(linesOfPrincipals(principals), ({ principal, text }) => {
    if (principal !== undefined) return isFor(certificate, [principal]);
    return certificate.principals.length > 0 && !certificate.principals.some((each) => text.includes(each)) ? 'no' : 'unknown';
  });
  return named.filter(({ options = [] }) => admitsClient(options, asking) !== 'no');
}

function linesOfPrincipals(file: string): (AuthorizedKey & { readonly principal: string | undefined; readonly text: string })[] {
  return readLines(file).flatMap((text, i) => {
    if (/^[ \t]*(?:#|$)/.test(text)) return [];
    // sshd cuts at the first #, and looks for the last blank before it looks for the last tab.
    const [, spaced, tabbed, principal] = /^[ \t]*(?:(\S.*?) +|(\S[^ ]*?)\t+)?([\w.@-]+)[ \t]*$/.exec(text.replace(/#.*/, '')) ?? [];
    const before = spaced ?? tabbed ?? '';
    const options = principal === undefined ? undefined : optionsIn(before);
    const known = isKnown(options) && !options.some(({ name: option }) => ['cert-authority', 'principals'].includes(option));
    const line = { ...lineOf(text, `${file}:${String(i + 1)}`), options, command: onlyCommand(options), isAuthority: true, text };
    return [{ ...line, principal: known ? principal : undefined }];
  });
}

function placesOf(certificate: Certificate | undefined, { files, authorities, principals }: Asking): string[] {
  return certificate === undefined ? [...files] : [authorities, principals, ...files].flatMap((file) => file ?? []);
}

/** The lines that may have been used: up to the first that certainly was. */
function upToFirst<T>(lines: readonly T[], judge: (line: T) => Match): T[] {
  const judged = lines.map((line) => ({ line, match: judge(line) }));
  const first = judged.findIndex(({ match }) => match === 'yes');
  const considered = first === -1 ? judged : judged.slice(0, first + 1);
  return considered.filter(({ match }) => match !== 'no').map(({ line }) => line);
}

/** Whether sshd used this line for this client. */
function admits(line: AuthorizedKey, key: string, certificate: Certificate | undefined, asking: Asking): Match {
  const { options, isAuthority } = line;
  const same = sameKey(line.key, key);
  if (same === 'no') return 'no';
  if (options === undefined) return 'unknown';
  if (isAuthority !== (certificate !== undefined)) return 'no';
  if (!isKnown(options)) return 'unknown';
  const principals = options.find(({ name }) => name === 'principals')?.value;
  // sshd accepts no plain key with principals=.
  const who =
    certificate === undefined
      ? principals === undefined
        ? 'yes'
        : 'unknown'
      : isFor(certificate, principals?.split(',') ?? [asking.name]);
  return all(same, admitsClient(options, asking), who);
}

function admitsClient(options: readonly Option[], { address, nowMs }: Asking): Match {
  const [from, expiry] = ['from', 'expiry-time'].map((wanted) => options.find(({ name }) => name === wanted)?.value);
  const source = from === undefined ? 'yes' : address === undefined ? 'unknown' : addressMatches(address, from);
  return isKnown(options) ? all(source, expiry === undefined ? 'yes' : isBefore(nowMs, expiry)) : 'unknown';
}

function all(...matches: readonly Match[]): Match {
  return matches.includes('no') ? 'no' : matches.includes('unknown') ? 'unknown' : 'yes';
}

/** Versions of sshd treat a certificate without principals, or with unusual ones, differently. */
function isFor({ principals }: Certificate, wanted: readonly string[]): Match {
  if (principals.length === 0 || principals.some((principal) => !/^[\w.@-]+$/.test(principal))) return 'unknown';
  return principals.some((principal) => wanted.includes(principal)) ? 'yes' : 'no';
}

/**
 * Whether `expiry-time=` is still to come: YYYYMMDD, with HHMM or HHMMSS, in the host's time zone or with Z in UTC. It is never a
 * certain no: sshd checked it when the connection began, which may be long ago.
 */
function isBefore(nowMs: number, text: string): Match {
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00'] =
    /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?Z?$/.exec(text) ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const end = Date.parse(iso);
  // Date.parse accepts 31 February.
  if (Number.isNaN(end) || new Date(end).toISOString() !== iso) return 'unknown';
  return nowMs + ZONES_MS < end ? 'yes' : 'unknown';
}

/** Compares the key material. A key that is encoded differently from sshd's own form may be the same. */
function sameKey(one: string | undefined, other: string): Match {
  if (one === undefined) return 'unknown';
  if (one === other) return 'yes';
  return material(one) === material(other) ? 'unknown' : 'no';
}

/** The key without leading zeros of an RSA key's numbers, which sshd ignores. */
function material(key: string): string {
  const [type = '', blob = ''] = key.split(' ');
  if (type !== 'ssh-rsa') return key;
  const bytes = Buffer.from(blob, 'base64');
  const numbers: string[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at);
    numbers.push(bytes.toString('hex', at + 4, end).replace(/^(?:00)+/, ''));
    at = end;
  }
  return numbers.join(' ');
}

function unknownLimit(what: string): NotpError {
  return new NotpError(
    'not_permitted',
    what,
    "the gate cannot know the key's limits: keep one line for each key, let [gate] of notp.toml name all files that sshd reads (authorized_keys, trusted_user_ca_keys, authorized_principals), or use the PAM door",
  );
}

export interface AuthorizedKey {
  /** Type and base64 blob; undefined where it is uncertain how sshd reads them. */
  readonly key: string | undefined;
  readonly command: string | undefined;
  /** Whether the line is for an authority that signs certificates. */
  readonly isAuthority: boolean;
  /** Undefined where it is uncertain where each option begins and ends. */
  readonly options: readonly Option[] | undefined;
  /** The file and the number of the line. */
  readonly place: string;
  /** Whether the line contains the word "command" anywhere. */
  readonly saysCommand: boolean;
}

/** The name is in lower case; the value is undefined where there is none. */
interface Option {
  readonly name: string;
  readonly value: string | undefined;
}

/** Parses one line of authorized_keys; undefined for a blank line or a comment. `place`: file and line number, for messages. */
export function parseAuthorizedKey(line: string, place = ''): AuthorizedKey | undefined {
  if (/^[ \t]*(?:#|\r?$)/.test(line)) return undefined;
  const unread = lineOf(line, place);
  const text = line.replace(/^[ \t]+/, '').replace(/\r$/, '');
  const options = KEY_TYPE.test(/^[^ \t]*/.exec(text)?.[0] ?? '') ? '' : (/^(?:[^\s"\\]|"(?:[^"\\]|\\"|\\(?!"))*")+/.exec(text)?.[0] ?? '');
  const [, type = '', blob = ''] = /^[ \t]*([^ \t]+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]|$)/.exec(text.slice(options.length)) ?? [];
  if (!isWhole(type, blob) || line.length > MAX_LINE || text.includes('\0')) return unread;
  const read = optionsIn(options);
  const isAuthority = read?.some(({ name }) => name === 'cert-authority') ?? false;
  return { ...unread, key: `${type} ${blob}`, command: onlyCommand(read), isAuthority, options: read };
}

/** A line of which nothing is certain. */
function lineOf(text: string, place: string): AuthorizedKey {
  return { key: undefined, command: undefined, isAuthority: false, options: undefined, place, saysCommand: /command/i.test(text) };
}

/** Whether the line may have a command that the gate cannot read. */
function hidesCommand({ options, command, saysCommand }: AuthorizedKey): boolean {
  return saysCommand && (options === undefined || (command === undefined && options.some(({ name }) => name === 'command')));
}

/** Whether the blob is base64 as sshd writes it, for a key of this type. */
function isWhole(type: string, blob: string): boolean {
  const bytes = Buffer.from(blob, 'base64');
  const inner = bytes.length < 4 ? '' : bytes.toString('latin1', 4, 4 + bytes.readUInt32BE(0));
  return KEY_TYPE.test(type) && inner === type && bytes.toString('base64') === blob;
}

/**
 * The options in `text`; undefined unless they follow the grammar that every sshd reads alike: names, quoted values, one comma
 * between two.
 */
function optionsIn(text: string): Option[] | undefined {
  const found = [...text.matchAll(OPTION)];
  if (found.map(([whole]) => whole).join(',') !== text) return undefined;
  return found.map(([, name = '', value]) => ({ name: name.toLowerCase(), value: value?.replaceAll('\\"', '"') }));
}

function onlyCommand(options: readonly Option[] | undefined): string | undefined {
  const found = options?.filter(({ name }) => name === 'command') ?? [];
  return found.length === 1 ? found[0]?.value : undefined;
}

/** Whether every supported sshd accepts these options with the same meaning. */
function isKnown(options: readonly Option[] | undefined): options is readonly Option[] {
  if (options === undefined) return false;
  return options.every(({ name, value }) => {
    if (value === undefined) return FLAGS.test(name);
    const once = options.filter((option) => option.name === name).length === 1;
    const values = once ? { ...REPEATABLE, ...ONCE } : REPEATABLE;
    return Object.hasOwn(values, name) && values[name]?.test(value) === true;
  });
}

/** The files of `templates` (AuthorizedKeysFile in sshd_config(5)) for `user`, absolute. */
export function keyFiles(templates: readonly string[], user: User): string[] {
  return templates.map((template) => path.resolve(user.home, expand(template, user)));
}

/** The lines of `file` that are neither blank nor a comment; see `readLines`. */
export function authorizedKeysOf(file: string): AuthorizedKey[] {
  return readLines(file).flatMap((line, i) => parseAuthorizedKey(line, `${file}:${String(i + 1)}`) ?? []);
}

/**
 * The lines of `file`; none where it does not exist. Throws `not_permitted`, naming the file, where it cannot be read: a key's
 * limits must not be lost.
 */
function readLines(file: string): string[] {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
  let fd: number | undefined;
  try {
    // The user may have put a FIFO there, which must not block a command about all users.
    fd = fs.openSync(file, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const stats = fs.fstatSync(fd);
    if (!stats.isFile() || stats.size > MAX_BYTES) throw new Error(`no file of at most ${String(MAX_BYTES)} bytes`);
    return fs.readFileSync(fd, 'utf8').split('\n');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    const hint = `the user must be able to read ${file}, or [gate] in notp.toml must not name it`;
    throw new NotpError('not_permitted', `${file} cannot be read: ${causeOf(error)}`, hint, { cause: error });
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}
