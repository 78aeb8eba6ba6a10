/** What goes wrong with codes at the PAM modules beside notp, tried at all three. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { compare } from '../trials/trial.ts';
import { gathering } from '../support/gathering.ts';
import { ALL, atEach, NEEDS, peersWorld, SCRATCH_CODES, type Asked, type PeersWorld } from './peers-world.ts';

const CROWD = 40;
const STEP_SECONDS = 30;
const TEN_HOURS = 36_000;

describe('a code, at notp and at the modules beside it', { skip: NEEDS }, () => {
  let world: PeersWorld;
  before(async () => {
    world = await peersWorld('peers-codes');
  });
  beforeEach(() => {
    world.nextDay();
  });

  it('opens each of them where it is right, and none where it is wrong', async () => {
    for (const asked of ALL) {
      assert.equal(await world.lets(asked, world.wrongCode()), false, asked);
      assert.equal(await world.lets(asked, world.code()), true, asked);
      assert.equal(await world.lets(asked, world.code()), false, `${asked}, again`);
    }
  });

  /** All of a crowd are asked, then all type `answer`: how many get in. */
  const acceptedOf = async (asked: Asked, answer: string): Promise<string> => {
    const crowd = await world.crowd(asked, CROWD);
    assert.ok(crowd.every((each) => each.asked));
    const typed = Promise.all(crowd.map(async (each) => await each.type(answer)));
    // The modules are in the programs that wait; notp is only started now.
    if (asked === 'notp') await gathering(path.join(world.pam.folder, 'var/state.db'), CROWD);
    const accepted = (await typed).filter(Boolean).length;
    assert.ok(accepted > 0, `${asked}: nobody typed a right code`);
    return `${String(accepted)} of ${String(CROWD)}`;
  };

  it('is one login, though 40 sessions have been asked and then type it at once', async () => {
    const cells = await atEach(async (asked) => await acceptedOf(asked, world.code()));
    compare({ row: '1a', attack: 'one right code, typed at once by 40 sessions that were all asked before: logins', ...cells });
    assert.equal(cells.notp, '1 of 40');
  });

  it('for recovery is one login too', async () => {
    const right = { notp: world.enrolled.recovery[0] ?? '', google: SCRATCH_CODES[0] };
    const cells = await atEach(async (asked) => (asked === 'oath' ? 'has none' : await acceptedOf(asked, right[asked])));
    compare({ row: '1b', attack: 'the same with one recovery code', ...cells });
    assert.equal(cells.notp, '1 of 40');
  });

  /** How many tries pam_google_authenticator has written down. */
  const counted = (): number =>
    /^" RATE_LIMIT 3 30(.*)$/m.exec(fs.readFileSync(world.files.google, 'utf8'))?.[1]?.match(/\d+/g)?.length ?? 0;

  it('that is wrong is counted before it is judged: of 40 guesses at once five are judged, and then one code is not enough', async () => {
    const cells = await atEach(async (asked) => {
      const recorded = world.pam.records().length;
      const crowd = await world.crowd(asked, CROWD);
      const wrong = world.wrongCode();
      assert.deepEqual(new Set(await Promise.all(crowd.map(async (each) => await each.type(wrong)))), new Set([false]), asked);
      const tries = world.pam.records().slice(recorded);
      const counts = {
        notp: `judged ${String(tries.filter(({ reason }) => reason === 'wrong_code').length)}, counted ${String(tries.length)}`,
        google: `counted ${String(counted())}`,
        oath: 'counted none',
      };
      return `${(await world.lets(asked, world.code())) ? 'logs in' : 'refused'}; ${counts[asked]}`;
    });
    compare({ row: '2', attack: '40 wrong guesses at once, and then the right one', ...cells });
    assert.equal(cells.notp, 'refused; judged 5, counted 40');
  });

  it('gets the owner in however often a stranger guesses', async () => {
    const cells = await atEach(async (asked) => {
      const guess = async (): Promise<void> => {
        world.wait(10);
        assert.equal(await world.lets(asked, world.wrongCode()), false);
      };
      for (let i = 0; i < 9; i++) await guess();
      const said = [];
      for (let i = 0; i < 3; i++) {
        const { code, stdout } = await world.ask(asked, world.code());
        if (code === 0) return 'in';
        said.push(stdout);
        if (stdout.includes('two consecutive codes') && (await world.lets(asked, `${world.code(-STEP_SECONDS)} ${world.code()}`)))
          return 'in, with two codes';
        for (let j = 0; j < 3; j++) await guess();
      }
      return said.join('') === '' ? 'kept out, not told why' : 'kept out';
    });
    compare({ row: '3', attack: 'a wrong guess every 10 seconds, for more than a minute: the owner then', ...cells });
    assert.equal(cells.notp, 'in, with two codes');
  });

  it('that was used stays used: three of them, one after the other ten hours later, teach nobody another clock', async () => {
    const cells = await atEach(async (asked) => {
      const used: string[] = [];
      for (let i = 0; i < 3; i++) {
        used.push(world.code());
        assert.equal(await world.lets(asked, world.code()), true, asked);
        world.wait(STEP_SECONDS);
      }
      world.wait(TEN_HOURS);
      const replayed: boolean[] = [];
      for (const code of used) {
        replayed.push(await world.lets(asked, code));
        world.wait(STEP_SECONDS);
      }
      const at = replayed.indexOf(true);
      if (at < 0) assert.equal(await world.lets(asked, world.code()), true, asked);
      return at < 0 ? 'refused' : `number ${String(at + 1)} logs in`;
    });
    compare({ row: '4', attack: 'three used codes, replayed in their order ten hours later', ...cells });
    assert.equal(cells.notp, 'refused');
  });

  it('may be typed as the phone shows it', async () => {
    const cells = await atEach(async (asked) => {
      const code = world.code();
      const spaced = await world.lets(asked, `${code.slice(0, 3)} ${code.slice(3)}`);
      if (!spaced) assert.equal(await world.lets(asked, code), true, asked);
      return spaced ? 'accepted' : 'refused';
    });
    compare({ row: '11', attack: 'no attack: a right code with the blank in it that apps show', ...cells });
    assert.equal(cells.notp, 'accepted');
  });

  it('of an earlier step is none any more after one of a later step', async () => {
    const cells = await atEach(async (asked) => {
      assert.equal(await world.lets(asked, world.code()), true, asked);
      return (await world.lets(asked, world.code(-STEP_SECONDS))) ? 'accepted' : 'refused';
    });
    compare({ row: '14', attack: 'a code that was seen and not used, after the owner has logged in with the next one', ...cells });
    assert.equal(cells.notp, 'refused');
  });
});
