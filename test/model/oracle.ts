/** Codes by RFC 4226 and RFC 6238 with Node's HMAC, and none of notp's code: what the model knows of codes. */
import { createHmac } from 'node:crypto';

const PERIOD_MS = 30_000;

/** The 6-digit SHA-1 code of `step` under `secret` (raw bytes). */
export function oracleCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', secret).update(counter).digest();
  const offset = (digest.at(-1) ?? 0) & 0xf;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** The step of `nowMs`, Unix time in milliseconds. */
export function stepOf(nowMs: number): number {
  return Math.floor(nowMs / PERIOD_MS);
}
