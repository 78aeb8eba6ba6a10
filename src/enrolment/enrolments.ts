/**
 * The enrolments of one user, wherever they are held: on a state that this process may write (here/), or by the service of this
 * host.
 * The service is asked through the user's socket (through-service/). open.ts chooses.
 */
import type { Credential } from '../otp/uri.ts';
import type { SealedFile } from '../seal/file.ts';
import type { Change } from '../wire/enrolment.ts';
import type { Facts } from '../wire/facts.ts';
import type { Refilled } from './refill.ts';
import type { HeldBy, Plan } from './plan.ts';
import type { Revoked } from './registrar.ts';

/**
 * What can be done with enrolments of which only the user's name is known: the user is deleted, or exists only on other hosts of
 * the fleet.
 */
export interface NamedEnrolments {
  /** The facts of each enrolment that logins are judged by, sorted by context. */
  status(): Promise<readonly Facts[]>;
  /**
   * Ends one enrolment. Gives whether the user's socket then serves nothing more. Throws `refused` where there is nothing to end,
   * or without a proof.
   */
  revoke(context: string): Promise<Pick<Revoked, 'enrolment' | 'grants'> & { readonly endsSocket: boolean }>;
  /** Forgets the connections and sources that earlier codes also let in. */
  forget(): Promise<void>;
  /**
   * Fills the guess budget of one enrolment, or of all. Throws `refused` where none logs in, `not_permitted` where the service
   * holds them.
   */
  unlock(context: string | undefined): Promise<readonly Refilled[]>;
}

export interface Enrolments extends NamedEnrolments {
  readonly heldBy: HeldBy;
  /**
   * Makes a new secret, shows it, confirms, seals and registers it, and replaces an earlier one. Throws where that fails; an
   * earlier one then still works.
   */
  enrol(plan: Plan): Promise<void>;
  /** Lets the user enrol once. Throws `not_permitted` without root, `failed` without the service. */
  invite(context: string): Promise<void>;
  /** Re-seals the secret of a login. Throws `refused` where there is nothing to re-seal or the proof is wrong. Then nothing was changed. */
  reseal(what: Reseal, hand?: Hand): Promise<Resealed>;
  /**
   * The credential of the login `context` in `sealed`, which is sealed by the host; undefined: the store keeps it. It is recorded
   * before it is given. Throws `refused` where it is out of reach, or without a proof. The caller wipes the secret.
   */
  giveOut(context: string, sealed: SealedFile | undefined): Promise<Credential>;
  /** Whether `file` is registered and logs in. Throws where the service that knows it cannot be asked. */
  isLogin(file: SealedFile): Promise<boolean>;
  /** Whether `context` logs in, whatever file is in place. Throws where the service that knows it cannot answer. */
  isLoginContext(context: string): Promise<boolean>;
}

export interface Reseal {
  readonly context: string;
  readonly event: Change['event'];
  /** The new kind of seal; undefined: as before. */
  readonly seal: 'passphrase' | 'host' | undefined;
  /** The number of new recovery codes; undefined: the old codes stay. */
  readonly recovery: number | undefined;
  readonly passphraseFile: string | undefined;
  readonly newPassphraseFile: string | undefined;
}

/** The result, handed out before the new file is in place. */
export interface Resealed {
  readonly id: string;
  readonly file: string;
  readonly seal: 'passphrase' | 'host';
  /** The new recovery codes, which are shown only once. */
  readonly recovery: readonly string[];
}

/** Hands out a result that nobody could get a second time, before the new file is in place. */
export type Hand = (done: Resealed) => void;
