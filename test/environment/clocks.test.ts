/** A login where the clock is what is strange: it stands still, is set back, or comes to a moment at which programs of other kinds break. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { faultWorld, type FaultWorld } from '../faults/world.ts';
import { standingClock, type Clock } from '../support/clock.ts';
import { ROOT } from '../support/process.ts';
import { lacks, must } from '../support/world.ts';
import { report } from '../trials/trial.ts';

interface Moment {
  readonly what: string;
  /** In UTC, as date(1) takes it. */
  readonly at: string;
  /** As in TZ. */
  readonly zone?: string;
}

const MOMENTS: readonly Moment[] = [
  { what: 'a machine without a battery, in its first hours', at: '1970-01-01 02:00:00' },
  { what: 'a leap second', at: '2016-12-31 23:59:60' },
  { what: 'the begin of summer time', at: '2027-03-28 01:00:00', zone: 'Europe/Berlin' },
  { what: 'the end of summer time', at: '2027-10-31 01:00:00', zone: 'Europe/Berlin' },
  { what: 'a day that a zone left out', at: '2011-12-30 10:00:00', zone: 'Pacific/Apia' },
  { what: 'the last second of 31 bits', at: '2038-01-19 03:14:08' },
  { what: 'the last second of 32 bits', at: '2106-02-07 06:28:16' },
  { what: 'a year of five digits', at: '10000-01-01 00:00:00' },
];

/** From there the clock is looked at, in seconds after the moment. */
const BEFORE = -20;
const AFTER = 45;
const HOUR = 3_600;

describe('a login by a strange clock', { skip: lacks({ root: true, programs: ['oathtool', 'faketime'] }) }, () => {
  let world: FaultWorld;
  let clock: Clock;
  let failed = 0;
  let tried = 0;
  before(async () => {
    world = await faultWorld('clocks');
    clock = standingClock(path.join(world.pam.folder, 'clock'));
  });

  for (const { what, at, zone = 'UTC' } of MOMENTS) {
    it(`takes each code once around ${what}`, async () => {
      const edge = Number(must(['date', '-u', '-d', at.replace(':60', ':59'), '+%s'])) + (at.endsWith(':60') ? 1 : 0);
      tried++;
      failed++;
      world.restore();
      clock.set(edge + BEFORE);
      const first = codeAt(0);
      const next = codeAt(30);
      assert.equal(await comesTo(first, zone), 'totp');
      assert.equal(await comesTo(first, zone), 'replayed', 'on a clock that stands still');
      assert.equal(await comesTo(next, zone), 'totp', 'of the step to come');
      clock.set(edge + AFTER);
      assert.equal(await comesTo(codeAt(0), zone), 'totp', 'after it');
      assert.equal(await comesTo(first, zone), 'wrong_code', 'of before it');
      clock.move(-HOUR);
      assert.equal(await comesTo(codeAt(0), zone), 'replayed', 'an hour back');
      assert.match(world.pam.lastRecord().detail ?? '', /^the clock is \d+ steps behind the last accepted code$/);
      clock.set(edge + AFTER + 60);
      assert.equal(await comesTo(codeAt(0), zone), 'totp', 'when it is right again');
      assert.equal(await world.logProblem(), undefined);
      failed--;
    });
  }

  it('is told how often', () => {
    report({
      part: 'environment',
      tried: 'seven codes around a moment at which clocks break, on a clock that stands or goes back',
      times: 7 * tried,
      failed,
    });
    assert.equal(failed, 0);
  });

  /** The code of so many seconds after the clock. */
  function codeAt(seconds: number): string {
    return must(['oathtool', '--totp', '--now', `@${String(clock.now() + seconds)}`, '-b', world.enrolled.secret]).trim();
  }

  /** The method, or the reason. */
  async function comesTo(code: string, zone: string): Promise<string> {
    const program = [process.execPath, path.join(ROOT, 'dist/notp.cjs')];
    const {
      code: exit,
      stdout,
      stderr,
    } = await world.pam.pam(world.user.name, code, { program, environment: { ...clock.environment, TZ: zone } });
    const { method, reason = '' } = world.pam.lastRecord();
    assert.equal(exit === 0, method !== undefined, stdout + stderr);
    return method ?? reason;
  }
});
