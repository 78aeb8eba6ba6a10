/** Attacks on the code itself, behind the ForceCommand alone and behind what `notp setup gate` writes: guesses at full speed, and one code for many sessions. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { lacks, oathCode, untilFreshStep } from '../../support/world.ts';
import { report } from '../../trials/trial.ts';
import { PLAIN } from './attack.ts';
import { ON_CODES } from './attacks.ts';
import { bootField, phone, type Field } from './field.ts';

const SESSIONS = 40;
/** Three at once, each with one code after the other; each try prints its status. */
const TRIES = 4;
const GUESS = `guess() {
  for _ in $(seq ${String(TRIES)}); do
    LC_NOTP=$(printf %06d $((RANDOM * 32768 % 1000000 + $1))) ssh -o SendEnv=LC_NOTP victim echo in 2>&1 </dev/null; echo "=$?"
  done
}
guess 1 & guess 2 & guess 3 & wait`;
const RACE = `for _ in $(seq ${String(SESSIONS)}); do ssh -o SendEnv=LC_NOTP victim echo in </dev/null & done; wait`;

describe('an attacker with a stolen key', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'oathtool'] }) }, () => {
  let field: Field;
  before(async () => {
    field = await bootField('codes');
  });

  describe("with sshd's defaults and a ForceCommand alone", () => {
    before(async () => {
      await field.bring(PLAIN, ['ForceCommand /usr/bin/notp gate', 'ExposeAuthInfo yes']);
    });
    triesInVain('a ForceCommand alone');
  });

  describe('with what notp setup gate writes', () => {
    before(async () => {
      await field.bring(PLAIN);
      const { code, stderr } = await field.setup('gate', '--apply', '--confirm-within', 'never');
      assert.equal(code, 0, stderr);
    });
    triesInVain('what notp setup gate writes');
  });

  function triesInVain(behind: string): void {
    it(`tries in vain: ${ON_CODES.guesses}. Then alice gets in with two codes, and not with one`, async () => {
      const alice = await field.enrol();
      const { stdout } = await field.container.run(['bash', '-c', GUESS]);
      const tries = stdout.match(/^=1$/gm)?.length ?? 0;
      assert.equal(tries, 3 * TRIES, stdout);
      assert.equal(stdout.match(/^=\d+$/gm)?.length, tries, 'each try was refused');
      assert.doesNotMatch(stdout, /^in$/m);
      assert.match(stdout, /two consecutive codes/);
      await untilFreshStep(10);
      assert.notEqual((await field.login(phone(alice))).code, 0);
      const two = [oathCode(alice.secret), oathCode(alice.secret, { offsetSeconds: 30 })].join(' ');
      assert.equal((await field.login(two)).stdout, 'in\n');
    });

    it(`tries in vain: ${ON_CODES.race}`, async () => {
      const alice = await field.enrol();
      await untilFreshStep(20);
      const ran = await field.container.run(['bash', '-c', RACE], { environment: { LC_NOTP: phone(alice) } });
      const accepted = ran.stdout.match(/^in$/gm)?.length ?? 0;
      report({
        part: 'floods',
        tried: `one right code for 40 ssh sessions at once, behind ${behind}`,
        times: SESSIONS,
        failed: Math.abs(accepted - 1),
      });
      assert.equal(ran.stdout, 'in\n');
      assert.equal(ran.stderr.match(/notp: error/g)?.length, SESSIONS - 1);
    });
  }
});
