/** Reads nsswitch.conf(5): which sources are asked for users and groups. */
import { fileUpTo } from '../bytes.ts';

export const NSSWITCH = '/etc/nsswitch.conf';
export const MAX_NSSWITCH_BYTES = 64 * 1024;
const ACTIONS = /\[[^\]]*\]?/g;

/** The sources of `database`; none where the file does not say, or cannot be read. */
export function sourcesOf(database: string, file = NSSWITCH): string[] {
  return wordsIn(lineOf(database, file).replace(ACTIONS, ' '));
}

/** The same with the actions in brackets, as they stand there. */
export function wordsOf(database: string, file = NSSWITCH): string[] {
  return wordsIn(lineOf(database, file));
}

/** All lines of `database` in one, without comments. */
function lineOf(database: string, file: string): string {
  try {
    const bytes = fileUpTo(file, MAX_NSSWITCH_BYTES);
    const lines = bytes.length > MAX_NSSWITCH_BYTES ? [] : new TextDecoder().decode(bytes).split('\n');
    const parts = lines.map((line) => /^\s*([^\s:]+)\s*:([^#]*)/.exec(line)).filter((part) => part?.[1] === database);
    return parts.map((part) => part?.[2] ?? '').join(' ');
  } catch {
    return '';
  }
}

function wordsIn(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== '');
}
