/** The list of a batch: who of it can be enrolled, and what is said of the other lines. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { peopleIn, readList } from '../../../src/commands/enroll/batch-list.ts';
import { defaultConfig } from '../../../src/system/config.ts';
import { addUser, lacks, scratchFolder } from '../../support/world.ts';

const WAITING = { deadlineMs: Infinity, interrupt: new AbortController().signal } as const;

describe('a list of users', { skip: lacks({ root: true, programs: [] }) }, () => {
  it('names each once, with its line; comments and blank lines are none', () => {
    const [one, two] = [addUser(), addUser()];
    const text = `# people\n\n${one.name}\n  ${two.name}   # second\n${one.name}\nnobody-there\nno user name\nnobody#1 # a remark\n`;
    const { people, unfit } = peopleIn(text, '/tmp/list', defaultConfig());
    assert.deepEqual(
      people.map(({ user, at }) => [user.name, at]),
      [
        [one.name, '/tmp/list:3'],
        [two.name, '/tmp/list:4'],
      ],
    );
    assert.deepEqual(unfit, [
      { at: '/tmp/list:6', why: 'there is no user "nobody-there"' },
      { at: '/tmp/list:7', why: 'there is no user "no user name": write one name on each line' },
      { at: '/tmp/list:8', why: 'there is no user "nobody#1"' },
    ]);
  });

  it('says of whom the home is missing, or open to others', () => {
    const [gone, open] = [addUser(), addUser()];
    fs.rmSync(gone.home, { recursive: true });
    fs.chmodSync(open.home, 0o777);
    const { people, unfit } = peopleIn(`${gone.name}\n${open.name}\n`, '-', defaultConfig());
    assert.deepEqual(people, []);
    assert.deepEqual(unfit[0], { at: 'stdin:1', why: `${gone.name}: there is no folder ${gone.home}` });
    assert.match(unfit[1]?.why ?? '', new RegExp(`^${open.name}: ${open.home}`));
  });

  it('is refused where it names nobody at all, is not there, or is too long', async () => {
    assert.throws(() => peopleIn('# nobody\n', '-', defaultConfig()), { code: 'usage', message: 'stdin names no user' });
    const folder = scratchFolder('batch-list');
    await assert.rejects(readList(path.join(folder, 'none'), WAITING), { code: 'usage', message: /none: / });
    const file = path.join(folder, 'long');
    fs.writeFileSync(file, '\uFEFFalice\n');
    assert.equal(await readList(file, WAITING), 'alice\n');
    fs.truncateSync(file, 1024 * 1024 + 1);
    await assert.rejects(readList(file, WAITING), { code: 'usage', message: /is over 1048576 bytes/ });
  });
});
