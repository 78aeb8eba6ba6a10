/** What a setup changes, as it is kept: for each file what it was and what it became. Pure. */
import { createHash } from 'node:crypto';
import { NotpError } from '../error.ts';
import { parseJson } from '../json.ts';
import type { Attributes } from '../system/trusted.ts';
import type { Plan, Present, SetupDoor } from './plan.ts';

const VERSION = 'setup/1';

/** A file by what matters of it. */
export interface Fingerprint extends Attributes {
  /** SHA-256 of its bytes, hex. */
  readonly sha256: string;
}
export interface KeptFile {
  readonly file: string;
  /** Null where there was none. */
  readonly before: Fingerprint | null;
  readonly after: Fingerprint;
}
export interface Manifest {
  readonly notp: typeof VERSION;
  readonly id: string;
  readonly door: SetupDoor;
  /** RFC 3339. */
  readonly created: string;
  /** In the order in which they are written. */
  readonly files: readonly KeptFile[];
}

export function manifestOf({ door, changes }: Plan, id: string, created: string): Manifest {
  const files = changes.map(({ file, before, after }) => ({
    file,
    before: before === undefined ? null : fingerprint(before),
    after: fingerprint(after),
  }));
  return { notp: VERSION, id, door, created, files };
}

export function fingerprint({ bytes, mode, uid, gid }: Present): Fingerprint {
  return { mode, uid, gid, sha256: createHash('sha256').update(bytes).digest('hex') };
}

export function isAs(one: Fingerprint | null, other: Fingerprint | null): boolean {
  if (one === null || other === null) return one === other;
  return one.sha256 === other.sha256 && one.mode === other.mode && one.uid === other.uid && one.gid === other.gid;
}

export function printManifest({ notp, id, door, created, files }: Manifest): string {
  return JSON.stringify({ notp, id, door, created, files }, undefined, 2) + '\n';
}

/** Throws `failed` for what is no manifest of a version that we know. Its folder is root's alone, so more is not checked. */
export function parseManifest(text: string): Manifest {
  const manifest = parsed(text);
  // oxlint-disable-next-line typescript/no-unnecessary-condition -- what was read may be of another version
  if (manifest?.notp === VERSION) return manifest;
  throw new NotpError('failed', 'the record of a setup is of another version of notp', 'undo it with that version');
}

function parsed(text: string): Manifest | null {
  try {
    return parseJson(text) as Manifest | null;
  } catch (error) {
    throw new NotpError(
      'failed',
      'the record of a setup is damaged: it is no JSON',
      'look at the files that it lies with, and put them back by hand',
      {
        cause: error,
      },
    );
  }
}
