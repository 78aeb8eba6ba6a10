/**
 * The text of an sshd_config with its includes: what its Match lines can tell apart. `sshd -T` gives the truth of
 * one connection; this tells which connections there are to ask it about. See sshd_config(5).
 */
import * as fs from 'node:fs';

/** sshd's own limit for includes in includes. */
const MAX_DEPTH = 16;
const MAX_FILES = 1024;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** What versions of sshd read in different ways. */
const ODD = /["'\\]/;
/** Criteria without patterns. */
const ALONE = ['all', 'invalid-user'];

/** One criterion of a Match line, in lower case, and its patterns. */
export interface Criterion {
  readonly name: string;
  readonly patterns: readonly string[];
}

export interface SshdFiles {
  readonly files: readonly string[];
  /** Where a file that is included may have come or gone: folders that a wildcard is looked up in, and those in which what is named is missing. */
  readonly folders: readonly string[];
  readonly criteria: readonly Criterion[];
  /** Lines of which it cannot be told what sshd makes of them. */
  readonly untold: readonly string[];
}

/** Throws where the file or one that it includes cannot be read. */
export function readSshdFiles(file: string): SshdFiles {
  const files: string[] = [];
  const folders: string[] = [];
  const criteria: Criterion[] = [];
  const untold: string[] = [];
  const take = (name: string, depth: number): void => {
    files.push(name);
    if (depth > MAX_DEPTH || files.length > MAX_FILES) return;
    for (const line of linesOf(name)) {
      const { keyword, readings } = readLine(line);
      if (keyword === 'match') criteria.push(...readings.flatMap(criteriaOf));
      if (keyword !== 'include') continue;
      const inner = new Set(readings.flat().flatMap((pattern) => included(pattern, folders)));
      if (inner.size === 0 && ODD.test(line)) untold.push(line.trim());
      for (const each of inner) take(each, depth + 1);
    }
  };
  take(file, 0);
  return { files: [...new Set(files)], folders: [...new Set(folders)], criteria, untold };
}

/** The patterns of a criterion over all Match lines, without `!`. */
export function patternsOf(criteria: readonly Criterion[], name: string): string[] {
  const patterns = criteria.filter((each) => each.name === name).flatMap((each) => each.patterns);
  return [...new Set(patterns.map((pattern) => pattern.replace(/^!/, '')))];
}

function linesOf(file: string): string[] {
  if (fs.statSync(file).size > MAX_FILE_BYTES) throw new Error(`${file} is too large for an sshd_config`);
  return fs.readFileSync(file, 'utf8').split('\n');
}

/** The keyword of a line, as it stands, and its arguments, as OpenSSH since 8.7 reads them. */
export function wordsOf(line: string): string[] {
  const { first, rest } = keywordOf(line);
  return first === '' ? [] : [first, ...argumentsOf(rest)];
}

/** The keyword in lower case, and its arguments in each way that some sshd reads them: what one of them sees, we look at. */
function readLine(line: string): { keyword: string; readings: string[][] } {
  const { first, rest } = keywordOf(line);
  const keyword = first.toLowerCase();
  // Without quotes Match is read in one way, and "name=value" is two words of it.
  const hasOne = keyword === 'match' && !ODD.test(rest);
  return { keyword, readings: hasOne ? [delimited(rest)] : [delimited(rest), argumentsOf(rest)] };
}

function keywordOf(line: string): { first: string; rest: string } {
  const text = line.replace(/[ \t\r\n\f]+$/, '').replace(/^[ \t\r\n]+=?[ \t\r\n]*/, '');
  const { word = '', rest = '' } = nextWord(text) ?? {};
  return word.startsWith('#') ? { first: '', rest: '' } : { first: word, rest };
}

/** Words up to a comment, as strdelim() of OpenSSH takes them: all lines before 8.7, Match lines long after. */
function delimited(text: string): string[] {
  const words: string[] = [];
  for (let next = nextWord(text); next !== undefined && !/^(#|$)/.test(next.word); next = nextWord(next.rest)) words.push(next.word);
  return words;
}

/** Ends at a blank, at one "=", or at the second double quote. Undefined where that is not there. */
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

/** As argv_split() of OpenSSH does: quotes of both kinds also within a word, and a backslash before a quote, a backslash or a blank. None where a quote is open. */
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

/** `User a,b Address 10.0.0.0/8`; `All` and the like have no patterns, and tell nobody apart who is a user. */
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

/** The files that glob(3) finds, which knows no braces, and backslashes; `folders` gets those of SshdFiles. Throws where a folder cannot be read. */
function included(pattern: string, folders: string[]): string[] {
  const parts = (/^[/~]/.test(pattern) ? pattern : `/etc/ssh/${pattern}`).split('/').filter((part) => part !== '');
  let found = [''];
  for (const part of parts) found = found.flatMap((folder) => entriesLike(`${folder}/`, part, folders).map((name) => `${folder}/${name}`));
  return found.filter((file) => fs.existsSync(file));
}

function entriesLike(folder: string, part: string, folders: string[]): string[] {
  // A folder that cannot be read looks as if it were empty, to sshd -T too.
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  if (!/[*?[]/.test(part)) {
    fs.accessSync(folder, fs.constants.X_OK);
    const name = part.replace(/\\(.)/g, '$1');
    if (!fs.existsSync(folder + name)) folders.push(folder);
    return [name];
  }
  folders.push(folder);
  const expression = expressionOf(part);
  const names = fs.readdirSync(folder).filter((name) => expression.test(name) && (!name.startsWith('.') || part.startsWith('.')));
  return names.toSorted();
}

/** Brackets that hold more than letters, digits and ranges stand for any character: rather a file too many than one too few. */
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

/** Whether no range ends before it begins, which is no expression. */
function isInOrder(set: string): boolean {
  return [...set.matchAll(/(\w)-(\w)/g)].every(([, from = '', to = '']) => from <= to);
}
