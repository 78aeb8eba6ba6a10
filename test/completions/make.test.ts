/** The completions in the tree are those of the command tree, and name every command, option and value of it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { completionFiles } from '../../completions/make.ts';
import { programShapes, withSubcommands } from '../../completions/tree.ts';
import { brief } from '../../completions/values.ts';
import { ROOT } from '../support/process.ts';

const commands = (await programShapes()).flatMap(withSubcommands);

for (const [name, made] of Object.entries(await completionFiles())) {
  describe(`completions/${name}`, () => {
    const text = readFileSync(path.join(ROOT, 'completions', name), 'utf8');

    it('is what npm run completions writes today', () => {
      assert.equal(text, made);
    });

    it('names every command, option and fixed value', () => {
      const words = new Set(text.split(/[^\w.-]+/));
      const options = commands.flatMap((command) => command.options);
      const long = options.flatMap(({ names }) => names.filter((each) => each.startsWith('--')));
      const wanted = [...commands.flatMap((command) => command.words), ...options.flatMap((option) => option.words)];
      assert.ok(long.length > 50 && wanted.length > 50);
      for (const each of wanted) assert.ok(words.has(each), each);
      for (const each of long) assert.ok(words.has(each) || words.has(each.slice(2)), each);
    });
  });
}

describe('a description in a list', () => {
  it('ends at the first break, without remarks in brackets', () => {
    assert.equal(brief('seal a login anew, by the key of this host'), 'seal a login anew');
    assert.equal(brief('how to seal it (default: host)'), 'how to seal it');
    assert.equal(brief('do not ask'), 'do not ask');
    assert.equal(brief('try it: a throw-away secret; nothing is kept'), 'try it: a throw-away secret');
  });
});
