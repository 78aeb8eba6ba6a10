/**
 * Decides the next step for one user of a batch, from the store, the sealed file and the hand-out. If the hand-out
 * names an enrolment, this batch made it: the hand-out is written after the enrolment is pending and before its file
 * is in place. So a working enrolment without such a hand-out was made by somebody else.
 */
import type { Enrolment } from '../../store/store.ts';
import type { Found } from '../../system/secrets.ts';
import { WORDING } from '../../verdict/reasons.ts';
import { isOwnSecret } from '../../enrolment/own-secrets.ts';
import { standingOf } from '../../login/account.ts';
import type { Handout } from './handouts.ts';

/** The outcome for one user. `already`: somebody else enrolled them. */
export type Outcome =
  | { readonly kind: 'made' | 'made before' }
  | { readonly kind: 'already'; readonly note?: string }
  | { readonly kind: 'skipped' | 'failed'; readonly why: string };

/** `remnant`: remove the hand-out of an interrupted run first. `pendingId`: complete this enrolment, whose file is in place. */
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
    // The standing has matched the file with the enrolment.
    const pendingId = enrolment?.pendingId === id ? id : undefined;
    if (handout?.id === id) return { do: 'leave', pendingId, outcome: { kind: 'made before' } };
    if (!replace) return { do: 'leave', pendingId, outcome: alreadyBeside(handout) };
    return makeBeside(handout, enrolment);
  }
  if (isOwnSecret(found, enrolment) && !replace && (enrolment === undefined || isUnused(enrolment)))
    return left({ kind: 'skipped', why: `has a secret of that name which is no login; --replace loses it` });
  if (enrolment === undefined || isUnused(enrolment) || replace) return makeBeside(handout, enrolment);
  const why = standing.detail ?? WORDING[standing.reason].message;
  return left({ kind: 'skipped', why: `is enrolled, but ${why}; --replace makes a new enrolment` });
}

/** Whether the enrolment was never completed, or is an unused invitation. */
function isUnused({ id, status, doubt }: Enrolment): boolean {
  return (id === '' || status === 'invited') && doubt === undefined;
}

function makeBeside(handout: Handout | undefined, enrolment: Enrolment | undefined): Next {
  const remnant = handout?.id !== undefined && handout.id === enrolment?.pendingId;
  if (handout === undefined || remnant) return { do: 'make', replaces: enrolment !== undefined && enrolment.id !== '', remnant };
  return left({
    kind: 'failed',
    why: `${handout.file} already exists and belongs to another enrolment: move it away, or give another --out`,
  });
}

function alreadyBeside(handout: Handout | undefined): Outcome {
  return handout === undefined
    ? { kind: 'already' }
    : { kind: 'already', note: `${handout.file} belongs to another enrolment: destroy it` };
}

function left(outcome: Outcome): Next {
  return { do: 'leave', pendingId: undefined, outcome };
}
