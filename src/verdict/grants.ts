/**
 * Grants: until a time, one account gets in without a code, for a reason. An administrator makes one for an emergency or for a run without
 * a person. A grant may be bound to a source address, a key and a service. Pure.
 *
 * A fact that a door does not know never fits: sudo tells neither address nor key. A rule that refuses is stronger than every grant.
 */
import { isInNetwork } from './address.ts';
import { concernsService, type Facts, type Fit } from './rules.ts';

export interface Grant {
  /** 8 hex digits. */
  readonly id: string;
  /** The canonical name of the account, and its uid: another account that gets the name is not let in. */
  readonly user: string;
  readonly uid: number;
  /** Unix time in milliseconds, by the clock of the store. It counts from `madeMs` on, and before `untilMs`. */
  readonly madeMs: number;
  readonly untilMs: number;
  /** An address or a network; empty: from anywhere. */
  readonly from: string;
  /** SHA-256 of the public key, hex; empty: after any first factor. */
  readonly key: string;
  /** The PAM service, which is `sshd` also at the gate; empty: at each. */
  readonly service: string;
  readonly reason: string;
}

/** What is known of a login. Undefined: unknown. */
export interface GrantFacts extends Pick<Facts, 'user' | 'service' | 'address' | 'firstFactor'> {
  readonly uid: number | undefined;
  /** SHA-256 of the key that passed first, hex. */
  readonly keyDigest: string | undefined;
}

export const BOUNDS = ['from', 'key', 'service'] as const;
export type Bound = (typeof BOUNDS)[number];

/** The grant that lets a login in; undefined where none does. */
export function grantFor(grants: readonly Grant[], facts: GrantFacts, nowMs: number): Grant | undefined {
  if (!facts.firstFactor) return undefined;
  return grants.find(
    (grant) => isFor(grant, { name: facts.user, uid: facts.uid }) && isInForce(grant, nowMs) && fitOfBounds(grant, facts) === 'yes',
  );
}

/** Whether the account is still the one that `grant` was made for. */
export function isFor(
  grant: Pick<Grant, 'user' | 'uid'>,
  account: Pick<GrantFacts, 'uid'> & { readonly name: string | undefined },
): boolean {
  return grant.user === account.name && grant.uid === account.uid;
}

/** Where the clock was set back to before it was made, it does not count: it must not last longer than it was made for. */
export function isInForce({ madeMs, untilMs }: Pick<Grant, 'madeMs' | 'untilMs'>, nowMs: number): boolean {
  return madeMs <= nowMs && nowMs < untilMs;
}

/** Whether a login is within all bounds of `grant`. */
export function fitOfBounds(grant: Grant, facts: Omit<GrantFacts, 'uid'>): Fit {
  const fits = BOUNDS.map((bound) => fitOfBound(bound, grant, facts));
  return (['no', 'unknown'] as const).find((fit) => fits.includes(fit)) ?? 'yes';
}

/** Whether a login is within one bound of `grant`. */
export function fitOfBound(bound: Bound, grant: Grant, facts: Omit<GrantFacts, 'uid'>): Fit {
  const fact = { from: facts.address, key: facts.keyDigest, service: facts.service }[bound];
  if (grant[bound] === '') return 'yes';
  if (fact === undefined) return 'unknown';
  return WITHIN[bound](grant[bound], fact) ? 'yes' : 'no';
}

const WITHIN: Readonly<Record<Bound, (wanted: string, fact: string) => boolean>> = {
  from: (network, address) => isInNetwork(address, network),
  key: (wanted, digest) => wanted === digest,
  service: (name, service) => concernsService({ services: [name] }, service),
};

/** A grant for a person: `grant 1a2b3c4d (ticket OPS-12)`. */
export function nameOfGrant({ id, reason }: Pick<Grant, 'id' | 'reason'>): string {
  return `grant ${id} (${reason})`;
}

/** The logins that `grant` is about: `alice at sshd from 192.0.2.7 with the key SHA256:…`. */
export function whoseGrant({ user, service, from, key }: Omit<Grant, 'id' | 'uid' | 'madeMs' | 'untilMs' | 'reason'>): string {
  const parts = [
    ['at', service],
    ['from', from],
    ['with the key', key === '' ? '' : fingerprintOf(key)],
  ] as const;
  return [user, ...parts.flatMap(([word, value]) => (value === '' ? [] : [word, value]))].join(' ');
}

/** The fingerprint of a key in the form of ssh-keygen(1), by its SHA-256 in hex. */
export function fingerprintOf(digest: string): string {
  return `SHA256:${Buffer.from(digest, 'hex').toString('base64').replace(/=+$/, '')}`;
}

/** The SHA-256 in hex of the key with `fingerprint`; undefined where that is none. */
export function digestOfKey(fingerprint: string): string | undefined {
  const [, base64 = ''] = /^SHA256:([A-Za-z0-9+/]{43})$/.exec(fingerprint) ?? [];
  const digest = Buffer.from(base64, 'base64').toString('hex');
  return digest !== '' && fingerprintOf(digest) === fingerprint ? digest : undefined;
}
