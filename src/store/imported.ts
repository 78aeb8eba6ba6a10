/**
 * What the store keeps of an imported secret: which of its codes were used, whatever became of its enrolments. Every enrolment of the
 * account with that secret is read with it and written with it, so no row of an earlier time accepts a used code. Pure.
 */
import { codesOf, secretOf } from '../seal/id.ts';
import { isNewSecret } from './enrolment.ts';
import { NO_UID, type Enrolment, type Imported } from './store.ts';

/** Its key among the imported secrets: the account, and the mark of the secret in the sealed file `id`. */
export function importKey(uid: number, id: string): string {
  return `${String(uid)} ${secretOf(id)}`;
}

/** The enrolment, with the codes that the store knows as used of its secrets. `find`: by importKey. */
export function withImported(enrolment: Enrolment, find: (key: string) => Imported | undefined): Enrolment {
  const { uid, id, pendingId, state, pendingState, doubt } = enrolment;
  if (doubt === 'forged') return enrolment;
  const [present, pending] = [id, pendingId].map((each) => {
    const found = find(importKey(uid, each));
    return found?.doubt === 'forged' ? undefined : found;
  });
  return {
    ...enrolment,
    state: present === undefined ? state : { ...state, ...usedOf(present, id, state) },
    pendingState:
      pending === undefined || !isNewSecret(pendingState) ? pendingState : { ...pendingState, ...usedOf(pending, pendingId, pendingState) },
  };
}

/** The used codes of `state`, of the secret and recovery codes in the sealed file `id`, and those of `imported`. */
export function usedOf(imported: Pick<Imported, 'lastStep' | 'codes' | 'spent'>, id: string, state: Used): Used {
  const lastStep = Math.max(imported.lastStep, state.lastStep);
  if (imported.codes === '') return { lastStep, spent: state.spent };
  // Other recovery codes took the place of these.
  if (imported.codes !== codesOf(id)) return { lastStep, spent: '1'.repeat(state.spent.length) };
  return { lastStep, spent: spentOnEither(state.spent, imported.spent) };
}

/** As in LoginState. */
export type Used = Pick<Imported, 'lastStep' | 'spent'>;

/**
 * The same for `imported`, after the enrolment with that secret was `was` and is `next`. A step goes back only where this change sets
 * it back: a clock was ahead. The recovery codes are those of the last sealed file that came into its place.
 */
export function importedAfter(imported: Imported, was: Enrolment, next: Enrolment): Imported {
  const { id, uid, state } = next;
  const isSetBack = secretOf(was.id) === secretOf(id) && state.lastStep < was.state.lastStep;
  const lastStep = isSetBack ? state.lastStep : Math.max(imported.lastStep, state.lastStep);
  const { spent } = importedToo(imported, next);
  const after = { ...imported, lastStep, spent, uid: uid === NO_UID ? imported.uid : uid };
  return was.id === id || imported.codes === codesOf(id) ? after : { ...after, codes: codesOf(id), spent: state.spent };
}

/** The same after codes of it were used by an enrolment, or by the copy of one, that is not the present one any more. */
export function importedToo(imported: Imported, { id, state }: Pick<Enrolment, 'id' | 'state'>): Imported {
  const spent = imported.codes === codesOf(id) ? spentOnEither(imported.spent, state.spent) : imported.spent;
  return { ...imported, lastStep: Math.max(imported.lastStep, state.lastStep), spent };
}

function spentOnEither(one: string, other: string): string {
  return Array.from(one, (digit, i) => (other[i] === '1' ? '1' : digit)).join('');
}
