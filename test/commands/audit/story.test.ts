/** `notp audit --ref`: what happened, why, what to do, and what came before and after it. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { columnsOf } from '../../../src/terminal/columns.ts';
import { auditWorld, login, type AuditWorld } from './log.ts';

let world: AuditWorld;
before(() => {
  world = auditWorld('audit-story');
});

describe('the story of an attempt', () => {
  it('is told in words on a terminal', async () => {
    const shown = await world.shown(['--ref', '00000006'], 80, { NO_COLOR: '1' });
    assert.match(shown, /^ref {5}00000006\nwhen {4}2026-03-03 09:15:00, \d+ days ago\nwho {5}alice \(uid 1000\), secret ssh\n/);
    assert.match(
      shown,
      /\ndoor {4}gate \(ssh\), from 198\.51\.100\.9 on \/dev\/pts\/3\nhost {4}\S+\nwhat {4}refused: replayed\nwhy {5}code already used\n/,
    );
    assert.match(
      shown,
      /\ndetail {2}the clock is 9 steps behind the last accepted code\nhint {4}wait for the next code; each code works once, also a recovery code\nto do {3}nothing to fix/,
    );
    assert.match(
      shown,
      /\nThe hour before and the hour after:\n08:30:00 00000005 alice [^\n]*\n09:15:00 00000006 alice [^\n]*\n09:15:40 00000007 alice +accepted by a code [^\n]*\n/,
    );
    assert.match(
      shown.replaceAll(/\s+/g, ' '),
      /2 tries in these two hours counted against the guess budget\. alice got in 40 seconds later \(ref 00000007\)\. $/,
    );
    assert.ok(
      shown.split('\n').every((line) => columnsOf(line) <= 80),
      shown,
    );
  });

  it('fits 40 columns and a dumb terminal', async () => {
    const shown = await world.shown(['--ref', '00000008'], 40, { TERM: 'dumb' });
    assert.match(shown, /what {4}refused: store_unavailable\nwhy {5}the login state cannot be\n {8}reached\n/);
    assert.match(shown.replaceAll(/\s+/g, ' '), /to do notp doctor finds the cause.* alice has not got in since\. $/);
    assert.ok(
      shown.split('\n').every((line) => columnsOf(line) <= 40),
      shown,
    );
    assert.ok(!shown.includes('\u001b'));
  });

  it('is one JSON object where stdout is no terminal, or where it is asked for', async () => {
    const { code, stdout } = await world.audit(['--ref', '00000006']);
    assert.equal(code, 0);
    type Records = { ref: string }[];
    const story = JSON.parse(stdout) as { ref: string; records: Records; around: Records; got_in: { ref: string } };
    assert.deepEqual(
      [story.ref, story.records.map(({ ref }) => ref), story.around.map(({ ref }) => ref), story.got_in.ref],
      ['00000006', ['00000006'], ['00000005', '00000007'], '00000007'],
    );
    assert.deepEqual(JSON.parse(await world.shown(['--ref', '00000006', '--json'], 80)), JSON.parse(stdout));
  });

  it('is found in packed files, with another letter case, and told of what was no refusal', async () => {
    assert.match(
      await world.shown(['--ref', '00000002'], 80),
      /what {4}accepted by a code\n\nThe hour before[^]*\n\nalice got in again 47 hours later/,
    );
    world.write(world.log, [login('2026-03-05T10:00:00', 'abcdef01', 'dave', undefined, { method: 'recovery' })]);
    world.write(world.log, [
      ['2026-03-05T10:00:00.001Z', { ...login('', 'abcdef01', 'dave', undefined)[1], event: 'recovery.used', result: 'done' }],
    ]);
    assert.match(
      await world.shown(['--ref', 'ABCDEF01'], 80),
      /accepted by a recovery code\n\nref[^]*what {4}recovery code used\n\ndave has not got in again/,
    );
  });

  it('leaves out what is farthest where there is much around it', async () => {
    const guesses = Array.from({ length: 30 }, (_, i) =>
      login(`2026-03-06T10:00:${String(i).padStart(2, '0')}`, `0000ff${String(i).padStart(2, '0')}`, 'eve', 'wrong_code'),
    );
    world.write(world.log, guesses);
    const shown = await world.shown(['--ref', '0000ff29'], 80, { NO_COLOR: '1' });
    assert.match(shown, /after:\n\(9 more\)\n10:00:09 0000ff09 /);
    assert.match(shown, /\nAt least 21 tries in these two hours/);
  });

  it('that is not there ends with 1 and where else to look', async () => {
    const { code, stdout, stderr } = await world.audit(['--ref', '12345678']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /no record here has the reference 12345678\nnotp: hint: .*rotated away.*journalctl -t notp _UID=\d+ -g 12345678\n$/,
    );
  });
});
