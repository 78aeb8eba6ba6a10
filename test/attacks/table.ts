/** The table of attacks in SECURITY.md, from the data of the suite. Run by itself it writes it: node test/attacks/table.ts */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ROOT } from '../support/process.ts';
import type { Attack } from './attack.ts';
import { ATTACKS, ON_CODES } from './attacks.ts';

export const SECURITY = path.join(ROOT, 'SECURITY.md');
const [BEGIN, END] = ['<!-- attacks: begin -->', '<!-- attacks: end -->'];
const HEAD = ['attack', 'gate alone', 'notp setup gate', 'notp doctor'];

/** `text` of SECURITY.md with the table in its place. */
export function withTable(text: string): string {
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`there is no place for the table: ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n\n${table()}\n${END}${after}`;
}

/** Padded as prettier does it. */
function table(): string {
  const onCodes = Object.values(ON_CODES).map((tries) => [tries, 'closed', 'closed', '']);
  const rows = [HEAD, ...ATTACKS.map(cells), ...onCodes];
  const widths = HEAD.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |\n`);
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |\n`;
  return [lines[0], rule, ...lines.slice(1)].join('');
}

function cells({ tries, situation, defaults, setup, doctor }: Attack): string[] {
  const after = { overruled: setup, refused: `refused with the line, ${setup} without`, stays: `**${setup}**, and named` }[
    situation.leftover
  ];
  return [tries, defaults === 'open' ? '**open**' : defaults, after, doctor.join(', ')];
}

if (import.meta.main) fs.writeFileSync(SECURITY, withTable(fs.readFileSync(SECURITY, 'utf8')));
