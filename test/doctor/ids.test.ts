/** docs/doctor.md lists the id of every finding that the sources have, and no other. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from '../support/process.ts';

const FOLDERS = ['src/doctor', 'src/commands/doctor'];
/** Where a source gives a finding its id: as a text, as one of two, or by the name of a constant. */
const GIVEN = /\b(?:id:|id =(?!=)|ok\(|fail\()([^,;\n]*)/g;
const TEXT = /'([A-Z]+\d+|[a-z]+(?:-[a-z]+)*)'/g;
const CONSTANT = /^(?:export )?const ([A-Z_]+) = '([\w-]+)';$/gm;

const sources = FOLDERS.flatMap((folder) =>
  fs
    .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => fs.readFileSync(path.join(ROOT, folder, name), 'utf8')),
);

describe('the ids of doctor', () => {
  it('stand in docs/doctor.md, each once, and no other does', () => {
    const shared = constantsOf(sources.join('\n'));
    const given = sources.flatMap((source) => {
      const constants = new Map([...shared, ...constantsOf(source)]);
      return [...source.matchAll(GIVEN)].flatMap(([, value = '']) => [
        ...[...value.matchAll(TEXT)].map(([, id = '']) => id),
        ...(constants.get(value.trim()) ?? []),
      ]);
    });
    const page = fs.readFileSync(path.join(ROOT, 'docs/doctor.md'), 'utf8').split('## Misconfigurations')[0] ?? '';
    const listed = [...page.matchAll(/^\| `([\w-]+)` +\|/gm)].map(([, id = '']) => id);
    assert.deepEqual(listed.toSorted(), [...new Set(given)].toSorted());
  });
});

/** By their names, each as a list of one. */
function constantsOf(source: string): (readonly [string, readonly string[]])[] {
  return [...source.matchAll(CONSTANT)].map(([, name = '', id = '']) => [name, [id]] as const);
}
