/** What `notp code --json` prints of a secret. Pure. */
import { codeAt, stepAt } from '../../otp/code.ts';
import type { HotpPayload, Payload, TotpPayload } from '../../seal/seal.ts';

/** This code and the next, and for how long it is valid. */
export function jsonOfCode(context: string, payload: TotpPayload, nowMs: number): string {
  const period = payload.periodSeconds;
  const step = stepAt(nowMs, period);
  const [code, next] = [step, step + 1].map((each) => codeAt(payload.secret, each, payload));
  return jsonLine({ context, ...namesOf(payload), period, code, next, valid_seconds: Math.ceil((step + 1) * period - nowMs / 1000) });
}

export function jsonOfCounted(context: string, payload: HotpPayload, code: string, counter: number): string {
  return jsonLine({ context, ...namesOf(payload), code, counter });
}

function namesOf({ type, issuer, account, algorithm, digits }: Payload): object {
  return { type, issuer, account, algorithm, digits };
}

function jsonLine(fields: object): string {
  return JSON.stringify(fields) + '\n';
}
