/** A file of tokens with a column that notp does not know is refused as a whole, also for one token or by a list. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { pamWorld, type PamWorld } from '../../doors/pam-world.ts';
import { KEY } from '../../formats/token-files.ts';
import { run } from '../../support/process.ts';
import { addUser, lacks, SOURCE_NOTP } from '../../support/world.ts';
import { assertRefused } from '../codes/own-codes.ts';

describe('a file of tokens', { skip: lacks({ root: true }) }, () => {
  let world: PamWorld;
  before(async () => {
    world = await pamWorld('token-columns');
  });

  it('with an unknown column is refused, and the column is named', async () => {
    const { name } = addUser();
    const [file, list] = ['tokens.csv', 'owners.csv'].map((each) => path.join(world.folder, each)) as [string, string];
    fs.writeFileSync(file, `upn,serial number,secret key,hash used\n${name},4711,${KEY},SHA256\n`, { mode: 0o600 });
    fs.writeFileSync(list, `${name},4711\n`, { mode: 0o600 });
    for (const words of [[], ['--user', name], ['--user', name, '--serial', '4711'], ['--assign', list], ['--dry-run']])
      assertRefused(
        await run([...SOURCE_NOTP, 'import', '--from', 'csv', '--file', file, ...words, '--config', world.config]),
        2,
        /tokens\.csv has columns that notp does not know: "hash used"\nnotp: hint: remove those /,
      );
  });
});
