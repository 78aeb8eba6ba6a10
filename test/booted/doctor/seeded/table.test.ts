/** The tables of docs/doctor.md are what the suite seeds. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, it } from 'node:test';
import { GATE_SEEDS } from './gate.ts';
import { GOOD } from './good.ts';
import { PAM_SEEDS, SUDO_SEEDS } from './pam.ts';
import { PAGE, withSeeds } from './table.ts';

describe('the table of misconfigurations', () => {
  it('stands in docs/doctor.md as the data of the suite have it (node test/booted/doctor/seeded/table.ts writes it)', () => {
    const text = fs.readFileSync(PAGE, 'utf8');
    assert.equal(text, withSeeds(text));
  });

  it('has each one once, and enough of both kinds', () => {
    for (const seeds of [GATE_SEEDS, PAM_SEEDS, SUDO_SEEDS]) assert.equal(new Set(seeds.map(({ what }) => what)).size, seeds.length);
    assert.ok(GATE_SEEDS.length + PAM_SEEDS.length + SUDO_SEEDS.length >= 120);
    assert.ok(GOOD.length >= 25);
  });
});
