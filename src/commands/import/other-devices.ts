/** Makes sure that no other device of the account has the secret that is imported: each code and each emergency code would work for both. */
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import type { Credential } from '../../otp/uri.ts';
import type { State } from '../../state/state.ts';
import { completed, statusToBe } from '../../store/enrolment.ts';
import type { Enrolment, Transaction } from '../../store/store.ts';
import { asUser } from '../../system/privileges.ts';
import { userByName } from '../../system/users.ts';
import { heldBy } from './login-present.ts';
import { hasMark, type Marks } from './marks.ts';
import type { Target } from './login-plan.ts';

/** The other devices of the account, as their files were found before the transaction that registers the secret. */
export interface OtherDevices {
  /** Their enrolments, as they must still be in that transaction. */
  readonly seen: readonly Enrolment[];
  /** Ended enrolments that had the secret, as their files say. */
  readonly ended: readonly Enrolment[];
  /** Why each further ended enrolment may have had it, so that codes may have been used there. */
  readonly unsure: readonly string[];
  /** Earlier names of the account, which cannot log in any more. */
  readonly gone: ReadonlySet<string>;
}

/** The secret to search for. */
interface Searched {
  readonly credential: Credential;
  readonly marks: readonly Marks[];
  /** Opens files that a passphrase seals. */
  readonly passphrase: string | undefined;
}

/**
 * Throws `refused` if another device of the account has this secret, or if its sealed file cannot be opened with the host key or
 * `passphrase`, so that it may have it.
 */
export async function findOtherDevices(target: Target, state: State, { credential, marks, passphrase }: Searched): Promise<OtherDevices> {
  const { origin, config, place } = target;
  const { user, context } = origin;
  const { contexts } = config;
  const others = contexts.includes(context) ? contexts.filter((each) => each !== context) : [];
  const all = await asUser(place.owner, () => state.store.exclusively((transaction) => enrolmentsOfAccount(transaction, target)));
  const names = new Set(all.map((each) => each.user));
  const gone = new Set([...names].filter((name) => name !== user && userByName(name) === undefined));
  refuseTwin(all, target, marks, gone);
  const seen: Enrolment[] = [];
  const ended: Enrolment[] = [];
  const unsure: string[] = [];
  for (const other of others) {
    const enrolment = all.find((each) => each.user === user && each.context === other);
    // The store knows the used codes of an ended one with this mark.
    if (enrolment !== undefined && hasMark(marks, enrolment.id)) continue;
    if (enrolment !== undefined) seen.push(enrolment);
    const found = { ...target, origin: { ...origin, context: other } };
    const held = await heldBy(found, state, enrolment, { credential, passphrase });
    const isOver = enrolment !== undefined && statusToBe(enrolment) !== 'active';
    if (held === 'other' || (held !== 'same' && wasNever(enrolment))) continue;
    if (held === 'same' && isOver) ended.push(enrolment);
    else if (held === 'same') throw hasItAlready({ user, context: other });
    else if (isOver) unsure.push(`the ended enrolment ${other} may have had this secret (${held.why})`);
    else
      throw new NotpError(
        'refused',
        `${user} may already have the same secret for ${other}, whose secret cannot be read: ${held.why}`,
        shellCommand`restore its sealed file, or give its passphrase with --passphrase-file; notp revoke ${other} --user ${user} ends it`,
      );
  }
  return { seen, ended, unsure, gone };
}

/** The same inside the transaction that registers the secret. `all`: the enrolments of the account. */
export function refuseOthers(all: readonly Enrolment[], target: Target, marks: readonly Marks[], { seen, gone }: OtherDevices): void {
  refuseTwin(all, target, marks, gone);
  for (const each of seen) {
    const now = all.find(({ user, context }) => user === each.user && context === each.context);
    if (now === undefined || now.digest !== each.digest || now.pendingDigest !== each.pendingDigest || now.status !== each.status)
      throw new NotpError('refused', `the enrolment of ${each.user} for ${each.context} has changed meanwhile`, 'run the command again');
  }
}

function refuseTwin(all: readonly Enrolment[], { origin }: Target, marks: readonly Marks[], gone: ReadonlySet<string>): void {
  const isLiving = (each: Enrolment): boolean =>
    (each.status === 'active' && hasMark(marks, each.id)) || (hasMark(marks, each.pendingId) && completed(each).status === 'active');
  const isOther = (each: Enrolment): boolean => each.user !== origin.user || each.context !== origin.context;
  const twin = all.find((each) => isOther(each) && !gone.has(each.user) && isLiving(each));
  if (twin !== undefined) throw hasItAlready(twin);
}

/**
 * The enrolments of the account, under its present name and under earlier ones. The first are locked. A code that was used under an
 * earlier name, or for a context that the configuration does not list any more, stays used.
 */
export async function enrolmentsOfAccount(transaction: Transaction, { origin }: Target): Promise<readonly Enrolment[]> {
  const known = await transaction.enrolmentsOf(origin.user);
  const ofUid = origin.uid === undefined ? [] : await transaction.enrolmentsOfUid(origin.uid);
  return [...known, ...ofUid.filter(({ user }) => user !== origin.user)];
}

function hasItAlready({ user, context }: Pick<Enrolment, 'user' | 'context'>): NotpError {
  return new NotpError(
    'refused',
    `${user} already has the same secret for ${context}`,
    shellCommand`import it for one context; notp revoke ${context} --user ${user} ends the other`,
  );
}

/** Whether the enrolment never had a file, so that it never accepted a code. */
function wasNever(enrolment: Enrolment | undefined): boolean {
  return enrolment === undefined || (enrolment.id === '' && enrolment.pendingId === '');
}
