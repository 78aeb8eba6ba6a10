/**
 * The public facts of an enrolment: whether it logs in, since when, and how much of its budget and recovery codes is left. Never a
 * secret. Plain data with the keys that `--json` prints, so that another process can send it.
 */
import { array, boolean, label, object, oneOf, string, wholeNumber, type Infer, type Type } from '../seal/shape.ts';

/**
 * `active` logs in; the others do not: `revoked`; `invited`, and the user has not enrolled yet; `incomplete`, an enrolment that was
 * interrupted; the sealed file is `missing`, `bad` (it cannot be read or used) or `stale` (not the registered one, or the enrolment was
 * changed outside notp); `orphaned`: the user no longer exists.
 */
const STATES = ['active', 'revoked', 'invited', 'incomplete', 'missing', 'bad', 'stale', 'orphaned'] as const;
export type EnrolmentState = (typeof STATES)[number];

const COUNT = wholeNumber(0, Number.MAX_SAFE_INTEGER);

const FACTS_SHAPE = object({
  /** The id of the registered sealed file; null if none was ever registered. */
  id: string().nullable(),
  user: string(),
  context: string(),
  state: oneOf(STATES),
  /** The problem with the sealed file, or null. */
  problem: string().nullable(),
  /** Whether the sealed file in its place is the registered one, and logs in. */
  registered: boolean(),
  /** The seal of that file; null if `registered` is false. */
  seal: oneOf(['passphrase', 'host']).nullable(),
  /** When that file was made, RFC 3339; null if `registered` is false. */
  created: string().nullable(),
  /** RFC 3339; null for never. */
  last_accepted: string().nullable(),
  /** Whole tries that are left now, of `capacity`. */
  budget: COUNT,
  capacity: COUNT,
  /** When the next try is refilled, RFC 3339; null if the budget is full. */
  next_try: string().nullable(),
  /** Whether more than one code is asked for now. */
  step_up: boolean(),
  /** How many consecutive codes are asked for now. */
  codes_needed: oneOf([1, 2, 3]),
  recovery_left: COUNT,
  /** From how many sources (key and address) its last code may still count, for the rule that remembers longest. */
  remembered: COUNT,
  /** What is printed on the hardware token whose seed the file holds; absent for any other secret. */
  token: object({ serial: label, model: label }).optional(),
});
export type Facts = Readonly<Infer<typeof FACTS_SHAPE>>;

/** The facts of several enrolments. The texts are the service's: escape them before printing. */
export const FACTS: Type<readonly Facts[]> = array(FACTS_SHAPE);
