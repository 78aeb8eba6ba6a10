/** What an accepted code also lets in: further sessions on the same SSH connection, and for a while logins from the same source. */
import { createHash } from 'node:crypto';
import type { Origin } from '../audit/record.ts';
import type { Connection, Enrolment, Transaction } from '../store/store.ts';
import type { Accepted } from '../verdict/decide.ts';
import { isAddress } from '../verdict/address.ts';
import { identityOf, type Ruling } from '../verdict/rules.ts';
import type { Device } from './account.ts';
import { timeOf } from '../store/clock.ts';
import type { Rules } from './rules.ts';
import { acceptedBy } from './unenrolled.ts';
import type { SshSession } from '../wire/verifier.ts';

/** The acceptance by an earlier code on this connection or from the same source; undefined where there is none. */
export async function remembered(
  origin: Origin,
  ruling: Ruling,
  { now }: Pick<Rules, 'now'>,
  transaction: Transaction,
  devices: readonly Device[],
  session: SshSession | undefined,
): Promise<{ readonly verdict: Accepted; readonly device: Device } | undefined> {
  const connection = connectionOf(origin, session);
  const { rememberMs = 0 } = ruling;
  const digest = peerDigest(origin, ruling, session);
  for (const device of devices) {
    if (connection !== undefined && (await transaction.remembers(device.enrolment, connection)))
      return { verdict: { result: 'accepted', method: 'same_connection' }, device };
    const acceptedMs = digest === undefined ? undefined : await transaction.lastAccepted(device.enrolment, digest);
    const ageMs = acceptedMs === undefined ? -1 : (await timeOf(transaction, now)) - acceptedMs;
    // A time in the future does not count: the clock was set back, or somebody wrote the row.
    if (ageMs >= 0 && ageMs < rememberMs) return { verdict: acceptedBy(ruling, 'remembered'), device };
  }
  return undefined;
}

/** Remembers the connection and the source of a login that a code of `enrolment` was accepted for. */
export async function remember(
  origin: Origin,
  ruling: Ruling,
  transaction: Transaction,
  enrolment: Enrolment,
  session: SshSession,
  acceptedMs: number,
): Promise<void> {
  const connection = connectionOf(origin, session);
  if (connection !== undefined) await transaction.remember(enrolment, connection);
  const digest = peerDigest(origin, ruling, session);
  if (digest !== undefined) await transaction.rememberPeer(enrolment, { digest, acceptedMs });
}

/**
 * A digest of the source address, the SSH key, the rule that remembers them and the member of the fleet that they came to; undefined where no rule does, or address or key is
 * unknown. A rule that names other logins than before has seen no code.
 */
function peerDigest({ rhost, host }: Origin, { rule, rememberMs }: Ruling, session: SshSession | undefined): string | undefined {
  if (rule === undefined || rememberMs === undefined) return undefined;
  if (rhost === undefined || !isAddress(rhost) || session?.keyDigest === undefined) return undefined;
  return createHash('sha256')
    .update([rhost, session.keyDigest, identityOf(rule), ...(host === undefined ? [] : [host])].join('\0'))
    .digest('hex');
}

/** The connection. That of a member of a fleet is another one than any that other members tell of: each of them can say what it likes. */
function connectionOf({ host }: Origin, session: SshSession | undefined): Connection | undefined {
  const connection = session?.connection;
  if (connection === undefined || host === undefined) return connection;
  const digest = createHash('sha256').update(`${host}\0${connection.bootId}`).digest('hex');
  return { ...connection, bootId: digest.slice(0, connection.bootId.length) };
}
