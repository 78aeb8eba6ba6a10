/** `notp audit report`: logins, refusals and sources of each user, by day. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { columnsOf } from '../../../src/terminal/columns.ts';
import { auditWorld, login, type AuditWorld } from './log.ts';

const ALL = ['report', '--since', '2026-03-01'];
let world: AuditWorld;
before(() => {
  world = auditWorld('audit-report');
  const strangers = Array.from({ length: 100 }, (_, i): ReturnType<typeof login> => {
    const [time, { uid: _uid, ...record }] = login('2026-03-03T13:00:00', '0000ff00', `stranger${String(i)}`, 'not_enrolled');
    return [time, { ...record, rhost: `203.0.113.${String(i)}` }];
  });
  world.write(world.log, strangers);
});

describe('the report', () => {
  it('has a bar for each day of each user, the reasons and the sources, at 80 columns', async () => {
    const shown = await world.shown([...ALL, '--until', '2026-03-03 12:30'], 80, { NO_COLOR: '1' });
    assert.equal(
      shown,
      `alice: 2 in, 3 refused
  2026-03-01 1 in             ████████
  2026-03-03 1 in, 3 refused  ███████░░░░░░░░░░░░░░░░░░░░░░░
  refused: wrong_code 1, replayed 1, store_unavailable 1
  from: 192.0.2.7 (3), 198.51.100.9 (2)

bob: 2 in
  2026-03-02 2 in             ███████████████
  from: 2001:db8:1:2:3:4:5:6 (1), 192.0.2.7 (1)
`,
    );
  });

  it('fits 40 columns, and is ASCII where the terminal shows no more', async () => {
    const shown = await world.shown([...ALL, '--user', 'alice'], 40, { LC_ALL: 'C', NO_COLOR: '1' });
    assert.equal(
      shown,
      `alice: 2 in, 3 refused
  03-01 1 in             ####
  03-03 1 in, 3 refused  ####-----------
  refused: wrong_code 1, replayed 1,
           store_unavailable 1
  from: 192.0.2.7 (3), 198.51.100.9 (2)
`,
    );
    const unicode = await world.shown(ALL, 40, { NO_COLOR: '1' });
    assert.ok(
      unicode.split('\n').every((line) => columnsOf(line) <= 40),
      unicode,
    );
  });

  it('has colours on a terminal that knows them, and none in a pipe', async () => {
    assert.ok((await world.shown(ALL, 80)).includes('\u001b[31m░'));
    assert.ok(!(await world.audit(ALL)).stdout.includes('\u001b'));
  });

  it('counts names that nobody has as one, and keeps no more than 64 sources', async () => {
    const { stdout } = await world.audit([...ALL, '--json']);
    const users = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { user: string | null; refused: number; sources: object; other_sources: number });
    assert.deepEqual(
      users.map(({ user }) => user),
      ['alice', 'bob', null],
    );
    const [alice, , strangers] = users;
    assert.deepEqual(alice, {
      ...{ user: 'alice', logins: 2, refused: 3, refusals: { wrong_code: 1, replayed: 1, store_unavailable: 1 } },
      ...{ sources: { '192.0.2.7': 3, '198.51.100.9': 2 }, other_sources: 0 },
      days: [
        { day: '2026-03-01', logins: 1, refused: 0, refusals: {} },
        { day: '2026-03-03', logins: 1, refused: 3, refusals: { wrong_code: 1, replayed: 1, store_unavailable: 1 } },
      ],
    });
    assert.deepEqual([strangers?.refused, Object.keys(strangers?.sources ?? {}).length, strangers?.other_sources], [100, 64, 36]);
    assert.match(await world.shown(ALL, 80), /\(unknown names\): 0 in, 100 refused/);
  });

  it('is of the last 30 days unless told, and says where there is nothing in them', async () => {
    const old = auditWorld('audit-report-old');
    for (const file of [`${old.log}.1`, `${old.log}.2.gz`]) fs.rmSync(file);
    const { code, stdout, stderr } = await old.audit(['report']);
    assert.deepEqual([code, stdout], [0, '']);
    assert.match(stderr, /notp: hint: no login and no refusal in that time; use an earlier --since to look further back/);
    old.write(old.log, [login(new Date(Date.now() - 86_400_000).toISOString().slice(0, 19), '00000009', 'alice', undefined)]);
    assert.match((await old.audit(['report'])).stdout, /^alice: 1 in\n/);
    assert.equal((await old.audit(['report', '--json', '--user', 'bob'])).stdout, '');
  });

  it('tells in its help how to use it', async () => {
    const { code, stdout } = await world.audit(['report', '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /Examples:\n {2}notp audit report --since 7d\n/);
  });
});
