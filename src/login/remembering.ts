/** What an accepted code also lets in: further sessions on the same SSH connection, and for a while logins from the same source. */
import { createHash } from 'node:crypto';
import type { Origin } from '../audit/record.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import type { Accepted } from '../verdict/decide.ts';
import type { Device } from './account.ts';
import { timeOf } from '../store/clock.ts';
import type { Rules } from './rules.ts';
import type { SshSession } from '../wire/verifier.ts';

/** The acceptance by an earlier code on this connection or from the same source; undefined where there is none. */
export async function remembered(
  origin: Origin,
  { trustMs, now }: Pick<Rules, 'trustMs' | 'now'>,
  transaction: Transaction,
  devices: readonly Device[],
  session: SshSession | undefined,
): Promise<{ readonly verdict: Accepted; readonly device: Device } | undefined> {
  const connection = session?.connection;
  const digest = trustMs === 0 ? undefined : peerDigest(origin, session);
  for (const device of devices) {
    if (connection !== undefined && (await transaction.remembers(device.enrolment, connection)))
      return { verdict: { result: 'accepted', method: 'same_connection' }, device };
    const acceptedMs = digest === undefined ? undefined : await transaction.lastAccepted(device.enrolment, digest);
    const ageMs = acceptedMs === undefined ? -1 : (await timeOf(transaction, now)) - acceptedMs;
    // A time in the future does not count: the clock was set back, or somebody wrote the row.
    if (ageMs >= 0 && ageMs < trustMs) return { verdict: { result: 'accepted', method: 'trusted' }, device };
  }
  return undefined;
}

/** Remembers the connection and the source of a login that a code of `enrolment` was accepted for. */
export async function remember(
  origin: Origin,
  { trustMs }: Pick<Rules, 'trustMs'>,
  transaction: Transaction,
  enrolment: Enrolment,
  session: SshSession,
  acceptedMs: number,
): Promise<void> {
  if (session.connection !== undefined) await transaction.remember(enrolment, session.connection);
  const digest = trustMs === 0 ? undefined : peerDigest(origin, session);
  if (digest !== undefined) await transaction.rememberPeer(enrolment, { digest, acceptedMs });
}

/** A digest of the source address and the SSH key; undefined where either is unknown. */
function peerDigest({ rhost }: Origin, session: SshSession | undefined): string | undefined {
  if (rhost === undefined || session?.keyDigest === undefined) return undefined;
  return createHash('sha256').update(`${rhost}\0${session.keyDigest}`).digest('hex');
}
