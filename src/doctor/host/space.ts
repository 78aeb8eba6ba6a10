/** Checks that the disk has room for the state and the log. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { shellCommand } from '../../otp/escape.ts';
import type { StatePlace } from '../../state/place.ts';
import { ifThere } from '../../system/if-there.ts';
import { changing, ok, type Finding } from '../finding.ts';

const MIB = 1024 * 1024;
const LITTLE_BYTES = 32 * MIB;
const TOO_LITTLE_BYTES = MIB;

export function examineSpace({ store, auditFile }: StatePlace): Finding[] {
  const files = store.kind === 'sqlite' ? [store.path, auditFile] : [auditFile];
  const folders = new Set(files.map((file) => path.dirname(file)));
  return [...folders].flatMap((folder) => ifThere(() => spaceIn(folder)) ?? []);
}

function spaceIn(folder: string): Finding {
  const { bavail, bsize, files, ffree } = fs.statfsSync(folder);
  const free = bavail * bsize;
  // Some file systems have no count of inodes.
  const full = free < TOO_LITTLE_BYTES || (files > 0 && ffree === 0);
  const detail = `${folder}: ${changing(Math.floor(free / MIB))} MiB free`;
  if (!full && free >= LITTLE_BYTES) return ok('space', 'There is room for the state and the log', detail);
  return {
    id: 'space',
    severity: full ? 'fail' : 'warn',
    title: 'There is little room left for the state and the log',
    detail,
    fix: shellCommand`df -h ${folder}`,
  };
}
