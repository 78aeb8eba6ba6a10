/**
 * What may be known of an enrolment: whether it logs in, since when, and what is left of its budget and recovery
 * codes. Never a secret. Plain data with the keys that `--json` prints, so that it can come from another process.
 */
import { array, boolean, object, oneOf, string, wholeNumber, type Infer, type Type } from '../seal/shape.ts';

/**
 * `active` logs in. Else why not: `revoked`; `invited` and nobody has enrolled yet; `incomplete`, an enrolment that
 * never ended; the sealed file is `missing`, `bad` (it cannot be read or used) or `stale` (not the registered one, or the enrolment was
 * changed outside notp, so that none is);
 * `orphaned`: there is no such user any more.
 */
const STATES = ['active', 'revoked', 'invited', 'incomplete', 'missing', 'bad', 'stale', 'orphaned'] as const;
export type EnrolmentState = (typeof STATES)[number];

const COUNT = wholeNumber(0, Number.MAX_SAFE_INTEGER);

const FACTS_SHAPE = object({
  /** Of the registered sealed file; null where none was ever registered. */
  id: string().nullable(),
  user: string(),
  context: string(),
  state: oneOf(STATES),
  /** What is wrong with the sealed file, where something is. */
  problem: string().nullable(),
  /** Whether the sealed file in its place is the registered one, and logs in. */
  registered: boolean(),
  /** Of that file; null where `registered` is false. */
  seal: oneOf(['passphrase', 'host']).nullable(),
  /** RFC 3339; null where `registered` is false. */
  created: string().nullable(),
  /** RFC 3339; null for never. */
  last_accepted: string().nullable(),
  /** Whole tries that are left now, of `capacity`. */
  budget: COUNT,
  capacity: COUNT,
  /** RFC 3339: when there is one try more; null where there are as many as there can be. */
  next_try: string().nullable(),
  /** Whether more than one code is asked for now. */
  step_up: boolean(),
  /** How many consecutive codes are asked for now. */
  codes_needed: oneOf([1, 2, 3]),
  recovery_left: COUNT,
});
export type Facts = Readonly<Infer<typeof FACTS_SHAPE>>;

/** What the service says of enrolments; its texts are the service's. */
export const FACTS: Type<readonly Facts[]> = array(FACTS_SHAPE);
