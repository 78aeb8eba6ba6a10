/** One audit record: a line of JSON whose names from outside cannot disguise anything. */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { MAX_RECORD_BYTES, printRecord, type AuditRecord } from '../../src/audit/record.ts';

const RECORD: AuditRecord = {
  user: 'alice',
  uid: 1000,
  context: 'ssh',
  door: 'pam',
  service: 'sshd',
  rhost: '192.0.2.7',
  tty: '/dev/pts/3',
  event: 'login.refused',
  result: 'refused',
  reason: 'wrong_code',
  ref: '0123abcd',
};
const LINK = { seq: 7, prev: 'ab'.repeat(32) };

describe('an audit record', () => {
  it('is one line of JSON that begins with the time and holds what was put in, pid, host and link', () => {
    const line = printRecord(RECORD, LINK, Date.UTC(2026, 10, 23, 17, 0, 1, 5));
    assert.match(line, /^\{"time":"2026-11-23T17:00:01\.005Z",[^\n]*\}\n$/);
    const expected = { time: '2026-11-23T17:00:01.005Z', pid: process.pid, host: hostname(), ...RECORD, ...LINK };
    assert.deepEqual(JSON.parse(line), expected);
  });

  it('without a place in the chain has neither seq nor prev', () => {
    const record = JSON.parse(printRecord(RECORD, undefined, 0)) as object;
    assert.ok(!('seq' in record) && !('prev' in record));
  });

  it('shows control, bidirectional, invisible and line-separating characters escaped, and gives them back when parsed', () => {
    for (const character of [
      '\n',
      '\r',
      '\0',
      '\u001b',
      '\u007f',
      '\u009b',
      '\u2028',
      '\u202e',
      '\u2066',
      '\u200b',
      '\ufeff',
      '\ud800',
      '\u{e0041}',
    ]) {
      const user = `a${character}b`;
      const line = printRecord({ ...RECORD, user }, LINK, 0);
      assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u, JSON.stringify(character));
      assert.equal((JSON.parse(line) as { user: string }).user, user);
    }
  });

  it('cannot be given another field, or a line of its own, by a name', () => {
    const user = 'x","result":"accepted"}\n{"event":"login.accepted';
    const line = printRecord({ ...RECORD, user }, LINK, 0);
    assert.equal(line.indexOf('\n'), line.length - 1);
    const record = JSON.parse(line) as { user: string; result: string };
    assert.deepEqual([record.user, record.result], [user, 'refused']);
  });

  it('cuts long texts, so that no line is over the cap', () => {
    const long = '\u009b'.repeat(5000);
    const line = printRecord({ ...RECORD, user: long, service: long, rhost: long, tty: long, detail: long }, LINK, 0);
    assert.equal((JSON.parse(line) as { detail: string }).detail.length, 256);
    assert.ok(line.length <= MAX_RECORD_BYTES, String(line.length));
  });
});
