/** Keeps the copy for outages up to date with the changes that this host makes: a revoked login stays revoked when the server goes away. */
import { messageOf } from '../error.ts';
import { isSameSecret } from '../seal/id.ts';
import type { State } from '../state/state.ts';
import { withBudget } from '../store/enrolment.ts';
import type { Enrolment, Transaction } from '../store/store.ts';
import { sayError } from '../terminal/printer.ts';
import { usedOnEither } from './merge.ts';
import { openCopy, outagePlace } from './outage.ts';
import { unreportedOf } from './report.ts';

/** Changes the copied enrolment, before the store's replaces it. */
export type InCopy = (copy: Enrolment) => Enrolment;

/** A user's enrolment as the store has it now. */
interface Present {
  readonly enrolment: Enrolment;
  /** The sealed file; undefined where the store does not keep it. */
  readonly file: string | undefined;
}

/**
 * Brings this host's copy of the enrolments of `user` for `contexts` up to date with `transaction`, before that commits. Used codes
 * and spent tries on the copy stay so, except for what `inCopy` changes.
 * A copy with unreported decisions about `user` keeps them, and lets `user` in no more until they are reported. Does nothing where
 * the host keeps no copy, or none of `user`.
 * If the copy cannot be written, the change is made all the same and the person is warned. Throws where the store cannot be read.
 * The caller acts as `place.owner`.
 */
export async function noteChange(
  state: State,
  transaction: Transaction,
  user: string,
  contexts: readonly string[],
  inCopy: InCopy = (copy) => copy,
): Promise<void> {
  const { place, log } = state;
  if (outagePlace(place) === undefined) return;
  const present: Present[] = [];
  for (const context of contexts) {
    const enrolment = await transaction.enrolment(user, context);
    if (enrolment !== undefined) present.push({ enrolment, file: await transaction.sealed(user, context) });
  }
  try {
    const copy = openCopy(place, log.now, { create: false });
    try {
      await copy?.store.exclusively(async (copied) => {
        // The store does not know yet which codes they used there. These stay for the report, and let nobody in until then.
        if ((await unreportedOf(copied, user)).length > 0) {
          await copied.disapprove(user);
          return;
        }
        const isApproved = (await copied.approved()).some((each) => each.user === user);
        for (const each of present) await put(copied, each, { isApproved, inCopy });
      });
    } finally {
      copy?.store.close();
    }
  } catch (error) {
    if (!warned.has(state)) sayMissed(user, error);
    warned.add(state);
  }
}

/** A change has several steps, and the person is warned once. */
const warned = new WeakSet<State>();

function sayMissed(user: string, error: unknown): void {
  sayError(
    `the change was made, but this host's copy for outages is not up to date and may still let ${user} in: ${messageOf(error)}`,
    'see outage-copy in notp doctor, then run notp store refresh',
  );
}

async function put(
  copy: Transaction,
  { enrolment, file }: Present,
  { isApproved, inCopy }: { readonly isApproved: boolean; readonly inCopy: InCopy },
): Promise<void> {
  const { user, context } = enrolment;
  const known = await copy.enrolment(user, context);
  if (known === undefined && !isApproved) return;
  if (known === undefined) await copy.insert(enrolment);
  else await copy.save(withUsed(enrolment, inCopy(known), file !== undefined));
  if (file === undefined) await copy.dropSealed(user, context);
  else await copy.putSealed(user, context, file);
}

/** For the same secret the copy keeps its own budget: its tries may not be reported yet. */
function withUsed(enrolment: Enrolment, copy: Enrolment, inStore: boolean): Enrolment {
  const next = usedOnEither(enrolment, copy, inStore);
  return copy.doubt === undefined && isSameSecret(next.id, copy.id) ? withBudget(next, copy.state.bucket) : next;
}
