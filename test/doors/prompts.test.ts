/** A question is asked while who decides starts, and taken back where it needs no answer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { askUnlessSettled } from '../../src/doors/prompts.ts';
import type { Conversation } from '../../src/terminal/conversation.ts';
import type { Outcome, Verifier } from '../../src/wire/verifier.ts';

const ACCEPTED: Outcome = { verdict: { result: 'accepted', method: 'remembered' }, ref: '00000001' };
const REFUSED: Outcome = { verdict: { result: 'refused', reason: 'not_enrolled' }, ref: '00000002' };
const BY_CODE: Outcome = { verdict: { result: 'accepted', method: 'totp' }, ref: '00000003' };

/** Asks with a verifier that settles it with `known` after `afterMs`; a person types a code after `typedMs`. */
async function asked(
  known: Outcome | undefined,
  { afterMs, typedMs, seal = 'host', isFree = false }: { afterMs: number; typedMs: number; seal?: Verifier['seal']; isFree?: boolean },
) {
  const seen: string[] = [];
  const verifier: Verifier = {
    seal,
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
    ask: async (question, { isNeeded }) => {
      seen.push(question);
      if ((await isNeeded) === false) {
        seen.push('taken back');
        return { ended: 'interrupted' };
      }
      await sleep(typedMs);
      return { line: '123456' };
    },
    close: () => undefined,
  };
  const tell = ({ ref }: Outcome): void => void seen.push(`told ${ref}`);
  const outcome = await askUnlessSettled(verifier, conversation, undefined, {
    tries: 3,
    prompt: 'One-time code: ',
    tell,
    attempt: {},
    isFree,
  });
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

  it('is not asked meanwhile where a rule asks for nothing, and is where whoever decides knows better', async () => {
    const free = { afterMs: 300, typedMs: 10, isFree: true };
    assert.deepEqual(await asked(ACCEPTED, free), [ACCEPTED.ref, 'before']);
    assert.deepEqual(await asked(undefined, free), [BY_CODE.ref, 'before', 'One-time code: ', 'verify']);
  });

  it('is read and judged only once it is known that an answer is needed', async () => {
    const quick = { afterMs: 300, typedMs: 10 };
    assert.deepEqual(await asked(undefined, quick), [BY_CODE.ref, 'One-time code: ', 'before', 'verify']);
  });

  it('for a passphrase waits for that: the rest of one that was taken back came into the history of the shell', async () => {
    const quick = { afterMs: 300, typedMs: 10, seal: 'passphrase' } as const;
    assert.deepEqual(await asked(ACCEPTED, quick), [ACCEPTED.ref, 'before']);
    assert.deepEqual(await asked(undefined, quick), [BY_CODE.ref, 'before', 'Passphrase: ', 'One-time code: ', 'verify']);
  });
});
