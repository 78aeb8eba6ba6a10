/** The state of notp kept from everybody until a crowd is there: most of a decision is the start of its program, which would bring them one by one. */
import * as fs from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { sleep } from './process.ts';

/** Less than a decision waits for its turn. */
const AT_MOST_MS = 12_000;

/** Holds `database` until so many programs have it open, or for as long as none of them gives up. */
export async function gathering(database: string, size: number): Promise<void> {
  const state = new DatabaseSync(database, { timeout: AT_MOST_MS });
  state.exec('BEGIN EXCLUSIVE');
  try {
    let deadline = Infinity;
    for (let there = 0; there < size && Date.now() < deadline; await sleep(100)) {
      there = openersOf(database);
      if (there > 0) deadline = Math.min(deadline, Date.now() + AT_MOST_MS);
    }
  } finally {
    state.exec('ROLLBACK');
    state.close();
  }
}

function openersOf(file: string): number {
  const others = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return others.filter((pid) => opensOf(pid).includes(file)).length;
}

function opensOf(pid: string): string[] {
  const folder = `/proc/${pid}/fd`;
  try {
    return fs.readdirSync(folder).map((fd) => fs.readlinkSync(`${folder}/${fd}`));
  } catch {
    // It, or one of its files, has just gone.
    return [];
  }
}
