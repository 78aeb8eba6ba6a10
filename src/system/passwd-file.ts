/**
 * /etc/passwd itself, where the passwd database begins with it: then an entry there is what getent(1) would answer, and a
 * login needs no process to learn it. Whoever is not there is left to getent(1).
 */
import { fileUpTo } from './bytes.ts';

export interface PasswdFiles {
  readonly passwd: string;
  readonly nsswitch: string;
}

const FILES: PasswdFiles = { passwd: '/etc/passwd', nsswitch: '/etc/nsswitch.conf' };
/** A longer file is left to getent(1). */
export const MAX_PASSWD_BYTES = 1024 * 1024;
const MAX_NSSWITCH_BYTES = 64 * 1024;
/** nsswitch.conf(5): files before all others, and no action that goes on after an entry was found. */
const FILES_FIRST = /^passwd:[ \t]*files(?:[ \t]+(?!\[)|[ \t]*$)/m;
/** An entry of passwd(5) that means the same to everybody; not those of "compat" (+, -). */
const ENTRY = /^[^:#+\-\s][^:]*:[^:]*:\d+:\d+:[^:]*:[^:]*:[^:]*$/;

/** The line of `key`, a name or a uid in digits, in passwd(5); undefined where getent(1) has to say. */
export function lineInFile(key: string, files: PasswdFiles = FILES): string | undefined {
  const lines = linesOf(files);
  const field = /^\d+$/.test(key) ? 2 : 0;
  const found = lines.find((line) => line.split(':', 3)[field] === key);
  return found !== undefined && ENTRY.test(found) ? found : undefined;
}

function linesOf({ passwd, nsswitch }: PasswdFiles): string[] {
  try {
    if (!FILES_FIRST.test(text(nsswitch, MAX_NSSWITCH_BYTES))) return [];
    return text(passwd, MAX_PASSWD_BYTES).split('\n');
  } catch {
    // Missing, unreadable or too long: not for us to judge.
    return [];
  }
}

function text(file: string, maxBytes: number): string {
  const bytes = fileUpTo(file, maxBytes);
  if (bytes.length > maxBytes) throw new RangeError(`${file} is over ${String(maxBytes)} bytes`);
  return new TextDecoder().decode(bytes);
}
