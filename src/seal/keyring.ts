/**
 * The keys that one passphrase gives, each derived once. Secrets of one's own that share a passphrase share salt and cost too, so
 * that one derivation opens them all. Each file still tells its salt and cost itself: nothing beside it can be lost, or be forged to
 * make the derivation cheaper. Pure.
 */
import type { PassphraseSeal, SealedFile } from './file.ts';
import { DEFAULT_KDF, passphraseKey, type Argon2id } from './keys.ts';
import { open, type Payload } from './seal.ts';

/** Holds keys until `close` wipes them. */
export class Keyring {
  private readonly passphrase: string;
  private readonly derive: Argon2id | undefined;
  private readonly keys = new Map<string, Uint8Array>();

  constructor(passphrase: string, derive?: Argon2id) {
    this.passphrase = passphrase;
    this.derive = derive;
  }

  /** The payload, or undefined if this passphrase does not open the file. Throws as open() does. The caller wipes the secret. */
  open(file: SealedFile): Payload | undefined {
    return file.seal.kind === 'passphrase' ? open(file, this.keyOf(file.seal)) : undefined;
  }

  /** The key of `seal`, wiped by `close`. */
  keyOf(seal: PassphraseSeal): Uint8Array {
    const name = nameOf(seal);
    const key = this.keys.get(name) ?? passphraseKey(this.passphrase, seal, this.derive);
    this.keys.set(name, key);
    return key;
  }

  close(): void {
    for (const key of this.keys.values()) key.fill(0);
    this.keys.clear();
  }
}

/** Whether one key opens both. */
export function haveSameSeal(one: PassphraseSeal, other: PassphraseSeal): boolean {
  return nameOf(one) === nameOf(other);
}

/**
 * One file of each seal that a new secret may share, the seal of the most files first. A seal of another cost than the present one
 * is not shared.
 */
export function sharable(files: readonly SealedFile[]): readonly (SealedFile & { readonly seal: PassphraseSeal })[] {
  const bySeal = Map.groupBy(files.filter(isSharable), ({ seal }) => nameOf(seal));
  return [...bySeal.values()].toSorted((a, b) => b.length - a.length).flatMap((alike) => alike.slice(0, 1));
}

function isSharable(file: SealedFile): file is SealedFile & { readonly seal: PassphraseSeal } {
  const { seal } = file;
  return seal.kind === 'passphrase' && seal.m === DEFAULT_KDF.m && seal.t === DEFAULT_KDF.t && seal.p === DEFAULT_KDF.p;
}

function nameOf({ m, t, p, salt }: PassphraseSeal): string {
  return [m, t, p, Buffer.from(salt).toString('hex')].join();
}
