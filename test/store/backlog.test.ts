/** A line that waits comes back byte for byte, wherever its characters stand. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ENGINES, type Database } from './engines.ts';

for (const { name, skip, ready } of ENGINES) {
  describe(`a line that waits in ${name}`, { skip }, () => {
    let database: Database;
    let seq = 5;
    before(async () => {
      const make = await ready('backlog');
      database = await make();
    });

    const throughStore = async (line: string): Promise<string | undefined> => {
      const store = database.open();
      try {
        return await store.exclusively(async (transaction) => {
          seq++;
          assert.ok(await transaction.keepLine({ seq, line }));
          await transaction.moveHead({ seq, hash: 'a'.repeat(64) }, 1);
          return (await transaction.backlog())[0]?.line;
        });
      } finally {
        store.close();
      }
    };

    it('had blanks in it where a part ended before a character of several bytes, and was dropped with all before it', async () => {
      for (const character of ['é', '漢', '😀'])
        for (let ahead = 505; ahead <= 515; ahead++) {
          const line = `${'a'.repeat(ahead)}${character.repeat(300)} \n`;
          assert.equal(await throughStore(line), line, `${String(ahead)} ${character}`);
        }
    });

    it('is the same, whatever it holds', async () => {
      const text = fc.string({ unit: 'grapheme', maxLength: 2_000 }).map((each) => each.replaceAll(/[\n\0]/g, ' ').toWellFormed());
      await fc.assert(
        fc.asyncProperty(text, async (line) => {
          assert.equal(await throughStore(`${line}\n`), `${line}\n`);
        }),
        { numRuns: 50 },
      );
    });
  });
}
