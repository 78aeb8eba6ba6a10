/** The manifest of a setup: for each changed file its state before and after. Pure. */
import { createHash } from 'node:crypto';
import { NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import type { Attributes } from '../system/trusted.ts';
import type { Plan, Present, SetupDoor } from './plan.ts';
import type { Scope } from './scope.ts';

const VERSION = 'setup/1';

/** A file's mode, owner and hash of its content. */
export interface Fingerprint extends Attributes {
  /** SHA-256 of the content, hex. */
  readonly sha256: string;
}
export interface KeptFile {
  readonly file: string;
  /** Null if the file did not exist. */
  readonly before: Fingerprint | null;
  readonly after: Fingerprint;
}
export interface Manifest {
  readonly notp: typeof VERSION;
  readonly id: string;
  readonly door: SetupDoor;
  /** Absent in records of an earlier notp. */
  readonly scope?: Scope;
  /** Larger than that of each earlier setup, whatever the clock says; absent in records of an earlier notp. */
  readonly order?: number;
  /** RFC 3339, by a clock that may be put right later. */
  readonly created: string;
  /** In the order in which they are written. */
  readonly files: readonly KeptFile[];
}

export function manifestOf(
  { door, scope, changes }: Plan,
  { id, order, created }: Pick<Required<Manifest>, 'id' | 'order' | 'created'>,
): Manifest {
  const files = changes.map(({ file, before, after }) => ({
    file,
    before: before === undefined ? null : fingerprint(before),
    after: fingerprint(after),
  }));
  return { notp: VERSION, id, door, scope, order, created, files };
}

export function fingerprint({ bytes, mode, uid, gid }: Present): Fingerprint {
  return { mode, uid, gid, sha256: createHash('sha256').update(bytes).digest('hex') };
}

export function isEqual(one: Fingerprint | null, other: Fingerprint | null): boolean {
  if (one === null || other === null) return one === other;
  return one.sha256 === other.sha256 && one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
}

export function printManifest({ notp, id, door, scope, order, created, files }: Manifest): string {
  return JSON.stringify({ notp, id, door, scope, order, created, files }, undefined, 2) + '\n';
}

/** The order in which setups are undone: the newest first. */
export function newestFirst<T extends Pick<Manifest, 'id' | 'order'>>(setups: readonly T[]): T[] {
  return setups.toSorted((a, b) => orderOf(b) - orderOf(a) || (a.id < b.id ? 1 : -1));
}

/** The order of the setup after all of these. */
export function nextOrder(setups: readonly Pick<Manifest, 'order'>[]): number {
  return Math.max(0, ...setups.map(orderOf)) + 1;
}

/** Setups of an earlier notp are older than all others, and known only by the time in their ids. */
function orderOf({ order = 0 }: Pick<Manifest, 'order'>): number {
  return order;
}

/** Throws `failed` for a damaged manifest or one of another version. Only root can write it, so nothing else is checked. */
export function parseManifest(text: string): Manifest {
  const manifest = parsed(text);
  // oxlint-disable-next-line typescript/no-unnecessary-condition -- the file may be of another version
  if (manifest?.notp === VERSION) return manifest;
  throw new NotpError('failed', 'the record of a setup is of another version of notp', 'undo it with that version');
}

function parsed(text: string): Manifest | null {
  try {
    return parseJson(text) as Manifest | null;
  } catch (error) {
    throw new NotpError('failed', 'the record of a setup is damaged: it is not JSON', 'restore the files that are kept beside it by hand', {
      cause: error,
    });
  }
}
