/**
 * Logins while the store of a fleet cannot be reached, for the few whom the configuration names: judged on this host's copy of what
 * the store last said of them, by step-up alone, in a log of their own, and told to the store as soon as it answers. What that costs
 * is in SECURITY.md.
 */
import { StoreUnreached } from '../error.ts';
import type { LocalOptions } from './local.ts';
import { keepCopy, refreshedMs, tellStore } from './outage-copy.ts';
import { outagePlace, openState, type State } from './state.ts';

/** A copy that is older may know of too little that was revoked or used elsewhere. */
export const MAX_AGE_MS = 24 * 3_600_000;

/** How a decision on the copy differs from one of the store. */
export type OutageRules = Pick<LocalOptions, 'policy' | 'trustMs' | 'forgets'>;

export interface Outage {
  /**
   * Runs `decide` on the store, after it was told of what was decided without it, and keeps a copy after that; where the store cannot be
   * reached and nothing was begun there, runs `without` on the copy. Throws as they do.
   */
  around<T>(state: State, decide: () => Promise<T>, without: (copy: State, rules: OutageRules) => Promise<T>): Promise<T>;
}

/** Undefined where the configuration lets nobody in without the store. */
export function outageOf({ place, origin: { user }, policy, now }: LocalOptions): Outage | undefined {
  const copyPlace = outagePlace(place);
  if (copyPlace === undefined || place.store.kind !== 'postgres') return undefined;
  const isApproved = place.store.outage?.users.includes(user) ?? false;
  // Nobody waits for a server twice that was not there a moment ago.
  let gone: StoreUnreached | undefined;
  // No budget that could let a single code be judged, now or later.
  const rules: OutageRules = { policy: { ...policy, refillMs: Number.MAX_SAFE_INTEGER }, trustMs: 0, forgets: true };
  return {
    around: async (state, decide, without) => {
      try {
        if (gone !== undefined) throw gone;
        await tellStore(copyPlace, state, now);
        const result = await decide();
        // What fails here is found by notp doctor, and undoes no decision.
        if (isApproved) await keepCopy(copyPlace, state, user, now).catch(() => undefined);
        return result;
      } catch (error) {
        if (!(error instanceof StoreUnreached) || !isApproved) throw error;
        gone = error;
        const copy = openState(copyPlace, now, { create: false });
        if (copy === undefined) throw error;
        try {
          const ageMs = now() - (await refreshedMs(copy.store, user));
          if (ageMs < 0 || ageMs > MAX_AGE_MS) throw error;
          return await without(copy, rules);
        } finally {
          copy.store.close();
        }
      }
    },
  };
}
