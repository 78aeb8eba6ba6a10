/** The line that a user reads after a login. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { noticeLine } from '../../src/doors/notice.ts';

const OWN = { isOwnLog: true };

describe('the line after a login', () => {
  let zone: string | undefined;
  before(() => {
    zone = process.env['TZ'];
    process.env['TZ'] = 'Europe/Zurich';
  });
  after(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });

  const sinceMs = Date.parse('2026-11-24T13:03:59Z');

  it('tells how many codes were refused, by the clock on the wall', () => {
    assert.equal(
      noticeLine({ kind: 'refused_tries', count: 4, sinceMs, from: '203.0.113.7' }, OWN),
      'notp: 4 refused tries since Tue 2026-11-24 14:03, last from 203.0.113.7; notp audit shows them\n',
    );
    assert.equal(
      noticeLine({ kind: 'refused_tries', count: 1, sinceMs, from: '203.0.113.7' }, OWN),
      'notp: 1 refused try since Tue 2026-11-24 14:03, from 203.0.113.7; notp audit shows them\n',
    );
  });

  it('names a command that the user of a host with the service cannot run as one for sudo', () => {
    assert.equal(
      noticeLine({ kind: 'refused_tries', count: 2, sinceMs, from: '' }, { isOwnLog: false }),
      'notp: 2 refused tries since Tue 2026-11-24 14:03; sudo notp audit shows them\n',
    );
  });

  it('leaves out an address that is not known', () => {
    assert.equal(
      noticeLine({ kind: 'refused_tries', count: 2, sinceMs, from: '' }, OWN),
      'notp: 2 refused tries since Tue 2026-11-24 14:03; notp audit shows them\n',
    );
  });

  it('says until when nobody must be enrolled', () => {
    assert.equal(
      noticeLine({ kind: 'enrol_by', untilMs: Date.parse('2027-01-14T23:00:00Z') }, OWN),
      'notp: until Fri 2027-01-15 00:00 you get in without a code; enrol before then: notp enroll, or ask an administrator\n',
    );
  });
});
