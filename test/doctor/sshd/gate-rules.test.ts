/** Each rule of the gate fires on a real sshd's configuration that trips it, and none on the recommended one. */
import * as assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { applyRules } from '../../../src/doctor/sshd/apply-rules.ts';
import { isRootsAlone } from '../../../src/doctor/sshd/roots-alone.ts';
import { parseEffective } from '../../../src/doctor/sshd/effective.ts';
import type { PamOf } from '../../../src/doctor/sshd/rule.ts';
import { SETENV_LINE } from '../../../src/system/ssh/gate-environment.ts';
import { run } from '../../support/process.ts';
import { addUser } from '../../support/world.ts';
import { detailOf, NEEDS, SSHD, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';

/** The rule, and the lines that trip it and nothing else. */
const TRIPPED: Readonly<Record<string, readonly (readonly string[])[]>> = {
  FC1: [['ForceCommand /usr/bin/notp gate; /bin/sh'], ['ForceCommand notp gate'], ['ForceCommand /usr/bin/notp gate || exec $SHELL']],
  FC3: [['DisableForwarding no', 'AllowTcpForwarding no', 'UnusedConnectionTimeout 60s']],
  FC4: [
    ['DisableForwarding no', 'AllowStreamLocalForwarding no', 'UnusedConnectionTimeout 60s'],
    ['DisableForwarding no', 'AllowTcpForwarding local', 'AllowStreamLocalForwarding no', 'UnusedConnectionTimeout 60s'],
  ],
  FC5: [['AllowAgentForwarding yes'], ['X11Forwarding yes']],
  FC6: [
    ['PermitTunnel point-to-point'],
    [
      'DisableForwarding no',
      'AllowTcpForwarding no',
      'AllowStreamLocalForwarding no',
      'StreamLocalBindUnlink yes',
      'UnusedConnectionTimeout 60s',
    ],
  ],
  FC7: [['PermitUserEnvironment yes'], ['PermitUserEnvironment LANG,LC_*']],
  FC8: [
    ['AcceptEnv *'],
    ['AcceptEnv LD_*'],
    ['AcceptEnv NODE_OPTIONS'],
    ['AcceptEnv L?_PRELOAD'],
    ['AcceptEnv BASH_*'],
    ['AcceptEnv XMODIFIERS'],
  ],
  FC9: [
    ['SetEnv SHLVL=1'],
    ...['ZDOTDIR=/tmp', 'XDG_DATA_HOME=/var/tmp/none', 'ZDOTDIR=5', 'SHLVL=/x', 'SHLVL=0'].map(setEnv),
    [
      'SetEnv SHLVL=1 ZDOTDIR=/etc/notp/empty XDG_CONFIG_HOME=/etc/notp/empty XDG_DATA_HOME=/etc/notp/empty LD_PRELOAD= LD_LIBRARY_PATH= LD_AUDIT= NODE_OPTIONS=--inspect NODE_V8_COVERAGE= BASH_ENV= ENV= SHELLOPTS=',
    ],
  ],
  FC10: [['PermitUserRC yes']],
  FC15: [['LogLevel QUIET'], ['LogLevel ERROR']],
  FC16: [['DisableForwarding no', 'AllowTcpForwarding no', 'AllowStreamLocalForwarding no']],
  FC18: [['ChrootDirectory /srv'], ['ChrootDirectory /srv/sftp/%u']],
};

/** The recommended line but for one variable. */
function setEnv(pair: string): string[] {
  const [name = ''] = pair.split('=');
  return [SETENV_LINE.replace(new RegExp(`\\b${name}=\\S*`), pair)];
}

describe('the rules of the gate', { skip: NEEDS }, () => {
  let world: SshdWorld;
  before(() => {
    world = sshdWorld();
  });

  it('find nothing in the recommended configuration', async () => {
    const { findings, doors, gateCommands } = await world.examine(world.write([], 'gate'));
    assert.deepEqual(wrong(findings), []);
    assert.deepEqual(doors, { gate: true, pam: false });
    assert.deepEqual(gateCommands, ['/usr/bin/notp gate']);
  });

  for (const [id, configurations] of Object.entries(TRIPPED)) {
    for (const lines of configurations) {
      it(`name ${id} where it says ${lines.join(', ')}`, async () => {
        const { findings } = await world.examine(world.write(lines, 'gate'));
        assert.deepEqual(
          wrong(findings).filter((each) => each !== 'FC2 root'),
          [`${id} root`],
        );
        const [found] = findings.filter((finding) => finding.id === id);
        assert.ok(found !== undefined && found.fix !== '' && found.detail.includes(world.folder), JSON.stringify(found));
      });
    }
  }

  it('name all that is open where a ForceCommand stands alone among the defaults of sshd', async () => {
    const { findings } = await world.examine(world.write(['ForceCommand /usr/bin/notp gate']));
    const found = wrong(findings);
    for (const id of ['FC2', 'FC3', 'FC4', 'FC5', 'FC9', 'FC10', 'FC16'])
      assert.ok(found.includes(`${id} root`), `${id} in ${found.join(', ')}`);
    assert.match(detailOf(findings, 'FC2'), /FC3, FC4/);
  });

  it('tell users whom another ForceCommand limits of the PAM door, and not to take their limit away', async () => {
    const { name } = addUser();
    const lines = [`Match User ${name}`, 'ForceCommand internal-sftp', 'Match all'];
    const { findings } = await world.examine(world.write(lines, 'gate'), { names: ['root', name] });
    assert.deepEqual(wrong(findings), [`FC1 ${name}`]);
    assert.match(
      findings.find(({ id }) => id === 'FC1')?.fix ?? '',
      /^the gate would remove the limit to internal-sftp: use the PAM door \(notp setup pam\)/,
    );
  });

  it('say that nothing asks for a code where there is no gate at all', async () => {
    const { findings } = await world.examine(world.write(['PasswordAuthentication no']));
    assert.deepEqual(wrong(findings), ['no-gate']);
  });

  it('let the harmless variables of distributions through', async () => {
    assert.deepEqual(
      wrong((await world.examine(world.write(['AcceptEnv LANG LC_* COLORTERM NO_COLOR LC_NOTP NOTP_CODE'], 'gate'))).findings),
      [],
    );
  });

  it("name FC9 where a shell looks in the user's own folder", async () => {
    const { name, home } = addUser();
    const { findings } = await world.examine(world.write(setEnv(`XDG_DATA_HOME=${home}`), 'gate'), { names: [name] });
    assert.deepEqual(wrong(findings), [`FC9 ${name}`]);
  });

  it('take any folder of root in place of the empty one, there or not', async () => {
    for (const pair of ['ZDOTDIR=/etc', 'XDG_CONFIG_HOME=/etc/none/there', 'SHLVL=12'])
      assert.deepEqual(wrong((await world.examine(world.write(setEnv(pair), 'gate'))).findings), [], pair);
  });

  it('ask nothing of root who does not log in', async () => {
    const lines = ['PermitRootLogin no', 'AllowAgentForwarding yes'];
    assert.deepEqual(wrong((await world.examine(world.write(lines, 'gate'), { names: ['root', 'nobody'] })).findings), ['FC5 nobody']);
  });
});

function pam(): PamOf {
  return { service: 'sshd', asks: false, firstPass: false };
}

/** What the rules say about real output of `sshd -T`, as another version would print it. */
async function judged(lines: readonly string[], version: number, print = (text: string): string => text): Promise<string[]> {
  const world = sshdWorld();
  const { stdout } = await run([SSHD, '-T', '-f', world.write(lines, 'gate'), '-C', 'user=nobody,host=x,addr=203.0.113.7']);
  const vantage = { address: '203.0.113.7', host: 'x', localAddress: '192.0.2.1', localPort: 22, routingDomain: '' };
  const people = [{ names: ['nobody'], seen: [{ vantage, effective: parseEffective(print(stdout)) }] }];
  return wrong(applyRules(people, { gate: true, pam: false }, { version, where: 'here', unasked: [], pam, isRootsAlone }));
}
/** Key names as OpenSSH 10.5 prints them. */
function mixed(text: string): string {
  return text
    .replace(/^\w/gm, (letter) => letter.toUpperCase())
    .replace(/command|forwarding|env/g, (word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`);
}

describe('the rules of the gate on other versions', { skip: NEEDS }, () => {
  it('read keys in any case, as they come from OpenSSH 10.5 on', async () => {
    assert.deepEqual(await judged([], 10_005, mixed), []);
    assert.deepEqual(await judged(['AcceptEnv LD_*', 'PermitTunnel yes'], 10_005, mixed), ['FC6 nobody', 'FC8 nobody']);
  });

  it('ask for agent and X11 by name until DisableForwarding means them too (OpenSSH 10.0)', async () => {
    assert.deepEqual(await judged(['AllowAgentForwarding yes', 'X11Forwarding yes'], 9_009), ['FC5 nobody']);
    assert.deepEqual(await judged(['AllowAgentForwarding yes', 'X11Forwarding yes'], 10_000), []);
  });
});
