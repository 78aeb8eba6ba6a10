/** README.md and docs/ are true where a program can tell: what they show of sshd and PAM is what is shipped, and their words are those of the program. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT, run } from './support/process.ts';
import { SOURCE_NOTP } from './support/world.ts';

const PAGES = [
  'README.md',
  ...fs
    .readdirSync(path.join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .toSorted(),
];
const MOST_WORDS = 1200;
const MOST_WORDS_OF_A_SENTENCE = 35;
const MOST_COLUMNS = 100;

/** The lines of a page, each with its blanks squeezed. */
function shownBy(page: string): string[] {
  return textOf(page).split('\n').map(squeezed);
}

function textOf(page: string): string {
  return fs.readFileSync(path.join(ROOT, page), 'utf8');
}

describe('README.md and docs/', () => {
  for (const [page, name] of [
    ['docs/gate.md', 'sshd_config.d/10-notp-gate.conf'],
    ['docs/pam.md', 'sshd_config.d/10-notp-pam.conf'],
    ['docs/sudo.md', 'pam.d/sudo-notp'],
  ] as const) {
    it(`show every line of examples/${name}`, () => {
      const shown = shownBy(page);
      for (const line of linesOf(name)) assert.ok(shown.includes(line), line);
    });
  }

  it('show the auth lines of examples/pam.d/sshd-notp', () => {
    const auth = linesOf('pam.d/sshd-notp').filter((line) => line.startsWith('auth '));
    const shown = shownBy('docs/pam.md');
    assert.ok(auth.length > 0);
    for (const line of auth) assert.ok(shown.includes(line), line);
  });

  it('let README.md be read in a few minutes', () => {
    assert.ok(textOf('README.md').split(/\s+/).length <= MOST_WORDS);
  });

  it('name no command that is not there', async () => {
    const { stdout } = await run([...SOURCE_NOTP, '--help']);
    const there = [...stdout.matchAll(/^ {2}([a-z-]+) /gm)].map(([, command]) => command ?? '');
    const pages = PAGES.map(textOf).join('\n');
    const named = [...pages.matchAll(/(?:`|sudo |bin\/|-u alice )notp ([a-z][a-z-]+)/g)].map(([, command]) => command ?? '');
    assert.ok(named.length > 10);
    assert.deepEqual(
      named.filter((command) => !there.includes(command)),
      [],
    );
  });

  for (const page of PAGES)
    it(`${page} links only to pages and headings that are there`, () => {
      for (const [, target = ''] of textOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [file = '', heading] = target.split('#');
        const place = file === '' ? page : path.join(path.dirname(page), file);
        assert.ok(fs.existsSync(path.join(ROOT, place)), target);
        if (heading !== undefined) assert.ok(headingsOf(place).includes(heading), target);
      }
    });

  for (const page of [...PAGES, 'SECURITY.md', 'CONTRIBUTING.md', 'GROWING.md', 'BENCHMARKS.md', 'TRIALS.md'])
    it(`${page} has no sentence of more than ${String(MOST_WORDS_OF_A_SENTENCE)} words`, () => {
      const sentences = sentencesOf(page);
      assert.ok(sentences.length > 1);
      assert.deepEqual(
        sentences.filter((sentence) => sentence.split(' ').length > MOST_WORDS_OF_A_SENTENCE),
        [],
      );
    });

  for (const page of [...PAGES, 'SECURITY.md'])
    it(`${page} has no line of more than ${String(MOST_COLUMNS)} columns`, () => {
      const shown = new Set(fs.readdirSync(path.join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' }).flatMap(examplesIn));
      const lines = textOf(page).split('\n');
      assert.deepEqual(
        lines.filter((line) => foldableColumns(line) > MOST_COLUMNS && !shown.has(squeezed(line))),
        [],
      );
    });

  it('are all listed in docs/README.md', () => {
    const index = textOf('docs/README.md');
    for (const page of PAGES.filter((each) => !each.endsWith('README.md'))) assert.ok(index.includes(`(${path.basename(page)})`), page);
  });
});

/** The anchors of a page, as forges make them. */
function headingsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The sentences of a page, without its code blocks, tables, comments and link targets. */
function sentencesOf(page: string): string[] {
  const prose = textOf(page)
    .replaceAll(/```[^]*?```/g, '\n\n')
    .replaceAll(/^\s*(?:\||<!--).*$/gm, '')
    .replaceAll(/\]\([^)]*\)/g, ']');
  return prose
    .split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) |#)/)
    .flatMap((each) => squeezed(each).split(/(?<=[.!?:;]) (?=[A-Z`*[(0-9])|(?<=[.!?]) /));
}

/** The width of a line that can be folded: neither a row of a table nor a single word, and without link targets. */
function foldableColumns(line: string): number {
  const text = line.replaceAll(/\]\([^)]*\)/g, ']').replace(/^\s*(?:[-*]|\d+\.)? /, '');
  return /^\s*\|/.test(line) || !text.includes(' ') ? 0 : line.replaceAll(/\]\([^)]*\)/g, ']').length;
}

/** The lines of an example; a folder has none. */
function examplesIn(name: string): string[] {
  return fs.statSync(path.join(ROOT, 'examples', name)).isFile() ? textOf(path.join('examples', name)).split('\n').map(squeezed) : [];
}

/** The lines of an example that are no comments, save those that can be uncommented. */
function linesOf(name: string): string[] {
  const lines = fs
    .readFileSync(path.join(ROOT, 'examples', name), 'utf8')
    .split('\n')
    .map(squeezed);
  return lines.filter((line) => line !== '' && !/^#[ %]/.test(line));
}

function squeezed(line: string): string {
  return line.trim().replaceAll(/\s+/g, ' ');
}

it('docs/trust.md names a test for each trust boundary, and each of them is there', () => {
  const security = textOf('docs/trust.md');
  const rows = (security.split('## Trust boundaries')[1]?.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  assert.ok(rows.length > 10);
  for (const row of rows.slice(2)) {
    const files = [...row.matchAll(/`(test\/[^`]+)`/g)].map(([, file = '']) => file);
    assert.notEqual(files.length, 0, row);
    for (const file of files) assert.ok(fs.existsSync(path.join(ROOT, file)), file);
  }
});
