/** Logins that pam_google_authenticator and pam_oath knew go on at the gate of a real sshd, with the same phones, tokens and emergency codes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Ran } from '../../support/process.ts';
import { lacks, untilFreshStep, type TestUser } from '../../support/world.ts';
import { bootService, type ServiceWorld } from '../service/world.ts';
import { assertRefused } from '../../commands/codes/own-codes.ts';
import { counted, googleAuthenticator, lets, MODULE_NEEDS, timed, writtenIn } from './login-world.ts';

const TOTP = ['-t', '-d', '-u', '-w', '3', '-e', '4'];
const GOOGLE = 'pam_google_authenticator.so';

describe('a login that another module knew', { skip: lacks(MODULE_NEEDS) }, () => {
  let world: ServiceWorld;
  const users: Record<string, TestUser> = {};
  before(async () => {
    world = await bootService('import-login', { toml: 'context = ["ssh", "ssh-2"]\n' });
    for (const name of ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'heidi']) users[name] = await world.addUser(name);
  });

  const userOf = (name: string): TestUser => users[name] ?? assert.fail(name);
  const importOf = (name: string, ...words: string[]): Promise<Ran> =>
    world.container.run([
      'notp',
      'import',
      '--from',
      'google-authenticator',
      '--user',
      name,
      '--file',
      `/home/${name}/.google_authenticator`,
      ...words,
    ]);
  const assertIn = async (name: string, proof: string): Promise<void> => {
    const { code, stdout, stderr } = await world.login(userOf(name), proof);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: `${name}\n` }, stderr);
  };
  const assertOut = async (name: string, proof: string, said: RegExp): Promise<void> => {
    const { code, stdout, stderr } = await world.login(userOf(name), proof);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' }, stderr);
    assert.match(stderr, said);
  };

  it('by google-authenticator logs in with the codes of the same phone, but not with one used before the move', async () => {
    const { secret, emergency } = await googleAuthenticator(world.container, userOf('alice'), TOTP);
    await untilFreshStep(10);
    const used = timed(secret, 0);
    assert.equal(await lets(world.container, GOOGLE, 'alice', used), true);
    const { code, stdout, stderr } = await importOf('alice');
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' }, stderr);
    assert.equal(
      stderr,
      'Imported alice for ssh: /home/alice/.notp/ssh, with 4 emergency codes\n' +
        'notp: hint: keep this session open until a new login works\n' +
        'notp: hint: when it works, delete /home/alice/.google_authenticator, which holds the secret unencrypted\n',
    );
    for (const hidden of [secret, ...emergency]) assert.ok(!stderr.includes(hidden));
    await assertOut('alice', used, /code already used/);
    await assertIn('alice', timed(secret, 1));
    const records = (await world.records()).filter(({ user }) => user === 'alice').map(({ event, result }) => `${event} ${result}`);
    assert.deepEqual(records, ['import done', 'login.refused refused', 'login.accepted accepted']);
  });

  it('takes each emergency code that was left once, and none that was spent before', async () => {
    const { emergency } = await googleAuthenticator(world.container, userOf('bob'), TOTP);
    const [spent = '', first = '', second = ''] = emergency;
    assert.equal(await lets(world.container, GOOGLE, 'bob', spent), true);
    assert.equal(writtenIn(world.container, userOf('bob')).emergency.length, 3);
    const { code, stdout, stderr } = await importOf('bob', '--json');
    assert.equal(code, 0, stderr);
    const { id, ...facts } = JSON.parse(stdout) as Record<string, unknown>;
    assert.match(String(id), /^[0-9a-f]{32}$/);
    const place = { user: 'bob', context: 'ssh', seal: 'host', file: '/home/bob/.notp/ssh' };
    assert.deepEqual(facts, { ...place, type: 'totp', result: 'imported', recovery_left: 3, notes: [] });
    await assertIn('bob', first);
    await assertOut('bob', first, /already used/);
    await assertOut('bob', spent, /code not accepted/);
    await assertIn('bob', second);
    const again = await importOf('bob', '--json');
    assert.deepEqual([again.code, (JSON.parse(again.stdout) as Record<string, unknown>)['recovery_left']], [0, 1]);
    assert.match(again.stderr, /^Already there: bob is enrolled for ssh with the same secret; nothing was changed\n/);
  });

  it('pays a try for each wrong code of eight digits', async () => {
    const { secret } = await googleAuthenticator(world.container, userOf('carol'), TOTP);
    assert.equal((await importOf('carol')).code, 0);
    for (let i = 0; i < 5; i++) await assertOut('carol', `1000000${String(i)}`, /code not accepted/);
    await assertOut('carol', timed(secret, 0), /two consecutive codes are needed/);
  });

  it('by counter goes on with the next code, looks a little ahead, and resynchronises by two codes at the prompt', async () => {
    const { secret } = await googleAuthenticator(world.container, userOf('dave'), ['-c', '-u', '-W', '-e', '0']);
    assert.equal(await lets(world.container, GOOGLE, 'dave', counted(secret, 1)), true);
    const { code, stderr } = await importOf('dave');
    assert.equal(code, 0, stderr);
    await assertOut('dave', counted(secret, 1), /already used|code not accepted/);
    await assertIn('dave', counted(secret, 2));
    await assertIn('dave', counted(secret, 5));
    await assertOut('dave', counted(secret, 15), /code not accepted/);
    const terminal = await world.atPrompt(userOf('dave'));
    terminal.send(`${counted(secret, 15)}\r`);
    await terminal.expect(/code not accepted[^]*One-time code: /);
    terminal.send(`${counted(secret, 15)} ${counted(secret, 16)}\r`);
    await terminal.expect(/\$ /);
    terminal.send('exit\r');
    assert.equal(await terminal.exited, 0);
    await assertIn('dave', counted(secret, 17));
  });

  it('by counter was good again for all that was used since the move, after it was revoked and its user invited', async () => {
    const { secret } = writtenIn(world.container, userOf('dave'));
    await world.container.must(['notp', 'revoke', '--user', 'dave', '--yes']);
    await world.container.must(['notp-enroll', '--pending', '--user', 'dave']);
    const { code, stderr } = await importOf('dave');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /\nNote: continues after counter 17, /);
    await assertOut('dave', counted(secret, 17), /already used/);
    await assertIn('dave', counted(secret, 18));
  });

  it('by pam_oath logs in with the next code of each token, by either of two, and never with the last used', async () => {
    const [clock = '', counter = '', other = ''] = Array.from({ length: 3 }, () => randomBytes(20).toString('hex'));
    const file = '/etc/users.oath';
    const lines = `HOTP/T30 erin - ${clock}\nHOTP erin - ${counter}\nHOTP/E/8 frank 7pin ${other}\nHOTP nobody-here - ${counter}\n`;
    fs.writeFileSync(path.join(world.container.root, file), lines, { mode: 0o600 });
    const module = `pam_oath.so usersfile=${file} window=20`;
    await untilFreshStep(10);
    const used = timed(clock, 0, []);
    assert.equal(await lets(world.container, module, 'erin', used), true);
    assert.equal(await lets(world.container, module, 'erin', counted(counter, 3, [])), true);
    const imported = await world.container.run(['notp', 'import', '--from', 'pam-oath', '--file', file]);
    assert.deepEqual([imported.code, imported.stdout], [1, ''], imported.stderr);
    assert.match(imported.stderr, /^Read as root: \/etc\/users.oath\nImported 3 of 4 tokens of \/etc\/users.oath\nFailed: 1\n/);
    assert.match(imported.stderr, /\n {2}line 4: nobody-here: there is no such user\nWARNING: 1 token had a password[^\n]*\n {2}frank\n/);
    await assertIn('erin', counted(counter, 4, []));
    await assertIn('erin', timed(clock, 1, []));
    await assertOut('erin', used, /already used/);
    await assertOut('erin', counted(counter, 3, []), /already used/);
    await assertIn('frank', counted(other, 0, ['-d', '8']));
  });

  it('by pam_oath is refused where the file is none, and told by line where one token cannot be', async () => {
    const key = randomBytes(20).toString('hex');
    const pamOath = (input: string, ...words: string[]): Promise<Ran> =>
      world.container.run(['notp', 'import', '--from', 'pam-oath', ...words], { input });
    fs.writeFileSync(path.join(world.container.root, 'root/large'), 'x'.repeat(2 * 1024 * 1024 + 1));
    const usage: readonly (readonly [Promise<Ran>, RegExp])[] = [
      [pamOath(''), /stdin is empty/],
      [pamOath('# no token\n'), /stdin has no token in it/],
      [pamOath('MOTP x\n'), /is not a users file of pam_oath: no line is a token; line 1: its type must be one of/],
      [pamOath(`HOTP erin - ${key}\n`, '--user', 'alice'), /stdin has no token of "alice"/],
      [pamOath('', '--file', '/root/none'), /\/root\/none: no such file or directory \(ENOENT\)/],
      [pamOath('', '--file', '/root/large'), /\/root\/large is over 2048 KiB/],
    ];
    for (const [ran, said] of usage) assertRefused(await ran, 2, said);
    const asErin = await world.container.run(['notp', 'import', '--from', 'pam-oath'], { as: 'erin', input: `HOTP erin - ${key}\n` });
    assertRefused(asErin, 1, /only root can import the logins of others\nnotp: hint: sudo notp import/);
    const lines = `HOTP alice - ${key}\nHOTP nobody - ${key}\nHOTP frank - 00\nHOTP/E grace - ${key}\n`;
    const { code, stdout } = await pamOath(lines, '--json', '--dry-run');
    assert.equal(code, 1);
    const told = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      told.slice(0, 2).map(({ line, user, result }) => [line, user, result]),
      [
        [1, 'alice', 'failed'],
        [2, 'nobody', 'failed'],
      ],
    );
    assert.match(String(told[0]?.['why']), /^is enrolled for ssh already, with another secret; --replace replaces it$/);
    assert.match(String(told[1]?.['why']), /^has no home: there is no \//);
    assert.deepEqual(
      told.slice(2).map(({ line, user, why }) => [line, user, why]),
      [
        [4, 'grace', 'there is no such user'],
        [3, 'frank', 'its key has 1 bytes, but notp accepts 10 to 128'],
      ],
    );
    const replaced = await pamOath(`HOTP alice - ${key}\n`, '--replace', '--user', 'alice');
    assert.equal(replaced.code, 0, replaced.stderr);
    await assertIn('alice', counted(key, 0, []));
  });

  it('was good for two devices of the account, whose codes each took once', async () => {
    const refused = await importOf('carol', 'ssh-2');
    assertRefused(
      refused,
      1,
      /carol already has the same secret for ssh\nnotp: hint: import it for one context; notp revoke ssh --user carol /,
    );
  });

  it('gave an emergency code back that was used since the first import, where that cannot be looked into', async () => {
    const { emergency } = await googleAuthenticator(world.container, userOf('heidi'), TOTP);
    const [first = '', second = ''] = emergency;
    await world.container.must(['sh', '-c', 'echo correct-horse > /root/passphrase; chmod 600 /root/passphrase']);
    const sealed = ['--seal', 'passphrase', '--passphrase-file', '/root/passphrase'];
    assert.equal((await importOf('heidi', ...sealed)).code, 0);
    await assertIn('heidi', `correct-horse ${first}`);
    const again = await importOf('heidi', '--replace', ...sealed);
    assert.equal(again.code, 0, again.stderr);
    await assertOut('heidi', `correct-horse ${first}`, /already used/);
    await assertIn('heidi', `correct-horse ${second}`);
  });

  it('is not brought back by a second import after it was revoked', async () => {
    await world.container.must(['notp', 'revoke', '--user', 'bob', '--yes']);
    const refused = await importOf('bob');
    assertRefused(refused, 1, /bob is enrolled for ssh, but [^\n]*revoked[^\n]*\nnotp: hint: give --replace/);
  });

  it('is not for its user to import where the service holds the logins', async () => {
    const file = '/home/alice/.google_authenticator';
    const refused = await world.container.run(['notp', 'import', '--from', 'google-authenticator', '--file', file], { as: 'alice' });
    assertRefused(refused, 1, /only root can import one\nnotp: hint: sudo notp import --from google-authenticator --user alice\n/);
  });
});
