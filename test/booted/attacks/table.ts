/** The table of attacks in docs/attacks.md, from the data of the suite. Run by itself it writes it: node test/booted/attacks/table.ts */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { markdownTable, withTable } from '../../support/markdown.ts';
import { ROOT } from '../../support/process.ts';
import type { Attack } from './attack.ts';
import { ATTACKS, ON_CODES } from './attacks.ts';

export const PAGE = path.join(ROOT, 'docs/attacks.md');
const HEAD = ['attack', 'gate alone', 'notp setup gate', 'notp doctor'];

/** `text` of docs/attacks.md with the table in its place. */
export function withAttacks(text: string): string {
  const onCodes = Object.values(ON_CODES).map((tries) => [tries, 'closed', 'closed', '']);
  return withTable(text, 'attacks', markdownTable(HEAD, [...ATTACKS.map(cells), ...onCodes]));
}

function cells({ tries, situation, defaults, setup, doctor }: Attack): string[] {
  const after = { overruled: setup, refused: `refused with the line, ${setup} without`, stays: `**${setup}**, and named` }[
    situation.leftover
  ];
  return [tries, defaults === 'open' ? '**open**' : defaults, after, doctor.join(', ')];
}

if (import.meta.main) fs.writeFileSync(PAGE, withAttacks(fs.readFileSync(PAGE, 'utf8')));
