/** `notp audit` with filters: which records, from which files, as JSON lines and as a table. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run } from '../../support/process.ts';
import { SOURCE_NOTP } from '../../support/world.ts';
import { entryOf } from '../../../src/audit/entry.ts';
import { printRecord } from '../../../src/audit/record.ts';
import { rowOf } from '../../../src/commands/audit/table.ts';
import { columnsOf } from '../../../src/terminal/columns.ts';
import { auditWorld, login, type AuditWorld } from './log.ts';

let world: AuditWorld;
before(() => {
  world = auditWorld('audit-filters');
});

async function objects(schema: string, ...words: string[]): Promise<readonly object[]> {
  const { code, stdout, stderr } = await world.audit(['--format', schema, ...words]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
}

describe('the records that a filter lets through', () => {
  it('were not those of rotated files that are older than their records, as the clock was ahead', async () => {
    const folder = path.dirname(world.log);
    const rotated = fs.readdirSync(folder).filter((name) => name.startsWith(`${path.basename(world.log)}.`));
    assert.ok(rotated.length > 0);
    for (const name of rotated) fs.utimesSync(path.join(folder, name), 1, 1);
    assert.deepEqual(await world.refs(['--since', '2026-03-02T10:00:30', '--until', '2026-03-03T09:00:00']), ['00000004', '00000005']);
  });

  for (const [words, refs] of [
    [
      ['--user', 'bob'],
      ['3', '4'],
    ],
    [['--event', 'login', '--user', 'alice', '--reason', 'replayed', '--context', 'ssh', '--rhost', '198.51.100.9'], ['6']],
    [
      ['--since', '2026-03-02', '--until', '2026-03-03T09:15:00Z'],
      ['3', '4', '5'],
    ],
    [
      ['--user', 'alice', '-n', '2'],
      ['7', '8'],
    ],
    [
      ['-n', '6'],
      ['3', '4', '5', '6', '7', '8'],
    ],
    [[], ['1', '2', '3', '4', '5', '6', '7', '8']],
    [['--since', '1h'], []],
  ] as const) {
    it(`are ${refs.join(', ') || 'none'} for ${words.join(' ') || 'none'}, oldest first and from rotated files too`, async () => {
      assert.deepEqual(
        await world.refs(words),
        refs.map((ref) => ref.padStart(8, '0')),
      );
    });
  }

  it('are printed as they stand in the log', async () => {
    const { stdout } = await world.audit(['--since', '2026-03-03']);
    assert.equal(stdout, fs.readFileSync(world.log, 'utf8'));
  });

  for (const [schema, refOf] of [
    ['ecs', (line: object) => (line as { notp: { ref: string } }).notp.ref],
    ['ocsf', (line: object) => (line as { metadata: { correlation_uid: string } }).metadata.correlation_uid],
  ] as const) {
    it(`are printed in the schema ${schema}, an object on each line, also those of one reference`, async () => {
      assert.deepEqual((await objects(schema, '--user', 'bob')).map(refOf), ['00000003', '00000004']);
      assert.deepEqual((await objects(schema, '-n', '2')).map(refOf), ['00000007', '00000008']);
      assert.deepEqual((await objects(schema, '--ref', '00000005')).map(refOf), ['00000005']);
    });
  }

  it('end without a complaint where the reader has seen enough', async () => {
    const command = `${[...SOURCE_NOTP, 'audit', '--config', world.own.config].join(' ')} --event login; echo $? >&2`;
    const { stdout, stderr } = await run(['sh', '-c', `{ ${command}; } | true`]);
    assert.deepEqual([stdout, stderr], ['', '0\n']);
  });
});

describe('a filter that cannot be', () => {
  for (const [words, message] of [
    [
      ['--event', 'logins'],
      /It must be one of login\.accepted, .*outage\.conflict, audit\.resumed, doctor\.changed, login, host_key, rules, fleet, outage, audit, doctor/,
    ],
    [['--ref', '12345'], /It must be the 8 hex digits at the end of a refusal/],
    [['--since', 'soon'], /It must be one of 2026-11-24, .*90m, 2h, 7d, today or yesterday/],
    [['--ref', '12345678', '--user', 'bob'], /cannot be used with/],
    [['--json', '--table'], /cannot be used with/],
    [['--format', 'ecs', '--table'], /cannot be used with/],
    [['--format', 'cef'], /Allowed choices are ecs, ocsf/],
  ] as const) {
    it(`is told with what is known: ${words.join(' ')}`, async () => {
      const { code, stdout, stderr } = await world.audit(words);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    });
  }
});

describe('the table', () => {
  it('of 80 columns has a line for each record below a line for each day', async () => {
    const shown = await world.shown(['--since', '2026-03-02'], 80, { NO_COLOR: '1' });
    assert.equal(
      shown,
      `2026-03-02
10:00:00 00000003 bob          accepted by a code          gate 2001:db8:1:2:3:…
10:00:30 00000004 bob/deploy   accepted by a code          cli  192.0.2.7
2026-03-03
08:30:00 00000005 alice        refused: wrong_code         gate 192.0.2.7
09:15:00 00000006 alice        refused: replayed           gate 198.51.100.9
09:15:40 00000007 alice        accepted by a code          gate 198.51.100.9
12:00:00 00000008 alice        refused: store_unavailable  gate 192.0.2.7
`,
    );
  });

  it('cuts nothing of what happened, at the longest a login by a recovery code', () => {
    const [, record] = login('', '00000009', 'alice', undefined, { method: 'recovery' });
    const entry = entryOf(printRecord(record, undefined, 0));
    assert.ok(entry !== undefined);
    const traits = { columns: 80, colour: false, utf8: true };
    assert.match(rowOf(entry, { traits, context: 'ssh' }), / accepted by a recovery code gate 192\.0\.2\.7\n$/);
  });

  it('of 40 columns takes two lines for each, and nothing is wider', async () => {
    const shown = await world.shown(['--user', 'bob'], 40, { NO_COLOR: '1' });
    assert.equal(
      shown,
      `2026-03-02
10:00:00 00000003 bob
  accepted by a code  gate  2001:db8:1:…
10:00:30 00000004 bob/deploy
  accepted by a code  cli  192.0.2.7
`,
    );
    assert.ok(shown.split('\n').every((line) => columnsOf(line) <= 40));
  });

  it('is in the local time, red where somebody was refused, and plain for NO_COLOR, a dumb terminal and a pipe', async () => {
    const refused = ['--reason', 'wrong_code'];
    assert.match(
      await world.shown(refused, 80, { TZ: 'Asia/Kolkata' }),
      /^\S+2026-03-03\S+\n14:00:00 00000005 alice +\S\[31mrefused: wrong_code +\S\[39m gate/,
    );
    for (const environment of [{ NO_COLOR: '1' }, { TERM: 'dumb' }])
      assert.ok(!(await world.shown(refused, 80, environment)).includes('\u001b'));
    const piped = await world.audit([...refused, '--table']);
    assert.equal(piped.stdout, '2026-03-03\n08:30:00 00000005 alice        refused: wrong_code         gate 192.0.2.7\n');
  });

  it('gives way to JSON lines where they are asked for', async () => {
    assert.match(await world.shown(['--reason', 'wrong_code', '--json'], 80), /^\{"time":"2026-03-03T08:30:00\.000Z".*\}\n$/);
  });

  it('shows names and lines of somebody else as data, never as control of the terminal', async () => {
    const other = auditWorld('audit-hostile');
    other.write(other.log, [login('2026-03-04T10:00:00', '00000009', 'x\u001b[2Jy', 'wrong_code', { rhost: '\u202e\n' })]);
    fs.appendFileSync(other.log, 'not \u001b[31m a record\n');
    for (const [words, name] of [
      [['--table'], /x\\u001b\[2J/],
      [['--json'], /x\\u001b\[2Jy/],
    ] as const) {
      const shown = await other.shown(['-n', '2', ...words], 80, { NO_COLOR: '1' });
      assert.match(shown, name);
      assert.match(shown, /not \\u001b\[31m a record/);
      assert.ok(!shown.includes('\u001b') && !shown.includes('\u202e'), shown);
    }
    assert.deepEqual(await other.refs(['--reason', 'wrong_code']), ['00000005', '00000009']);
  });
});
