/** The input of a decision: the login that is asked about, and the terms of this host. */
import type { Origin } from '../audit/record.ts';
import type { StatePlace } from '../state/place.ts';
import type { DeviceFile } from '../system/secrets.ts';
import type { Policy } from '../verdict/decide.ts';
import type { Rule } from '../verdict/rules.ts';
import type { Circumstances } from '../wire/verifier.ts';

/** A login that asks to be let in. */
export interface Login {
  /** The sealed files of the devices that may answer; at least one. */
  readonly files: readonly DeviceFile[];
  /** The contexts of all devices of the account, which share one guess budget. */
  readonly account: readonly string[];
  /** Its context is that of the first device, until another device answers. */
  readonly origin: Origin;
  readonly circumstances: Circumstances;
  /** When a question arrived that then waited for its turn, by `now` of the rules; undefined: it did not wait. */
  readonly askedMs?: number;
  /** When the caller stops waiting, by uptimeMs(). Nothing is decided later. */
  readonly untilMs?: number;
}

/** By what this host decides. */
export interface Terms {
  readonly place: StatePlace;
  /** Whether the store keeps the sealed files. Then its files replace those that came with the login. */
  readonly inStore: boolean;
  readonly policy: Policy;
  /** How users who were never enrolled are treated, unless a rule lets them in: refused, or asked by the door to enrol without an invitation. */
  readonly unenrolled: 'deny' | 'enroll';
  /** Who is asked for a code. */
  readonly rules: readonly Rule[];
  /** Whether the store has the rules instead: then a decision reads them there. */
  readonly rulesInStore?: boolean;
  /** The name of this host, for the rules. */
  readonly host: string;
  /** Whether a copy of this host is configured and may decide while the store is out of reach. */
  readonly mayFallBack: boolean;
  /** Set where the caller can ask another judge. Then a fault of this host is thrown while nothing is judged and nothing saved. */
  readonly areOthersAsked?: true;
  readonly now: () => number;
}
