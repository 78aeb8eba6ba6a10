/** How an enrolment and the sealed file that was found stand to each other: whether there is anything to judge. */
import type { SealedFile } from '../seal/file.ts';
import type { Enrolment } from '../store/store.ts';
import type { Found } from '../system/secrets.ts';
import type { Refused } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';

/** The enrolment and its sealed file where they belong together, else why there is nothing to judge. */
export type Standing = { readonly enrolment: Enrolment; readonly file: SealedFile } | Refused;

export function standingOf(enrolment: Enrolment | undefined, found: Found): Standing {
  if (enrolment === undefined) return refused('not_enrolled');
  if (enrolment.status === 'revoked') return refused('revoked');
  if (found.kind === 'bad') return refused('bad_secret_file', found.why);
  const id = found.kind === 'sealed' ? found.file.id : '';
  if (enrolment.id === '' && (id === '' || id !== enrolment.pendingId)) return refused('not_enrolled', 'the enrolment was never completed');
  if (found.kind === 'absent') return refused('bad_secret_file', 'the sealed file is missing');
  if (id === enrolment.pendingId) return { enrolment: completed(enrolment), file: found.file };
  return id === enrolment.id ? { enrolment, file: found.file } : refused('stale_enrolment', `the file's id is ${id}`);
}

/** The enrolment after its pending file has come into its place; see commands/enroll.ts. */
export function completed(enrolment: Enrolment): Enrolment {
  const { pendingId: id, pendingState } = enrolment;
  return { ...enrolment, id, pendingId: '', ...(pendingState === undefined ? {} : { state: pendingState, lastAcceptedMs: 0 }) };
}

export function refused(reason: Reason, detail?: string): Refused {
  return { result: 'refused', reason, ...(detail === undefined ? {} : { detail }) };
}
