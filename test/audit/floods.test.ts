/** What the store says that a flood has in common goes into a record only as what notp writes there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { array, assert as holds, constantFrom, property, record as recordOf } from 'fast-check';
import { tallyWith, summaryOf } from '../../src/audit/floods.ts';
import type { Door } from '../../src/audit/record.ts';
import type { Reason } from '../../src/verdict/reasons.ts';
import { transactionOn } from '../../src/store/tables.ts';
import { UNKEYED } from '../../src/store/row-seal.ts';
import type { Row } from '../../src/store/row.ts';
import { SHARED_BYTES, type Tally, type Transaction } from '../../src/store/store.ts';

const TALLY: Tally = {
  ...{ user: 'alice', records: { tokens: 0, asOfMs: 0 }, count: 7, sinceMs: 1_795_000_000_000, untilMs: 1_795_000_000_001 },
  ...{ ref: '1a2b3c4d', shared: '' },
};

describe('the summary of a flood', () => {
  it('had any field of the record that somebody had written to the store', () => {
    const forged = {
      ...{ event: 'login.accepted', result: 'accepted', user: 'mallory', detail: 'all is well', count: 1, ref: '00000000', method: 'totp' },
      ...{ time: '2020-01-01T00:00:00Z', seq: 1, prev: '', uid: '0', door: 'window', reason: 'none', rhost: ['x'], service: 'sshd' },
    };
    const record = summaryOf('refusals', { ...TALLY, shared: JSON.stringify(forged) }, TALLY.untilMs);
    const { since, until, ...rest } = record ?? {};
    assert.ok(since !== undefined && until !== undefined);
    assert.deepEqual(rest, {
      ...{ door: 'gate', event: 'login.refused', user: 'alice', context: '', count: 7, ref: '1a2b3c4d', result: 'refused' },
      detail: 'at several doors',
    });
    for (const shared of ['{', '[1]', 'null', '"x"', '{"uid":1,"uid":2}', '7'])
      assert.deepEqual(summaryOf('acceptances', { ...TALLY, shared }, TALLY.untilMs)?.method, undefined);
  });

  it('said "door":"pam" with the service and the address that the gate was told, where doors differed: fail2ban banned it', () => {
    const door = constantFrom<Door>('gate', 'pam', 'cli');
    const reason = constantFrom<Reason>('wrong_code', 'step_up_required');
    const one = recordOf({ door, reason, service: constantFrom('sshd', 'ssh'), rhost: constantFrom('192.0.2.7', '203.0.113.9') });
    holds(
      property(array(one, { minLength: 1, maxLength: 4 }), (records) => {
        const refusal = { event: 'login.refused', result: 'refused', user: 'alice', uid: 1000, context: 'ssh', ref: '1a2b3c4d' } as const;
        const tally = records.reduce((before, each) => tallyWith('refusals', before, { ...refusal, ...each }, 5), { ...TALLY, count: 0 });
        const sum = summaryOf('refusals', tally, 9);
        const isOne = new Set(records.map((each) => each.door)).size === 1;
        assert.equal(sum?.door, isOne ? records[0]?.door : 'gate');
        assert.equal(sum?.detail, isOne ? undefined : 'at several doors');
        for (const key of ['service', 'rhost', 'reason'] as const) {
          const values = [...new Set(records.map((each) => each[key]))];
          assert.equal(sum?.[key], values.length === 1 && (isOne || key === 'reason') ? values[0] : undefined, key);
        }
      }),
    );
  });

  it('lost the rule and the source where the reason of the rule was long', () => {
    const rule = 'rule at line 12';
    const accepted = { event: 'login.accepted', result: 'accepted', method: 'rule', user: 'alice', uid: 1000, context: 'ssh' } as const;
    const source = { door: 'pam', service: 'sshd', rhost: '2001:db8:1111:2222:3333:4444:5555:6666', ref: '1a2b3c4d' } as const;
    for (const reason of ['ticket OPS-12', 'x'.repeat(200), 'ü'.repeat(200), '监'.repeat(200), '"\\'.repeat(100)]) {
      const one = { ...accepted, ...source, detail: `${rule} (${reason})` };
      const tally = [one, one, one].reduce((before, each) => tallyWith('acceptances', before, each, 5), { ...TALLY, count: 0 });
      assert.ok(Buffer.byteLength(tally.shared) <= SHARED_BYTES);
      const sum = summaryOf('acceptances', tally, 9);
      assert.deepEqual([sum?.count, sum?.rhost, sum?.service, sum?.door], [3, source.rhost, 'sshd', 'pam']);
      const detail = sum?.detail ?? '';
      assert.ok(detail === one.detail || (detail.endsWith('…') && one.detail.startsWith(detail.slice(0, -1))));
      assert.match(detail, /^rule at line 12/);
      const other = summaryOf('acceptances', tallyWith('acceptances', tally, { ...one, detail: 'rule at line 13 (x)' }, 6), 9);
      assert.equal(other?.detail, undefined, 'of two rules neither is told');
    }
  });

  it('went on until a time to come', () => {
    const record = summaryOf('refusals', TALLY, TALLY.sinceMs - 1000);
    assert.deepEqual(
      [record?.since, record?.until].map((time) => Date.parse(time ?? '')),
      [TALLY.sinceMs - 1000, TALLY.sinceMs - 1000],
    );
  });

  it('is none of counts that notp never writes', async () => {
    const genuine = { user: 'alice', tokens: 1, as_of_ms: 0, count: 1, since_ms: 5, until_ms: 5, ref: '1a2b3c4d', shared: '' };
    for (const forged of [
      { user: 'mallory' },
      { ref: 'x'.repeat(9000) },
      { count: -1 },
      { count: 'many' },
      { since_ms: 1e300 },
      { until_ms: 'soon' },
      { tokens: 'NaN' },
    ] as const) {
      const all = (): Promise<readonly Row[]> => Promise.resolve([{ ...genuine, ...forged }]);
      const transaction = answering(all);
      await assert.rejects(transaction.tally('refusals', 'alice'), { code: 'store_unavailable' });
    }
  });

  it('took whatever the store called the head of the chain into the next record', async () => {
    for (const forged of [{ hash: 'x","event":"enroll' }, { hash: 'A'.repeat(64) }, { seq: -1 }, { seq: 'many' }, { lacking: -1 }]) {
      const all = (): Promise<readonly Row[]> => Promise.resolve([{ seq: 1, hash: '0'.repeat(64), lacking: 0, ...forged }]);
      const transaction = answering(all);
      await assert.rejects(transaction.head(), { code: 'store_unavailable' });
    }
  });
});

const done = (): Promise<void> => Promise.resolve();

/** A transaction on a database that gives these rows, whatever it is asked. */
function answering(all: () => Promise<readonly Row[]>): Transaction {
  const dialect = { ...{ here: '', logColumn: '', logValue: '', heads: '', lock: '', lockEnrolments: '', reserves: false } };
  return transactionOn({
    ...{ all, run: done, write: done, seal: UNKEYED, host: '' },
    dialect: { ...dialect, joined: () => '', tally: () => '' },
  });
}
