/**
 * What may be known of an enrolment: whether it logs in, since when, and what is left of its budget and recovery
 * codes. Never a secret. Plain data with the keys that `--json` prints, so that it can come from another process.
 */
import { bad, exactly } from '../seal/fields.ts';

/**
 * `active` logs in. Else why not: `revoked`; `invited` and nobody has enrolled yet; `incomplete`, an enrolment that
 * never ended; the sealed file is `missing`, `bad` (it cannot be read or used) or `stale` (not the registered one, or the enrolment was
 * changed outside notp, so that none is);
 * `orphaned`: there is no such user any more.
 */
export type EnrolmentState = 'active' | 'revoked' | 'invited' | 'incomplete' | 'missing' | 'bad' | 'stale' | 'orphaned';

export interface Facts {
  /** Of the registered sealed file; null where none was ever registered. */
  readonly id: string | null;
  readonly user: string;
  readonly context: string;
  readonly state: EnrolmentState;
  /** What is wrong with the sealed file, where something is. */
  readonly problem: string | null;
  /** Whether the sealed file in its place is the registered one, and logs in. */
  readonly registered: boolean;
  /** Of that file; null where `registered` is false. */
  readonly seal: 'passphrase' | 'host' | null;
  /** RFC 3339; null where `registered` is false. */
  readonly created: string | null;
  /** RFC 3339; null for never. */
  readonly last_accepted: string | null;
  /** Whole tries that are left now, of `capacity`. */
  readonly budget: number;
  readonly capacity: number;
  /** RFC 3339: when there is one try more; null where there are as many as there can be. */
  readonly next_try: string | null;
  /** Whether more than one code is asked for now. */
  readonly step_up: boolean;
  /** How many consecutive codes are asked for now. */
  readonly codes_needed: 1 | 2 | 3;
  readonly recovery_left: number;
}

const NO_FACTS: Facts = {
  ...{ id: null, user: '', context: '', state: 'active', problem: null, registered: false, seal: null, created: null },
  ...{ last_accepted: null, budget: 0, capacity: 0, next_try: null, step_up: false, codes_needed: 1, recovery_left: 0 },
};

/** What the service says of enrolments. Throws `bad_secret_file` where it is none of that; its texts are the service's. */
export function parseFacts(value: unknown): readonly Facts[] {
  if (!Array.isArray(value)) throw bad('"facts" is no list');
  return value.map((each) => exactly(each, 'what is known of an enrolment', Object.keys(NO_FACTS)) as unknown as Facts);
}
