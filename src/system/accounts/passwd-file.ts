/**
 * Reads /etc/passwd itself, where the passwd database begins with it: then an entry there is the answer that getent(1) would give,
 * and a login needs no extra process. getent(1) is asked for all other users.
 */
import { statSync } from 'node:fs';
import { isUserName } from '../../otp/names.ts';
import { fileUpTo } from '../bytes.ts';
import { MAX_NSSWITCH_BYTES, NSSWITCH, wordsOf } from './nsswitch.ts';

export interface PasswdFiles {
  readonly passwd: string;
  readonly nsswitch: string;
}

const FILES: PasswdFiles = { passwd: '/etc/passwd', nsswitch: NSSWITCH };
/** getent(1) reads a longer file. */
export const MAX_PASSWD_BYTES = 1024 * 1024;
/** All names of a uid are looked for in a file of up to 200 000 users. */
export const MAX_NAMES_BYTES = 16 * 1024 * 1024;
/** nsswitch.conf(5): "files" comes first, and no action continues after a found entry. */
const PASSWD_LINE = /^passwd:(.*)$/gm;
/** An entry of passwd(5) that every program reads alike; not those of "compat" (+, -). */
const ENTRY = /^[^:#+\-\s][^:]*:[^:]*:\d+:\d+:[^:]*:[^:]*:[^:]*$/;

/** Sources that know a name only in the listed spelling. */
const EXACT_SOURCES = ['files', 'systemd'];

/** After so many lookups in one reading of the files an index pays. */
const FEW_LOOKUPS = 8;

/** The fields that an entry can be looked up by. */
export type PasswdKey = 'name' | 'uid';

/** The lines of passwd(5) by name and by uid in digits, the first of each; empty where getent(1) must be asked. */
export type PasswdLines = Readonly<Record<PasswdKey, ReadonlyMap<string, string>>>;

/** The files as they were read. */
interface Reading {
  readonly stamp: string | undefined;
  readonly lines: readonly string[];
  lookups: number;
  index: PasswdLines | undefined;
}

/** Kept for the next lookup, as commands over all users look up each. */
let last: Reading | undefined;

/** The line of `key` in passwd(5); undefined where getent(1) must be asked. */
export function lineInFile(by: PasswdKey, key: string, files: PasswdFiles = FILES): string | undefined {
  const reading = readingOf(files);
  if (++reading.lookups > FEW_LOOKUPS) return indexOf(reading)[by].get(key);
  const found = reading.lines.find((line) => keyOf(by, line) === key);
  return found !== undefined && ENTRY.test(found) ? found : undefined;
}

/**
 * All names of `uid` in the file, wherever passwd in nsswitch.conf(5) has it, in each form that the C library accepts: blanks before the
 * name and the uid, zeros or a sign before the uid, fields left out. Undefined where the file cannot be read or is too long, or has a name
 * that nobody can be known by.
 */
export function namesInFile(uid: number, { passwd }: Pick<PasswdFiles, 'passwd'> = FILES): string[] | undefined {
  try {
    const line = new RegExp(`^[^\\S\\n]*([^:\\s][^:\\n]*):[^:\\n]*:[^\\S\\n]*\\+?0*${String(uid)}(?!\\d)`, 'gm');
    const lines = text(passwd, MAX_NAMES_BYTES).matchAll(line);
    const names = [...lines].map(([, name = '']) => name).filter((name) => !/^[#+-]/.test(name));
    return names.every(isUserName) ? names : undefined;
  } catch {
    return undefined;
  }
}

/** The line of the account that `name` belongs to: the first one with its uid. */
export function accountInFile(name: string, files: PasswdFiles = FILES): string | undefined {
  const named = lineInFile('name', name, files);
  return named === undefined ? undefined : lineInFile('uid', keyOf('uid', named), files);
}

/** The lines by name and by uid, for many lookups. */
export function linesInFile(files: PasswdFiles = FILES): PasswdLines {
  return indexOf(readingOf(files));
}

/** Whether a name has one spelling on this host: every source of the passwd database accepts only the names that it lists. */
export function namesAreExact({ nsswitch }: PasswdFiles = FILES): boolean {
  const words = wordsOf('passwd', nsswitch);
  return words.length > 0 && words.every((word) => EXACT_SOURCES.includes(word));
}

function readingOf(files: PasswdFiles): Reading {
  // Before the files are read, so that a change meanwhile shows at the next lookup.
  const stamp = stampOf(files);
  if (stamp === undefined || last?.stamp !== stamp) last = { stamp, lines: linesOf(files), lookups: 0, index: undefined };
  return last;
}

/**
 * Changes whenever the files do; undefined where they cannot be read. The clock of files ticks every 10 ms or more often, and two changes of
 * one tick would look alike if the second one kept the file and its size. Tools for passwd(5) put a new file in place.
 */
function stampOf({ passwd, nsswitch }: PasswdFiles): string | undefined {
  try {
    const stats = [passwd, nsswitch].map((file) => statSync(file, { bigint: true }));
    return stats.map(({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join(' ')).join(', ');
  } catch {
    return undefined;
  }
}

function indexOf(reading: Reading): PasswdLines {
  if (reading.index !== undefined) return reading.index;
  const lines = reading.lines.filter((line) => line !== '');
  reading.index = { name: firstLines('name', lines), uid: firstLines('uid', lines) };
  return reading.index;
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
