/** An entry of the journal: fields that are there to be found, and no field that somebody else made. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { journalEntry, messageIdOf, priorityOf } from '../../src/audit/journal-entry.ts';
import { printRecord, type AuditRecord } from '../../src/audit/record.ts';
import { EVENT_NAMES } from '../../src/commands/audit/words.ts';

const RECORD: AuditRecord = {
  ...{ user: 'alice', uid: 1000, context: 'ssh', door: 'pam', service: 'sshd', rhost: '192.0.2.7', tty: 'ssh' },
  ...{ event: 'login.refused', result: 'refused', reason: 'wrong_code', ref: '0123abcd' },
};

const names = (entry: string): readonly string[] =>
  entry
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(0, line.indexOf('=')));
const of = (event: string, result: string, reason?: string): string => priorityOf({ event, result, reason });

describe('the entry for the journal', () => {
  it('has the record as its message, and its fields beside it', () => {
    const line = printRecord(RECORD, { seq: 1, prev: 'ab'.repeat(32) }, 0);
    assert.equal(
      journalEntry(line),
      `MESSAGE=${line}PRIORITY=5
SYSLOG_FACILITY=10
SYSLOG_IDENTIFIER=notp
MESSAGE_ID=${messageIdOf('login.refused')}
NOTP_EVENT=login.refused
NOTP_RESULT=refused
NOTP_USER=alice
NOTP_UID=1000
NOTP_CONTEXT=ssh
NOTP_DOOR=pam
NOTP_SERVICE=sshd
NOTP_RHOST=192.0.2.7
NOTP_REASON=wrong_code
NOTP_REF=0123abcd
`,
    );
  });

  it('of a line that is no record has the line alone, with the priority that was given', () => {
    assert.equal(
      journalEntry('notp doctor: all\n', 'err'),
      'MESSAGE=notp doctor: all\nPRIORITY=3\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=notp\n',
    );
  });

  it('has the same fields whatever a name holds', () => {
    const usual = names(journalEntry(printRecord(RECORD, undefined, 0)));
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((each) => each.trim() !== '');
    fc.assert(
      fc.property(text, text, text, (user, rhost, service) => {
        const forged = `${user}\nNOTP_USER=root\n`;
        assert.deepEqual(names(journalEntry(printRecord({ ...RECORD, user: forged, rhost, service }, undefined, 0))), usual);
      }),
    );
  });

  it('has a priority that fits, and an id for each event', () => {
    assert.deepEqual(
      [of('login.accepted', 'accepted'), of('login.refused', 'refused', 'replayed'), of('login.refused', 'refused', 'bad_secret_file')],
      ['info', 'notice', 'warning'],
    );
    assert.deepEqual(
      [of('login.refused', 'refused', 'store_unavailable'), of('outage.conflict', 'done'), of('enroll', 'done')],
      ['err', 'warning', 'info'],
    );
    const ids = EVENT_NAMES.map(messageIdOf);
    assert.equal(new Set(ids).size, EVENT_NAMES.length);
    for (const id of ids) assert.match(id, /^[0-9a-f]{12}8[0-9a-f]{3}a[0-9a-f]{15}$/);
  });
});
