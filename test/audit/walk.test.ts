/** Walking along the chain: the link of a line is what JSON says it is, and every changed byte shows. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { hashOf, nextLink } from '../../src/audit/chain.ts';
import { printRecord, type AuditRecord } from '../../src/audit/record.ts';
import { atEnd, isAt, linkOf, linkOfBytes, MAX_CUT_OFF, startOf, step, type ChainKey, type Walk } from '../../src/audit/walk.ts';
import type { ChainHead } from '../../src/store/store.ts';
import { NO_HEAD, nthRecord } from './long-log.ts';

const UNLOCKED = { event: 'unlock', result: 'done', ref: '0000aaaa' } as const;
const [KEY, NEWER, NEWEST] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));

/** Lines of a chain, the i-th under `keys[i]`, and its head; `after` a head, of what happens from record `first` on. */
function chain(
  keys: readonly ChainKey[],
  after = NO_HEAD,
  first = 0,
  as: Partial<AuditRecord> = {},
): { readonly lines: Buffer[]; readonly head: ChainHead } {
  let head = after;
  const lines = keys.map((key, i) => {
    const line = Buffer.from(printRecord({ ...nthRecord(first + i), ...as }, nextLink(head), i * 1000));
    head = { seq: head.seq + 1, hash: hashOf(line, key) };
    return line;
  });
  return { lines, head };
}

/** How often the store was put back, by the walk along `lines` to its end, after which the store knows no record after number `seq`. */
function putBack(lines: readonly Buffer[], seq?: number, known = NO_HEAD): readonly string[] {
  const walk = lines.reduce((each, line, i) => step(each, { line, place: String(i + 1), keys: [KEY] }).walk, startOf([KEY], known));
  return atEnd(walk, seq).putBack.map(({ text }) => text);
}

/** The walk along all `lines`, or what is wrong, with the number of the line. */
function walked(lines: readonly Buffer[], keys: readonly ChainKey[]): Walk | string {
  let walk = startOf(keys, NO_HEAD);
  for (const [i, line] of lines.entries()) {
    const { walk: next, problem } = step(walk, { line, place: '', keys });
    if (problem !== undefined) return `${String(i + 1)}: ${problem.text}`;
    walk = next;
  }
  return walk;
}

/** What is wrong; empty where nothing is. */
function said(walk: Walk | string): string {
  return typeof walk === 'string' ? walk : '';
}

function isWhole(lines: readonly Buffer[], head: ChainHead, keys: readonly ChainKey[]): boolean {
  const walk = walked(lines, keys);
  return typeof walk !== 'string' && isAt(walk, head, keys);
}

describe('the link of a line', () => {
  it('is read from its end as JSON reads it, whatever the texts before it hold', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom(
        `,"seq":7,"prev":"${'a'.repeat(64)}"}`,
        `\\",\\"seq\\":7,\\"prev\\":\\"${'a'.repeat(64)}\\"}\n`,
        `x\\","seq":7,"prev":"${'a'.repeat(64)}"}`,
        '\\',
        '"',
      ),
    );
    fc.assert(
      fc.property(hostile, hostile, fc.nat(), fc.boolean(), (user, detail, seq, linked) => {
        const link = linked ? { seq: seq + 1, prev: 'b'.repeat(64) } : undefined;
        const line = printRecord({ ...nthRecord(1), user, detail }, link, 0);
        assert.deepEqual(linkOfBytes(Buffer.from(line)), link ?? 'none');
        assert.deepEqual(linkOf(line), link ?? 'none');
      }),
    );
  });

  it('inside a text at the end of a line is none of the record', () => {
    const link = `,"seq":7,"prev":"${'a'.repeat(64)}"}`;
    for (const line of [
      JSON.stringify({ event: 'enroll', detail: link }),
      JSON.stringify({ event: 'enroll', detail: link }).replace('\\"}"}', '\\"}"} '),
      `{"event":"enroll","detail":{"a":1${link}}`,
    ])
      assert.equal(linkOfBytes(Buffer.from(`${line}\n`)), 'none', line);
    for (const line of ['', '[]', 'null', '{}', `{"time":"",${link}}`, '"event"'])
      assert.equal(linkOfBytes(Buffer.from(`${line}\n`)), undefined, line);
  });
});

describe('a chain', () => {
  for (const [name, key] of [
    ['with a key', KEY],
    ['without a key', undefined],
  ] as const) {
    it(`${name} is whole as it was written, and never with another byte in it`, () => {
      const { lines, head } = chain([key, key, key]);
      assert.ok(isWhole(lines, head, [key]));
      const all = Buffer.concat(lines);
      fc.assert(
        fc.property(fc.nat({ max: all.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
          const changed = Buffer.from(all);
          changed[at] = (changed[at] ?? 0) ^ flip;
          const split = changed
            .toString('latin1')
            .split(/(?<=\n)/)
            .map((line) => Buffer.from(line, 'latin1'));
          assert.ok(!isWhole(split, head, [key]));
        }),
        { numRuns: 500 },
      );
    });
  }

  it('with another key is not whole', () => {
    const { lines, head } = chain([KEY, KEY, KEY]);
    assert.match(said(walked(lines, [NEWER])), /^2: does not follow/);
    assert.ok(!isWhole(lines.slice(0, 1), { ...head, seq: 1 }, [NEWER]));
  });

  it('goes on under the next key where the host key was rotated, once or twice, and only where both keys are known', () => {
    const { lines, head } = chain([KEY, KEY, NEWER, NEWER, NEWEST]);
    assert.ok(isWhole(lines, head, [NEWEST, NEWER, KEY]));
    assert.ok(!isWhole(lines, head, [NEWEST, KEY]));
    assert.match(said(walked(lines, [NEWEST, KEY])), /^4: does not follow/);
    const edited = lines.with(1, Buffer.from(String(lines[1]).replace('192.0.2', '192.0.3')));
    assert.match(said(walked(edited, [NEWEST, NEWER, KEY])), /^3: does not follow/);
  });

  it('went on under a former key after the present one was in use', () => {
    for (const keys of [
      [NEWER, KEY, KEY],
      [KEY, NEWER, NEWER, KEY, KEY],
    ]) {
      const { lines } = chain(keys);
      assert.match(said(walked(lines, [NEWER, KEY])), /does not follow from the record before it/);
    }
    const { lines, head } = chain([KEY, KEY, NEWER, NEWER]);
    assert.ok(isWhole(lines, head, [NEWER, KEY]));
  });

  it('was without a key until the host had one', () => {
    const { lines, head } = chain([undefined, undefined, KEY]);
    assert.ok(isWhole(lines, head, [KEY, undefined]));
    assert.ok(!isWhole(lines, head, [KEY]));
  });

  it('has no record twice, and takes another in its place for one that a crash cut off', () => {
    const { lines } = chain([KEY, KEY, KEY]);
    const [one, two, three] = lines as [Buffer, Buffer, Buffer];
    assert.match(said(walked([one, two, two, three], [KEY])), /^3: is record 2, which is there twice/);
    assert.match(said(walked([one, one], [KEY])), /^2: is record 1, which is there twice/);
    const orphan = Buffer.from(String(two).replace('"ref":"00000001"', '"ref":"99999999"'));
    const walk = walked([one, orphan, two, three], [KEY]);
    assert.ok(typeof walk !== 'string' && walk.cutOff === 1);
    // A writer that stood still for longer than anybody waits leaves its line behind the one that took its place.
    const late = walked([one, two, orphan, three], [KEY]);
    assert.ok(typeof late !== 'string' && late.cutOff === 1 && late.last?.seq === 3);
    assert.match(said(walked([one, two, orphan, orphan, three], [KEY])), /^4: is record 2, which is there twice/);
  });

  it('begins with nothing before its first record', () => {
    const line = Buffer.from(printRecord(nthRecord(0), { seq: 1, prev: 'a'.repeat(64) }, 0));
    assert.match(said(walked([line], [KEY])), /^1: is the very first record but links to one before it/);
  });

  it('does not end in the middle of a line', () => {
    const { lines } = chain([KEY, KEY]);
    const [one, two] = lines as [Buffer, Buffer];
    for (const part of [
      two.subarray(0, -1),
      two.subarray(0, 5),
      two.subarray(0, 60),
      Buffer.concat([two.subarray(0, 60), Buffer.alloc(40)]),
    ]) {
      const walk = walked([one, part], [KEY]);
      assert.ok(typeof walk !== 'string' && walk.cutOff === 1 && walk.last?.seq === 1, String(part));
    }
  });

  it('goes on after what a crash left of a line, and not after what was put in or edited', () => {
    const [one, two, three] = chain([KEY, KEY, KEY]).lines as [Buffer, Buffer, Buffer];
    for (const part of [
      '{"ti',
      String(two).slice(0, 60),
      `${String(two).slice(0, 60)}}`,
      '\0'.repeat(100),
      `{"time":"2026${'\0'.repeat(10)}`,
    ]) {
      const walk = walked([one, Buffer.from(`${part}\n`), two, three], [KEY]);
      assert.ok(typeof walk !== 'string' && walk.cutOff === 1 && walk.last?.seq === 3, part);
      assert.match(said(walked([one, Buffer.from(`${part}\n`), three], [KEY])), /^3: is record 3, and 1 before it are missing/);
    }
    const begun = walked([Buffer.from('{"time":"2026\n'), one, two], [KEY]);
    assert.ok(typeof begun !== 'string' && begun.last?.seq === 2);
    assert.match(said(walked([Buffer.from('{"time":"2026\n'), two, three], [KEY])), /^2: follows a line that is not a record/);
    for (const text of ['', 'garbage', '{"event":1}'])
      assert.match(said(walked([one, Buffer.from(`${text}\n`), two, three], [KEY])), /^2: is not a record/, text);
  });

  it('takes others in the place of all the records of one transaction that a crash cut off, and of no more', () => {
    const many = Array<ChainKey>(MAX_CUT_OFF + 4).fill(KEY);
    const { lines, head } = chain([KEY]);
    // Root may unlock many devices at once.
    const [lost, others] = [chain(many, head, 100, UNLOCKED).lines, chain(many, head, 200).lines];
    for (const count of [1, 2, MAX_CUT_OFF - 1]) {
      const all = [...lines, ...lost.slice(0, count), ...others];
      const walk = walked(all, [KEY]);
      assert.ok(typeof walk !== 'string' && walk.cutOff === count && walk.last?.seq === MAX_CUT_OFF + 5, String(count));
      assert.deepEqual(putBack(all), []);
    }
    assert.match(said(walked([...lines, ...lost.slice(0, MAX_CUT_OFF + 1), ...others], [KEY])), /is record 2, which does not belong here/);
  });

  it('took what was told for what a crash had cut off, where the state had been put back to before it', () => {
    const { lines, head } = chain([KEY, KEY, KEY]);
    const others = chain([KEY], head, 200).lines;
    // Decisions, changes, one of each, and two reports of an outage.
    const [changed, told] = [{ event: 'revoke', result: 'done' } as const, chain([KEY], head, 100)];
    for (const forgotten of [
      chain([KEY, KEY], head, 100).lines,
      chain([KEY, KEY], head, 100, changed).lines,
      [...told.lines, ...chain([KEY], told.head, 101, changed).lines],
      [
        ...chain([KEY], head, 100, { report: '00000001' }).lines,
        ...chain([KEY], chain([KEY], head, 100, { report: '00000001' }).head, 101, { report: '00000002' }).lines,
      ],
    ]) {
      const problem = /^[56]: records 4 to 5 were written and answered, but the state does not know them: an earlier state was restored/;
      assert.match(putBack([...lines, ...forgotten, ...others]).join(), problem);
      // At once, before anything has taken their place.
      assert.match(putBack([...lines, ...forgotten], 3, head).join(), problem);
      // And where the newer state comes back, of what the earlier one has told.
      const after = chain([KEY], { seq: 4, hash: hashOf(others[0] ?? assert.fail(), KEY) }, 300);
      assert.match(putBack([...lines, ...others, ...forgotten, ...after.lines]).join(), problem);
    }
  });

  it('was called put back for ever where a crash had cut off all records of one transaction', () => {
    const { lines, head } = chain([KEY, KEY, KEY]);
    const others = chain([KEY], head, 200).lines;
    const sums = chain([KEY, KEY], head, 50, { count: 7 });
    const accepted = chain([KEY], sums.head, 100);
    const spent = chain([KEY], accepted.head, 100, { event: 'recovery.used', result: 'done' });
    for (const one of [
      [...sums.lines, ...accepted.lines, ...spent.lines],
      chain([KEY, KEY, KEY], head, 100, UNLOCKED).lines,
      chain(Array<ChainKey>(40).fill(KEY), head, 100, { report: '00000001' }).lines,
    ]) {
      assert.deepEqual(putBack([...lines, ...one, ...others]), []);
      assert.deepEqual(putBack([...lines, ...one], 3, head), []);
      const walk = walked([...lines, ...one, ...others], [KEY]);
      assert.ok(typeof walk !== 'string' && walk.cutOff === one.length);
    }
  });

  it('was called put back for ever where a writer had stood still while others wrote more than one record', () => {
    const { lines, head } = chain([KEY, KEY, KEY]);
    const told = chain([KEY, KEY], head, 100);
    const all = [...lines, ...told.lines, ...chain([KEY], head, 200).lines, ...chain([KEY], told.head, 102).lines];
    assert.deepEqual(putBack(all), []);
    const walk = walked(all, [KEY]);
    assert.ok(typeof walk !== 'string' && walk.cutOff === 1 && walk.last?.seq === 6);
    // Also where it is the last line of all.
    assert.deepEqual(putBack(all.slice(0, -1), undefined, told.head), []);
  });
});
