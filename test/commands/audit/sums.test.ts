/** How `notp audit` shows a flood, which the log tells in sums. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { auditWorld, login, type AuditWorld, type Timed } from './log.ts';

const SINCE = '2026-03-03T12:59:10.000Z';
const ALICES: Timed = login('2026-03-03T13:00:00', '000000a1', 'alice', 'step_up_required', { count: 1_234, since: SINCE });

function ofStrangers(): Timed {
  const [time, { uid: _uid, ...record }] = login('2026-03-03T13:01:00', '000000a2', '', 'not_enrolled', {
    ...{ context: '', detail: 'of names that are not enrolled', count: 77, since: SINCE },
  });
  return [time, record];
}

describe('a flood in the log', () => {
  let world: AuditWorld;
  before(() => {
    world = auditWorld('audit-sums');
    world.write(world.log, [ALICES, ofStrangers()]);
  });
  const shown = async (words: readonly string[], columns = 80): Promise<string> => await world.shown(words, columns, { NO_COLOR: '1' });

  it('is a row with how many they were, at 80 columns and at 40', async () => {
    assert.equal(
      await shown(['--since', '2026-03-03 12:30']),
      `2026-03-03
13:00:00 000000a1 alice        1234 x step_up_required     gate 192.0.2.7
13:01:00 000000a2 (several)    77 x not_enrolled           gate 192.0.2.7
`,
    );
    assert.match(
      await shown(['--since', '2026-03-03 12:30'], 40),
      /000000a2 \(several\)\n {2}77 x not_enrolled {2}gate {2}192\.0\.2\.7\n$/,
    );
  });

  it('of acceptances is a row, a story and a count in the report', async () => {
    const sums = auditWorld('audit-sums-accepted');
    const more = { method: 'same_connection', count: 345, since: SINCE, until: SINCE } as const;
    const [time, { step_offset: _, ...record }] = login('2026-03-03T13:00:00', '000000a3', 'alice', undefined, more);
    sums.write(sums.log, [[time, record]]);
    const told = async (words: readonly string[]): Promise<string> => await sums.shown(words, 80, { NO_COLOR: '1' });
    assert.match(await told(['--since', '2026-03-03 12:30']), /^13:00:00 000000a3 alice {8}345 x same connection +gate 192\.0\.2\.7$/m);
    assert.match(await told(['report', '--since', '2026-03-03 12:30']), /^alice: 345 in\n[^]*from: 192\.0\.2\.7 \(345\)\n/);
    assert.match(await told(['--ref', '000000a3']), /^what {4}345 x same connection$/m);
  });

  it('counts in the report for as many refusals as there were', async () => {
    const report = await shown(['report', '--since', '2026-03-03 12:30']);
    assert.match(report, /^alice: 0 in, 1234 refused\n[^]*\n {2}from: 192\.0\.2\.7 \(1234\)\n/);
    assert.match(report, /\(unknown names\): 0 in, 77 refused\n/);
  });

  it('has a story, of a user or of names that are nobody’s, none of whom is said to have got in or not', async () => {
    const alice = await shown(['--ref', '000000a1']);
    assert.match(alice, /^what {4}1234 x step_up_required$/m);
    assert.match(alice, /\n\nalice has not got in since\.\n$/);
    const strangers = await shown(['--ref', '000000a2']);
    assert.match(strangers, /^who {5}names that are not enrolled$/m);
    assert.doesNotMatch(strangers, /got in/);
    assert.match(strangers, /a rule with enrol_by in notp.toml lets\s+users in until they have enrolled\n$/);
  });
});
