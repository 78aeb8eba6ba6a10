/** The story of one attempt on a screen, of records that lack what others have. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entryOf } from '../../../src/audit/entry.ts';
import type { LogRecord } from '../../../src/audit/filter.ts';
import { storyScreen } from '../../../src/commands/audit/story-screen.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const OPTIONS = { traits: { columns: 100, colour: false, utf8: true }, context: 'ssh', nowMs: NOW_MS } as const;
const NONE = { before: [], after: [], left: { before: 0, after: 0 }, gotIn: undefined } as const;

function told(fields: Readonly<Record<string, unknown>>): LogRecord {
  const line = JSON.stringify({ time: '2026-03-01T11:00:00.000Z', door: 'pam', ref: '1a2b3c4d', ...fields });
  return { entry: entryOf(line) ?? assert.fail(line), line };
}

function shown(fields: Readonly<Record<string, unknown>>, rest: object = {}): string {
  return storyScreen({ ref: '1a2b3c4d', records: [told(fields)], ...NONE, ...rest }, OPTIONS);
}

describe('the story of an attempt', () => {
  it('says that it was decided in an outage, and where nothing is known of who it was', () => {
    const text = shown({
      event: 'login.refused',
      result: 'refused',
      reason: 'replayed',
      user: 'mallory',
      outage: '2026-03-01T10:00:00.000Z',
    });
    assert.match(text, /^when +2026-03-01 \d\d:00:00, 60 minutes ago$/m);
    assert.match(text, /^outage +decided 2026-03-01 \d\d:00:00 by the copy of the host, and reported later$/m);
    assert.match(text, /^who +mallory, unknown user$/m);
    assert.match(text, /^door +pam$/m);
    assert.doesNotMatch(text, /^host/m);
    assert.match(text, /mallory has not got in since\.\n$/);
  });

  it('of a sum is that of many names, and one that notp does not know is told as it stands', () => {
    const sum = shown({ event: 'login.refused', result: 'refused', reason: 'not_enrolled', user: '', count: 40 });
    assert.match(sum, /^who +names that are not enrolled$/m);
    assert.doesNotMatch(sum, /got in/);
    assert.match(shown({ event: 'of.tomorrow', result: 'done', user: 'a b', uid: 7, service: 'sshd' }), /^door +pam \(sshd\)$/m);
  });

  it('counts what is left out around it, and says when they got in again', () => {
    const next = told({
      time: '2026-03-01T11:10:00.000Z',
      event: 'login.accepted',
      result: 'accepted',
      method: 'totp',
      user: 'alice',
      ref: '2b',
    });
    const rest = { before: [told({ event: 'login.refused', result: 'refused', reason: 'wrong_code', user: 'alice' })], after: [next] };
    const text = shown(
      { event: 'login.accepted', result: 'accepted', method: 'totp', user: 'alice', uid: 1000, rhost: '192.0.2.7', tty: 'pts/3' },
      { ...rest, left: { before: 3, after: 1 }, gotIn: next },
    );
    assert.match(text, /^door +pam, from 192\.0\.2\.7 on pts\/3$/m);
    assert.match(text, /^\(3 more\)$/m);
    assert.match(text, /^\(1 more\)$/m);
    assert.match(
      text,
      /At least 1 try in these two hours counted against the guess budget\. alice got in again 10 minutes\s+later \(ref 2b\)\.\n$/,
    );
  });
});
