/**
 * The text of an sshd_config with its includes: what its Match lines can tell apart. `sshd -T` gives the truth of
 * one connection; this tells which connections there are to ask it about. See sshd_config(5).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';

/** sshd's own limit for includes in includes. */
const MAX_DEPTH = 16;
const MAX_FILES = 1024;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Criteria without patterns. */
const ALONE = ['all', 'invalid-user'];

/** One criterion of a Match line, in lower case, and its patterns. */
export interface Criterion {
  readonly name: string;
  readonly patterns: readonly string[];
}

export interface SshdFiles {
  readonly files: readonly string[];
  readonly criteria: readonly Criterion[];
}

/** Throws where the file or one that it includes cannot be read. */
export function readSshdFiles(file: string): SshdFiles {
  const files: string[] = [];
  const criteria: Criterion[] = [];
  const take = (name: string, depth: number): void => {
    files.push(name);
    if (depth > MAX_DEPTH || files.length > MAX_FILES) return;
    for (const [keyword = '', ...words] of linesOf(name).map(wordsOf)) {
      if (keyword.toLowerCase() === 'match') criteria.push(...criteriaOf(words));
      if (keyword.toLowerCase() === 'include') for (const each of words.flatMap((glob) => included(glob))) take(each, depth + 1);
    }
  };
  take(file, 0);
  return { files, criteria };
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

/** The words of a line: blanks or one "=" between them, double quotes around those with blanks, a comment at the end. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, quotedWord, word] of line.matchAll(/"([^"]*)"|([^\s="]+)/g)) {
    if (word?.startsWith('#') === true) break;
    words.push(quotedWord ?? word ?? '');
  }
  return words;
}

/** `User a,b Address 10.0.0.0/8`; `All` and the like have no patterns, and tell nobody apart who is a user. */
function criteriaOf(words: readonly string[]): Criterion[] {
  const criteria: Criterion[] = [];
  for (let i = 0; i < words.length; i++) {
    const name = (words[i] ?? '').toLowerCase();
    if (ALONE.includes(name)) continue;
    const patterns = words[++i] ?? '';
    criteria.push({ name, patterns: patterns.split(',').filter((each) => each !== '') });
  }
  return criteria;
}

function included(glob: string): string[] {
  const pattern = path.isAbsolute(glob) ? glob : path.join('/etc/ssh', glob);
  const folder = path.dirname(pattern);
  // A folder that cannot be read looks as if it were empty, to sshd -T too.
  if (fs.existsSync(folder)) fs.accessSync(folder, fs.constants.R_OK | fs.constants.X_OK);
  return fs.globSync(pattern).toSorted();
}
