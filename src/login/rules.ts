/** What a login is judged by: who asks, and the rules of this host. */
import type { Origin } from '../audit/record.ts';
import type { StatePlace } from '../state/place.ts';
import type { DeviceFile } from '../system/secrets.ts';
import type { Policy } from '../verdict/decide.ts';

/** Who wants to log in. */
export interface Login {
  /** The sealed files of the devices that may answer; at least one. */
  readonly files: readonly DeviceFile[];
  /** The contexts of all devices of the account, which share one guess budget. */
  readonly account: readonly string[];
  /** Its context is that of the first device, until another one answers. */
  readonly origin: Origin;
  /** When the question came that waited for its turn, by the clock of the rules; undefined: it did not wait. */
  readonly askedMs?: number;
  /** Until when somebody waits for the answer, by performance.now(): nothing is decided afterwards. */
  readonly untilMs?: number;
}

export interface Rules {
  readonly place: StatePlace;
  /** Whether the store keeps the sealed files: what it has of their contexts takes the place of those that came with the login. */
  readonly inStore: boolean;
  readonly policy: Policy;
  /** What becomes of who was never enrolled: refused, let in, or asked by the door to enrol without an invitation. */
  readonly unenrolled: 'deny' | 'allow' | 'enroll';
  /** How long an accepted code also counts for the same source address and key, in milliseconds. */
  readonly trustMs: number;
  /** Whether a copy of this host may decide where the store cannot be reached, and is configured to. */
  readonly mayFallBack: boolean;
  readonly now: () => number;
}
