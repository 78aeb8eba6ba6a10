/** Checks for outages: this host's copy of the store is recent, and its decisions in earlier outages are reported to the store. */
import { messageOf } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import type { Approved } from '../../store/store.ts';
import { asUser } from '../../system/privileges.ts';
import { isFresh, openCopy, outagePlace } from '../../outage/outage.ts';
import { waitingOn } from '../../outage/report.ts';
import { withPresentState, type State } from '../../state/state.ts';
import { storeName, type StatePlace } from '../../state/place.ts';
import { ok, type Finding } from '../finding.ts';

const COPY = 'outage-copy';
const FIX = 'notp store refresh, and systemctl enable --now notp-store-refresh.timer';
const FIX_REPORT = 'notp store refresh, which says why a report waits';

/** No findings if this host keeps no copy. */
export async function examineOutage(place: StatePlace, now: () => number): Promise<Finding[]> {
  const where = outagePlace(place);
  if (where === undefined) return [];
  return await asUser(place.owner, async () => {
    try {
      const copy = openCopy(place, now, { create: false });
      try {
        const [copied, waiting] = await contentsOf(copy);
        return [
          copyFinding(storeName(where), await approvedNow(place, copied, now), copied, now()),
          ...(waiting.length > 0 ? [unreported(where, waiting)] : []),
        ];
      } finally {
        copy?.store.close();
      }
    } catch (error) {
      const title = 'The copy for outages cannot be used';
      return [
        {
          id: COPY,
          severity: 'fail',
          title,
          detail: messageOf(error),
          fix: `${shellCommand`runuser -u ${place.owner.name} -- rm ${storeName(where)}`}, then ${FIX}`,
        },
      ];
    }
  });
}

/** The approved users in the copy, and those of whom it holds records that were not reported yet. */
async function contentsOf(copy: State | undefined): Promise<readonly [readonly Approved[], readonly string[]]> {
  if (copy === undefined) return [[], []];
  return await copy.store.exclusively(async (transaction) => [await transaction.approved(), await waitingOn(transaction)]);
}

/** The approved users according to the store, or to the copy if the store cannot be reached. That has a finding of its own. */
async function approvedNow(place: StatePlace, copied: readonly Approved[], now: () => number): Promise<readonly Approved[]> {
  try {
    return await withPresentState(place, now, ({ store }) => store.exclusively((transaction) => transaction.approved()));
  } catch {
    return copied;
  }
}

function copyFinding(file: string, approved: readonly Approved[], copied: readonly Approved[], nowMs: number): Finding {
  if (approved.length === 0)
    return { id: COPY, severity: 'info', title: 'Nobody is approved for outages', detail: file, fix: 'notp store approve --user NAME' };
  const young = new Set(copied.filter(({ asOfMs }) => isFresh(asOfMs, nowMs)).map(({ user }) => user));
  const lacking = approved.filter(({ user }) => !young.has(user)).map(({ user }) => user);
  if (lacking.length === 0) return ok(COPY, 'The copy for outages is up to date', file);
  const title = 'The copy for outages lacks approved users, or is over a day old for them, so they would be refused';
  return { id: COPY, severity: 'warn', title, detail: `${file}: ${lacking.join(', ')}`, fix: FIX };
}

function unreported(where: StatePlace, users: readonly string[]): Finding {
  const title = 'This host has not reported what it decided in an outage, so other hosts accept the same codes again';
  return { id: 'outage-report', severity: 'warn', title, detail: `${storeName(where)}: ${users.join(', ')}`, fix: FIX_REPORT };
}
