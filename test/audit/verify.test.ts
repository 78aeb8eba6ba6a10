/** Verifying a log of several files: each kind of tampering is found, with the file, the line and what it is. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { verifyLog } from '../../src/audit/verify.ts';
import { rowMac } from '../../src/seal/keys.ts';
import type { ChainHead, Mark } from '../../src/store/store.ts';
import { scratchFolder } from '../support/world.ts';
import { NO_HEAD, writeLongLog } from './long-log.ts';

const KEY = new Uint8Array(32).fill(7);
const EACH = 100;

function part(file: string, from: ChainHead): ChainHead {
  return writeLongLog({ file, records: EACH, startMs: from.seq * 1000, everyMs: 1000, key: KEY, head: from });
}

function at(lines: readonly string[], i: number): string {
  return lines[i] ?? assert.fail();
}

/** A line that claims to be record `seq`. */
function forged(lines: readonly string[], seq: number): string {
  return at(lines, 50).replace(/"seq":\d+/, `"seq":${String(seq)}`);
}

function above(seq: number): string {
  return `the store has a mark of record ${String(seq)}, and the log ends at 230: the log was cut off or rewritten, and its head in the store moved back`;
}

describe('verifying a log that was rotated twice', () => {
  const folder = scratchFolder('audit-tampered');
  const log = path.join(folder, 'audit.log');
  const [packed, older] = [`${log}.2.gz`, `${log}.1`];
  let head: ChainHead;

  beforeEach(() => {
    for (const file of fs.readdirSync(folder)) fs.rmSync(path.join(folder, file));
    const plain = `${log}.2`;
    head = part(log, part(older, part(plain, NO_HEAD)));
    fs.writeFileSync(packed, gzipSync(fs.readFileSync(plain)));
    fs.rmSync(plain);
  });

  const problem = async (): Promise<string | undefined> => (await verifyLog(log, { known: head, keys: [KEY] })).problems[0];
  const edit = (file: string, change: (lines: string[]) => readonly string[]): void => {
    const bytes = fs.readFileSync(file);
    const text = change(String(file === packed ? gunzipSync(bytes) : bytes).split(/(?<=\n)/)).join('');
    fs.writeFileSync(file, file === packed ? gzipSync(text) : text);
  };

  it('was called broken where a crash had left a record, and the true one of that number and the next wait in the state', async () => {
    const lines = fs.readFileSync(log, 'utf8').split(/(?<=\n)/);
    const [last, before] = [at(lines, EACH - 1), at(lines, EACH - 2)];
    const crashed = last.replace(/"ref":"[0-9a-f]+"/, '"ref":"00000000"');
    assert.notEqual(crashed, last);
    const crashedBefore = before.replace(/"ref":"[0-9a-f]+"/, '"ref":"00000000"');
    for (const [left, waiting] of [
      [[...lines.slice(0, EACH - 1), crashed], [last]],
      [
        [...lines.slice(0, EACH - 2), crashedBefore],
        [before, last],
      ],
      // What has come to the file since is looked at once.
      [
        [...lines.slice(0, EACH - 2), crashedBefore, before, last],
        [before, last],
      ],
    ] as const) {
      fs.writeFileSync(log, left.join(''));
      const backlog = waiting.map((line) => ({ seq: Number(/"seq":(\d+)/.exec(line)?.[1]), line }));
      const report = await verifyLog(log, { known: head, keys: [KEY], backlog });
      assert.deepEqual(report.problems, []);
      assert.deepEqual([report.cutOff, report.last?.seq], [1, 3 * EACH]);
    }
  });

  it('was called broken for ever where a full disk had cut a line off behind a brace that a user had put into it', async () => {
    const lines = fs.readFileSync(log, 'utf8').split(/(?<=\n)/);
    const long = at(lines, 50).replace('"event"', `"tty":"${'}'.repeat(40)}","event"`);
    for (const end of [long.indexOf('}') + 1, long.indexOf('}') + 30, 1, long.length - 3]) {
      fs.writeFileSync(log, [...lines.slice(0, 51), `${long.slice(0, end)}\n`, ...lines.slice(51)].join(''));
      const { problems, cutOff } = await verifyLog(log, { known: head, keys: [KEY] });
      assert.deepEqual([problems, cutOff], [[], 1], long.slice(0, end));
    }
  });

  it('finds it whole as it was written', async () => {
    const report = await verifyLog(log, { known: head, keys: [KEY] });
    assert.deepEqual(report.problems, []);
    assert.deepEqual([report.first, report.records, report.last?.seq], [1, 3 * EACH, 3 * EACH]);
  });

  for (const [name, file] of [
    ['packed', packed],
    ['older', older],
    ['current', log],
  ] as const) {
    it(`finds a record that was edited, removed, moved, doubled or put in, in the middle of the ${name} file`, async () => {
      const changes: [(lines: string[]) => readonly string[], RegExp][] = [
        [(lines) => lines.with(50, at(lines, 50).replace('192.0.2', '192.0.9')), /:52: does not follow/],
        [(lines) => lines.toSpliced(50, 1), /:51: is record \d+, and 1 before it are missing/],
        [(lines) => lines.toSpliced(50, 2, at(lines, 51), at(lines, 50)), /:51: is record \d+, and 1 before it are missing/],
        [(lines) => lines.toSpliced(50, 0, at(lines, 49)), /:51: is record \d+, which is there twice/],
        [(lines) => lines.toSpliced(80, 0, at(lines, 9)), /:81: is record \d+, which does not belong here/],
        [(lines) => lines.toSpliced(50, 0, '\n'), /:51: is not a record/],
      ];
      for (const [change, message] of changes) {
        const before = fs.readFileSync(file);
        edit(file, change);
        const found = (await problem()) ?? assert.fail(String(change));
        assert.ok(found.startsWith(`${file}:`), found);
        assert.match(found, message);
        fs.writeFileSync(file, before);
      }
    });
  }

  it('tells where a line stands in the place of a record, as a crash leaves one and as somebody may have put it', async () => {
    edit(older, (lines) => lines.toSpliced(50, 0, at(lines, 50).replace(/"ref":"\w+"/, '"ref":"11111111"')));
    const report = await verifyLog(log, { known: head, keys: [KEY] });
    assert.deepEqual([report.problems, report.cutOff, report.cutOffAt], [[], 1, [`${older}:51`]]);
  });

  it('misses the first record after a rotation, and the last before it', async () => {
    edit(log, (lines) => lines.slice(1));
    assert.equal(await problem(), `${log}:1: is record 202, and 1 before it are missing`);
    edit(older, (lines) => lines.slice(0, -1));
    assert.equal(await problem(), `${log}:1: is record 202, and 2 before it are missing`);
  });

  it('misses a whole file in the middle, and tells from where on it can prove where the oldest is gone', async () => {
    fs.rmSync(older);
    assert.equal(await problem(), `${log}:1: is record 201, and 100 before it are missing`);
    fs.rmSync(packed);
    const report = await verifyLog(log, { known: head, keys: [KEY] });
    assert.deepEqual([report.problems, report.first], [[], 201]);
  });

  it('misses what was cut off: a byte, a line, the log itself, all of it', async () => {
    fs.truncateSync(log, fs.statSync(log).size - 1);
    assert.equal(await problem(), `${log}: the last 1 records are missing, or the record before them was changed`);
    edit(log, (lines) => lines.slice(0, -1));
    assert.equal(await problem(), `${log}: the last 1 records are missing, or the record before them was changed`);
    fs.rmSync(log);
    assert.equal(await problem(), `${log}: the last 100 records are missing, or the record before them was changed`);
    fs.rmSync(older);
    fs.writeFileSync(packed, gzipSync(''));
    assert.equal(await problem(), `${log}: the last 300 records are missing, or the record before them was changed`);
  });

  it('finds the last record changed, which only the store can tell', async () => {
    edit(log, (lines) => lines.with(99, at(lines, 99).replace('192.0.2', '192.0.9')));
    assert.equal(await problem(), `${log}: record 300, the last that was written, was changed`);
  });

  it('was called what a changed mark tells of, where the key that had signed the mark was retired since', async () => {
    const newer = new Uint8Array(32).fill(8);
    const signed = new Uint8Array(Buffer.from('a mark'));
    const marks = new Map([[250, { hash: 'f'.repeat(64), mac: rowMac(KEY, signed), signed }]]);
    const found = async (keys: readonly Uint8Array[], storedKeys: readonly Uint8Array[] = []): Promise<string> =>
      (await verifyLog(log, { known: head, keys, storedKeys, marks })).problems.join('\n');
    assert.match(await found([newer, KEY]), /:50: is not record 250 as the store knew it: the log was rewritten/);
    const byStored = await found([newer, KEY, Uint8Array.from(KEY)], [Uint8Array.from(KEY)]);
    assert.match(
      byStored,
      /:50: is not record 250 as the store's mark has it; the mark is signed with an earlier key, which the store itself keeps/,
    );
    assert.doesNotMatch(byStored, /as the store knew it/, 'whoever administers the database can sign with that key');
    marks.set(250, { hash: 'f'.repeat(64), mac: rowMac(newer, Buffer.from('another')), signed });
    assert.match(
      await found([newer, KEY]),
      /:50: is not record 250 as the store's mark has it; the mark is not signed with any key that is here/,
    );
  });

  it('was whole where it ended before marks of the store, and its head there had been moved back to that end', async () => {
    const signed = new Uint8Array(Buffer.from('a mark'));
    const mark = { hash: 'f'.repeat(64), mac: rowMac(KEY, signed), signed };
    const end = 230;
    const known = { seq: end, hash: (JSON.parse(at(fs.readFileSync(log, 'utf8').split('\n'), end - 200)) as { prev: string }).prev };
    edit(log, (lines) => lines.slice(0, end - 200));
    const found = async (numbers: readonly number[], from: ChainHead, keys = [KEY]): Promise<readonly string[]> =>
      (await verifyLog(log, { known: from, keys, marks: new Map(numbers.map((seq) => [seq, mark])) })).problems;
    assert.deepEqual(await found([], known), []);
    assert.deepEqual(await found([300, 250], known), [above(250), above(300)]);
    assert.match((await found([250], known, [new Uint8Array(32).fill(8), KEY])).join(), /the log was cut off/);
    const [missing, ...more] = await found([250], head);
    assert.match(missing ?? '', /the last 70 records are missing/);
    assert.deepEqual(more, [], 'the store knows that there were more');
    // Somebody who can only write to the database has added it.
    mark.mac = rowMac(new Uint8Array(32).fill(9), signed);
    assert.match((await found([250], known)).join(), /log ends at 230; the mark is not signed with any key that is here/);
    fs.rmSync(log);
    fs.rmSync(older);
    fs.rmSync(packed);
    fs.writeFileSync(log, '');
    mark.mac = rowMac(KEY, signed);
    assert.match((await found([50], NO_HEAD)).join(), /a mark of record 50, and the log ends at 0:/);
  });

  it('is whole where rotated files with marked records are gone, and where records are written or wait while it is read', async () => {
    const hashes = new Map(
      [...fs.readFileSync(log, 'utf8').matchAll(/"seq":(\d+),"prev":"([0-9a-f]+)"/g)].map(([, seq, prev]) => [Number(seq) - 1, prev]),
    );
    const mark = (seq: number): [number, Mark] => [seq, { hash: hashes.get(seq) ?? 'f'.repeat(64), mac: '', signed: new Uint8Array() }];
    const marks = new Map([50, 100, 150, 250].map(mark));
    for (const file of [older, packed]) fs.rmSync(file);
    const whole = async (known: ChainHead, lines: readonly string[], backlog: readonly string[]): Promise<readonly string[]> => {
      fs.writeFileSync(log, lines.join(''));
      const waiting = backlog.map((line, i) => ({ seq: known.seq - backlog.length + 1 + i, line }));
      return (await verifyLog(log, { known, headNow: () => Promise.resolve(head), keys: [KEY], marks, backlog: waiting })).problems;
    };
    const lines = fs.readFileSync(log, 'utf8').split(/(?<=\n)/);
    const at250 = { seq: 250, hash: hashes.get(250) ?? '' };
    assert.deepEqual(await whole(head, lines, []), []);
    assert.deepEqual(await whole(at250, lines, []), []);
    assert.deepEqual(await whole(at250, lines.slice(0, 45), lines.slice(45, 50)), []);
    assert.deepEqual(await whole(head, lines.slice(0, 45), lines.slice(45)), []);
  });

  it('names a packed file that ends too early or was damaged, and how far it goes', async () => {
    const bytes = fs.readFileSync(packed);
    fs.truncateSync(packed, bytes.length - 200);
    assert.match((await problem()) ?? '', /audit\.log\.2\.gz: .*, after line \d+$/);
    fs.writeFileSync(packed, bytes.with(bytes.length - 6, (bytes.at(-6) ?? 0) ^ 1));
    assert.match((await problem()) ?? '', /audit\.log\.2\.gz: .*, after line \d+$/);
  });

  it('goes through no more than the last bytes it is told, without what is packed, and names what is wrong among them', async () => {
    const size = fs.statSync(log).size;
    const end = async (lastBytes: number): Promise<unknown> => {
      const {
        problems: [wrong],
        first,
        records,
      } = await verifyLog(log, { known: head, keys: [KEY], lastBytes });
      return wrong ?? [first, records];
    };
    assert.deepEqual(
      [await end(size - 1), await end(size), await end(Infinity)],
      [
        [202, 99],
        [201, 100],
        [101, 200],
      ],
    );
    edit(older, (lines) => lines.with(50, at(lines, 50).replace('192.0.2', '192.0.9')));
    assert.deepEqual(await end(size + 500), [200, 101]);
    assert.equal(await end(Infinity), `${older}:52: does not follow from the record before it: one of the two was changed`);
    edit(log, (lines) => lines.with(50, at(lines, 50).replace('192.0.2', '192.0.9')));
    assert.match(String(await end(size - 1)), /audit\.log after byte 1:52: does not follow/);
    assert.match(String(await end(1)), /the last 300 records are missing/);
  });

  it('names every problem up to the end, and of a flood of one kind the first twenty and how many more', async () => {
    edit(packed, (lines) => lines.toSpliced(10, 5));
    edit(older, (lines) => lines.toSpliced(50, 0, ...Array<string>(1_000).fill('junk\n')));
    fs.appendFileSync(older, `${'x'.repeat(2_000_000)}\n`);
    edit(log, (lines) => lines.with(50, at(lines, 50).replace('192.0.2', '192.0.9')));
    const { problems } = await verifyLog(log, { known: head, keys: [KEY] });
    assert.equal(problems.length, 1 + 20 + 1 + 1 + 1);
    assert.match(problems[0] ?? '', /\.2\.gz:11: is record 16, and 5 before it are missing$/);
    assert.match(problems[20] ?? '', /\.1:70: is not a record$/);
    assert.match(problems[21] ?? '', /\.1:1101: is longer than any record$/);
    assert.match(problems[22] ?? '', /\.log:52: does not follow/);
    assert.match(problems[23] ?? '', /^980 more of this kind, the last: .*\.1:1050: is not a record$/);
  });

  it('goes on at the right record behind one that was put in, however it claims to be linked', async () => {
    for (const seq of [5, 151, 152, 9_999]) {
      const whole = fs.readFileSync(older);
      edit(older, (lines) => lines.toSpliced(50, 0, forged(lines, seq)).with(80, at(lines, 79).replace('192.0.2', '192.0.9')));
      const { problems } = await verifyLog(log, { known: head, keys: [KEY] });
      assert.match(problems.at(-1) ?? '', /\.1:82: does not follow/, String(seq));
      assert.ok(problems.length <= 2, String(problems));
      fs.writeFileSync(older, whole);
    }
  });

  it('names a file with a line that is longer than any record', async () => {
    fs.appendFileSync(older, 'x'.repeat(2_000_000));
    assert.equal(await problem(), `${older}:101: is longer than any record`);
  });

  it('takes the file that logrotate is about to pack, and not its unfinished copy', async () => {
    fs.writeFileSync(`${older}.gz`, gzipSync(fs.readFileSync(older)).subarray(0, 50));
    assert.equal(await problem(), undefined);
  });
});
