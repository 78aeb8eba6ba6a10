/**
 * The records from which a setup can be undone; only root can read or write them. The manifest and the copies are complete and flushed to
 * the disk before the first change, so an undo finds them no matter when a process was killed.
 *
 *     /var/lib/notp-setup/unconfirmed     the id of the setup that waits to be confirmed: one at a time
 *     /var/lib/notp-setup/ID/manifest     the changed files, see manifest.ts
 *     /var/lib/notp-setup/ID/0, 1, …      the files as they were
 *     /var/lib/notp-setup/ID/applied      the moment at which everything was in place
 *     /var/lib/notp-setup/ID/confirmed, undone      each exists once the setup has reached that stage
 *     /var/lib/notp-setup/ID/undoing      exists from the first change of an undo to its end
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoOf, NotpError } from '../error.ts';
import { ifThere, textIfThere } from '../system/if-there.ts';
import { checkFolders, syncFolder, writeNew } from '../system/trusted.ts';
import { manifestOf, newestFirst, nextOrder, parseManifest, printManifest, type Manifest } from './manifest.ts';
import type { Plan } from './plan.ts';

const RECORDS = '/var/lib/notp-setup';
const UNCONFIRMED = path.join(RECORDS, 'unconfirmed');
const ID = /^\d{8}T\d{9}Z-[0-9a-f]{8}$/;

export interface Setup extends Manifest {
  readonly folder: string;
}

type Mark = 'applied' | 'confirmed' | 'undoing' | 'undone';

/** Writes the record of `plan` and claims the single place for an unconfirmed setup. Throws `refused` if that is taken. */
export function makeRecord(plan: Plan, now: () => number): Setup {
  const created = new Date(now()).toISOString();
  const id = `${created.replace(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
  const setup = { ...manifestOf(plan, { id, created, order: nextOrder(allSetups()) }), folder: path.join(RECORDS, id) };
  makeFolder(RECORDS);
  makeFolder(setup.folder);
  for (const [i, { before }] of plan.changes.entries()) {
    if (before !== undefined) writeNew(path.join(setup.folder, String(i)), before.bytes);
  }
  // Written under another name and renamed, so it is complete or missing. A folder without a manifest changed nothing.
  const unnamed = path.join(setup.folder, 'manifest.new');
  writeNew(unnamed, Buffer.from(printManifest(setup)));
  fs.renameSync(unnamed, path.join(setup.folder, 'manifest'));
  claim(setup);
  for (const folder of [setup.folder, RECORDS, path.dirname(RECORDS)]) syncFolder(folder);
  return setup;
}

/** The setup that is neither confirmed nor undone, or whose undo was interrupted. */
export function unfinishedSetup(): Setup | undefined {
  const id = unconfirmedId();
  return id === undefined ? allSetups().find((setup) => has(setup, 'undoing') && !has(setup, 'undone')) : readSetup(id);
}

/** The setups in force, newest first. */
export function setupsInForce(): Setup[] {
  const unconfirmed = unconfirmedId();
  return allSetups().filter(
    (setup) => !has(setup, 'undone') && (setup.id === unconfirmed || has(setup, 'applied') || has(setup, 'undoing')),
  );
}

export function mark(setup: Setup, as: Mark, text = ''): void {
  if (has(setup, as)) return;
  writeNew(path.join(setup.folder, as), Buffer.from(text));
  syncFolder(setup.folder);
}

/** The boot looks for undos that were interrupted. */
export function unmark(setup: Setup, as: Mark): void {
  fs.rmSync(path.join(setup.folder, as), { force: true });
}

function has(setup: Setup, as: Mark): boolean {
  return fs.existsSync(path.join(setup.folder, as));
}

/** The text that mark() wrote; undefined if the mark is not set. */
export function markText(setup: Setup, as: Mark): string | undefined {
  return textIfThere(path.join(setup.folder, as));
}

/** When mark() was called, in milliseconds of Unix time. The mark must be set. */
export function markedAtMs(setup: Setup, as: Mark): number {
  return fs.statSync(path.join(setup.folder, as)).mtimeMs;
}

/** Frees the place for an unconfirmed setup, because `setup` is confirmed or being undone. False if `setup` does not hold the place. */
export function release(setup: Setup, as: 'confirmed' | 'undoing'): boolean {
  if (unconfirmedId() !== setup.id) return false;
  try {
    fs.renameSync(UNCONFIRMED, path.join(setup.folder, as));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
  syncFolder(RECORDS);
  return true;
}

/** Whether `setup` still waits to be confirmed. */
export function isUnconfirmed(setup: Setup): boolean {
  return unconfirmedId() === setup.id;
}

/** Uses link(2), which creates a complete file, and only if there is none. */
function claim(setup: Setup): void {
  const name = path.join(setup.folder, 'claim');
  writeNew(name, Buffer.from(setup.id));
  try {
    fs.linkSync(name, UNCONFIRMED);
  } catch (error) {
    fs.rmSync(setup.folder, { recursive: true });
    if (errnoOf(error) !== 'EEXIST') throw error;
    throw alreadyUnconfirmed();
  }
  fs.rmSync(name);
}

export function alreadyUnconfirmed(): NotpError {
  return new NotpError(
    'refused',
    'an earlier setup is not confirmed yet',
    'notp setup confirm, from a new login, or notp setup undo; nothing was changed',
  );
}

function unconfirmedId(): string | undefined {
  try {
    return fs.readFileSync(UNCONFIRMED, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function allSetups(): Setup[] {
  const entries = checkFolders('/', RECORDS, 0) ? (ifThere(() => fs.readdirSync(RECORDS)) ?? []) : [];
  // One without a manifest is not complete yet, or was taken back because another setup came first.
  return newestFirst(entries.filter((entry) => ID.test(entry)).flatMap((entry) => ifThere(() => readSetup(entry)) ?? []));
}

function readSetup(id: string): Setup {
  const folder = path.join(RECORDS, ID.test(id) ? id : 'unknown');
  return { ...parseManifest(fs.readFileSync(path.join(folder, 'manifest'), 'utf8')), folder };
}

function makeFolder(folder: string): void {
  fs.mkdirSync(folder, { mode: 0o700, recursive: true });
  checkFolders('/', folder, 0);
}
