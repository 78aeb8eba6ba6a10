/** Whether an enrolment and its sealed file belong together, so that there is something to judge. */
import { NotpError } from '../error.ts';
import { shellCommand } from '../otp/escape.ts';
import { registrationOf, type Registration, type SealedFile } from '../seal/file.ts';
import type { Doubt } from '../store/row-seal.ts';
import { completed } from '../store/enrolment.ts';
import type { Enrolment } from '../store/store.ts';
import type { Found } from '../system/secrets.ts';
import type { Refused } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';

/** The enrolment and its sealed file where they belong together, else the refusal. */
export type Standing = { readonly enrolment: Enrolment; readonly file: SealedFile } | Refused;

export function standingOf(enrolment: Enrolment | undefined, found: Found): Standing {
  if (enrolment === undefined) return refused('not_enrolled');
  if (enrolment.doubt !== undefined) return doubted(enrolment, enrolment.doubt);
  const registration = found.kind === 'sealed' ? registrationOf(found.file) : undefined;
  const present = awaits(enrolment, registration) ? completed(enrolment) : enrolment;
  if (present.status !== 'revoked' && found.kind === 'sealed' && registers(present, registration))
    return found.locked === undefined ? { enrolment: present, file: found.file } : refused('bad_secret_file', found.locked);
  if (present.status === 'revoked') return refused('revoked');
  if (found.kind === 'bad') return refused('bad_secret_file', found.why);
  if (enrolment.status === 'invited') return refused('not_enrolled', 'an administrator has invited, and nobody has enrolled yet');
  if (enrolment.id === '') return refused('not_enrolled', 'the enrolment was never completed');
  if (found.kind === 'absent') return refused('bad_secret_file', 'the sealed file is missing');
  if (enrolment.digest === '')
    return refused('stale_enrolment', 'an earlier notp registered it without its content: notp-enroll --replace');
  const isForged = registration?.id === enrolment.id;
  return refused(
    'stale_enrolment',
    isForged ? 'the file has the registered id and other content' : `the file's id is ${registration?.id ?? ''}`,
  );
}

/** The same for commands that only show: without the host key a row is believed. No login is decided by this. */
export function seenStanding(enrolment: Enrolment, found: Found): Standing {
  const { doubt, ...believed } = enrolment;
  return standingOf(doubt === 'unverified' ? believed : enrolment, found);
}

/** The refusal for a row whose MAC is wrong or cannot be checked. It proves nothing, except that the enrolment was revoked. */
function doubted({ user, context, status }: Pick<Enrolment, 'user' | 'context' | 'status'>, doubt: Doubt): Refused {
  if (status === 'revoked') return refused('revoked');
  if (doubt === 'forged') return refused('stale_enrolment', `${forged(user, context)}: ${replace(user, context)}`);
  return refused('store_unavailable', 'the key of this host cannot be read here, and by it alone an enrolment is known to be genuine');
}

function replace(user: string, context: string): string {
  return shellCommand`notp-enroll --replace ${user} ${context}`;
}

function forged(user: string, context: string): string {
  return `the enrolment of ${user} for ${context} was changed outside notp, or under a host key that is not here`;
}

/** Throws `refused` where `enrolment` is forged: its values must never get a valid seal. */
export function refuseForged(enrolment: Enrolment): void {
  const { user, context, doubt } = enrolment;
  if (doubt === 'forged') throw new NotpError('refused', forged(user, context), `${replace(user, context)} makes a new one`);
}

/** Whether `file` is the registered one: id and whole content. */
export function registers({ id, digest }: Enrolment, file: Registration | undefined): boolean {
  return file !== undefined && digest !== '' && file.id === id && file.digest === digest;
}

/** Whether `file` is the pending one, compared in the same way. */
export function awaits({ pendingId: id, pendingDigest: digest }: Enrolment, file: Registration | undefined): boolean {
  return file !== undefined && digest !== '' && file.id === id && file.digest === digest;
}

export function refused(reason: Reason, detail?: string): Refused {
  return { result: 'refused', reason, ...(detail === undefined ? {} : { detail }) };
}
