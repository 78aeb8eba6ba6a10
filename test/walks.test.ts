/** The walks of CONTRIBUTING.md lead through files and functions that are there, in an order in which each is reached from the ones before. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from './support/process.ts';

const MAX_HOPS = 10;
const WALKS = fs
  .readFileSync(path.join(ROOT, 'CONTRIBUTING.md'), 'utf8')
  .split('## ')
  .filter((part) => part.startsWith('Two walks'))
  .flatMap((part) => part.split('**').filter((_, i) => i % 2 === 0))
  .map((text) =>
    [...text.matchAll(/^\d+\. \[([^\]]+)\]\(([^)]+)\) `(\w+)`: /gm)].map(([, name = '', file = '', symbol = '']) => ({
      name,
      file,
      symbol,
    })),
  )
  .filter((hops) => hops.length > 0);

describe('a walk through the house', () => {
  it('is one of two, each of ten hops at the most', () => {
    assert.equal(WALKS.length, 2);
    for (const hops of WALKS) assert.ok(hops.length > 5 && hops.length <= MAX_HOPS, String(hops.length));
  });

  for (const hops of WALKS)
    it(`from ${hops[0]?.name ?? ''} names what is there`, () => {
      for (const { name, file, symbol } of hops) {
        assert.equal(name, file);
        const source = fs.readFileSync(path.join(ROOT, file), 'utf8');
        assert.match(source, new RegExp(`^export (async )?function ${symbol}\\b`, 'm'), `${file} has no ${symbol}`);
      }
    });

  for (const hops of WALKS)
    it(`from ${hops[0]?.name ?? ''} leads on: each hop is imported, but for what answers behind the socket`, () => {
      const unreached = hops.slice(1).filter(({ file }, i) => !hops.slice(0, i + 1).some((before) => reaches(before.file, file)));
      assert.deepEqual(
        unreached.map(({ file }) => file),
        hops.some(({ file }) => file.startsWith('src/doors/')) ? ['src/doors/serve-connection.ts', 'src/doors/serve-answers.ts'] : [],
      );
    });
});

/** Whether `from` imports `to`, or a file of which it knows the name, through at most two others. */
function reaches(from: string, to: string, depth = 3): boolean {
  if (depth === 0) return false;
  const source = fs.readFileSync(path.join(ROOT, from), 'utf8');
  const imported = [...source.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, name = '']) => path.join(path.dirname(from), name));
  return imported.includes(to) || imported.some((each) => reaches(each, to, depth - 1));
}
