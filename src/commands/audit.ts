/** `notp audit`: the last records of the log, as they are. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { MAX_RECORD_BYTES } from '../audit/record.ts';
import { messageOf, NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { printResult } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { realUser } from '../system/users.ts';
import { statePlace } from '../verifier/state.ts';

/** Prints the last `lines` records, oldest first, one JSON object a line. */
export async function audit(config: Config, { lines }: { lines: number }): Promise<number> {
  const place = statePlace(config, realUser());
  const records = await asUser(place.owner, () => lastLines(place.auditFile, lines));
  if (records.length > 0) printResult(records.join('\n') + '\n');
  return 0;
}

function lastLines(file: string, count: number): string[] {
  const fd = openLog(file);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new NotpError('audit_unavailable', `${file} is no regular file`, 'look who put it there');
    const start = Math.max(0, stats.size - count * MAX_RECORD_BYTES);
    const buffer = Buffer.alloc(stats.size - start);
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

/** Opens it without waiting for the other side of a FIFO. */
function openLog(file: string): number {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    throw new NotpError('audit_unavailable', messageOf(error), 'root reads the log of the host; everybody their own');
  }
}
