/**
 * The chain: each record's `prev` is the hash of the record before it, and the store holds the hash of the last.
 * So an edited, removed or cut-off line shows. The hash is HMAC-SHA256 under a key that is made of the host key,
 * or plain SHA-256 where there is none (user state).
 *
 * A crash between the line and the commit leaves a line that the store does not know; the next record then has
 * the same `seq` and `prev`. Such a line is a decision that nobody was told.
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

/** The hash (hex) of a line, as bytes with its newline. `key`: as in headAfter. */
export function hashOf(line: Uint8Array, key: Uint8Array | undefined): string {
  return key === undefined ? hash('sha256', line, 'hex') : createHmac('sha256', key).update(line).digest('hex');
}
