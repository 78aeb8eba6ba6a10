/** What users do with a login that the service holds, each after a proof: new recovery codes, another seal, the QR code again, the end. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { acrossLines } from '../../support/process.ts';
import type { InsideOptions } from '../../support/container.ts';
import type { Ran, Terminal } from '../../support/process.ts';
import { lacks, must, type TestUser } from '../../support/world.ts';
import { bootService, SERVICE_NEEDS, type Phone, type ServiceWorld } from '../service/world.ts';
import { answer, assertRefused } from '../../commands/codes/own-codes.ts';

const PASSPHRASE = 'correct horse';
const CODE = /One-time code \(or recovery code\): /;

describe('a login that the service holds', { skip: lacks({ ...SERVICE_NEEDS, programs: [...SERVICE_NEEDS.programs, 'zbarimg'] }) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('care');
    alice = await world.addUser('alice');
    phone = await world.enroll(alice, ['--recovery', '32']);
  });

  const asAlice = (words: readonly string[], options: InsideOptions = {}): Promise<Ran> =>
    world.container.run(['notp', ...words], { as: 'alice', ...options });
  const inTerminal = (words: readonly string[], columns = 80): Terminal =>
    world.container.inTerminal(['notp', ...words], { as: 'alice', columns });
  const sealed = async (user = 'alice'): Promise<{ id: string; seal: { kind: string } }> =>
    JSON.parse(await world.container.must(['cat', `/home/${user}/.notp/ssh`])) as { id: string; seal: { kind: string } };
  const whoLogsIn = async (proof: string, user = alice): Promise<string> => (await world.login(user, proof)).stdout;
  const lastEvents = async (count: number): Promise<string[]> =>
    (await world.records()).slice(-count).map(({ event, reason = '' }) => `${event} ${reason}`.trim());

  it('gets new recovery codes after a code: shown once, the old ones dead, the old file stale, the phone as before', async () => {
    const [old, oldFile] = [phone, await world.container.must(['cat', '/home/alice/.notp/ssh'])];
    const terminal = inTerminal(['recovery']);
    await answer(terminal, [CODE, await phone.code()]);
    await terminal.expect(/Recovery codes[^]*shown once:/);
    await terminal.expect(/The recovery codes of alice for ssh are new; the old ones no longer work/);
    assert.equal(await terminal.exited, 0);
    const codes =
      terminal
        .output()
        .match(/^ {2}[A-Z2-7-]+(?=\r$)/gm)
        ?.map((code) => code.trim()) ?? [];
    assert.equal(codes.length, 10);
    assert.ok(!terminal.output().includes(phone.secret));
    assert.deepEqual(await lastEvents(2), ['login.accepted', 'recovery']);
    assert.match((await world.login(alice, old.recoveryCode())).stderr, /code not accepted/);
    phone = { ...phone, ...recoveryOf(codes) };
    const renewed = await world.container.must(['cat', '/home/alice/.notp/ssh']);
    await put(world, oldFile);
    assert.match((await world.login(alice, phone.recoveryCode())).stderr, /enrol/);
    assert.equal((await world.lastLogin())?.reason, 'stale_enrolment');
    await put(world, renewed);
    assert.equal(await whoLogsIn(phone.recoveryCode()), 'alice\n');
    assert.equal(await whoLogsIn(await phone.code()), 'alice\n');
  });

  it('gets them after a recovery code too, as JSON for a script', async () => {
    const ran = await asAlice(['recovery', '--recovery', '32', '--json'], { input: `${phone.recoveryCode()}\n` });
    assert.equal(ran.code, 0, ran.stderr);
    const { recovery, ...rest } = JSON.parse(ran.stdout) as { recovery: string[] };
    assert.deepEqual(rest, { id: (await sealed()).id, user: 'alice', context: 'ssh', file: '/home/alice/.notp/ssh' });
    assert.equal(recovery.length, 32);
    phone = { ...phone, ...recoveryOf(recovery) };
    assert.deepEqual(await lastEvents(3), ['login.accepted', 'recovery.used', 'recovery']);
  });

  it('stays as it is for whoever has no proof: a wrong code costs budget and is recorded, Ctrl-C and an empty line are no proof', async () => {
    // New recovery codes took from it.
    await world.container.must(['notp', 'unlock', '--user', 'alice']);
    const { id } = await sealed();
    for (const [typed, said] of [
      ['000000\r', /code not accepted/],
      ['\r', /no one-time code was given/],
      ['\x03', /no one-time code was given/],
    ] as const) {
      const terminal = inTerminal(['recovery'], 40);
      await terminal.expect(CODE);
      terminal.send(typed);
      await terminal.expect(acrossLines(said));
      assert.equal(await terminal.exited, 1);
      assert.doesNotMatch(terminal.output(), /Recovery codes/);
      assert.equal((await world.lastLogin())?.event, 'login.refused');
    }
    for (const words of [['export'], ['reseal', '--seal', 'host'], ['revoke', '--yes']]) {
      const ran = await asAlice(words, { input: '000000\n' });
      assert.deepEqual([ran.code, ran.stdout], [1, ''], words.join(' '));
      assert.match(ran.stderr, /notp: error: code not accepted .*\(ref [0-9a-f]{8}\)\nnotp: hint: /);
    }
    assert.equal((await sealed()).id, id);
    assert.equal(await whoLogsIn(phone.recoveryCode()), 'alice\n');
  });

  it('is shown again as a QR code after a code, which is recorded before', async () => {
    const terminal = inTerminal(['export', '--to', 'qr'], 120);
    await answer(terminal, [CODE, phone.recoveryCode()]);
    await terminal.expect(/█|▀|▄/);
    assert.equal(await terminal.exited, 0);
    assert.ok(!terminal.output().includes(phone.secret));
    assert.equal((await lastEvents(1))[0], 'export');
    const uri = await asAlice(['export', '--to', 'uri'], { input: `${phone.recoveryCode()}\n` });
    assert.deepEqual([uri.code, uri.stdout], [0, `${phone.uri}\n`], uri.stderr);
    const json = await asAlice(['export', '--json'], { input: `${phone.recoveryCode()}\n` });
    assert.equal((JSON.parse(json.stdout) as { secret: string }).secret, phone.secret);
  });

  it('is taken by root without a proof, as a picture too, and recorded', async () => {
    const file = '/root/alice.png';
    const ran = await world.container.run(['notp', 'export', '--user', 'alice', '--to', 'png', '--file', file]);
    assert.deepEqual([ran.code, ran.stdout], [0, ''], ran.stderr);
    assert.equal(must(['zbarimg', '-q', '--raw', world.outside(file)]), `${phone.uri}\n`);
    assert.equal((await lastEvents(1))[0], 'export');
    const { id } = await sealed();
    const again = await asAlice(['export', '--to', 'png', '--file', '/etc/passwd'], { input: `${phone.recoveryCode()}\n` });
    assert.match(again.stderr, /\/etc\/passwd already exists\nnotp: hint: --file never overwrites/);
    const given = await world.container.run(['notp', 'recovery', '--user', 'alice', '--recovery', '32', '--json']);
    const { recovery } = JSON.parse(given.stdout) as { recovery: string[] };
    assert.match((await world.login(alice, phone.recoveryCode())).stderr, /not accepted|two consecutive codes/);
    phone = { ...phone, ...recoveryOf(recovery) };
    assert.equal(await whoLogsIn(phone.recoveryCode()), 'alice\n');
    assert.notEqual((await sealed()).id, id);
  });

  it('goes from the host to a passphrase and back, after a code; budget and used codes go with it', async () => {
    const words = ['reseal', '--seal', 'passphrase'];
    const terminal = inTerminal(words);
    const used = phone.recoveryCode();
    await answer(terminal, [/New passphrase: /, PASSPHRASE], [/The same again: /, PASSPHRASE], [CODE, used]);
    await terminal.expect(/Re-sealed by a passphrase: \/home\/alice\/.notp\/ssh/);
    assert.equal(await terminal.exited, 0);
    assert.equal((await sealed()).seal.kind, 'passphrase');
    assert.equal(await whoLogsIn(`${PASSPHRASE} ${phone.recoveryCode()}`), 'alice\n');
    // What no whole try pays for is told as a wrong code.
    await world.container.must(['notp', 'unlock', '--user', 'alice']);
    assert.match((await world.login(alice, `${PASSPHRASE} ${used}`)).stderr, /already used/);
    const changed = await asAlice(['passphrase', '--passphrase-file', '-', '--new-passphrase-file', '-', '--json'], {
      input: `${PASSPHRASE}\nbattery staple\n${phone.recoveryCode()}\n`,
    });
    assert.equal(changed.code, 0, changed.stderr);
    assert.equal((JSON.parse(changed.stdout) as { id: string }).id, (await sealed()).id);
    assert.equal(await whoLogsIn(`${PASSPHRASE} ${phone.recoveryCode()}`), '', 'the old passphrase logs in');
    const back = await asAlice(['reseal', '--seal', 'host', '--passphrase-file', '-', '--json'], {
      input: `battery staple\n${phone.recoveryCode()}\n`,
    });
    assert.equal(back.code, 0, back.stderr);
    assert.deepEqual(Object.keys(JSON.parse(back.stdout) as object), ['id', 'user', 'context', 'seal', 'file']);
    assert.equal((await sealed()).seal.kind, 'host');
    assert.equal(await whoLogsIn(phone.recoveryCode()), 'alice\n');
  });

  it('is left alone where the service is lost: an error in bounded time, and the login as before', async () => {
    const { id } = await sealed();
    const terminal = inTerminal(['recovery']);
    await terminal.expect(CODE);
    await world.container.must(['systemctl', 'kill', '--signal=KILL', `notp@${String(alice.uid)}.service`]);
    terminal.send(`${phone.recoveryCode()}\r`);
    await terminal.expect(/notp: error: \/run\/notp\/\d+\.sock: /);
    assert.equal(await terminal.exited, 3);
    assert.equal((await sealed()).id, id);
    assert.equal(await whoLogsIn(phone.recoveryCode()), 'alice\n');
  });

  it('is no login of who is not enrolled, and none of somebody else', async () => {
    const ran = await asAlice(['recovery', 'deploy'], { input: '000000\n' });
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, /there is no secret \/home\/alice\/\.notp\/deploy/);
    const file = '/home/alice/passphrase';
    await world.container.must(['sh', '-c', `echo '${PASSPHRASE}' > ${file}`], { as: 'alice' });
    await asAlice(['import', 'github', '--passphrase-file', file], { input: 'JBSWY3DPEHPK3PXP\n' });
    const github = await asAlice(['recovery', 'github', '--passphrase-file', file], { input: '000000\n' });
    assert.deepEqual([github.code, github.stdout], [1, '']);
    assert.match(github.stderr, /not enrolled/);
    await world.addUser('bob');
    for (const words of [['recovery'], ['reseal'], ['export'], ['passphrase'], ['revoke', '--yes']]) {
      const other = await world.container.run(['notp', ...words, '--user', 'alice'], { as: 'bob' });
      assert.deepEqual([other.code, other.stdout], [1, ''], words.join(' '));
      assert.match(other.stderr, /only root can/);
    }
  });

  it('is not removed or imported over by its user, however it is sealed, until it is revoked; nor where the service is not heard', async () => {
    const carol = await world.addUser('carol');
    const [secrets, file] = ['/home/carol/.notp', '/home/carol/passphrase'];
    await world.container.must(['sh', '-c', `echo '${PASSPHRASE}' > ${file}`], { as: 'carol' });
    const asCarol = (...words: readonly string[]): Promise<Ran> =>
      world.container.run(['notp', ...words], { as: 'carol', input: 'JBSWY3DPEHPK3PXP\n' });
    const importing = ['--passphrase-file', file, '--replace'];
    await world.enroll(carol);
    for (const seal of ['host', 'passphrase']) {
      await world.enroll(carol, ['vpn', '--seal', seal, ...(seal === 'host' ? [] : ['--passphrase-file', file]), '--replace']);
      assertRefused(await asCarol('remove', 'vpn', '--yes'), 1, /vpn is a login of this host, which is revoked and not removed/);
      assertRefused(await asCarol('import', 'vpn', ...importing), 1, /vpn is a login of this host/);
      await world.container.must(['notp', 'revoke', 'vpn', '--user', 'carol', '--yes']);
      assert.equal((await asCarol('remove', 'vpn', '--yes')).stderr, `Removed ${secrets}/vpn\n`);
    }
    assert.equal((await asCarol('import', 'shop', ...importing)).code, 0);
    await world.container.must(['systemctl', 'mask', '--runtime', '--now', `notp@${String(carol.uid)}.service`]);
    assertRefused(await asCarol('remove', 'shop', '--yes'), 3, /notp: error: \/run\/notp\/\d+\.sock: [^\n]+\nnotp: hint: /);
    await world.container.must(['systemctl', 'stop', `notp@${String(carol.uid)}.socket`]);
    assertRefused(
      await asCarol('remove', 'ssh', '--yes'),
      1,
      /ssh is sealed by this host, and there is no service to say whether it logs in/,
    );
    assert.match(await world.container.must(['ls', secrets]), /^shop\nssh$/m);
  });

  it('ends by its user after a question and a code, and then there is nothing more to look after', async () => {
    const terminal = inTerminal(['revoke']);
    await answer(terminal, [/Revoke ssh of alice.*Type yes: /, 'yes'], [CODE, phone.recoveryCode()]);
    await terminal.expect(/Revoked: alice does not log in with ssh any more/);
    assert.equal(await terminal.exited, 0);
    assert.equal((await lastEvents(1))[0], 'revoke');
    assert.match((await world.login(alice, phone.recoveryCode())).stderr, /revoked/);
    for (const words of [['recovery'], ['reseal', '--seal', 'host'], ['export'], ['revoke', '--yes']]) {
      const ran = await asAlice(words, { input: `${phone.recoveryCode()}\n` });
      assert.deepEqual([ran.code, ran.stdout], [1, ''], words.join(' '));
      assert.match(ran.stderr, /this enrolment was revoked/);
    }
    await world.container.must(['systemctl', 'is-active', '--quiet', `notp@${String(alice.uid)}.socket`]);
  });
});

/** The part of a phone that knows recovery codes, with others. */
function recoveryOf(recovery: readonly string[]): Pick<Phone, 'recovery' | 'recoveryCode'> {
  const left = [...recovery];
  return { recovery, recoveryCode: () => left.pop() ?? '' };
}

async function put({ container }: ServiceWorld, sealed: string): Promise<void> {
  await container.must(['sh', '-c', 'cat > /home/alice/.notp/ssh'], { as: 'alice', input: sealed });
}
