/** The tables of docs/doctor.md are what the suite seeds. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, it } from 'node:test';
import { GOOD } from './good.ts';
import { triedOf } from './seed.ts';
import { DOORS, PAGE, withSeeds } from './table.ts';

describe('the table of misconfigurations', () => {
  it('stands in docs/doctor.md as the data of the suite have it (node test/booted/doctor/seeded/table.ts writes it)', () => {
    const text = fs.readFileSync(PAGE, 'utf8');
    assert.equal(text, withSeeds(text));
  });

  it('has each one once, and enough of both kinds', () => {
    const doors = Object.values(DOORS);
    for (const seeds of doors) assert.equal(new Set(seeds.map(({ what }) => what)).size, seeds.length);
    for (const seed of doors.flat()) assert.notEqual(triedOf(seed), '', `${seed.what}: nothing is tried, and why is not said`);
    assert.ok(doors.flat().length >= 120);
    assert.ok(GOOD.length >= 25);
  });
});
