/**
 * Who may ask a judge of a fleet: the hosts whose certificate the authority of the fleet has signed, for one name, while it lasts and until
 * somebody revokes it. TLS has checked the signature and the time when the connection was made.
 */
import type { TLSSocket } from 'node:tls';
import { withState } from '../state/state.ts';
import type { StatePlace } from '../state/place.ts';
import { uptimeMs, timeOf } from '../store/clock.ts';
import type { Member } from '../store/store.ts';

/** The certificate of a member. Times are Unix time in milliseconds. */
export interface Certificate {
  readonly host: string;
  readonly madeMs: number;
  readonly untilMs: number;
}

/** The certificate that the other side has shown; undefined where it is not for exactly one DNS name. */
export function certificateOf(socket: TLSSocket): Certificate | undefined {
  const shown = socket.getPeerX509Certificate();
  const names = (shown?.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('DNS:'));
  const host = /^DNS:([\w.-]{1,64})$/.exec(names[0] ?? '')?.[1];
  if (shown === undefined || host === undefined || names.length !== 1) return undefined;
  return { host: host.toLowerCase(), madeMs: Date.parse(shown.validFrom), untilMs: Date.parse(shown.validTo) };
}

/** What root can do where one is not answered. */
export const MEMBERS_HINT = 'notp fleet lists the members';

export interface Members {
  /** Why the certificate counts for nothing; undefined where it counts. Throws `store_unavailable` where the store does not answer. */
  whyNot(certificate: Certificate): Promise<string | undefined>;
  /** Notes for `notp fleet` that the member has connected. Never throws. */
  note(certificate: Certificate): Promise<void>;
}

interface Means {
  readonly place: StatePlace;
  readonly now: () => number;
}

/** How long what was read of the store counts: a member that was revoked has no answer after this. */
const FRESH_MS = 1_000;
/** How old what the store says of the last connection of a member may be. */
const SEEN_MS = 3_600_000;

/** `means` gives the present ones. */
export function membersAt(means: () => Means): Members {
  let known: { readonly byHost: ReadonlyMap<string, Member>; readonly asOfMs: number } | undefined;
  const all = async (): Promise<ReadonlyMap<string, Member>> => {
    if (known !== undefined && uptimeMs() < known.asOfMs + FRESH_MS) return known.byHost;
    const { place, now } = means();
    const asOfMs = uptimeMs();
    const members = await withState(place, now, async (state) => (await state?.store.exclusively((found) => found.members())) ?? []);
    known = { byHost: new Map(members.map((each) => [each.host, each])), asOfMs };
    return known.byHost;
  };
  return {
    whyNot: async ({ host, madeMs, untilMs }) => {
      if (!(means().now() < untilMs)) return 'its certificate is over';
      const revokedMs = (await all()).get(host)?.revokedMs ?? 0;
      return madeMs > revokedMs ? undefined : 'its certificate was revoked';
    },
    note: async ({ host, untilMs }) => {
      try {
        const before = (await all()).get(host);
        const { place, now } = means();
        if (before?.untilMs === untilMs && now() < before.seenMs + SEEN_MS) return;
        await withState(place, now, async (state) => {
          await state?.store.exclusively(async (found) => {
            await found.noteMember({ host, untilMs, seenMs: await timeOf(found, now) });
          });
        });
      } catch {
        // It is only shown.
      }
    },
  };
}
