/**
 * The enrolments of one user, wherever they are held: on a state that this process may write (here/), or by the service of this host, which
 * is asked through the user's socket (through-service/). open.ts chooses.
 */
import type { Credential } from '../otp/uri.ts';
import type { SealedFile } from '../seal/file.ts';
import type { Change } from '../wire/enrolment.ts';
import type { Facts } from '../wire/facts.ts';
import type { Refilled } from './care.ts';
import type { HeldBy, Plan } from './plan.ts';

/** What can be done with enrolments of which only a name is known: of a user who is gone, or on other hosts of the fleet alone. */
export interface NamedEnrolments {
  /** What is known of each, by context, where they are what judges logins. */
  status(): Promise<readonly Facts[]>;
  /** Ends one. Gives whether the user's socket leads to nothing then. Throws `refused` where there is nothing to end, or without a proof. */
  revoke(context: string): Promise<{ readonly endsSocket: boolean }>;
  /** Fills the guess budget of one, or of all. Throws `refused` where none logs in, `not_permitted` where the service holds them. */
  unlock(context: string | undefined): Promise<readonly Refilled[]>;
}

export interface Enrolments extends NamedEnrolments {
  readonly heldBy: HeldBy;
  /** Makes a new secret, shows it, confirms, seals and registers it, in place of an earlier one. Throws where it did not come to that; an earlier one works on. */
  enrol(plan: Plan): Promise<void>;
  /** Lets the user enrol once. Throws `not_permitted` without root, `failed` without the service. */
  invite(context: string): Promise<void>;
  /** Seals the secret of a login anew. Throws `refused` where there is nothing to seal anew, or the proof is none; then nothing was changed. */
  sealAnew(what: SealAnew, hand?: Hand): Promise<SealedAgain>;
  /**
   * The credential of the login `context` in `sealed`, which is sealed by the host; undefined: the store keeps it. Recorded before it leaves.
   * Throws `refused` where it is out of reach, or without a proof. The caller wipes the secret.
   */
  giveOut(context: string, sealed: SealedFile | undefined): Promise<Credential>;
  /** Whether `file` is what a login is registered with. Throws where whoever knows it cannot be asked. */
  isLogin(file: SealedFile): Promise<boolean>;
  /** Whether logins go by `context`, whatever lies there. Throws where the service that knows it cannot answer. */
  isLoginContext(context: string): Promise<boolean>;
}

export interface SealAnew {
  readonly context: string;
  readonly event: Change['event'];
  /** How to seal it; undefined: as it is. */
  readonly seal: 'passphrase' | 'host' | undefined;
  /** How many new recovery codes; undefined: those that are there stay. */
  readonly recovery: number | undefined;
  readonly passphraseFile: string | undefined;
  readonly newPassphraseFile: string | undefined;
}

/** What came of it, given out before the new file takes its place. */
export interface SealedAgain {
  readonly id: string;
  readonly file: string;
  readonly seal: 'passphrase' | 'host';
  /** The new recovery codes, which are shown once. */
  readonly recovery: readonly string[];
}

/** Gives a result out that nobody could have again, before the new file takes its place. */
export type Hand = (done: SealedAgain) => void;
