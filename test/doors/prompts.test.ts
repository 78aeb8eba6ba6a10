/** A question is asked while who decides starts, and taken back where it needs no answer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { askUnlessSettled } from '../../src/doors/prompts.ts';
import type { Conversation } from '../../src/terminal/conversation.ts';
import type { Outcome, Verifier } from '../../src/wire/verifier.ts';

const ACCEPTED: Outcome = { verdict: { result: 'accepted', method: 'trusted' }, ref: '00000001' };
const REFUSED: Outcome = { verdict: { result: 'refused', reason: 'not_enrolled' }, ref: '00000002' };
const BY_CODE: Outcome = { verdict: { result: 'accepted', method: 'totp' }, ref: '00000003' };

/** Asks with a verifier that settles it with `known` after `afterMs`; a person types a code after `typedMs`. */
async function asked(known: Outcome | undefined, { afterMs, typedMs }: { afterMs: number; typedMs: number }) {
  const seen: string[] = [];
  const verifier: Verifier = {
    seal: 'host',
    beforeAsking: async () => {
      await sleep(afterMs);
      seen.push('before');
      return known;
    },
    verify: () => {
      seen.push('verify');
      return Promise.resolve(BY_CODE);
    },
    close: () => undefined,
  };
  const conversation: Conversation = {
    interactive: true,
    ask: async (question, { settled }) => {
      seen.push(question);
      try {
        await sleep(typedMs, undefined, { signal: settled });
        return { line: '123456' };
      } catch {
        seen.push('taken back');
        return { ended: 'interrupted' };
      }
    },
    close: () => undefined,
  };
  const tell = ({ ref }: Outcome): void => void seen.push(`told ${ref}`);
  const outcome = await askUnlessSettled(verifier, conversation, undefined, { tries: 3, tell, attempt: {} });
  return [outcome.ref, ...seen];
}

describe('a question at a door', () => {
  it('is not asked where the answer is there at once', async () => {
    assert.deepEqual(await asked(ACCEPTED, { afterMs: 0, typedMs: 10 }), [ACCEPTED.ref, 'before']);
    assert.deepEqual(await asked(REFUSED, { afterMs: 0, typedMs: 10 }), [REFUSED.ref, 'before', `told ${REFUSED.ref}`]);
  });

  it('is asked meanwhile where the answer takes longer, and taken back where no code is needed or would help', async () => {
    const slow = { afterMs: 300, typedMs: 10_000 };
    const asking = ['One-time code: ', 'before', 'taken back'];
    assert.deepEqual(await asked(ACCEPTED, slow), [ACCEPTED.ref, ...asking]);
    assert.deepEqual(await asked(REFUSED, slow), [REFUSED.ref, ...asking, `told ${REFUSED.ref}`]);
  });

  it('has its answer judged only once it is known that one is needed', async () => {
    const quick = { afterMs: 300, typedMs: 10 };
    assert.deepEqual(await asked(undefined, quick), [BY_CODE.ref, 'One-time code: ', 'before', 'verify']);
    assert.deepEqual(await asked(ACCEPTED, quick), [ACCEPTED.ref, 'One-time code: ', 'before']);
    assert.deepEqual(await asked(REFUSED, quick), [REFUSED.ref, 'One-time code: ', 'before', `told ${REFUSED.ref}`]);
  });
});
