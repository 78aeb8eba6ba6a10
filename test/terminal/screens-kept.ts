/** The kinds of terminals of which screens are kept in screens/, and the comparison with them; NOTP_SCREENS=write writes them again. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';

export interface TerminalKind {
  readonly columns: number;
  readonly rows: number;
  readonly environment?: NodeJS.ProcessEnv;
  /** In the command itself, since the terminal sets its own. */
  readonly term?: string;
}

export const USUAL: TerminalKind = { columns: 80, rows: 24 };
export const TERMINALS: Readonly<Record<string, TerminalKind>> = {
  '80x24': USUAL,
  '40-columns': { columns: 40, rows: 24 },
  '200-columns': { columns: 200, rows: 50 },
  'TERM-dumb': { ...USUAL, term: 'dumb' },
  'TERM-linux': { ...USUAL, term: 'linux' },
  'C-locale': { ...USUAL, environment: { LC_ALL: 'C' } },
  NO_COLOR: { ...USUAL, environment: { NO_COLOR: '1' } },
};

const FOLDER = path.join(import.meta.dirname, 'screens');

/** Compares with the kept screens, or writes them. */
export function assertKept(name: string, what: string, screens: readonly string[]): void {
  const file = path.join(FOLDER, `${name}.txt`);
  const text = [what, ...screens].map((part) => `${part}\n`).join(`${'-'.repeat(20)}\n`);
  if (process.env['NOTP_SCREENS'] === 'write') fs.writeFileSync(file, text);
  assert.equal(text, fs.readFileSync(file, 'utf8'), `NOTP_SCREENS=write writes ${file} again`);
}
