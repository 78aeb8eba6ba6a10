/** Each way around the gate, tried for real: open with sshd's defaults where doctor names it, closed with what `notp setup gate` writes. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { lacks } from '../../support/world.ts';
import { ANY_VARIABLE, PLAIN, RESTRICTED_KEY, SWITCHES, USER_EXEMPT, type Attack, type Situation } from './attack.ts';
import { ATTACKS, situations } from './attacks.ts';
import { bootField, phone, type Field } from './field.ts';

const PROGRAMS = [...CONTAINER_NEEDS.programs, ...'oathtool busctl rsync ip xauth zsh fish tcsh'.split(' ')];
const GATE = ['ForceCommand /usr/bin/notp gate'];
/** Without it the gate refuses everybody at once, as it cannot know the limits of their keys. */
const TOLD = [...GATE, 'ExposeAuthInfo yes'];
/** All that setup overrules at once. */
const LEFTOVERS: Situation = { ...PLAIN, lines: SWITCHES.lines };

describe('an attacker with a stolen key and no code', { skip: lacks({ root: true, programs: PROGRAMS }) }, () => {
  let field: Field;
  before(async () => {
    field = await bootField('attacks');
  });

  describe('without a gate', () => {
    // Without a gate sshd itself keeps a key to its command.
    for (const attack of ATTACKS.filter(
      ({ id, defaults, setup }) => defaults === 'closed' && setup === 'closed' && id !== 'restricted-key',
    )) {
      it(`finds ${attack.id} open, so it is the gate that closes it`, async () => {
        await field.bring(attack.situation);
        assert.equal(await field.attempt(attack), 'open');
      });
    }
  });

  for (const situation of situations()) {
    describe(`with sshd's defaults and ${situation.name}`, () => {
      let found: readonly Finding[];
      before(async () => {
        await field.bring(situation, situation === RESTRICTED_KEY ? GATE : TOLD);
        found = await field.doctor();
      });
      for (const attack of attacksIn(situation)) {
        const named = attack.doctor.length === 0 ? '' : `, and doctor names ${attack.doctor.join(', ')}`;
        it(`finds ${attack.id} ${attack.defaults}${named}`, async () => {
          assert.equal(await field.attempt(attack), attack.defaults);
          assertNamed(found, attack);
        });
      }
    });
  }

  describe('before notp setup gate', () => {
    for (const situation of situations().filter(({ leftover }) => leftover === 'refused')) {
      it(`is not helped by ${situation.name}: setup is refused and names it, and writes nothing`, async () => {
        await field.bring(situation);
        const { code, stdout, stderr } = await field.setup('gate', '--apply', '--confirm-within', 'never');
        assert.equal(code, 1, stdout + stderr);
        const ids = attacksIn(situation).flatMap(({ doctor }) => doctor);
        assert.ok(
          ids.some((id) => (stdout + stderr).includes(id)),
          stdout + stderr,
        );
        assert.deepEqual(fs.readdirSync(path.join(field.container.root, 'etc/ssh/sshd_config.d')), []);
      });
    }
  });

  describe('with what notp setup gate writes, and leftovers after it', () => {
    before(async () => {
      await field.bring(LEFTOVERS, GATE);
      const { code, stderr } = await field.setup('gate', '--apply', '--confirm-within', 'never');
      assert.equal(code, 0, stderr);
      await field.bring(LEFTOVERS, GATE);
    });
    it('leaves doctor content', async () => {
      assert.deepEqual(
        (await field.doctor()).filter(({ severity }) => severity === 'fail'),
        [],
      );
    });
    for (const attack of ATTACKS.filter(({ situation }) => situation.leftover !== 'stays')) {
      it(`finds ${attack.id} ${attack.setup}`, async () => {
        assert.equal(await field.attempt(attack), attack.setup);
      });
    }
    it('does not keep alice out, who has a code', async () => {
      assert.equal((await field.login(phone(await field.enrol()))).stdout, 'in\n');
    });
  });

  for (const situation of situations().filter(({ leftover }) => leftover === 'stays')) {
    describe(`with what notp setup gate writes, and ${situation.name}`, () => {
      for (const attack of attacksIn(situation)) {
        it(`finds ${attack.id} ${attack.setup}${attack.setup === 'open' ? ', and doctor goes on to name it' : ''}`, async () => {
          await field.bring(situation, GATE);
          assert.equal(await field.attempt(attack), attack.setup);
          if (attack.setup === 'open') assertNamed(await field.doctor(), attack);
        });
      }
    });
  }

  it('gets nothing from AcceptEnv * that comes after what setup wrote: SetEnv stands above it, and doctor names it', async () => {
    await field.bring(ANY_VARIABLE, GATE);
    const found = await field.doctor();
    for (const attack of attacksIn(ANY_VARIABLE)) {
      assert.equal(await field.attempt(attack), 'closed', attack.id);
      assertNamed(found, attack);
    }
  });

  it('gets in again where a Match block after it takes the gate away, and doctor names it', async () => {
    await field.bring(USER_EXEMPT, GATE);
    for (const attack of attacksIn(USER_EXEMPT)) {
      assert.equal(await field.attempt(attack), 'open');
      assertNamed(await field.doctor(), attack);
    }
  });
});

function attacksIn(situation: Situation): Attack[] {
  return ATTACKS.filter((attack) => attack.situation === situation);
}

function assertNamed(found: readonly Finding[], { doctor }: Attack): void {
  const ids = found.map(({ id }) => id);
  for (const id of doctor) assert.ok(ids.includes(id), `${id} in ${ids.join(', ')}`);
}
