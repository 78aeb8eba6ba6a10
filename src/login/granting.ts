/** Lets a login in by a grant that the store has for its account. */
import type { Origin } from '../audit/record.ts';
import { timeOf } from '../store/clock.ts';
import type { Transaction } from '../store/store.ts';
import type { Accepted } from '../verdict/decide.ts';
import { grantFor, nameOfGrant } from '../verdict/grants.ts';
import type { SshSession } from '../wire/verifier.ts';
import type { Login, Rules } from './rules.ts';
import { factsOf } from './ruling.ts';

/**
 * The acceptance by a grant; undefined where none counts. Only a grant that is signed counts, and only in the state of a host or a fleet:
 * a user's own state is the user's to write. It is about logins, not about the scripts of somebody who is in (`notp verify`).
 */
export async function granted(
  { origin, circumstances }: Pick<Login, 'origin' | 'circumstances'>,
  { place, host, now }: Pick<Rules, 'place' | 'host' | 'now'>,
  transaction: Pick<Transaction, 'grantsOf' | 'clockMs'>,
  session: SshSession | undefined,
): Promise<Accepted | undefined> {
  if (isOutside(origin) || place.kind !== 'service') return undefined;
  const found = (await transaction.grantsOf(origin.user)).filter(({ doubt }) => doubt === undefined);
  if (found.length === 0) return undefined;
  const facts = { ...factsOf(origin, circumstances, host), keyDigest: session?.keyDigest };
  // A grant has the uid of the host that made it. A member of a fleet may have others, and may say any: there the name counts.
  const nowMs = await timeOf(transaction, now);
  const grant = found.find(
    (each) => grantFor([each], { ...facts, uid: origin.host === undefined ? origin.uid : each.uid }, nowMs) !== undefined,
  );
  return grant === undefined ? undefined : { result: 'accepted', method: 'grant', detail: nameOfGrant(grant) };
}

function isOutside({ door, uid }: Origin): boolean {
  return door === 'cli' || uid === undefined;
}
