/** A user whom root has invited enrols once at the gate, through the service; who is enrolled replaces it by a code only. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import { sshInTerminal } from '../../support/container-ssh.ts';
import type { Terminal } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, recoveryCodes, scanned, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

describe('enrolling oneself through the service', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let [alice, bob]: TestUser[] = [];
  let phone: Phone;
  let recovery: string[];

  before(async () => {
    world = await bootService('self', { toml: 'unenrolled = "enroll"\n' });
    alice = await world.addUser('alice');
    bob = await world.addUser('bob');
  });

  const enrolAgain = (): Terminal => world.container.inTerminal(['notp', 'enroll', '--replace'], { as: 'alice' });
  const loginOf = async (user: TestUser | undefined, proof: string): Promise<string> =>
    user === undefined ? '' : (await world.login(user, proof)).stdout;

  // A new secret costs a try.
  beforeEach(async () => {
    await world.container.run(['notp', 'unlock', '--user', 'alice']);
  });

  it('is refused to whom nobody has invited: with a socket, without one, and to whom root has revoked', async () => {
    const without = await world.login(bob as TestUser, '000000');
    assert.match(without.stderr, /not enrolled for one-time codes[^]*ask an administrator to run notp-enroll for you/);
    await world.container.must(['systemctl', 'enable', '--now', '--quiet', `notp@${String(bob?.uid)}.socket`]);
    const terminal = sshInTerminal(world.container, bob as TestUser);
    await terminal.expect(/not permitted/);
    assert.equal(await terminal.exited, 1);
    assert.doesNotMatch(terminal.output(), /Key:|otpauth:/);
    const own = await world.container.run(['notp', 'enroll', '--no-confirm'], { as: 'bob' });
    assert.deepEqual([own.code, own.stdout], [1, '']);
  });

  it('happens at the gate, once invited: QR code and key, a code of it, and a login with the next code', async () => {
    await world.container.must(['notp-enroll', '--pending', 'alice']);
    const terminal = sshInTerminal(world.container, alice as TestUser, [], { columns: 120, sshOptions: ['-o', 'SetEnv=LC_ALL=C.UTF-8'] });
    await terminal.expect(/Enrol now/);
    phone = await scanned(terminal);
    assert.match(terminal.output(), /█|▀|▄/);
    assert.match(terminal.output(), /Key: ([A-Z2-7]{4} ){3}[A-Z2-7]{4}\r\n/);
    terminal.send(`${await phone.code()}\r`);
    recovery = await recoveryCodes(terminal);
    assert.equal(recovery.length, 10);
    await terminal.expect(/One-time code: /);
    terminal.send(`${await phone.code()}\r`);
    await terminal.expect(/\$ /);
    terminal.send('id -un; exit\r');
    await terminal.expect(/alice\r\n/);
    assert.equal(await terminal.exited, 0);
    const events = (await world.records()).map(({ event, user }) => `${event} ${user}`);
    assert.deepEqual(events.slice(-4), ['invite alice', 'login.refused alice', 'enroll alice', 'login.accepted alice']);
  });

  it('made a secret that is sealed by the host, in a file of the user', async () => {
    const file = await world.container.must(['cat', '/home/alice/.notp/ssh'], { as: 'alice' });
    assert.equal((JSON.parse(file) as { seal: { kind: string } }).seal.kind, 'host');
    assert.equal(await world.container.must(['stat', '--format=%U %a', '/home/alice/.notp/ssh']), 'alice 600\n');
    assert.equal(await loginOf(alice, recovery.pop() ?? ''), 'alice\n');
  });

  it('works once: a second time is refused, and root does not invite whoever is enrolled', async () => {
    const again = await world.container.run(['notp', 'enroll'], { as: 'alice' });
    assert.deepEqual([again.code, again.stdout], [1, '']);
    assert.match(again.stderr, /not permitted/);
    const invited = await world.container.run(['notp-enroll', '--pending', 'alice']);
    assert.deepEqual([invited.code, /enrolled for ssh already/.test(invited.stderr)], [1, true]);
  });

  it('replaces an enrolment for nobody who has no code of it, or a wrong one', async () => {
    for (const [typed, said] of [
      ['', /no one-time code was given/],
      ['000000', /code not accepted/],
    ] as const) {
      const terminal = enrolAgain();
      await terminal.expect(/of the enrolment to replace: /);
      terminal.send(`${typed}\r`);
      await terminal.expect(said);
      assert.equal(await terminal.exited, 1);
      assert.doesNotMatch(terminal.output(), /Key:|otpauth:/);
    }
    assert.equal(await loginOf(alice, recovery.pop() ?? ''), 'alice\n');
  });

  it('leaves the old enrolment working where the new one is not confirmed: wrong codes, Ctrl-C, a lost connection', async () => {
    for (const end of ['wrong', 'interrupt', 'hang up']) {
      const terminal = enrolAgain();
      await terminal.expect(/of the enrolment to replace: /);
      terminal.send(`${recovery.pop() ?? ''}\r`);
      const next = await scanned(terminal);
      if (end === 'interrupt') terminal.send('\x03');
      if (end === 'hang up') terminal.hangUp();
      if (end === 'wrong') {
        for (const left of [2, 1, 0]) {
          terminal.send('000000\r');
          await terminal.expect(/not the code of the new secret/);
          if (left > 0) await terminal.expect(/One-time code: /);
        }
      }
      if (end !== 'hang up') assert.notEqual(await terminal.exited, 0, end);
      assert.equal(await loginOf(alice, await next.code()), '', end);
      assert.equal(await loginOf(alice, end === 'wrong' ? await phone.code() : (recovery.pop() ?? '')), 'alice\n', end);
    }
  });

  it('replaces an enrolment for whoever has a current code of it', async () => {
    const terminal = enrolAgain();
    await terminal.expect(/of the enrolment to replace: /);
    terminal.send(`${await phone.code()}\r`);
    const next = await scanned(terminal);
    terminal.send(`${await next.code()}\r`);
    const codes = await recoveryCodes(terminal);
    assert.equal(await terminal.exited, 0);
    assert.equal(await loginOf(alice, recovery.pop() ?? ''), '');
    assert.equal(await loginOf(alice, await next.code()), 'alice\n');
    [phone, recovery] = [next, codes];
    assert.deepEqual((await world.records()).filter(({ event }) => event === 'replace').length, 1);
  });

  it('replaces an enrolment for whoever has a recovery code of it, which is spent then', async () => {
    const spent = recovery.pop() ?? '';
    for (const works of [true, false]) {
      const terminal = enrolAgain();
      await terminal.expect(/of the enrolment to replace: /);
      terminal.send(`${spent}\r`);
      if (works) {
        await scanned(terminal);
        terminal.send('\x03');
      } else await terminal.expect(/code already used/);
      assert.notEqual(await terminal.exited, 0);
    }
    assert.equal(await loginOf(alice, recovery.pop() ?? ''), 'alice\n');
  });

  it('shows nothing and changes nothing where nobody sits at a terminal', async () => {
    const carol = await world.addUser('carol');
    await world.container.must(['notp-enroll', '--pending', 'carol']);
    const ran = await world.login(carol, '000000');
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, /log in with a terminal once/);
    assert.equal((await world.container.run(['test', '-e', '/home/carol/.notp/ssh'])).code, 1);
  });

  it('does not come about for whoever was invited and then revoked', async () => {
    const erin = await world.addUser('erin');
    await world.container.must(['notp-enroll', '--pending', 'erin']);
    await world.container.must(['notp', 'revoke', '--user', 'erin', '--yes']);
    await world.container.must(['systemctl', 'enable', '--now', '--quiet', `notp@${String(erin.uid)}.socket`]);
    const terminal = sshInTerminal(world.container, erin);
    await terminal.expect(/this enrolment was revoked/);
    assert.equal(await terminal.exited, 1);
    assert.doesNotMatch(terminal.output(), /Key:/);
  });
});
