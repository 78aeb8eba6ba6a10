/**
 * The chain: each record's `prev` is the hash of the record before it, and the store holds the hash of the last.
 * So an edited, removed or cut-off line shows. The hash is HMAC-SHA256 under a key that is made of the host key,
 * or plain SHA-256 where there is none (user state).
 *
 * A crash between the line and the commit leaves a line that the store does not know; the next record then has
 * the same `seq` and `prev`. Such a line is a decision that nobody was told.
 */
import { hash } from 'node:crypto';
import type { ChainHead } from '../store/store.ts';
import { MAX_RECORD_BYTES, type Link } from './record.ts';

export function nextLink(head: ChainHead): Link {
  return { seq: head.seq + 1, prev: head.hash };
}

/** The head after `line` (with its newline). `key`: 32 bytes, or undefined for no key. */
export function headAfter(link: Link, line: string, key: Uint8Array | undefined): ChainHead {
  return { seq: link.seq, hash: hashOf(Buffer.from(line), key) };
}

/** The hash (hex) of a line, as bytes with its newline. `key`: as in headAfter. */
export function hashOf(line: Uint8Array, key: Uint8Array | undefined): string {
  return key === undefined ? hash('sha256', line, 'hex') : hmac(padsOf(key), line);
}

/** The key's blocks for HMAC, each with room for what is hashed after it. */
interface Pads {
  readonly inner: Buffer;
  readonly outer: Buffer;
}

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const KNOWN_PADS = new WeakMap<Uint8Array, Pads>();

/** HMAC-SHA256 (RFC 2104) of two plain hashes: a log of a million lines is checked with it, and Node's Hmac objects take twice as long. */
function hmac({ inner, outer }: Pads, line: Uint8Array): string {
  const length = BLOCK_BYTES + line.length;
  const message = length <= inner.length ? inner.subarray(0, length) : Buffer.concat([inner.subarray(0, BLOCK_BYTES), line]);
  message.set(line, BLOCK_BYTES);
  outer.write(hash('sha256', message, 'binary'), BLOCK_BYTES, 'binary');
  return hash('sha256', outer, 'hex');
}

function padsOf(key: Uint8Array): Pads {
  const known = KNOWN_PADS.get(key);
  if (known !== undefined) return known;
  // A longer key would have to be hashed first; those of the chain never are.
  if (key.length > BLOCK_BYTES) throw new Error('the key of the chain is too long');
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(key);
  const padded = (byte: number, room: number): Buffer => Buffer.concat([block.map((each) => each ^ byte), Buffer.alloc(room)]);
  const pads = { inner: padded(0x36, MAX_RECORD_BYTES), outer: padded(0x5c, DIGEST_BYTES) };
  KNOWN_PADS.set(key, pads);
  return pads;
}
