/** The tables of docs/doctor.md, from the data of the suite. Run by itself it writes them: node test/booted/doctor/seeded/table.ts */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { markdownTable, withTable } from '../../../support/markdown.ts';
import { ROOT } from '../../../support/process.ts';
import { GATE_SEEDS } from './gate.ts';
import { GOOD } from './good.ts';
import { OPENSSH_10_SEEDS } from './openssh-10.ts';
import { PAM_SEEDS, SUDO_SEEDS } from './pam.ts';
import { triedOf, type Seed } from './seed.ts';

export const PAGE = path.join(ROOT, 'docs/doctor.md');
export const DOORS = { gate: GATE_SEEDS, pam: [...PAM_SEEDS, ...OPENSSH_10_SEEDS], sudo: SUDO_SEEDS } as const;

/** `text` of the page with the tables in their places. */
export function withSeeds(text: string): string {
  const rows = Object.entries(DOORS).flatMap(([door, seeds]) => seeds.map((seed) => rowOf(door, seed)));
  const seeded = withTable(text, 'seeded', markdownTable(['door', 'what is wrong', 'tried', 'named by', 'the fix begins or has'], rows));
  return withTable(
    seeded,
    'good',
    markdownTable(
      ['door', 'configuration'],
      GOOD.map(({ door, what }) => [door, what]),
    ),
  );
}

function rowOf(door: string, seed: Seed): string[] {
  return [door, seed.what.replaceAll('|', '\\|'), triedOf(seed), seed.id, `\`${seed.fix}\``];
}

if (import.meta.main) fs.writeFileSync(PAGE, withSeeds(fs.readFileSync(PAGE, 'utf8')));
