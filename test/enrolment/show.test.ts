/** The next step after an enrolment is one that the caller can take on this host. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nextStep } from '../../src/enrolment/show.ts';

const NOTHING = 'nothing in /etc/ssh and /etc/pam.d asks for a code yet';

it('the next step is to open a door where there is none, and else a new login of the user while a session stays open', () => {
  const steps: readonly (readonly [isSelf: boolean, isRoot: boolean, hasDoor: boolean, step: string])[] = [
    [false, true, false, `${NOTHING}: open a door with notp setup pam, or notp setup gate; each first shows what it would change`],
    [true, true, false, `${NOTHING}: open a door with notp setup pam, or notp setup gate; each first shows what it would change`],
    [true, false, false, `${NOTHING}: an administrator opens a door with notp setup pam`],
    [false, true, true, 'keep this session open until a new login of alice has worked'],
    [true, true, true, 'keep this session open and try a new login before you close it'],
    [true, false, true, 'keep this session open and try a new login before you close it'],
  ];
  for (const [isSelf, isRoot, hasDoor, step] of steps) assert.equal(nextStep({ user: 'alice', isSelf, isRoot, hasDoor }), step);
});
