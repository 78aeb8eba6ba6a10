/** `notp setup sudo` on a real host: who is asked for what by sudo and sudo -i, with the PAM layouts of Debian and of Red Hat. */
import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { acrossLines } from '../../support/process.ts';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import type { Terminal } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { RED_HAT } from './red-hat.ts';
import { answer, assertAsBefore, assertDone, bootHost, enableProfile, freshCode, snapshot, type Host } from './world.ts';

const PASSWORD = 'login secret';
const STACKS = ['sudo', 'sudo-i'] as const;

describe('notp setup sudo', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'sudo'] }) }, () => {
  let host: Host;
  before(async () => {
    host = await bootHost('setup-sudo');
    await host.container.must(['chpasswd'], { input: `alice:${PASSWORD}\nbob:${PASSWORD}\n` });
    host.write('/etc/sudoers.d/alice', 'Defaults lecture=never\nalice ALL=(ALL) ALL\nbob ALL=(ALL) ALL\n', 0o440);
    await host.enrol(host.alice);
  });
  afterEach(async () => {
    await host.clear();
  });

  const apply = async (...words: string[]): Promise<void> => {
    assertDone(await host.setup('sudo', ...words, '--apply', '--confirm-within', 'never'));
  };

  /** sudo (or sudo -i) of `user`, in a terminal of their own. */
  const sudo = (user: TestUser, ...words: string[]): Terminal => host.container.inTerminal(['sudo', '-k', ...words], { as: user.name });

  const sudoAsksForPasswordAndCode = async (...words: string[]): Promise<void> => {
    const code = await freshCode(host, host.alice);
    const terminal = sudo(host.alice, ...words, 'id', '-u');
    await answer(terminal, /password for alice: /, PASSWORD);
    await answer(terminal, /One-time code: /, code);
    await terminal.expect(/^0\r$/m);
    assert.equal(await terminal.exited, 0);
    const refused = sudo(host.alice, ...words, 'id', '-u');
    await answer(refused, /password for alice: /, PASSWORD);
    await answer(refused, /One-time code: /, '000000');
    refused.hangUp();
    assert.doesNotMatch(refused.output(), /^0\r$/m);
  };

  const asksAndIsUndone = async (): Promise<void> => {
    const files = snapshot(host);
    await apply();
    await sudoAsksForPasswordAndCode();
    await sudoAsksForPasswordAndCode('-i');
    await asksNothingAfterAWrongPassword();
    assertDone(await host.setup('undo'));
    assertAsBefore(host, files);
  };

  /** Neither a code that is judged nor a prompt for one before the password is right. */
  const asksNothingAfterAWrongPassword = async (...words: string[]): Promise<void> => {
    await freshCode(host, host.alice);
    const records = host.read('/var/log/notp/audit.log');
    const wrong = sudo(host.alice, ...words, 'id', '-u');
    for (let i = 0; i < 3; i++) await answer(wrong, /password for alice: $/, `wrong ${String(i)}`);
    assert.notEqual(await wrong.exited, 0);
    const broken = sudo(host.alice, ...words, 'id', '-u');
    await broken.expect(/password for alice: $/);
    broken.send('\x03');
    assert.notEqual(await broken.exited, 0);
    for (const terminal of [wrong, broken]) assert.doesNotMatch(terminal.output(), /One-time code|^0\r$/m);
    assert.equal(host.read('/var/log/notp/audit.log'), records);
  };

  it('asks for password and code, also as sudo -i, and is undone byte for byte', asksAndIsUndone);

  it('asks only those whom it was set up for', async () => {
    await apply('--group', 'alice');
    await sudoAsksForPasswordAndCode();
    const terminal = sudo(host.bob, 'id', '-u');
    await answer(terminal, /password for bob: /, PASSWORD);
    await terminal.expect(/^0\r$/m);
  });

  it('asks for the same with the layout of Red Hat, where the password alone would do in a stack that includes another', async () => {
    const debian = STACKS.map((name) => [name, host.read(`/etc/pam.d/${name}`)] as const);
    for (const [name, text] of Object.entries(RED_HAT)) host.write(`/etc/pam.d/${name}`, text);
    await asksAndIsUndone();
    for (const [name, text] of debian) host.write(`/etc/pam.d/${name}`, text);
  });

  it('asks for no code after a wrong password at a module that notp does not know: it did, and with `optional` the code alone was root', async () => {
    const stock = host.read('/etc/pam.d/common-auth');
    // Stands for pam_radius_auth: an answer from elsewhere.
    const elsewhere = '/usr/local/bin/elsewhere';
    host.write(elsewhere, `#!/bin/sh\nread -r password; [ "$password" = '${PASSWORD}' ]\n`, 0o755);
    const common = (control: string): void => {
      host.write('/etc/pam.d/common-auth', `auth ${control} pam_exec.so expose_authtok quiet ${elsewhere}\n`);
    };
    const files = snapshot(host);
    common('required');
    await apply();
    await sudoAsksForPasswordAndCode();
    await freshCode(host, host.alice);
    const records = host.read('/var/log/notp/audit.log');
    const wrong = sudo(host.alice, 'id', '-u');
    await answer(wrong, /password for alice: $/, 'wrong');
    assert.notEqual(await wrong.exited, 0);
    assert.doesNotMatch(wrong.output(), /One-time code|^0\r$/m);
    assert.equal(host.read('/var/log/notp/audit.log'), records);
    assertDone(await host.setup('undo'));
    common('optional');
    const { code, stderr } = await host.setup('sudo', '--apply', '--confirm-within', 'never');
    assert.deepEqual([code, /no line can follow the stack common-auth/.test(stderr)], [1, true], stderr);
    // By hand it is found.
    const line = 'auth requisite pam_exec.so seteuid quiet quiet_log /usr/bin/notp pam --prompt-tty';
    const text = host.read('/etc/pam.d/sudo');
    host.write('/etc/pam.d/sudo', text.replace(/^@include common-auth$/m, `@include common-auth\n${line}`));
    const ids = await found();
    host.write('/etc/pam.d/sudo', text);
    host.write('/etc/pam.d/common-auth', stock);
    assertAsBefore(host, files);
    assert.deepEqual(ids.toSorted(), ['fail P11', 'warn P7'], 'sudo -i is left without');
  });

  /** What notp doctor says of sudo that is not in order. */
  const found = async (): Promise<string[]> => {
    const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
    const findings = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Finding]));
    const sudos = findings.filter(({ id, detail }) => id === 'P11' || (id === 'P7' && /PAM service sudo\b/.test(detail)));
    return sudos.flatMap(({ id, severity }) => (severity === 'ok' ? [] : [`${severity} ${id}`]));
  };

  it('is seen by notp doctor to be led around: by a line in a form that is no door, and by sudoers', async () => {
    await apply();
    /** With the password alone, or with nothing. */
    const openBy = async (file: string, text: string, { asks }: { asks: boolean }): Promise<string[]> => {
      const earlier = host.read(file);
      host.write(file, text, file.startsWith('/etc/sudoers') ? 0o440 : 0o644);
      const terminal = sudo(host.alice, 'id', '-u');
      if (asks) await answer(terminal, /password for alice: /, PASSWORD);
      await terminal.expect(/^0\r$/m);
      const ids = await found();
      host.write(file, earlier, file.startsWith('/etc/sudoers') ? 0o440 : 0o644);
      return ids;
    };
    assert.deepEqual(await found(), []);
    for (const form of ['/usr/bin/notp pam --first-pass --prompt-tty', '/usr/bin/notp --version pam']) {
      const text = host.read('/etc/pam.d/sudo').replaceAll(/\/usr\/bin\/notp pam.*$/gm, form);
      assert.deepEqual([...new Set(await openBy('/etc/pam.d/sudo', text, { asks: true }))], ['fail P7', 'fail P11'], form);
    }
    const sudoers = '/etc/sudoers.d/alice';
    for (const [line, asks, wanted] of [
      ['Defaults pam_service=su', true, 'fail P11'],
      ['Defaults exempt_group=alice', false, 'warn P11'],
      ['Defaults:alice !authenticate', false, 'warn P11'],
    ] as const)
      assert.deepEqual(await openBy(sudoers, `${host.read(sudoers)}${line}\n`, { asks }), [wanted], line);
    assert.deepEqual(await found(), []);
  });

  it("is refused where sudo asks for a code already, by pam-auth-update's profile or by hand: it asked for two", async () => {
    const files = snapshot(host);
    const debian = STACKS.map((name) => [name, host.read(`/etc/pam.d/${name}`)] as const);
    const line = 'auth requisite pam_exec.so seteuid quiet quiet_log /usr/bin/notp pam --prompt-tty';
    const isRefused = async (where: string): Promise<void> => {
      const asFound = snapshot(host);
      const { code, stderr } = await host.setup('sudo', '--apply', '--confirm-within', 'never');
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`starts notp already.* two codes: /etc/pam.d/${where}:\\d+\n.*hint: remove that line`));
      assertAsBefore(host, asFound);
    };
    const disableProfile = enableProfile(host);
    await isRefused('common-auth');
    await sudoAsksForPasswordAndCode();
    disableProfile();
    for (const [name, text] of debian) {
      host.write(`/etc/pam.d/${name}`, text.replace(/^@include common-auth$/m, `$&\n${line}`));
      await isRefused(name);
      host.write(`/etc/pam.d/${name}`, text);
    }
    assertAsBefore(host, files);
    await apply();
    await apply('--user', 'alice');
    await sudoAsksForPasswordAndCode();
  });

  it('is refused where the administrator is not enrolled', async () => {
    const files = snapshot(host);
    const terminal = host.container.inTerminal(['sudo', '-k', 'notp', 'setup', 'sudo', '--apply'], { as: 'bob' });
    await answer(terminal, /password for bob: /, PASSWORD);
    await terminal.expect(acrossLines(/lock you out: bob: not enrolled: notp-enroll bob/));
    assert.equal(await terminal.exited, 1);
    assertAsBefore(host, files);
  });
});
