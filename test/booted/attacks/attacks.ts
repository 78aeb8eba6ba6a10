/** All attacks that are tried in both configurations, and those on the code itself, which have tests of their own. */
import type { Attack, Situation } from './attack.ts';
import { BEFORE_GATE } from './before-gate.ts';
import { FORWARDS } from './forwards.ts';
import { PAST_GATE } from './past-gate.ts';

export const ATTACKS: readonly Attack[] = [...FORWARDS, ...BEFORE_GATE, ...PAST_GATE];

/** Tried in codes.test.ts, in both configurations too: they make no difference. */
export const ON_CODES = {
  guesses: 'Guesses at full speed',
  race: '40 sessions at once with one right code: more than one of them',
} as const;

/** In the order in which they come up. */
export function situations(attacks: readonly Attack[] = ATTACKS): Situation[] {
  return [...new Set(attacks.map(({ situation }) => situation))];
}
