/** Telling a server that could not be reached from one that has failed later: then nothing was judged, and nothing sent that it might have done. */
import { NotpError } from '../error.ts';

const UNREACHED = Symbol('unreached');

/** The same error, as one of a server that was not reached; what is not `store_unavailable` stays as it is. */
export function unreached(error: unknown): unknown {
  if (!(error instanceof NotpError) || error.code !== 'store_unavailable') return error;
  return new NotpError(error.code, error.message, error.hint, { cause: UNREACHED });
}

export function isUnreached(error: unknown): boolean {
  return error instanceof NotpError && error.cause === UNREACHED;
}
