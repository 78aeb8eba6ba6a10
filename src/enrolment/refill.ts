/** Refills guess budgets: `notp unlock`. */
import type { Done } from '../audit/record-change.ts';
import type { Origin } from '../audit/record.ts';
import { MAX_CUT_OFF } from '../audit/walk.ts';
import type { Enrolment } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import { fullBucket, refilled } from '../verdict/budget.ts';
import { withoutClockAhead, type Policy } from '../verdict/decide.ts';
import { accountContexts } from '../login/account.ts';
import { timeOf } from '../store/clock.ts';
import { change } from './change.ts';
import { isNewSecret, refuseForged, statusToBe } from '../store/enrolment.ts';
import { type State } from '../state/state.ts';

/** The whole tries that an enrolment had before, and has now. */
export interface Refilled {
  readonly context: string;
  readonly before: number;
  readonly budget: number;
  /** How many steps the last accepted code was ahead of the present one, because the clock was ahead. Later codes count again. */
  readonly stepsAhead: number;
}

/** The most enrolments refilled in one transaction: a crash may cut off the records of all of them, and the sums of floods before them. */
const AT_ONCE = MAX_CUT_OFF / 2;

/**
 * Fills the guess budget of the enrolments of `origin.user` that are not revoked: of all, or of those that share a budget with
 * `context`.
 * Each gets a record. A last accepted step from a clock that was ahead is set back to the present. Accepted codes and spent
 * recovery codes stay used. Empty where there is no such enrolment. Throws `refused` where one was forged.
 */
export async function refill(
  state: State,
  origin: Omit<Origin, 'context'>,
  context: string | undefined,
  config: Pick<Config, 'policy' | 'contexts'>,
  hostMs: number,
): Promise<readonly Refilled[]> {
  const refilledSoFar: Refilled[] = [];
  for (;;) {
    const some = await refillSome(state, origin, { context, but: refilledSoFar.map((each) => each.context) }, config, hostMs);
    refilledSoFar.push(...some);
    if (some.length < AT_ONCE) return refilledSoFar;
  }
}

/** The same for at most AT_ONCE of them. `but`: the contexts of those that are refilled already. */
async function refillSome(
  state: State,
  origin: Omit<Origin, 'context'>,
  { context, but }: { readonly context: string | undefined; readonly but: readonly string[] },
  { policy, contexts }: Pick<Config, 'policy' | 'contexts'>,
  hostMs: number,
): Promise<readonly Refilled[]> {
  return await change(state, origin, async (transaction) => {
    const nowMs = await timeOf(transaction, () => hostMs);
    const all = await transaction.enrolmentsOf(origin.user);
    const asked = context === undefined ? undefined : accountContexts({ contexts }, [context]);
    const ofAccount = all.filter((each) => asked === undefined || asked.includes(each.context));
    const wanted = ofAccount.filter((each) => statusToBe(each) !== 'revoked');
    for (const each of wanted) refuseForged(each);
    // A revoked enrolment's last code also blocks codes of the other devices, so a step from a clock that was ahead is set back there, too.
    const over = ofAccount.filter((each) => statusToBe(each) === 'revoked' && each.doubt === undefined);
    for (const each of over) await transaction.save({ ...each, state: withoutClockAhead(each.state, nowMs, policy) });
    const done: Done[] = [];
    const given: Refilled[] = [];
    for (const enrolment of wanted.filter((each) => !but.includes(each.context)).slice(0, AT_ONCE)) {
      const before = Math.max(0, Math.floor(refilled(enrolment.state.bucket, policy, nowMs).tokens));
      const unlocked = withFullBucket(enrolment, policy, nowMs);
      const stepsAhead = enrolment.state.lastStep - unlocked.state.lastStep;
      await transaction.save(unlocked);
      const clock = stepsAhead === 0 ? '' : `; the last code was of a clock ${String(stepsAhead)} steps ahead`;
      const detail = `${String(before)} of ${String(policy.budget)} tries were left${clock}`;
      done.push({ context: enrolment.context, event: 'unlock', detail });
      given.push({ context: enrolment.context, before, budget: policy.budget, stepsAhead });
    }
    // The copy uses the clock of the host.
    return { done, given, inCopy: (copy: Enrolment) => withFullBucket(copy, policy, hostMs) };
  });
}

/** The enrolment with a full budget, and the pending one too. */
function withFullBucket(enrolment: Enrolment, policy: Policy, nowMs: number): Enrolment {
  const { state, pendingState } = enrolment;
  const bucket = fullBucket(policy, nowMs);
  return {
    ...enrolment,
    state: { ...withoutClockAhead(state, nowMs, policy), bucket },
    pendingState: isNewSecret(pendingState) ? { ...pendingState, ...withoutClockAhead(pendingState, nowMs, policy), bucket } : pendingState,
  };
}
