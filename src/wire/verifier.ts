/** What a door needs to know: was this proof accepted? One interface, whoever holds the key and the state. */
import type { Reading } from '../otp/proof.ts';
import type { Connection } from '../store/store.ts';
import type { Verdict } from '../verdict/decide.ts';

/** What a person presents at a door. */
export interface Attempt {
  /** The ways to read what was typed (see otp/proof.ts); none where it cannot be a proof. */
  readonly readings: readonly Reading[];
  /** The person did not answer before the deadline. */
  readonly timedOut?: boolean;
  readonly session?: SshSession | undefined;
}

/** The SSH session that asks, as the gate sees it. */
export interface SshSession {
  /** The connection that an accepted code opens for further sessions, where the door remembers it. */
  readonly connection: Connection | undefined;
  /** SHA-256 (hex) of the key that sshd accepted; undefined where it was none. */
  readonly keyDigest: string | undefined;
}

/** A verdict that is recorded and on the disk; a refusal as well as can be. */
export interface Outcome {
  readonly verdict: Verdict;
  /** 8 hex digits that find the record; empty for a refusal that nothing took a record of. */
  readonly ref: string;
}

export interface Verifier {
  /** How the secrets are sealed, so that the door knows whether to ask for a passphrase. */
  readonly seal: 'passphrase' | 'host' | 'either';
  /** The outcome where no proof is needed (this connection has shown one, the source is trusted for a while, or policy asks for none) or none would help (not enrolled, revoked); undefined: ask. */
  beforeAsking(session: SshSession | undefined): Promise<Outcome | undefined>;
  /** Judges one attempt. Never throws: what goes wrong is a refusal. */
  verify(attempt: Attempt): Promise<Outcome>;
  close(): void;
}
