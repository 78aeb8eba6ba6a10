/**
 * What is to be done for one user of a batch, from what the store, the sealed file and the hand-out say together.
 * An enrolment is this batch's own where the hand-out names it: it was written after the enrolment was pending and
 * before its file took its place, so one that works and has no such hand-out was made by somebody else.
 */
import type { Enrolment } from '../../store/store.ts';
import type { Found } from '../../system/secrets.ts';
import { WORDING } from '../../verdict/reasons.ts';
import { standingOf } from '../../login/standing.ts';
import type { Handout } from './handouts.ts';

/** How it ended for one user, or would. `already`: it was somebody else who enrolled them. */
export type Outcome =
  | { readonly kind: 'made' | 'made before' }
  | { readonly kind: 'already'; readonly note?: string }
  | { readonly kind: 'skipped' | 'failed'; readonly why: string };

/** `remnant`: there is a hand-out of work that was interrupted, which must go first. `pendingId`: the file in place is to be completed. */
export type Next =
  | { readonly do: 'make'; readonly replaces: boolean; readonly remnant: boolean }
  | { readonly do: 'leave'; readonly pendingId: string | undefined; readonly outcome: Outcome };

export interface Seen {
  readonly enrolment: Enrolment | undefined;
  readonly found: Found;
  readonly handout: Handout | undefined;
}

/** Pure. */
export function nextFor({ enrolment, found, handout }: Seen, { replace }: { replace: boolean }): Next {
  const standing = standingOf(enrolment, found);
  if ('file' in standing) {
    const { id } = standing.file;
    // Its standing says that it is this very file.
    const pendingId = enrolment?.pendingId === id ? id : undefined;
    if (handout?.id === id) return { do: 'leave', pendingId, outcome: { kind: 'made before' } };
    if (!replace) return { do: 'leave', pendingId, outcome: alreadyBeside(handout) };
    return makeBeside(handout, enrolment);
  }
  if (enrolment === undefined || isUnused(enrolment) || replace) return makeBeside(handout, enrolment);
  const why = standing.detail ?? WORDING[standing.reason].message;
  return left({ kind: 'skipped', why: `is enrolled, but ${why}; --replace makes a new enrolment` });
}

/** Whether it was never completed, or is an invitation that nobody has used. */
function isUnused({ id, status, doubt }: Enrolment): boolean {
  return (id === '' || status === 'invited') && doubt === undefined;
}

function makeBeside(handout: Handout | undefined, enrolment: Enrolment | undefined): Next {
  const remnant = handout?.id !== undefined && handout.id === enrolment?.pendingId;
  if (handout === undefined || remnant) return { do: 'make', replaces: enrolment !== undefined && enrolment.id !== '', remnant };
  return left({ kind: 'failed', why: `${handout.file} is there already, of another enrolment: move it away, or give another --out` });
}

function alreadyBeside(handout: Handout | undefined): Outcome {
  return handout === undefined ? { kind: 'already' } : { kind: 'already', note: `${handout.file} is of another enrolment: destroy it` };
}

function left(outcome: Outcome): Next {
  return { do: 'leave', pendingId: undefined, outcome };
}
