/** Long audit logs, quickly: lines as printRecord makes them and as the chain links them, without an fsync for each. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { hashOf, nextLink } from '../../src/audit/chain.ts';
import { printRecord, type AuditRecord } from '../../src/audit/record.ts';
import type { ChainKey } from '../../src/audit/walk.ts';
import type { ChainHead } from '../../src/store/store.ts';

export interface LongLog {
  readonly file: string;
  readonly records: number;
  /** Unix time in milliseconds of the first record; each further one is `everyMs` later. */
  readonly startMs: number;
  readonly everyMs: number;
  readonly key?: ChainKey;
  readonly head?: ChainHead;
}

export const NO_HEAD: ChainHead = { seq: 0, hash: '0'.repeat(64) };
const USERS = 50;
const BLOCK = 2_000;

/** What the i-th record tells: 50 users, of whose attempts every fifth is refused. */
export function nthRecord(i: number): AuditRecord {
  const user = i % USERS;
  const refused = i % 5 === 0;
  return {
    ...{ user: `user${String(user)}`, uid: 1000 + user, context: 'ssh', door: i % 3 === 0 ? 'pam' : 'gate', service: 'ssh' },
    ...{ rhost: `192.0.2.${String(i % 7)}`, tty: `/dev/pts/${String(i % 9)}`, ref: i.toString(16).padStart(8, '0') },
    ...(refused
      ? { event: 'login.refused', result: 'refused', reason: i % 10 === 0 ? 'wrong_code' : 'replayed' }
      : { event: 'login.accepted', result: 'accepted', method: 'totp', step_offset: 0 }),
  };
}

/** Appends the log to its file, and gives its last head. The form of the lines is taken from printRecord, and compared with it. */
export function writeLongLog({ file, records, startMs, everyMs, key, head = NO_HEAD }: LongLog): ChainHead {
  const templates = new Map<number, { start: string; end: string }>();
  const template = (i: number): { start: string; end: string } => {
    const known = templates.get(i % 3150);
    if (known !== undefined) return known;
    const line = printRecord({ ...nthRecord(i), ref: '%' }, undefined, 0);
    const [before = '', end = ''] = line.split('%');
    const made = { start: before.slice(before.indexOf('Z"')), end: end.slice(0, -'}\n'.length) };
    templates.set(i % 3150, made);
    return made;
  };
  const fd = fs.openSync(file, 'a', 0o600);
  let last = head;
  let block = '';
  for (let i = 0; i < records; i++) {
    const link = nextLink(last);
    const { start, end } = template(i);
    const time = new Date(startMs + i * everyMs).toISOString().slice(0, -1);
    const ref = i.toString(16).padStart(8, '0');
    const line = `{"time":"${time}${start}${ref}${end},"seq":${String(link.seq)},"prev":"${link.prev}"}\n`;
    if (i % 99_991 === 0) assert.equal(line, printRecord(nthRecord(i), link, startMs + i * everyMs));
    last = { seq: link.seq, hash: hashOf(Buffer.from(line), key) };
    block += line;
    if (i % BLOCK === BLOCK - 1 || i === records - 1) {
      fs.writeSync(fd, block);
      block = '';
    }
  }
  fs.closeSync(fd);
  return last;
}
