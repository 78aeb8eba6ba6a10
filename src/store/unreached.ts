/**
 * Distinguishes a server that was not reached from one that failed later. Where it was not reached, nothing was judged and nothing
 * was sent that it might have done.
 */
import { NotpError } from '../error.ts';

const UNREACHED = Symbol('unreached');

/** The same error, marked as the error of a server that was not reached. Any error other than `store_unavailable` stays unchanged. */
export function unreached(error: unknown): unknown {
  if (!(error instanceof NotpError) || error.code !== 'store_unavailable') return error;
  return new NotpError(error.code, error.message, error.hint, { cause: UNREACHED });
}

export function isUnreached(error: unknown): boolean {
  return error instanceof NotpError && error.cause === UNREACHED;
}
