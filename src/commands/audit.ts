/** `notp audit`: the last records of the log, as they are. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { messageOf, NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { printResult } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { realUser } from '../system/users.ts';
import { statePlace } from '../verifier/state.ts';

/** A record is under 4 KiB, so this many bytes a line are always enough. */
const BYTES_PER_LINE = 4096;

/** Prints the last `lines` records, oldest first, one JSON object a line. */
export async function audit(config: Config, { lines }: { lines: number }): Promise<number> {
  const place = statePlace(config, realUser());
  const records = await asUser(place.owner, () => lastLines(place.auditFile, lines));
  if (records.length > 0) printResult(records.join('\n') + '\n');
  return 0;
}

function lastLines(file: string, count: number): string[] {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    throw new NotpError('audit_unavailable', messageOf(error), 'root reads the log of the host; everybody their own');
  }
  try {
    const { size } = fstatSync(fd);
    const start = Math.max(0, size - count * BYTES_PER_LINE);
    const buffer = Buffer.alloc(size - start);
    const length = readSync(fd, buffer, 0, buffer.length, start);
    const lines = buffer
      .toString('utf8', 0, length)
      .split('\n')
      .filter((line) => line !== '');
    return lines.slice(-count);
  } finally {
    closeSync(fd);
  }
}
