/** The table of attacks in docs/attacks.md is what the suite tries, and each id in it is one of doctor's. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, it } from 'node:test';
import { GATE_RULES } from '../../../src/doctor/sshd/gate-rules.ts';
import { ATTACKS } from './attacks.ts';
import { PAGE, withAttacks } from './table.ts';

/** Of families that are no rules over sshd's configuration. */
const OTHER_IDS = ['FC11', 'FC12', 'FC13', 'FC14', 'FC19', 'no-gate'];

describe('the table of attacks', () => {
  it('stands in docs/attacks.md as the data of the suite have it (node test/booted/attacks/table.ts writes it)', () => {
    const text = fs.readFileSync(PAGE, 'utf8');
    assert.equal(text, withAttacks(text));
  });

  it('has each attack once, and none that is open and that doctor does not name', () => {
    assert.equal(new Set(ATTACKS.map(({ id }) => id)).size, ATTACKS.length);
    assert.equal(new Set(ATTACKS.map(({ tries }) => tries)).size, ATTACKS.length);
    assert.deepEqual(
      ATTACKS.filter(({ defaults, setup, doctor }) => [defaults, setup].includes('open') && doctor.length === 0),
      [],
    );
  });

  it('has every rule of doctor that a way around the gate trips', () => {
    const named = new Set(ATTACKS.flatMap(({ doctor }) => doctor));
    // On the record, on idle connections and on a gate that nobody finds: none is a way in.
    const rules = GATE_RULES.map(({ id }) => id).filter((id) => !['FC15', 'FC16', 'FC18'].includes(id));
    assert.deepEqual([...named].toSorted(), [...rules, ...OTHER_IDS].toSorted());
  });
});
