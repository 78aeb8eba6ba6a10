/**
 * The chain: each record's `prev` is the hash of the record before it, and the store holds the hash of the last one. So an edited, removed or
 * cut-off line is detected. The hash is HMAC-SHA256 with a key derived from the host key, or plain SHA-256 without one (user state).
 *
 * A crash between the line and the commit leaves a line that the store does not know. The next record then has the same `seq` and `prev`.
 * Such a line is a decision that was never answered.
 */
import { createHmac, hash } from 'node:crypto';
import type { ChainHead } from '../store/store.ts';
import type { Link } from './record.ts';

export function nextLink(head: ChainHead): Link {
  return { seq: head.seq + 1, prev: head.hash };
}

/** The head after `line` (with its newline). `key`: 32 bytes, or undefined for no key. */
export function headAfter(link: Link, line: string, key: Uint8Array | undefined): ChainHead {
  return { seq: link.seq, hash: hashOf(Buffer.from(line), key) };
}

/** The hash (hex) of a line, given as bytes with its newline. `key`: as for headAfter(). */
export function hashOf(line: Uint8Array, key: Uint8Array | undefined): string {
  return key === undefined ? hash('sha256', line, 'hex') : createHmac('sha256', key).update(line).digest('hex');
}
