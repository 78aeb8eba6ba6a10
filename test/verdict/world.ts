/** An enrolment, a time and short ways to log in, for the tests of the decision. */
import assert from 'node:assert/strict';
import { codeAt } from '../../src/otp/code.ts';
import type { Proof } from '../../src/otp/proof.ts';
import { newRecoveryCodes } from '../../src/otp/recovery.ts';
import type { Payload, TotpPayload } from '../../src/seal/seal.ts';
import { fullBucket } from '../../src/verdict/budget.ts';
import { decide, type LoginState, type Policy, type Verdict } from '../../src/verdict/decide.ts';

export const HOUR_MS = 3_600_000;
export const POLICY: Policy = { window: 1, budget: 5, refillMs: HOUR_MS };
/** In the middle of step NOW. */
export const NOW = 1_000_000;
export const NOW_MS = NOW * 30_000 + 15_000;

let drawn = 0;
const { codes, kept } = newRecoveryCodes(3, (length) => new Uint8Array(length).map(() => (drawn += 29)));
export const RECOVERY: readonly string[] = codes.map((shown) => shown.replaceAll('-', ''));
export const PAYLOAD: TotpPayload = {
  type: 'totp',
  secret: Buffer.from('12345678901234567890'),
  algorithm: 'SHA1',
  digits: 6,
  periodSeconds: 30,
  issuer: '',
  account: '',
  recovery: kept,
};

export const FRESH: LoginState = { lastStep: -1, bucket: fullBucket(POLICY, NOW_MS), spent: '000' };
export const EMPTY: LoginState = { ...FRESH, bucket: { tokens: 0, asOfMs: NOW_MS } };

export function code(step: number): Proof {
  return { kind: 'code', code: codeAt(PAYLOAD.secret, step, PAYLOAD) };
}

export function two(first: number, second: number): Proof {
  return inARow(first, second);
}

/** The codes of these steps. */
export function inARow(...steps: readonly number[]): Proof {
  return { kind: 'codes', codes: steps.map((step) => codeAt(PAYLOAD.secret, step, PAYLOAD)) };
}

export function recovery(index: number): Proof {
  return { kind: 'recovery', code: RECOVERY[index] ?? '' };
}

/** A code of no step near NOW. */
export const WRONG: Proof = { kind: 'code', code: '000000' };

export interface Circumstances {
  readonly nowMs?: number;
  readonly policy?: Policy;
  /** Whether the passphrase or host key opened the file. */
  readonly opened?: boolean;
  /** What is in the file. */
  readonly payload?: Payload;
  /** The most codes in a row that the line could also be read as. */
  readonly longest?: number;
}

/** What becomes of a proof where the account has one device. */
export interface Attempted {
  readonly verdict: Verdict;
  readonly next: LoginState;
}

export function attempt(
  state: LoginState,
  proof: Proof,
  { nowMs = NOW_MS, policy = POLICY, opened = true, payload = PAYLOAD, longest = 0 }: Circumstances = {},
): Attempted {
  const { verdict, next, device } = decide([state], { proof, opened: [opened ? payload : undefined], longest }, nowMs, policy);
  const [only] = next;
  assert.ok(only !== undefined && next.length === 1);
  assert.equal(device, verdict.result === 'accepted' ? 0 : undefined);
  return { verdict, next: only };
}

/** The verdicts of these proofs one after the other, and the state that they leave. */
export function sequence(
  state: LoginState,
  proofs: readonly Proof[],
  circumstances?: Circumstances,
): { words: string[]; state: LoginState } {
  const words: string[] = [];
  for (const proof of proofs) {
    const { verdict, next } = attempt(state, proof, circumstances);
    words.push(word(verdict));
    state = next;
  }
  return { words, state };
}

/** The method of what was accepted, the reason of what was not. */
export function word(verdict: Verdict): string {
  return verdict.result === 'accepted' ? verdict.method : verdict.reason;
}
