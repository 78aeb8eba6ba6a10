/** Each rule of the PAM door fires on a real sshd's configuration that trips it, and none on the recommended one. */
import * as assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { NEEDS, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';
import { exampleStack, pamService } from './pam-files.ts';

const TRIPPED: Readonly<Record<string, readonly (readonly string[])[]>> = {
  P1: [['UsePAM no', 'AuthenticationMethods publickey,keyboard-interactive']],
  P2: [
    ['AuthenticationMethods any'],
    ['AuthenticationMethods publickey,keyboard-interactive publickey,publickey'],
    ['AuthenticationMethods keyboard-interactive:pam'],
    ['AuthenticationMethods keyboard-interactive,publickey'],
  ],
  P4: [['PasswordAuthentication yes']],
  P6: [['PermitRootLogin prohibit-password'], ['PermitRootLogin forced-commands-only']],
  P10: [['MaxAuthTries 20'], ['LoginGraceTime 600'], ['LoginGraceTime 0']],
};

describe('the rules of the PAM door', { skip: NEEDS }, () => {
  let world: SshdWorld;
  let service: string;
  before(() => {
    world = sshdWorld();
    service = pamService(exampleStack('sshd-notp'));
  });
  const examine = async (lines: readonly string[], names: readonly string[] = ['root']): Promise<string[]> => {
    const report = await world.examine(world.write(lines, 'pam'), { names, pamService: service });
    assert.deepEqual([report.doors, report.pamService], [{ gate: false, pam: true }, service]);
    return wrong(report.findings);
  };

  it('find nothing in the recommended configuration', async () => {
    assert.deepEqual(await examine(['PermitRootLogin yes']), []);
    assert.deepEqual(await examine([], ['nobody']), []);
  });

  for (const [id, configurations] of Object.entries(TRIPPED)) {
    for (const lines of configurations) {
      it(`name ${id} where it says ${lines.join(', ')}`, async () => {
        assert.deepEqual(await examine(id === 'P6' ? lines : ['PermitRootLogin yes', ...lines]), [`${id} root`]);
      });
    }
  }

  for (const [list, ids] of [
    ['publickey,password', ['P2', 'P3']],
    ['password', ['P2', 'P3']],
    ['hostbased', ['P2', 'P5']],
    ['any', ['P1', 'P2']],
    ['publickey,keyboard-interactive hostbased,gssapi-with-mic', ['P2', 'P5']],
  ] as const) {
    it(`name ${ids.join(' and ')} where AuthenticationMethods is ${list}`, async () => {
      const lines = [
        ...(list === 'any' ? ['KbdInteractiveAuthentication no'] : []),
        'HostbasedAuthentication yes',
        'GSSAPIAuthentication yes',
        `AuthenticationMethods ${list}`,
      ];
      assert.deepEqual(
        await examine(['PasswordAuthentication yes', ...lines], ['nobody']).then((found) => found.filter((each) => !each.startsWith('P4'))),
        ids.map((id) => `${id} nobody`),
      );
    });
  }

  it('take password, then code, for two factors', async () => {
    const lines = ['PasswordAuthentication yes', 'AuthenticationMethods password,keyboard-interactive:pam publickey,keyboard-interactive'];
    assert.deepEqual(await examine(lines, ['nobody']), []);
  });

  it('hold where the gate is not forced, and those of the gate where it is', async () => {
    const file = world.write(['AuthenticationMethods publickey', '>Match User nobody', '>  ForceCommand /usr/bin/notp gate'], 'pam');
    const report = await world.examine(file, { names: ['nobody', 'daemon'], pamService: service });
    assert.deepEqual(report.doors, { gate: true, pam: true });
    const found = wrong(report.findings);
    assert.ok(found.includes('FC3 nobody') && found.includes('P2 daemon'), found.join());
    assert.ok(!found.includes('P2 nobody') && !found.includes('FC1 daemon'), found.join());
  });
});
