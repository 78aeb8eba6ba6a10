/**
 * The `command=` of the key that opened this session. ForceCommand makes sshd drop it, and a key that was meant
 * for one command would get a shell; with `ExposeAuthInfo yes` sshd names the key and the gate keeps to it.
 * See AUTHORIZED_KEYS FILE FORMAT in sshd(8) and ExposeAuthInfo in sshd_config(5).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf, messageOf, NotpError } from '../error.ts';
import { expand, type Config } from './config.ts';
import { parseCertificate, type Certificate } from './ssh-certificate.ts';
import { addressMatches, type Match } from './ssh-patterns.ts';
import type { User } from './users.ts';

const MAX_BYTES = 4 * 1024 * 1024;
const KEY_TYPE = /^(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+$/;

/** What sshd knew when it looked the key up. */
export interface Asking {
  /** The user's name. */
  readonly name: string;
  /** The files that it looked in, absolute. */
  readonly files: readonly string[];
  /** TrustedUserCAKeys and AuthorizedPrincipalsFile, absolute. */
  readonly authorities: string | undefined;
  readonly principals: string | undefined;
  /** The client's; undefined where nobody says. */
  readonly address: string | undefined;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
}

/** What sshd looks up for `user` by the configuration of the gate. */
export function askingFor({ gate }: Config, user: User): Omit<Asking, 'address' | 'nowMs'> {
  const [principals] = gate.authorizedPrincipals === undefined ? [] : keyFiles([gate.authorizedPrincipals], user);
  return { name: user.name, files: keyFiles(gate.authorizedKeys, user), authorities: gate.trustedUserCaKeys, principals };
}

/**
 * The forced command of the key in `authInfo` (the content of the file that SSH_USER_AUTH names), or undefined. Of several lines
 * with that key it is the first that admits this client, as sshd takes it: `from=` and `expiry-time=` tell lines apart, and `principals=`
 * where it is a certificate. That may bring a command itself (force-command); else the line of the authority that signed it, or of its
 * principal, has it. Throws `not_permitted` where a file cannot be read, where no line has the key, or where lines that differ may both
 * have been the one: a limit that cannot be known must not vanish.
 */
export function keyCommand(authInfo: string, asking: Asking): string | undefined {
  const shown = [...authInfo.matchAll(/^publickey (\S+) (\S+)/gm)];
  if (shown.length === 0) return undefined;
  const lines = asking.files.flatMap(authorizedKeysOf);
  const commands = shown.map(([, type = '', blob = '']) => commandOf(type, blob, lines, asking));
  return commands.find((command) => command !== undefined);
}

/** Throws `not_permitted` where sshd does not tell the key, and one that this user can come with may have a limit. */
export function requireNoLimits(asking: Omit<Asking, 'address' | 'nowMs'>): void {
  const limited = asking.files.flatMap(authorizedKeysOf).some(({ command, isAuthority }) => isAuthority || command !== undefined);
  if (!limited && asking.authorities === undefined) return;
  throw new NotpError(
    'not_permitted',
    'sshd does not tell which key this login used, and there are keys with a command= or certificates for this user',
    'ExposeAuthInfo yes in sshd_config, or no such keys',
  );
}

function commandOf(type: string, blob: string, lines: readonly AuthorizedKey[], asking: Asking): string | undefined {
  const certificate = parseCertificate(type, blob);
  const key = certificate?.authority ?? `${type} ${blob}`;
  const all = certificate === undefined ? lines : [...linesOfAuthorities(certificate, asking), ...lines];
  const candidates = all.filter((line) => line.key === key && line.isAuthority === (certificate !== undefined));
  const possible = upToFirst(candidates, (line) => admits(line, certificate, asking));
  if (possible.length === 0)
    throw unknownLimit(`no line of ${placesOf(certificate, asking).join(', ')} has this key and admits this client`);
  const commands = new Set(possible.map(({ command }) => certificate?.forceCommand ?? command));
  if (commands.size > 1) throw unknownLimit('several lines of authorized_keys have this key, and each may be the one that sshd took');
  return [...commands][0];
}

/** What sshd makes of TrustedUserCAKeys, as lines of authorized_keys that come before all others. */
function linesOfAuthorities({ authority }: Certificate, { name, authorities, principals }: Asking): AuthorizedKey[] {
  const trusted = authorities === undefined ? [] : authorizedKeysOf(authorities);
  if (!trusted.some(({ key }) => key === authority)) return [];
  if (principals === undefined) return [lineFor(authority, name, '') ?? []].flat();
  return readLines(principals).flatMap((line) => {
    const [, options = '', principal] = /^\s*(?:(\S.*)[ \t]+)?([^\s#]+)\s*$/.exec(line.split('#')[0] ?? '') ?? [];
    return principal === undefined ? [] : (lineFor(authority, principal, options.trim()) ?? []);
  });
}

function lineFor(key: string, principal: string, text: string): AuthorizedKey | undefined {
  const options = optionsIn(text);
  if (options === undefined) return undefined;
  const command = options.find(({ name }) => name === 'command')?.value;
  return { key, command, isAuthority: true, options: [...options, { name: 'principals', value: principal }] };
}

function placesOf(certificate: Certificate | undefined, { files, authorities, principals }: Asking): string[] {
  return certificate === undefined ? [...files] : [authorities, principals, ...files].flatMap((file) => file ?? []);
}

/** Those that may have been taken: up to the first that surely was. */
function upToFirst(lines: readonly AuthorizedKey[], judge: (line: AuthorizedKey) => Match): AuthorizedKey[] {
  const judged = lines.map((line) => ({ line, match: judge(line) }));
  const first = judged.findIndex(({ match }) => match === 'yes');
  const considered = first === -1 ? judged : judged.slice(0, first + 1);
  return considered.filter(({ match }) => match !== 'no').map(({ line }) => line);
}

/** Whether sshd took this line for this client. Of a clause that stands there twice it takes none. */
function admits({ options }: AuthorizedKey, certificate: Certificate | undefined, { name: user, address, nowMs }: Asking): Match {
  const values = (name: string): string[] => options.filter((option) => option.name === name).map(({ value }) => value);
  if (['from', 'command', 'expiry-time', 'principals'].some((name) => values(name).length > 1)) return 'no';
  const [from] = values('from');
  const [expiry] = values('expiry-time');
  const source = from === undefined ? 'yes' : address === undefined ? 'unknown' : addressMatches(address, from);
  const end = expiry === undefined ? Infinity : expiryMs(expiry);
  const time = Number.isNaN(end) ? 'no' : nowMs < end ? 'yes' : 'no';
  const who = certificate === undefined ? 'yes' : isFor(certificate, values('principals')[0]?.split(',') ?? [user]);
  const all = [source, time, who] as const;
  return all.includes('no') ? 'no' : all.includes('unknown') ? 'unknown' : 'yes';
}

/** Of a certificate without principals sshd's versions think differently. */
function isFor({ principals }: Certificate, wanted: readonly string[]): Match {
  if (principals.length === 0) return 'unknown';
  return principals.some((principal) => wanted.includes(principal)) ? 'yes' : 'no';
}

/** `expiry-time=`: YYYYMMDD, with HHMM or HHMMSS, of the host's time zone or with Z of UTC; in milliseconds, NaN for what is none. */
function expiryMs(text: string): number {
  const [, year, month, day, hour = '00', minute = '00', second = '00', zone = ''] =
    /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)$/.exec(text) ?? [];
  return year === undefined ? NaN : Date.parse(`${year}-${month ?? ''}-${day ?? ''}T${hour}:${minute}:${second}${zone}`);
}

function unknownLimit(what: string): NotpError {
  return new NotpError(
    'not_permitted',
    what,
    "the gate cannot know the key's limits: keep one line for each key, let [gate] of notp.toml name all files that sshd reads (authorized_keys, trusted_user_ca_keys, authorized_principals), or use the PAM door",
  );
}

export interface AuthorizedKey {
  /** Type and base64 blob. */
  readonly key: string;
  readonly command: string | undefined;
  /** The line is of an authority that signs certificates. */
  readonly isAuthority: boolean;
  readonly options: readonly Option[];
}

/** Lower case; the value is empty where it has none. */
interface Option {
  readonly name: string;
  readonly value: string;
}

/** One line of authorized_keys, or undefined where it holds no key. */
export function parseAuthorizedKey(line: string): AuthorizedKey | undefined {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return undefined;
  const options = KEY_TYPE.test(text.split(/[ \t]/)[0] ?? '') ? '' : (/^(?:[^ \t"]|"(?:\\"|[^"])*")+/.exec(text)?.[0] ?? '');
  const [type, blob] = text
    .slice(options.length)
    .trim()
    .split(/[ \t]+/);
  if (type === undefined || blob === undefined || !KEY_TYPE.test(type)) return undefined;
  const all = optionsIn(options);
  // sshd passes such a line over too.
  if (all === undefined) return undefined;
  const isAuthority = all.some(({ name }) => name === 'cert-authority');
  return { key: `${type} ${blob}`, command: all.find(({ name }) => name === 'command')?.value, isAuthority, options: all };
}

/** What stands inside the quotes of an option is no other option. Undefined where it is not whole. */
function optionsIn(text: string): Option[] | undefined {
  const all = [...text.matchAll(/([^",=\s]+)(?:="((?:\\"|[^"])*)")?(?:,|$)/gy)];
  if (all.reduce((length, [whole]) => length + whole.length, 0) < text.length) return undefined;
  return all.map(([, name = '', value = '']) => ({ name: name.toLowerCase(), value: value.replaceAll('\\"', '"') }));
}

/** The files of `templates` (AuthorizedKeysFile in sshd_config(5)) for `user`, absolute. */
export function keyFiles(templates: readonly string[], user: User): string[] {
  return templates.map((template) => path.resolve(user.home, expand(template, user)));
}

/** The keys of `file`; see `readLines`. */
export function authorizedKeysOf(file: string): AuthorizedKey[] {
  return readLines(file).flatMap((line) => parseAuthorizedKey(line) ?? []);
}

/** A file that is not there has none. Throws `not_permitted`, naming the file, for one that cannot be read: a key's limits must not vanish. */
function readLines(file: string): string[] {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
  let fd: number | undefined;
  try {
    // The user may have put a FIFO there: it must not hold up whoever looks at everybody.
    fd = fs.openSync(file, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const stats = fs.fstatSync(fd);
    if (!stats.isFile() || stats.size > MAX_BYTES) throw new Error(`no file of at most ${String(MAX_BYTES)} bytes`);
    return fs.readFileSync(fd, 'utf8').split('\n');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    const hint = `the user must be able to read ${file}, or [gate] in notp.toml must not name it`;
    throw new NotpError('not_permitted', `${file} cannot be read: ${messageOf(error)}`, hint, { cause: error });
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}
