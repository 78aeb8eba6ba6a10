/** A login whose surroundings are an attacker's, an accident's or a strange machine's: nobody enters without a right code, and the owner does where it is none of a login's business. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { wrongCode } from '../doors/pam-world.ts';
import { lacks, oathCode, untilFreshStep } from '../support/world.ts';
import { report } from '../trials/trial.ts';
import { among, DOORS, type DoorWorld } from './doors.ts';
import { SURROUNDINGS, type Surrounding } from './surroundings.ts';

const NEEDS = { root: true, programs: ['oathtool', 'unshare', 'mount', 'strace', 'setsid', 'setpriv', 'python3'] };

for (const door of DOORS) {
  describe(`a login ${door.where}`, { skip: lacks(NEEDS) }, () => {
    let world: DoorWorld;
    before(async () => {
      world = await door.world();
    });

    for (const [what, surroundings] of Object.entries(SURROUNDINGS)) {
      it(`holds among ${what}`, async () => {
        const wrong: string[] = [];
        let failed = 0;
        const tried = among(surroundings);
        for (const surrounding of tried) {
          const found = await wrongIn(surrounding);
          if (found.length > 0) failed++;
          wrong.push(...found.map((each) => `${surrounding.what}: ${each}`));
        }
        report({
          part: 'environment',
          tried: `a right and a wrong code ${door.where}, among ${what}`,
          times: 2 * tried.length,
          failed,
        });
        assert.deepEqual(wrong, []);
      });
    }

    /** What is wrong with a login in it; nothing where all promises hold. */
    async function wrongIn(surrounding: Surrounding): Promise<string[]> {
      world.restore();
      const refused = door.login(world, surrounding, wrongCode(world.enrolled.secret));
      world.restore();
      await untilFreshStep(10);
      const code = oathCode(world.enrolled.secret);
      const right = door.login(world, surrounding, code);
      const accepted = world.records().filter(({ event }) => event === 'login.accepted').length;
      const modes = ['var/state.db', 'log/audit.log'].map((file) => fs.statSync(path.join(world.pam.folder, file)).mode & 0o777);
      const again = await world.judge(code);
      const expected = door.expects(surrounding);
      const wrong = [
        refused.code === 0 ? 'a wrong code enters' : '',
        expected === 'enters' && right.code !== 0 ? `a right code does not enter: ${String(right.code)} ${right.said}` : '',
        expected === 'refused' && right.code === 0 ? 'a right code enters' : '',
        right.code === 0 && accepted !== 1 ? `${String(accepted)} records of a login` : '',
        right.code === 0 && again !== 'replayed' ? `the code then comes to ${again}` : '',
        right.code !== 0 && again !== 'totp' && again !== 'replayed' ? `after the refusal the code comes to ${again}` : '',
        modes.some((mode) => mode !== 0o600) ? 'a file is not private' : '',
        /[^\P{Cc}\n]/u.test(right.said + refused.said) ? 'control characters are shown' : '',
        (await world.logProblem()) ?? '',
      ];
      return wrong.filter((each) => each !== '');
    }
  });
}
