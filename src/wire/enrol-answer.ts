/** What the service answers about an enrolment; the lines are drawn in wire-enrol.ts. */
import { toBase32 } from '../otp/code.ts';
import { MAX_RECOVERY_CODES } from '../otp/recovery.ts';
import { bad, exactly, text } from '../seal/fields.ts';
import { parseSecret } from '../seal/payload.ts';
import { parseFacts, type Facts } from './facts.ts';
import type { Outcome } from './verifier.ts';
import { parseAnswer, parsed, printAnswer } from './question.ts';

export type EnrolAnswer =
  /** The secret (raw bytes) and the recovery codes, to be shown and forgotten. */
  | { readonly kind: 'offer'; readonly secret: Uint8Array; readonly recovery: readonly string[] }
  | { readonly kind: 'sealed'; readonly file: string }
  | { readonly kind: 'anew'; readonly file: string; readonly recovery: readonly string[] }
  | { readonly kind: 'secret'; readonly uri: string }
  | { readonly kind: 'facts'; readonly facts: readonly Facts[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly outcome: Outcome };

export function printEnrolAnswer(answer: EnrolAnswer): string {
  switch (answer.kind) {
    case 'offer':
      return JSON.stringify({ notp: 'offer/1', secret: toBase32(answer.secret), recovery: answer.recovery }) + '\n';
    case 'sealed':
      return JSON.stringify({ notp: 'file/1', file: answer.file }) + '\n';
    case 'anew':
      return JSON.stringify({ notp: 'anew/1', file: answer.file, recovery: answer.recovery }) + '\n';
    case 'secret':
      return JSON.stringify({ notp: 'secret/1', uri: answer.uri }) + '\n';
    case 'facts':
      return JSON.stringify({ notp: 'facts/1', facts: answer.facts }) + '\n';
    case 'done':
      return JSON.stringify({ notp: 'done/1' }) + '\n';
    case 'refused':
      return printAnswer(answer.outcome);
  }
}

/** Throws where the line is no answer. */
export function parseEnrolAnswer(line: string): EnrolAnswer {
  const json = parsed(line, 'the answer');
  const kind = typeof json === 'object' && json !== null && 'notp' in json ? json.notp : undefined;
  switch (kind) {
    case 'offer/1': {
      const fields = exactly(json, 'the answer', ['notp', 'secret', 'recovery']);
      return { kind: 'offer', secret: parseSecret(fields['secret']), recovery: recoveryCodes(fields['recovery']) };
    }
    case 'file/1':
      return { kind: 'sealed', file: text(exactly(json, 'the answer', ['notp', 'file']), 'file', /^/) };
    case 'anew/1': {
      const fields = exactly(json, 'the answer', ['notp', 'file', 'recovery']);
      return { kind: 'anew', file: text(fields, 'file', /^/), recovery: recoveryCodes(fields['recovery']) };
    }
    case 'secret/1':
      return { kind: 'secret', uri: text(exactly(json, 'the answer', ['notp', 'uri']), 'uri', /^/) };
    case 'facts/1':
      return { kind: 'facts', facts: parseFacts(exactly(json, 'the answer', ['notp', 'facts'])['facts']) };
    case 'done/1':
      exactly(json, 'the answer', ['notp']);
      return { kind: 'done' };
    default: {
      const outcome = parseAnswer(line);
      if (outcome?.verdict.result === 'refused') return { kind: 'refused', outcome };
      throw bad('the answer is none');
    }
  }
}

/** They are shown as they come, so they are looked at here. */
function recoveryCodes(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.length <= MAX_RECOVERY_CODES && value.every(isRecoveryCode)) return value;
  throw bad('"recovery" is no list of recovery codes');
}

function isRecoveryCode(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Z2-7-]{1,32}$/.test(value);
}
