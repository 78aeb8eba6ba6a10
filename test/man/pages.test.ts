/** The man pages say what the program does: commands, options, values, defaults, the configuration, the examples. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { defaultConfig, parseConfig } from '../../src/system/config.ts';
import { SETTINGS } from '../../src/system/settings.ts';
import { ROOT, run } from '../support/process.ts';
import { lacks, SOURCE_NOTP } from '../support/world.ts';
import { commandNamed, COMMANDS, MAN, optionInMdoc, page, PAGES, section, synopsisOf } from './pages.ts';

const SECTIONS = ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'FILES', 'EXAMPLES', 'SEE ALSO'];

describe('the man pages', () => {
  it('are those that are tested', () => {
    assert.deepEqual(readdirSync(MAN).toSorted(), Object.keys(PAGES).toSorted());
  });

  it('have a place for every command', () => {
    const told = Object.values(PAGES).flatMap((sections) => Object.values(sections).flat());
    assert.deepEqual(told.filter((name) => name !== 'notp').toSorted(), COMMANDS.toSorted());
  });

  it('are named by notp --help', async () => {
    const { stdout } = await run([...SOURCE_NOTP, '--help']);
    const named = [...stdout.matchAll(/man (notp[\w-]*)/g)].map(([, name]) => name ?? '');
    assert.ok(named.length > 0);
    for (const name of named) assert.ok(`${name}.1` in PAGES || `${name}.8` in PAGES, name);
  });
});

for (const [name, sections] of Object.entries(PAGES)) {
  const text = page(name);
  describe(`man/${name}`, () => {
    it('has the usual sections', () => {
      for (const title of SECTIONS) assert.notEqual(section(text, title), '', title);
      if (Object.keys(sections).length > 0) assert.match(section(text, 'EXIT STATUS'), /^\.It/m);
    });

    it('refers only to pages that are there', () => {
      const own = [...text.matchAll(/\.Xr (notp\S*) (\d)/g)].map(([, title = '', number = '']) => `${title}.${number}`);
      assert.ok(own.length > 0);
      for (const each of own) assert.ok(each in PAGES, each);
    });

    it('is clean mdoc', { skip: lacks({ programs: ['mandoc'] }) }, async () => {
      const { code, stdout } = await run(['mandoc', '-T', 'lint', '-W', 'warning', path.join(MAN, name)]);
      assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
    });

    it('shows only commands and options that are there', () => {
      const lines = text.split('\n').filter((line) => /^(\.D1 |\.Dl |\.Ql |[^.])/.test(line));
      const shown = lines.flatMap((line) =>
        [...line.matchAll(/(?:^|[ |(])(notp(?:-enroll)?(?: [^|#>;]*)?)/g)].map(([, found]) => found ?? ''),
      );
      for (const line of shown.filter((each) => / --?[a-z]/.test(each))) {
        const words = line.replaceAll(String.raw`\-`, '-').split(/\s+/);
        const known = [3, 2, 1]
          .map((count) => words.slice(0, count).join(' '))
          .find((each) => COMMANDS.includes(each) || each === 'notp audit');
        assert.ok(known !== undefined, line);
        const options = commandNamed(known).options.flatMap((option) => option.names);
        for (const word of words.filter((each) => /^--?[a-z]/.test(each))) assert.ok(options.includes(word), `${line}: ${word}`);
      }
    });

    const told = Object.values(sections).flat();
    it(`has the synopsis of ${told.length === 0 ? 'the file' : told.join(', ')}`, () => {
      const shown = section(text, 'SYNOPSIS').trim().split('\n').slice(1);
      const wanted = told.flatMap((each) => synopsisOf(commandNamed(each)));
      assert.deepEqual(shown, told.length === 0 ? ['.Pa /etc/notp/notp.toml'] : wanted);
    });

    for (const [title, names] of Object.entries(sections)) {
      it(`describes in ${title} each option of ${names.join(', ')}, and no other`, () => {
        const items = itemsOf(section(text, title));
        const shared = name === 'notp.1' ? itemsOf(section(text, 'OPTIONS')) : items;
        const options = names
          .flatMap((each) => commandNamed(each).options)
          .filter(({ names: flags }) => name === 'notp.1' || !flags.includes('--help'));
        for (const option of options) {
          const item = items.get(optionInMdoc(option)) ?? shared.get(optionInMdoc(option));
          assert.ok(item !== undefined, optionInMdoc(option));
          const words = new Set(item.split(/[\s"]+/).map((word) => word.replace(/[,.;:]$/, '')));
          for (const each of [...option.words, ...(option.standard === undefined ? [] : [option.standard])])
            assert.ok(words.has(each), each);
        }
        const all = title === 'OPTIONS' ? told.flatMap((each) => commandNamed(each).options) : options;
        const known = all.map(optionInMdoc);
        for (const item of items.keys()) assert.ok(known.includes(item), item);
      });
    }
  });
}

describe('man/notp.toml.5', () => {
  it('tells every setting with its default, and no other', () => {
    const lines = page('notp.toml.5').split('\n');
    const toml = lines.flatMap((line) => {
      const table = /^\.Ss \[(\w+)\]$/.exec(line)?.[1];
      const setting = /^\.It Va (.*)$/.exec(line)?.[1];
      return table !== undefined ? [`[${table}]`] : setting !== undefined ? [setting.replaceAll(String.raw`\(dq`, '"')] : [];
    });
    assert.deepEqual(parseConfig(toml.join('\n'), 'notp.toml.5'), defaultConfig());
    assert.equal(toml.filter((line) => line.includes(' = ')).length, Object.keys(SETTINGS).length);
  });

  it('has an example that is taken, and that changes what it says', () => {
    const [, example = ''] = /^\.Bd.*\n([^]*?)^\.Ed$/m.exec(section(page('notp.toml.5'), 'EXAMPLES')) ?? [];
    const { contexts, code, rules } = parseConfig(example, 'notp.toml.5');
    assert.deepEqual(
      [contexts, code.digits, rules.map(({ ask, rememberMs }) => [ask, rememberMs])],
      [['ssh', 'ssh-backup'], 8, [['code', 43_200_000]]],
    );
  });
});

const SHOWN = {
  'notp-gate.8': ['sshd_config.d/10-notp-gate.conf'],
  'notp-pam.8': ['sshd_config.d/10-notp-pam.conf', 'pam.d/sshd-notp', 'pam.d/sudo-notp'],
};
for (const [name, examples] of Object.entries(SHOWN)) {
  for (const example of examples) {
    it(`man/${name} shows every line of examples/${example}${example === 'pam.d/sshd-notp' ? ' that authenticates' : ''}`, () => {
      const shown = page(name).split('\n').map(squeezed);
      const lines = readFileSync(path.join(ROOT, 'examples', example), 'utf8')
        .split('\n')
        .map(squeezed);
      const wanted = lines.filter((each) =>
        example === 'pam.d/sshd-notp' ? each.startsWith('auth ') : each !== '' && !each.startsWith('#'),
      );
      assert.ok(wanted.length > 3);
      for (const line of wanted) assert.ok(shown.includes(line), line);
    });
  }
}

/** The text below each `.It Fl`, by the rest of that line. */
function itemsOf(text: string): ReadonlyMap<string, string> {
  const items = text.split(/^\.It /m).slice(1);
  return new Map(
    items
      .map((item): [string, string] => [item.slice(0, item.indexOf('\n')), item.slice(item.indexOf('\n'))])
      .filter(([head]) => head.startsWith('Fl ')),
  );
}

function squeezed(line: string): string {
  return line.trim().replaceAll(/\s+/g, ' ');
}
