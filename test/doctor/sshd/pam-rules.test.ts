/** Each rule of the PAM door fires on a real sshd's configuration that trips it, and none on the recommended one. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { NEEDS, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';
import { exampleStack, pamService } from '../pam/pam-files.ts';

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
    assert.deepEqual([report.doors, report.pamServices], [{ gate: false, pam: true }, [service]]);
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

  it('call nothing codes alone where a password comes before each code, though nobody may get in so', async () => {
    const code = 'auth requisite pam_exec.so quiet';
    const [inSshd, onTerminal] = [`${code} expose_authtok stdout /usr/bin/notp pam`, `${code} seteuid /usr/bin/notp pam --prompt-tty`];
    const password = 'auth required pam_unix.so';
    const first = /^auth.*success=3.*$/m.exec(exampleStack('sshd-notp'))?.[0].replace('=3', '=2') ?? '';
    const permit = 'auth sufficient pam_permit.so';
    for (const [stack, ids] of [
      [[first, inSshd, permit, password, onTerminal], []],
      [[password, inSshd], []],
      [[first, inSshd, permit, 'auth optional pam_unix.so', 'auth required pam_permit.so'], ['P2 root']],
      [[inSshd, permit], ['P2 root']],
    ] as const) {
      const { findings } = await world.examine(world.write(['PermitRootLogin yes'], 'pam'), {
        pamService: pamService(`${stack.join('\n')}\n`),
      });
      assert.deepEqual(wrong(findings), ids, stack.join());
    }
  });

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

  for (const [what, found, stack] of [
    ['name P2 where every pass of the stack asks for the code', ['P2 root'], ''],
    ['name P2 where the branch leads nowhere', ['P2 root'], 'auth [default=ignore] pam_exec.so quiet /usr/bin/notp pam --first-pass\n'],
    [
      'name P2 where the first pass lands on a permit, and a code alone logged in',
      ['P2 root'],
      'auth [success=1 default=ignore] pam_exec.so quiet /usr/bin/notp pam --first-pass\n',
    ],
    [
      'take the first pass that leads past the code for a first factor',
      [],
      'auth [success=2 default=ignore] pam_exec.so quiet /usr/bin/notp pam --first-pass\n',
    ],
  ] as const) {
    it(what, async () => {
      const code = 'auth requisite pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam\nauth sufficient pam_permit.so\n';
      const pam = pamService(`${stack}${code}auth required pam_unix.so\n`);
      const { findings } = await world.examine(world.write(['PermitRootLogin yes'], 'pam'), { pamService: pam });
      assert.deepEqual(wrong(findings), found);
    });
  }

  it('take keys and codes where the stack knows no password', async () => {
    const pam = pamService('auth requisite pam_exec.so expose_authtok /usr/bin/notp pam\nauth sufficient pam_permit.so\n');
    const file = world.write(['PermitRootLogin yes', 'AuthenticationMethods publickey,keyboard-interactive:pam'], 'pam');
    assert.deepEqual(wrong((await world.examine(file, { pamService: pam })).findings), []);
  });

  it('take password, then code, for two factors', async () => {
    const lines = ['PasswordAuthentication yes', 'AuthenticationMethods password,keyboard-interactive:pam publickey,keyboard-interactive'];
    assert.deepEqual(await examine(lines, ['nobody']), []);
    // What docs/compliance.md has: no login begins with a key.
    assert.deepEqual(await examine(['AuthenticationMethods keyboard-interactive:pam,keyboard-interactive:pam'], ['nobody']), []);
  });

  for (const [what, match, found] of [
    ['an enrolled user', 'user=nobody', ['P2 nobody']],
    ['somebody else', 'user=games', []],
    ['a network', 'addr=10.0.0.0', ['P2 nobody', 'P2 daemon']],
  ] as const)
    it(`name P2 where a Match block gives ${what} a PAM service without a code (OpenSSH 9.8): one service was looked at, for all`, async () => {
      const other = pamService('auth required pam_unix.so\n');
      const program = path.join(world.folder, 'sshd');
      // As a later sshd tells it.
      fs.writeFileSync(
        program,
        `#!/bin/sh
/usr/sbin/sshd "$@" || exit
case "$*" in
*,${match}* | *${match},*) echo pamservicename ${other} ;;
*" -T "*) echo pamservicename ${service} ;;
esac
`,
        { mode: 0o755 },
      );
      const file = world.write(['>Match User nobody', '>  Banner none', '>Match Address 10.0.0.0/8', '>  Banner none'], 'pam');
      const report = await world.examine(file, { names: ['nobody', 'daemon'], program });
      assert.deepEqual(wrong(report.findings), found);
      assert.deepEqual(report.pamServices.toSorted(), (found.length === 0 ? [service] : [other, service]).toSorted());
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
