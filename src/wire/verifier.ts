/** The interface that a door asks whether a proof is accepted. It is the same here and through the service. */
import type { Reading } from '../otp/proof.ts';
import type { Connection, RefusedTries } from '../store/store.ts';
import type { Verdict } from '../verdict/decide.ts';

/** One attempt of a person at a door. */
export interface Attempt {
  /** The ways to read the typed line (see otp/proof.ts); empty if it cannot be a proof. */
  readonly readings: readonly Reading[];
  /** The person did not answer before the deadline. */
  readonly timedOut?: boolean;
  readonly session?: SshSession | undefined;
}

/** The SSH session, as the gate sees it. */
export interface SshSession {
  /** The SSH connection. If the door remembers connections, an accepted code also lets in its further sessions. */
  readonly connection: Connection | undefined;
  /** SHA-256 (hex) of the key that sshd accepted, see keyDigestOf(); undefined if the first factor was not a key. */
  readonly keyDigest: string | undefined;
}

/** What a door says about a login for the rules. Undefined: unknown. */
export interface Circumstances {
  /** The groups that the user is in, of those that the rules name. */
  readonly groups: readonly string[];
  /** Those that the user is not in. Of every other group it is unknown, as of one that a rule names since the door has looked. */
  readonly otherGroups: readonly string[];
  /** The type of the key that passed first; empty where it is known that no key has. */
  readonly keyType: string | undefined;
  /** Whether a first factor is known to have passed. */
  readonly firstFactor: boolean;
}

export const NOTHING_KNOWN: Circumstances = { groups: [], otherGroups: [], keyType: undefined, firstFactor: false };

/** What an acceptance tells the owner: codes that were refused since the last accepted one, or until when no enrolment is needed. */
export type Notice = ({ readonly kind: 'refused_tries' } & RefusedTries) | { readonly kind: 'enrol_by'; readonly untilMs: number };

/** A verdict whose record is on the disk. A refusal stands even if its record could not be written. */
export interface Outcome {
  readonly verdict: Verdict;
  /** 8 hex digits that find the record; empty for a refusal without a record. */
  readonly ref: string;
  /** What the owner of the account is told after the login. */
  readonly notice?: Notice | undefined;
}

export interface Verifier {
  /** How the secrets are sealed, so that the door knows whether to ask for a passphrase. */
  readonly seal: 'passphrase' | 'host' | 'either';
  /**
   * The outcome if no proof is needed (this connection has shown one, the source is remembered for a while, or a rule asks for none) or
   * no proof would help (not enrolled, revoked, refused by a rule); undefined: ask for a proof. `only`: refuses nobody, since whoever gets
   * no acceptance is asked and refused then.
   */
  beforeAsking(session: SshSession | undefined, only?: 'acceptance'): Promise<Outcome | undefined>;
  /** Judges one attempt. Never throws: every error is a refusal. */
  verify(attempt: Attempt): Promise<Outcome>;
  close(): void;
}
