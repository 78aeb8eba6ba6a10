/** Notes that this process has met a store of a newer release: the program on the disk may be newer than this one, which still runs. */
import { NotpError, type ErrorCode } from '../error.ts';

const WORDS = 'is of a newer notp than this one';
const met = new AbortController();

/** Aborted as soon as this process has met such a store. */
export const NEWER_MET = met.signal;

/** The error for a store whose schema has the number `version`, where this release knows `known`. */
export function newerSchema(code: ErrorCode, version: number, known: number): NotpError {
  met.abort();
  return new NotpError(
    code,
    `its schema ${String(version)} ${WORDS}, which knows ${String(known)}`,
    "install the newer notp on this host again; where it is installed: systemctl stop 'notp@*.service'",
  );
}

/** Whether the message of an error is about such a store. */
export function saysNewer(message: string): boolean {
  return message.includes(WORDS);
}
