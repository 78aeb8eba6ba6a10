/** An account with several devices of every kind, for the tests of the decision. */
import assert from 'node:assert/strict';
import { codeAt } from '../../src/otp/code.ts';
import type { Proof } from '../../src/otp/proof.ts';
import { newRecoveryCodes } from '../../src/otp/recovery.ts';
import type { Payload } from '../../src/seal/seal.ts';
import { decide, type Decision, type LoginState, type Policy } from '../../src/verdict/decide.ts';
import { FRESH, NOW_MS, PAYLOAD, POLICY } from './world.ts';

/** One device: what is in its sealed file, and its recovery codes as they are hashed. */
export interface Device {
  readonly payload: Payload;
  readonly recovery: readonly string[];
}

let drawn = 0;

/** Different devices have different secrets and recovery codes. */
export function deviceOf(type: Payload['type'], name: string): Device {
  const { codes, kept } = newRecoveryCodes(2, (length) => new Uint8Array(length).map(() => (drawn += 37)));
  const { periodSeconds, ...rest } = { ...PAYLOAD, secret: Buffer.from(name.padEnd(20, name)), recovery: kept };
  const recovery = codes.map((shown) => shown.replaceAll('-', ''));
  return { payload: type === 'totp' ? { ...rest, type, periodSeconds } : { ...rest, type }, recovery };
}

/** Two phones, an old token that counts, and another phone. */
export const DEVICES: readonly [Device, Device, Device, Device] = [
  deviceOf('totp', 'phone'),
  deviceOf('totp', 'backup'),
  deviceOf('hotp', 'token'),
  deviceOf('totp', 'tablet'),
];

export function stateOf(tokens = POLICY.budget): LoginState {
  return { ...FRESH, bucket: { tokens, asOfMs: NOW_MS }, spent: '00' };
}

export function codeText({ payload }: Device, step: number): string {
  return codeAt(payload.secret, step, payload);
}

export function codeOf(device: Device, step: number): Proof {
  return { kind: 'code', code: codeText(device, step) };
}

export function twoOf(device: Device, first: number): Proof {
  return { kind: 'codes', codes: [codeText(device, first), codeText(device, first + 1)] };
}

export function recoveryOf({ recovery }: Device, index: number): Proof {
  return { kind: 'recovery', code: recovery[index] ?? '' };
}

export interface AccountCircumstances {
  readonly nowMs?: number;
  readonly policy?: Policy;
  /** Whose files were opened; all of them where it is not said. */
  readonly opened?: readonly Device[];
}

/** Judges `proof` on `devices`, and holds that they share one bucket whatever comes of it. */
export function judged(
  devices: readonly Device[],
  states: readonly LoginState[],
  proof: Proof,
  { nowMs = NOW_MS, policy = POLICY, opened = devices }: AccountCircumstances = {},
): Decision {
  const files = devices.map((device) => (opened.includes(device) ? device.payload : undefined));
  const decision = decide(states, { proof, opened: files }, nowMs, policy);
  assert.equal(decision.next.length, devices.length);
  for (const { bucket } of decision.next) assert.deepEqual(bucket, decision.next[0]?.bucket);
  assert.equal(decision.device === undefined, decision.verdict.result === 'refused');
  return decision;
}
