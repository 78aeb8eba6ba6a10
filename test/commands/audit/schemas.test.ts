/** Records in the schemas of others: what each schema requires is there, and each record of the contract has a place. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entryOf, type Entry } from '../../../src/audit/entry.ts';
import { printRecord, type AuditRecord, type Event } from '../../../src/audit/record.ts';
import { ecsOf } from '../../../src/commands/audit/ecs.ts';
import { ocsfOf } from '../../../src/commands/audit/ocsf.ts';
import { EVENT_NAMES, REASON_NAMES } from '../../../src/commands/audit/words.ts';
import { METHODS, type Reason } from '../../../src/verdict/reasons.ts';
import { EVERY } from '../../audit/every-field.ts';

type Json = Readonly<Record<string, unknown>>;

const LOGIN: AuditRecord = {
  ...{ user: 'alice', uid: 1000, context: 'ssh', door: 'pam', service: 'sshd', rhost: '192.0.2.7', tty: 'ssh' },
  ...{ event: 'login.accepted', result: 'accepted', method: 'totp', ref: '0123abcd' },
};
const { method: _, ...SAME } = LOGIN;
const REFUSED: AuditRecord = { ...SAME, event: 'login.refused', result: 'refused', reason: 'wrong_code', detail: 'why' };

function entry(record: AuditRecord): Entry {
  const found = entryOf(printRecord(record, { seq: 1, prev: 'ab'.repeat(32) }, Date.UTC(2026, 0, 1)));
  assert.ok(found !== undefined);
  return found;
}

/** A record with every field, also one of a later version, as it is in the log. */
const LINE = { ...(JSON.parse(printRecord(EVERY, { seq: 7, prev: 'ab'.repeat(32) }, 0)) as Json), later: [{ a: 1 }] };
const WITH_ALL = entryOf(JSON.stringify(LINE)) ?? assert.fail();

/** What is in `record` and not below `place` as it is there. */
function missingIn(place: unknown, record: Json): readonly string[] {
  const found = JSON.parse(JSON.stringify(place)) as Json;
  return Object.keys(record).filter((name) => JSON.stringify(found[name]) !== JSON.stringify(record[name]));
}

/** All events, each reason of a refusal, each method of an acceptance; and a sum of names that nobody has. */
const ALL: readonly Entry[] = [
  ...METHODS.map((method) => entry({ ...LOGIN, method })),
  ...REASON_NAMES.map((reason) => entry({ ...REFUSED, reason: reason as Reason })),
  ...EVENT_NAMES.filter((event) => !event.startsWith('login.')).map((event) =>
    entry({
      user: 'alice',
      context: '',
      door: 'cli',
      event: event as Event,
      result: event.endsWith('.failed') ? 'failed' : 'done',
      ref: '01234567',
    }),
  ),
  entry({ user: '', context: '', door: 'gate', event: 'login.refused', result: 'refused', count: 40, ref: '01234567' }),
];

/**
 * What the published schema of OCSF 1.5 requires (events/base_event.json, events/iam/authentication.json and account_change.json, and the objects
 * metadata, product, user, service and network_endpoint), and the ids that it has for an attribute.
 */
const REQUIRED = ['activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid', 'user'];
const ACTIVITY_IDS: Readonly<Record<number, readonly number[]>> = { 3002: [0, 1, 2, 3, 4, 5, 6, 7, 99], 3001: [...Array(13).keys(), 99] };

describe('OCSF', () => {
  it('has what its classes require in every record', () => {
    for (const each of ALL) {
      const event = JSON.parse(JSON.stringify(ocsfOf(each))) as Json & { class_uid: number; activity_id: number };
      for (const name of REQUIRED) assert.ok(event[name] !== undefined, `${each.event}: ${name}`);
      assert.equal(event.class_uid, each.event.startsWith('login.') ? 3002 : 3001);
      assert.equal(event['category_uid'], 3);
      assert.ok(ACTIVITY_IDS[event.class_uid]?.includes(event.activity_id) === true, each.event);
      assert.equal(event['type_uid'], event.class_uid * 100 + event.activity_id);
      assert.ok([1, 2, 3, 4, 5, 6].includes(Number(event['severity_id'])));
      assert.deepEqual(
        [event['time'], event['metadata']],
        [
          Date.UTC(2026, 0, 1),
          {
            version: '1.5.0',
            product: { name: 'notp', vendor_name: 'notp' },
            log_name: 'audit',
            event_code: each.event,
            correlation_uid: each.ref,
          },
        ],
      );
      assert.notEqual((event['user'] as Json)['name'], '');
      // Authentication: at least one of the two.
      if (event.class_uid === 3002) assert.ok(event['service'] !== undefined && event['dst_endpoint'] !== undefined);
    }
  });

  it('loses no field: one that has no attribute is unmapped', () => {
    const login = ocsfOf(WITH_ALL) as Json;
    const placed = ['count', 'detail', 'event', 'host', 'reason', 'result', 'rhost', 'service', 'time', 'uid', 'user'];
    assert.deepEqual(missingIn(login['unmapped'], LINE).toSorted(), placed);
    const { src_endpoint: from, dst_endpoint: to, service, status_code: why, status_detail: detail, count } = login;
    assert.deepEqual([from, to, service], [{ ip: EVERY.rhost }, { hostname: EVERY.host }, { name: EVERY.service }]);
    assert.deepEqual([why, detail, count], [EVERY.reason, EVERY.detail, EVERY.count]);
    const change = { ...LINE, event: 'enroll', result: 'done' };
    const ofChange = ocsfOf(entryOf(JSON.stringify(change)) ?? assert.fail()) as Json;
    assert.deepEqual(
      missingIn(ofChange['unmapped'], change).toSorted(),
      placed.filter((name) => !['host', 'service'].includes(name)),
    );
  });

  it('tells a login as one: who, from where, by what, and why not', () => {
    const accepted = ocsfOf(entry(LOGIN)) as Json;
    assert.deepEqual(accepted['user'], { name: 'alice', uid: '1000' });
    assert.deepEqual(accepted['src_endpoint'], { ip: '192.0.2.7' });
    assert.deepEqual([accepted['status_id'], accepted['is_mfa'], accepted['is_remote'], accepted['type_uid']], [1, true, true, 300201]);
    assert.deepEqual(accepted['auth_factors'], [{ factor_type_id: 7, factor_type: 'OTP', is_totp: true }]);
    const refused = ocsfOf(entry({ ...REFUSED, rhost: 'client.example.org' })) as Json;
    assert.deepEqual([refused['status_id'], refused['status_code'], refused['status_detail']], [2, 'wrong_code', 'why']);
    assert.deepEqual(refused['src_endpoint'], { hostname: 'client.example.org' });
    assert.equal((ocsfOf(entry({ ...LOGIN, method: 'rule' })) as Json)['is_mfa'], false);
  });
});

/** The values that ECS 8.11 allows for these fields of `event`. */
const ECS_CATEGORIES = ['authentication', 'iam'];
const ECS_TYPES: Readonly<Record<string, readonly string[]>> = {
  authentication: ['start', 'end', 'info'],
  iam: ['admin', 'change', 'creation', 'deletion', 'group', 'info', 'user'],
};

describe('ECS', () => {
  it('has the allowed values of its categorisation fields in every record', () => {
    for (const each of ALL) {
      const shown = JSON.parse(JSON.stringify(ecsOf(each))) as Json & {
        readonly event: {
          readonly category: readonly string[];
          readonly type: readonly string[];
          readonly outcome: string;
          readonly kind: string;
        };
      };
      assert.equal(shown['@timestamp'], '2026-01-01T00:00:00.000Z');
      assert.deepEqual(shown['ecs'], { version: '8.11.0' });
      const [category = ''] = shown.event.category;
      assert.ok(ECS_CATEGORIES.includes(category) && shown.event.category.length === 1);
      assert.ok(shown.event.type.length > 0 && shown.event.type.every((type) => ECS_TYPES[category]?.includes(type) === true), each.event);
      assert.ok(['success', 'failure'].includes(shown.event.outcome));
      assert.equal(shown.event.kind, 'event');
    }
  });

  it('loses no field: one that has none in ECS is below notp', () => {
    const shown = ecsOf(WITH_ALL) as Json;
    const placed = ['event', 'host', 'reason', 'result', 'rhost', 'service', 'time', 'uid', 'user'];
    assert.deepEqual(missingIn(shown['notp'], LINE).toSorted(), placed);
    assert.deepEqual([shown['host'], shown['service']], [{ name: EVERY.host, hostname: EVERY.host }, { name: EVERY.service }]);
  });

  it('tells a login as one: who, from where, by what, and why not', () => {
    const refused = ecsOf(entry(REFUSED)) as Json;
    assert.deepEqual(refused['event'], {
      ...{
        kind: 'event',
        category: ['authentication'],
        type: ['start'],
        action: 'login.refused',
        outcome: 'failure',
        reason: 'wrong_code',
      },
      ...{ module: 'notp', dataset: 'notp.audit' },
    });
    assert.deepEqual(
      [refused['user'], refused['source']],
      [
        { name: 'alice', id: '1000' },
        { address: '192.0.2.7', ip: '192.0.2.7' },
      ],
    );
    assert.deepEqual((ecsOf(entry({ ...LOGIN, rhost: 'client.example.org' })) as Json)['source'], { address: 'client.example.org' });
  });
});
