/**
 * Reads the text of an sshd_config and its includes, for the criteria of its Match lines. `sshd -T` knows the truth about one connection;
 * the criteria say which connections to ask it about. See sshd_config(5).
 */
import * as fs from 'node:fs';
import { ifThere } from '../../system/if-there.ts';

/** sshd's own limit for nested includes. */
const MAX_DEPTH = 16;
const MAX_FILES = 1024;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Characters that versions of sshd read differently. */
const ODD = /["'\\]/;
/** Keywords whose value is a program and its arguments. */
const RUNS = ['forcecommand', 'subsystem', 'authorizedkeyscommand', 'authorizedprincipalscommand'];
/** Criteria without a pattern. */
const ALONE = ['all', 'invalid-user'];

/** One criterion of a Match line, in lower case, and its patterns. */
export interface Criterion {
  readonly name: string;
  readonly patterns: readonly string[];
}

/** A Match line and the lines behind it, which override those outside of all blocks. `Match all` has no criteria. */
export interface MatchBlock {
  readonly criteria: readonly Criterion[];
  /** Keywords in lower case, and the rest of each line. */
  readonly lines: readonly (readonly [keyword: string, text: string])[];
}

export interface SshdFiles {
  readonly files: readonly string[];
  /** Folders in which an included file may appear or vanish: those that a wildcard searches, and those that lack a named file. */
  readonly folders: readonly string[];
  readonly criteria: readonly Criterion[];
  /** The lines that have sshd run a program, in all Match blocks; see wordsToRun(). */
  readonly programs: readonly { readonly file: string; readonly words: readonly string[] }[];
  /** In their order; undefined where versions of sshd may read a Match line differently, or a block includes a file. */
  readonly blocks: readonly MatchBlock[] | undefined;
  /** Lines that versions of sshd may read differently, so that their effect is unknown. */
  readonly unclear: readonly string[];
}

/** Throws if the file, or one that it includes, cannot be read. */
export function readSshdFiles(file: string): SshdFiles {
  const files: string[] = [];
  const folders: string[] = [];
  const criteria: Criterion[] = [];
  const programs: SshdFiles['programs'][number][] = [];
  const unclear: string[] = [];
  const blocks: { criteria: readonly Criterion[]; lines: [string, string][] }[] = [];
  const state = { isPlain: true };
  const readFile = (name: string, depth: number): void => {
    files.push(name);
    if (depth > MAX_DEPTH || files.length > MAX_FILES) return;
    let block: (typeof blocks)[number] | undefined;
    // One that was found by an include and is gone by now counts as changed, see notLoaded().
    for (const line of depth === 0 ? linesOf(name) : (ifThere(() => linesOf(name)) ?? [])) {
      const { keyword, readings } = readLine(line);
      if (keyword === 'match') {
        criteria.push(...readings.flatMap(criteriaOf));
        state.isPlain &&= readings.length === 1 && !/\binvalid-user\b/i.test(line);
        blocks.push((block = { criteria: criteriaOf(readings[0] ?? []), lines: [] }));
      } else if (keyword === 'include') state.isPlain &&= block === undefined && !ODD.test(line);
      else if (keyword !== '') block?.lines.push([keyword, keywordOf(line).rest]);
      const words = wordsToRun(line);
      if (words.length > 0) programs.push({ file: name, words });
      if (keyword !== 'include') continue;
      const inner = new Set(readings.flat().flatMap((pattern) => included(pattern, folders)));
      if (inner.size === 0 && ODD.test(line)) unclear.push(line.trim());
      for (const each of inner) readFile(each, depth + 1);
    }
  };
  readFile(file, 0);
  return {
    files: [...new Set(files)],
    folders: [...new Set(folders)],
    criteria,
    programs,
    blocks: state.isPlain ? blocks : undefined,
    unclear,
  };
}

/** The words of the program that a line has sshd run, in each reading; empty for any other line. */
export function wordsToRun(line: string): string[] {
  const { keyword, readings } = readLine(line);
  return RUNS.includes(keyword) ? readings.flat() : [];
}

/** The patterns of a criterion over all Match lines, without `!`. */
export function patternsOf(criteria: readonly Criterion[], name: string): string[] {
  const patterns = criteria.filter((each) => each.name === name).flatMap((each) => each.patterns);
  return [...new Set(patterns.map((pattern) => pattern.replace(/^!/, '')))];
}

/** To sshd a NUL ends a line together with its end of line, so that the next line goes on where it stood. */
function linesOf(file: string): string[] {
  const stats = fs.statSync(file);
  if (stats.size > MAX_FILE_BYTES) throw new Error(`${file} is too large for an sshd_config`);
  if (stats.isFIFO()) throw new Error(`${file} is a FIFO, which sshd waits for`);
  return fs
    .readFileSync(file, 'utf8')
    .replace(/\0[^\n]*\n?/g, '')
    .split('\n');
}

/** The keyword of a line, unchanged, and its arguments as OpenSSH since 8.7 reads them. */
export function wordsOf(line: string): string[] {
  const { first, rest } = keywordOf(line);
  return first === '' ? [] : [first, ...argumentsOf(rest)];
}

/** The keyword in lower case, and its arguments in each way in which some version of sshd reads them. All readings are checked. */
function readLine(line: string): { keyword: string; readings: string[][] } {
  const { first, rest } = keywordOf(line);
  const keyword = first.toLowerCase();
  // Without quotes all versions read a Match line in the same way, with "name=value" as two words.
  const hasOne = keyword === 'match' && !ODD.test(rest);
  return { keyword, readings: hasOne ? [delimited(rest)] : [delimited(rest), argumentsOf(rest)] };
}

function keywordOf(line: string): { first: string; rest: string } {
  const text = line.replace(/[ \t\r\n\f]+$/, '').replace(/^[ \t\r\n]+=?[ \t\r\n]*/, '');
  const { word = '', rest = '' } = nextWord(text) ?? {};
  return word.startsWith('#') ? { first: '', rest: '' } : { first: word, rest };
}

/** Words up to a comment, as OpenSSH's strdelim() splits them: every line before 8.7, and Match lines long after. */
function delimited(text: string): string[] {
  const words: string[] = [];
  for (let next = nextWord(text); next !== undefined && !/^(#|$)/.test(next.word); next = nextWord(next.rest)) words.push(next.word);
  return words;
}

/** A word ends at a blank, at one "=", or at the second double quote. Undefined if the second quote is missing. */
function nextWord(text: string): { word: string; rest: string } | undefined {
  const end = text.search(/[ \t\r\n"=]/);
  if (end === -1) return { word: text, rest: '' };
  const rest = text.slice(end + 1);
  if (text[end] !== '"')
    return { word: text.slice(0, end), rest: rest.replace(text[end] === '=' ? /^[ \t\r\n]+/ : /^[ \t\r\n]*=?[ \t\r\n]*/, '') };
  const close = rest.indexOf('"');
  return close === -1
    ? undefined
    : { word: text.slice(0, end) + rest.slice(0, close), rest: rest.slice(close + 1).replace(/^[ \t\r\n]+/, '') };
}

/**
 * Splits words as OpenSSH's argv_split() does: both kinds of quotes, also within a word, and a backslash escapes a quote, a backslash or a
 * blank. Empty if a quote is not closed.
 */
function argumentsOf(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const each = text.charAt(i);
    if (quote === '' && /[ \t]/.test(each)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (word === undefined && each === '#') return words;
    else if (each === quote) quote = '';
    else if (quote === '' && /["']/.test(each)) [quote, word] = [each, word ?? ''];
    else {
      const isEscape = each === '\\' && (quote === '' ? /["'\\ ]/ : /["'\\]/).test(text.charAt(i + 1));
      word = (word ?? '') + (isEscape ? text.charAt(++i) : each);
    }
  }
  if (quote !== '') return [];
  return word === undefined ? words : [...words, word];
}

/** Parses criteria such as `User a,b Address 10.0.0.0/8`. `All` and `Invalid-User` have no pattern and distinguish no existing users. */
function criteriaOf(words: readonly string[]): Criterion[] {
  const criteria: Criterion[] = [];
  for (let i = 0; i < words.length; i++) {
    const [, word = '', value] = /^(\w+)=(.*)$/s.exec(words[i] ?? '') ?? [undefined, words[i]];
    const name = word.toLowerCase();
    if (ALONE.includes(name)) continue;
    const patterns = value ?? words[++i] ?? '';
    criteria.push({ name, patterns: patterns.split(',').filter((each) => each !== '') });
  }
  return criteria;
}

/**
 * The files that glob(3) finds; it knows backslashes but no braces. Adds to `folders` as described for SshdFiles. Throws if a folder cannot
 * be read.
 */
function included(pattern: string, folders: string[]): string[] {
  const parts = (/^[/~]/.test(pattern) ? pattern : `/etc/ssh/${pattern}`).split('/').filter((part) => part !== '');
  let found = [''];
  for (const part of parts) found = found.flatMap((folder) => entriesLike(`${folder}/`, part, folders).map((name) => `${folder}/${name}`));
  return found.filter((file) => fs.existsSync(file));
}

function entriesLike(folder: string, part: string, folders: string[]): string[] {
  // A missing folder counts as empty, for sshd -T too.
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  if (!/[*?[]/.test(part)) {
    ifThere(() => {
      fs.accessSync(folder, fs.constants.X_OK);
    });
    const name = part.replace(/\\(.)/g, '$1');
    if (!fs.existsSync(folder + name)) folders.push(folder);
    return [name];
  }
  folders.push(folder);
  const expression = expressionOf(part);
  const names = (ifThere(() => fs.readdirSync(folder)) ?? []).filter(
    (name) => expression.test(name) && (!name.startsWith('.') || part.startsWith('.')),
  );
  return names.toSorted();
}

/** Brackets with more than letters, digits and ranges match any character here: one file too many is better than one too few. */
function expressionOf(part: string): RegExp {
  const source = part.replace(
    /\\(.)|\[([!^]?)(\]?(?:\[[:.=][^\]]*\]|[^\]])+)\]|[^]/g,
    (each, escaped: string | undefined, not: string | undefined, set: string | undefined) => {
      if (set !== undefined) return /^(\w-\w|[\w.])+$/.test(set) && isInOrder(set) ? `[${not === '' ? '' : '^'}${set}]` : '.';
      if (each === '*') return '.*';
      return each === '?' ? '.' : (escaped ?? each).replace(/[.*+?^${}()|[\]\\]/, String.raw`\$&`);
    },
  );
  return new RegExp(`^${source}$`, 's');
}

/** Whether every range is in order; RegExp would throw for one that is not. */
function isInOrder(set: string): boolean {
  return [...set.matchAll(/(\w)-(\w)/g)].every(([, from = '', to = '']) => from <= to);
}
