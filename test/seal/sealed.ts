/** Sealed files for the tests of this folder: cheap to open, and with parts that can be replaced. */
import {
  MIN_KDF_MEMORY_KIB,
  MIN_KDF_PASSES,
  printSealedFile,
  type HostSeal,
  type PassphraseSeal,
  type SealedFile,
  type SealedHeader,
} from '../../src/seal/file.ts';
import { hostKeyId, hostSealKey, passphraseKey } from '../../src/seal/keys.ts';
import { seal, type Payload, type TotpPayload } from '../../src/seal/seal.ts';

const HOST_KEY = new Uint8Array(32).fill(9);
const PASSPHRASE = 'correct horse';
export const PAYLOAD: TotpPayload = {
  type: 'totp',
  secret: new Uint8Array(20).fill(1),
  algorithm: 'SHA1',
  digits: 6,
  periodSeconds: 30,
  issuer: 'bastion',
  account: 'alice',
  recovery: { salt: new Uint8Array(16).fill(2), hashes: [new Uint8Array(32).fill(3)] },
};

const BASE = { id: '00112233445566778899aabbccddeeff', user: 'alice', context: 'ssh', created: '2026-11-23T17:00:00Z' };
const HOST_SEAL: HostSeal = { kind: 'host', key: hostKeyId(HOST_KEY) };
const PASSPHRASE_SEAL: PassphraseSeal = {
  kind: 'passphrase',
  m: MIN_KDF_MEMORY_KIB,
  t: MIN_KDF_PASSES,
  p: 1,
  salt: new Uint8Array(16).fill(4),
};
const NONCE = new Uint8Array(24).fill(5);

export const HOST_HEADER: SealedHeader = { ...BASE, seal: HOST_SEAL };
export const PASSPHRASE_HEADER: SealedHeader = { ...BASE, seal: PASSPHRASE_SEAL };

/** The key of whoever may open `header`. */
export function keyOf(header: SealedHeader): Uint8Array {
  return header.seal.kind === 'host' ? hostSealKey(HOST_KEY, header.id) : passphraseKey(PASSPHRASE, header.seal);
}

export function sealed(header: SealedHeader, payload: Payload = PAYLOAD): SealedFile {
  return seal(header, payload, keyOf(header), NONCE);
}

/** The sealed file as text, after `change` to its JSON object. */
export function edited(header: SealedHeader, change: (object: Record<string, unknown>) => unknown): string {
  const object = JSON.parse(Buffer.from(printSealedFile(sealed(header))).toString()) as Record<string, unknown>;
  return JSON.stringify(change(object), null, 2) + '\n';
}
