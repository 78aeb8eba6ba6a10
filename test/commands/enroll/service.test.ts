/** `notp enroll` by a user through the service: what is asked, shown and refused. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, beforeEach, describe, it } from 'node:test';
import { asked, NEEDS, questionFor, serveWorld, type ServeWorld } from '../../doors/serve-world.ts';
import { run } from '../../support/process.ts';
import { addUser, must, oathCode, runAs, type TestUser } from '../../support/world.ts';
import { enrolled, enrolling, fileOf, inviteUser, logIn, newKey } from './enrolling.ts';

let world: ServeWorld;
let alice: TestUser;

describe('enrolling oneself through the service', { skip: NEEDS }, () => {
  before(() => {
    world = serveWorld('enroll-service');
  });
  beforeEach(() => {
    alice = addUser();
  });

  it('needs an invitation', async () => {
    await world.startInPlace(alice.uid);
    const { code: exit, stderr } = await runAs(alice, [world.notp, 'enroll', '--config', world.config]);
    assert.equal(exit, 1);
    assert.match(stderr, /notp: error: not permitted \(ref [0-9a-f]{8}\)\nnotp: hint: ask an administrator to run notp-enroll --pending/);
    assert.ok(!fs.existsSync(`${alice.home}/.notp`));
    const { ref } = world.records().at(-1) as { ref: string };
    assert.ok(stderr.includes(ref), 'the reference finds the record');
  });

  it('shows the secret once, and seals it by the host where the user cannot read it', async () => {
    await inviteUser(world, alice);
    const service = await world.startInPlace(alice.uid);
    const terminal = enrolling(world, alice);
    const secret = await enrolled(terminal);
    const [first = ''] = /[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{5}/.exec(terminal.output()) ?? [];
    assert.equal(must(['stat', '-c', '%U %a', fileOf(alice), `${alice.home}/.notp`]), `${alice.name} 600\n${alice.name} 700\n`);
    const text = fs.readFileSync(fileOf(alice), 'utf8');
    assert.match(text, /"kind": "host"/);
    for (const file of fs.readdirSync(`${alice.home}/.notp`)) {
      const content = fs.readFileSync(`${alice.home}/.notp/${file}`, 'latin1');
      for (const hidden of [secret, first]) assert.ok(!content.includes(hidden), file);
    }
    for (const place of ['etc/host.key', 'var/state.db', 'log/audit.log']) {
      assert.notEqual((await runAs(alice, ['cat', `${world.folder}/${place}`])).code, 0, place);
    }
    assert.equal(await logIn(service, alice, secret), 'totp');
    const recovery = { passphrase: undefined, proof: { kind: 'recovery' as const, code: first.replaceAll('-', '') } };
    assert.equal(await asked(service, questionFor(fileOf(alice), [recovery])), 'recovery');
  });

  it('does not take the place of a secret of another service by that name: it was lost, and to root too', async () => {
    const passphrase = `${alice.home}/passphrase`;
    fs.writeFileSync(passphrase, 'correct horse battery\n', { mode: 0o644 });
    // Before logins went by that name.
    const earlier = `${world.folder}/earlier.toml`;
    fs.writeFileSync(earlier, `context = "phone"\n${fs.readFileSync(world.config, 'utf8')}`);
    const imported = await runAs(alice, [world.notp, 'import', 'ssh', '--config', earlier, '--passphrase-file', passphrase], {
      input: 'otpauth://totp/x:y?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=x\n',
    });
    assert.equal(imported.code, 0, imported.stderr);
    const own = fs.readFileSync(fileOf(alice));
    const byRoot = await run([world.notp, 'enroll', '--config', world.config, '--user', alice.name, '--no-confirm', '--json']);
    assert.equal(byRoot.code, 1);
    assert.match(byRoot.stderr, /is a secret of \S+ that is no login\nnotp: hint: give --replace/);
    await inviteUser(world, alice);
    await world.startInPlace(alice.uid);
    const { code: exit, stderr } = await runAs(alice, [world.notp, 'enroll', '--config', world.config]);
    assert.equal(exit, 1);
    assert.match(stderr, /is a secret of yours, sealed by a passphrase\nnotp: hint: keep it elsewhere \(notp export ssh\)/);
    assert.deepEqual(fs.readFileSync(fileOf(alice)), own);
  });

  it('and without its socket removes no login: one that a passphrase seals was deleted', async () => {
    world.enrolWithPassphrase(alice);
    const { code: exit, stderr } = await runAs(alice, [world.notp, 'remove', 'ssh', '--yes', '--config', world.config]);
    assert.equal(exit, 1);
    assert.match(stderr, /its socket \S+ is missing; nothing was changed/);
    assert.ok(fs.existsSync(fileOf(alice)));
  });

  it('asks again after a wrong code, three times, and leaves nothing', async () => {
    await inviteUser(world, alice);
    await world.startInPlace(alice.uid);
    const terminal = enrolling(world, alice);
    const secret = await newKey(terminal);
    for (const wrong of ['00000000', oathCode(secret, { offsetSeconds: 300 }), 'what?']) {
      terminal.send(`${wrong}\r`);
      await terminal.expect(/that is not the code of the new secret/);
    }
    await terminal.expect(/the new secret was not confirmed\s+notp: hint: nothing was changed/);
    assert.equal(await terminal.exited, 1);
    assert.ok(!fs.existsSync(fileOf(alice)));
    await enrolled(enrolling(world, alice));
  });

  it('again needs --replace and a code of the enrolment that is to go', async () => {
    const old = world.enrol(alice);
    const service = await world.startInPlace(alice.uid);
    const plain = await runAs(alice, [world.notp, 'enroll', '--config', world.config]);
    assert.match(plain.stderr, /not permitted .*\n.*or replace your enrolment with --replace/);
    const wrong = enrolling(world, alice, '--replace');
    await wrong.expect(/One-time code \(or recovery code\) of the enrolment to replace: /);
    wrong.send('00000000\r');
    await wrong.expect(/code not accepted \(ref/);
    assert.equal(await wrong.exited, 1);
    assert.equal(fs.readFileSync(fileOf(alice), 'utf8').includes(old.id), true);
    const right = enrolling(world, alice, '--replace');
    await right.expect(/to replace: /);
    right.send(`${old.recovery[0] ?? ''}\r`);
    const secret = await enrolled(right);
    assert.equal(await logIn(service, alice, secret), 'totp');
    assert.ok(!fs.readFileSync(fileOf(alice), 'utf8').includes(old.id));
  });

  it('offers no other seal, and says so', async () => {
    await world.startInPlace(alice.uid);
    const { code: exit, stderr } = await runAs(alice, [world.notp, 'enroll', '--config', world.config, '--seal', 'passphrase']);
    assert.equal(exit, 1);
    assert.match(stderr, /seals with the key of the host\nnotp: hint: leave out --seal, or ask root/);
  });

  it('with nobody behind the socket ends with what is wrong', async () => {
    fs.writeFileSync(world.socketOf(alice.uid), '');
    fs.chownSync(world.socketOf(alice.uid), alice.uid, alice.gid);
    const { code: exit, stderr } = await runAs(alice, [world.notp, 'enroll', '--config', world.config]);
    assert.equal(exit, 3);
    assert.match(stderr, /ECONNREFUSED.*\nnotp: hint: ask an administrator/);
  });
});
