/** What an import believes of the rows that the store keeps of imported secrets; see store/imported.ts. */
import { importKey } from '../../store/imported.ts';
import { NO_UID, type Enrolment, type Imported, type Transaction } from '../../store/store.ts';
import { isOfSecret, marksIn, type Marks } from './marks.ts';
import { enrolmentsOfAccount } from './other-devices.ts';
import type { Target } from './login-plan.ts';

/**
 * The imported secrets of the account, under each uid that it has or that an enrolment of it still has, and those that have the secret,
 * of any account. The enrolments are locked before them, as logins do it.
 */
export async function importsOf(transaction: Transaction, target: Target, marks: readonly Marks[]): Promise<readonly Imported[]> {
  const all = await enrolmentsOfAccount(transaction, target);
  const found = new Map<string, Imported>();
  for (const uid of new Set([target.origin.uid ?? NO_UID, ...all.map((each) => each.uid)]))
    for (const each of await transaction.imports(uid, marksIn(marks))) found.set(importKey(each.uid, each.mark), each);
  return [...found.values()];
}

/** What an import believes of the store. */
export interface Believed {
  /** What was used for certain, perhaps by another account. */
  readonly told: readonly Imported[];
  /** Whether nothing else was used. */
  readonly isKnown: boolean;
  /** Whether codes may have been used that no row tells of. */
  readonly isLost: boolean;
}

/**
 * A row with the mark of the secret tells which codes were used, whoever's it is: the account may have had another uid. Only a row of
 * this account proves that the other codes are unused: one of its uid, or of the uid of an enrolment of it that has the mark. What
 * another account has not used, this one may have used. If the account has no such row, any of its rows under a missing key may belong
 * to this secret. A row with the mark that somebody changed hides what was used, in any account.
 */
export function believed(
  imports: readonly Imported[],
  { uid, marks, mine }: { readonly uid: number; readonly marks: readonly Marks[]; readonly mine: readonly Enrolment[] },
): Believed {
  const found = imports.filter((each) => marks.some(({ mark }) => each.mark === mark));
  // Of the same secret, but with codes that are numbered in another way: only the emergency codes are the same.
  const beside = imports.filter((each) => !found.includes(each) && isOfSecret(marks, each));
  const told = found.filter(isGenuine);
  const hasIt = (each: Enrolment, row: Imported): boolean =>
    isGenuine(each) && importKey(each.uid, each.id) === importKey(row.uid, row.mark);
  const isKnown = told.some((row) => row.uid === uid || mine.some((each) => hasIt(each, row)));
  const mayHideIt = (row: Imported): boolean => !isGenuine(row) || !marks.some(({ key }) => row.key === key);
  return {
    told: [...told, ...beside.filter(isGenuine).map((each) => ({ ...each, lastStep: -1 }))],
    isKnown,
    isLost: ![...found, ...beside].every(isGenuine) || (!isKnown && imports.some(mayHideIt)),
  };
}

export function isGenuine({ doubt }: Pick<Enrolment | Imported, 'doubt'>): boolean {
  return doubt === undefined;
}
