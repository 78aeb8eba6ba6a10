/**
 * Reads /etc/passwd itself, where the passwd database begins with it: then an entry there is the answer that getent(1) would give,
 * and a login needs no extra process. getent(1) is asked for all other users.
 */
import { fileUpTo } from './bytes.ts';

export interface PasswdFiles {
  readonly passwd: string;
  readonly nsswitch: string;
}

const FILES: PasswdFiles = { passwd: '/etc/passwd', nsswitch: '/etc/nsswitch.conf' };
/** getent(1) reads a longer file. */
export const MAX_PASSWD_BYTES = 1024 * 1024;
const MAX_NSSWITCH_BYTES = 64 * 1024;
/** nsswitch.conf(5): "files" comes first, and no action continues after a found entry. */
const PASSWD_LINE = /^passwd:(.*)$/gm;
/** The sources of passwd in nsswitch.conf(5), without a comment. */
const SOURCES = /^[ \t]*passwd[ \t]*:([^#\n]*)/gm;
/** An entry of passwd(5) that every program reads alike; not those of "compat" (+, -). */
const ENTRY = /^[^:#+\-\s][^:]*:[^:]*:\d+:\d+:[^:]*:[^:]*:[^:]*$/;

/** Sources that know a name only in the listed spelling. */
const EXACT_SOURCES = ['files', 'systemd'];

/** The fields that an entry can be looked up by. */
export type PasswdKey = 'name' | 'uid';

/** The lines of passwd(5) by name and by uid in digits, the first of each; empty where getent(1) must be asked. */
export type PasswdLines = Readonly<Record<PasswdKey, ReadonlyMap<string, string>>>;

/** The line of `key` in passwd(5); undefined where getent(1) must be asked. */
export function lineInFile(by: PasswdKey, key: string, files: PasswdFiles = FILES): string | undefined {
  const found = linesOf(files).find((line) => keyOf(by, line) === key);
  return found !== undefined && ENTRY.test(found) ? found : undefined;
}

/** The line of the account that `name` belongs to: the first one with its uid. */
export function accountInFile(name: string, files: PasswdFiles = FILES): string | undefined {
  const lines = linesOf(files);
  const named = lines.find((line) => keyOf('name', line) === name);
  if (named === undefined || !ENTRY.test(named)) return undefined;
  const uid = keyOf('uid', named);
  const found = lines.find((line) => keyOf('uid', line) === uid);
  return found !== undefined && ENTRY.test(found) ? found : undefined;
}

/** The lines by name and by uid, for many lookups. */
export function linesInFile(files: PasswdFiles = FILES): PasswdLines {
  const lines = linesOf(files).filter((line) => line !== '');
  return { name: firstLines('name', lines), uid: firstLines('uid', lines) };
}

/** Whether a name has one spelling on this host: every source of the passwd database accepts only the names that it lists. */
export function namesAreExact({ nsswitch }: PasswdFiles = FILES): boolean {
  try {
    const lines = [...text(nsswitch, MAX_NSSWITCH_BYTES).matchAll(SOURCES)];
    const words = lines.flatMap(([, sources = '']) => sources.split(/[ \t]+/)).filter((word) => word !== '');
    return words.length > 0 && words.every((word) => EXACT_SOURCES.includes(word));
  } catch {
    return false;
  }
}

function firstLines(by: PasswdKey, lines: readonly string[]): ReadonlyMap<string, string> {
  const firsts = new Map(lines.toReversed().map((line) => [keyOf(by, line), line]));
  // A malformed line is left to getent(1), and so are later ones with the same key.
  return new Map([...firsts].filter(([, line]) => ENTRY.test(line)));
}

function keyOf(by: PasswdKey, line: string): string {
  return line.split(':', 3)[by === 'name' ? 0 : 2] ?? '';
}

function linesOf({ passwd, nsswitch }: PasswdFiles): string[] {
  try {
    if (!isFilesFirst(text(nsswitch, MAX_NSSWITCH_BYTES))) return [];
    return text(passwd, MAX_PASSWD_BYTES).split('\n');
  } catch {
    // Missing, unreadable or too long: getent(1) decides.
    return [];
  }
}

function isFilesFirst(nsswitch: string): boolean {
  const lines = [...nsswitch.matchAll(PASSWD_LINE)].map(([, sources = '']) => sources.split(/[ \t]+/).filter((word) => word !== ''));
  return lines.length > 0 && lines.every(([first, action = '']) => first === 'files' && !action.startsWith('['));
}

function text(file: string, maxBytes: number): string {
  const bytes = fileUpTo(file, maxBytes);
  if (bytes.length > maxBytes) throw new RangeError(`${file} is over ${String(maxBytes)} bytes`);
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
