/** `notp host-key rotate`, `notp reseal --all` and `notp host-key retire` on a booted host: a new key, and nobody is locked out on the way. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import type { Ran, Terminal } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, SERVICE_NEEDS, type Phone, type ServiceWorld } from '../service/world.ts';

const KEY = '/etc/notp/host.key';

describe('a new key for the host', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  const people: { user: TestUser; phone: Phone }[] = [];

  before(async () => {
    world = await bootService('rotate');
    for (const name of ['alice', 'bob']) {
      const user = await world.addUser(name);
      people.push({ user, phone: await world.enroll(user, ['--recovery', '32']) });
    }
    await world.addUser('erin');
    await world.container.must(['sh', '-c', 'umask 077; echo correct horse >/root/passphrase']);
    await world.container.must([
      ...['notp-enroll', 'erin', '--seal', 'passphrase', '--passphrase-file', '/root/passphrase', '--no-confirm', '--json'],
    ]);
  });

  const notp = (...words: readonly string[]): Promise<Ran> => world.container.run(['notp', ...words]);
  const inTerminal = (...words: readonly string[]): Terminal => world.container.inTerminal(['notp', ...words], { columns: 40 });
  const keyOf = async (name: string): Promise<string> =>
    (JSON.parse(await world.container.must(['cat', `/home/${name}/.notp/ssh`])) as { seal: { key: string } }).seal.key;
  const keyFile = (): { bytes: Buffer; mode: string } => {
    const file = world.outside(KEY);
    return { bytes: fs.readFileSync(file), mode: (fs.statSync(file).mode & 0o777).toString(8) };
  };
  const allLogIn = async (): Promise<void> => {
    for (const { user, phone } of people) {
      const ran = await world.login(user, phone.recoveryCode());
      assert.equal(ran.stdout, `${user.name}\n`, ran.stderr);
    }
  };
  const former = async (): Promise<{ severity: string; detail: string; fix: string } | undefined> => {
    const lines = (await notp('doctor', '--json')).stdout.trimEnd().split('\n');
    const findings = lines.map((line) => JSON.parse(line) as { id: string; severity: string; detail: string; fix: string });
    return findings.find(({ id }) => id === 'host-key-former');
  };

  it('is made by rotate: the key file has both, rotate prints the id and who is left, and everybody logs in', async () => {
    const old = keyFile();
    const oldId = (await notp('host-key', 'id')).stdout;
    assert.equal(await former(), undefined);
    const ran = await notp('host-key', 'rotate');
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^[0-9a-f]+\n$/);
    assert.match(
      ran.stderr,
      /Earlier keys still open what they sealed: 2 enrolments\n {2}alice ssh\n {2}bob ssh\nnotp: hint: notp reseal --all /,
    );
    const now = keyFile();
    assert.deepEqual([now.bytes.length, now.mode], [64, '400']);
    assert.deepEqual(now.bytes.subarray(32), old.bytes);
    assert.equal(await world.container.must(['stat', '--format=%U', KEY]), 'notp\n');
    const id = await notp('host-key', 'id');
    assert.equal(id.stdout, ran.stdout);
    assert.match(id.stderr, new RegExp(`earlier keys are kept too: ${oldId.trim()};`));
    assert.equal((await world.records()).at(-1)?.detail, `${oldId.trim()} to ${ran.stdout.trim()}`);
    await allLogIn();
  });

  it('is told by doctor as long as earlier keys are kept, with who is left and what to do', async () => {
    const found = await former();
    assert.deepEqual(
      [found?.severity, found?.detail, found?.fix],
      ['info', 'alice ssh, bob ssh', 'notp reseal --all && notp host-key retire'],
    );
  });

  it('is what new enrolments, and what users do with theirs, are sealed with', async () => {
    const id = (await notp('host-key', 'id')).stdout.trim();
    const [, bob] = people;
    const ran = await world.container.run(['notp', 'reseal'], { as: 'bob', input: `${bob?.phone.recoveryCode() ?? ''}\n` });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(await keyOf('bob'), id);
    assert.notEqual(await keyOf('alice'), id);
    assert.equal((await former())?.detail, 'alice ssh');
    await allLogIn();
  });

  it('is not alone as long as somebody needs an earlier one: retire refuses and says who', async () => {
    const ran = await notp('host-key', 'retire');
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(
      ran.stderr,
      / {2}alice ssh\nnotp: error: 1 of the enrolments may need an earlier key\nnotp: hint: run notp reseal --all first/,
    );
    assert.equal(keyFile().bytes.length, 64);
  });

  it('seals everybody anew with reseal --all, once, and whoever is led astray by a link is left as they are', async () => {
    const carol = await world.addUser('carol');
    const phone = await world.enroll(carol, ['--recovery', '8']);
    await notp('host-key', 'rotate');
    await world.container.must(['sh', '-c', 'mv .notp elsewhere && ln -s elsewhere .notp'], { as: 'carol' });
    const ran = await notp('reseal', '--all', '--json');
    assert.equal(ran.code, 1, ran.stderr);
    assert.match(ran.stderr, /notp: error: carol ssh: \/home\/carol\/\.notp is a symlink/);
    const lines = ran.stdout.trimEnd().split('\n');
    const done = lines.map((line) => JSON.parse(line) as { user: string; seal: string });
    assert.deepEqual(
      done.map(({ user, seal }) => [user, seal]),
      [
        ['alice', 'host'],
        ['bob', 'host'],
      ],
    );
    await world.container.must(['sh', '-c', 'rm .notp && mv elsewhere .notp'], { as: 'carol' });
    people.push({ user: carol, phone });
    const again = await notp('reseal', '--all');
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /^1\/1 carol ssh\nnotp: hint: every host-sealed enrolment now uses the present key/);
    const id = (await notp('host-key', 'id')).stdout.trim();
    for (const { user } of people) {
      assert.equal(await keyOf(user.name), id);
      assert.equal(await world.container.must(['stat', '--format=%U %a', `/home/${user.name}/.notp/ssh`]), `${user.name} 600\n`);
    }
    await allLogIn();
  });

  it('is the only one after retire; what an earlier one had sealed does not open any more, and the chain goes on', async () => {
    const told = await former();
    assert.deepEqual([told?.detail, told?.fix], ['', 'notp host-key retire']);
    const ran = await notp('host-key', 'retire');
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(keyFile().bytes.length, 32);
    assert.equal(await former(), undefined);
    await allLogIn();
    // Sealed by a passphrase, and not used since: but for its row no key was needed.
    const erin = JSON.parse((await notp('status', '--user', 'erin', '--json')).stdout) as { state: string; problem: string | null };
    assert.deepEqual([erin.state, erin.problem], ['active', null]);
    assert.deepEqual((await world.records()).filter(({ event }) => event.startsWith('host_key.')).length, 4);
    const keys = 'SELECT count(*) AS n FROM former_chain_key';
    const counted = await world.container.must([
      'python3',
      '-c',
      `import sqlite3; print(sqlite3.connect("/var/lib/notp/state.db").execute("${keys}").fetchone()[0])`,
    ]);
    assert.equal(Number(counted), 3);
    const again = await notp('host-key', 'retire');
    assert.deepEqual([again.code, again.stdout], [0, '']);
    assert.match(again.stderr, /there is no earlier key/);
  });

  it('waits for who is gone until root revokes them', async () => {
    const dave = await world.addUser('dave');
    await world.enroll(dave);
    await notp('host-key', 'rotate');
    await notp('reseal', '--all');
    await world.container.must(['userdel', '--remove', 'dave']);
    const ran = await notp('host-key', 'retire');
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, / {2}dave ssh: its sealed file cannot be read/);
    const all = await notp('reseal', '--all');
    assert.equal(all.code, 1);
    assert.match(all.stderr, /notp: error: dave ssh: there is no such user any more\nnotp: hint: notp revoke --user dave ssh/);
    const revoked = await notp('revoke', '--user', 'dave', '--yes');
    assert.equal(revoked.code, 0, revoked.stderr);
    assert.equal((await notp('host-key', 'retire')).code, 0);
    const nobody = await notp('revoke', '--user', 'nobody-of-that-name', '--yes');
    assert.deepEqual([nobody.code, nobody.stdout], [2, '']);
  });

  it('is made, sealed with and alone on a terminal of 40 columns as in a pipe', async () => {
    const rotating = inTerminal('host-key', 'rotate');
    const [, id = ''] = await rotating.expect(
      /^([0-9a-f]+)\r\nThe host key is now \1\.\s[^]* {2}alice ssh\r\n {2}bob ssh\r\n {2}carol ssh\r\nnotp: hint: /,
    );
    assert.equal(await rotating.exited, 0);
    const resealing = inTerminal('reseal', '--all');
    await resealing.expect(
      /^1\/3 alice ssh\r\n2\/3 bob ssh\r\n3\/3 carol ssh\r\nnotp: hint: every\s+host-sealed\s+enrolment\s+now\s+uses\s+the\s+present\s+key/,
    );
    assert.equal(await resealing.exited, 0);
    assert.equal(await keyOf('alice'), id);
    const retiring = inTerminal('host-key', 'retire');
    await retiring.expect(/^Retired: [0-9a-f,\s]+\r\n$/);
    assert.equal(await retiring.exited, 0);
    await allLogIn();
  });

  it('is kept by each of several rotations at once that said it was made', async () => {
    const ran = await Promise.all([1, 2, 3].map(() => notp('host-key', 'rotate')));
    const made = ran.filter(({ code }) => code === 0).map(({ stdout }) => stdout.trim());
    for (const { code, stderr } of ran.filter((each) => each.code !== 0))
      assert.match(stderr, /nothing was changed; run the command again/, String(code));
    const id = await notp('host-key', 'id');
    for (const each of made) assert.ok(`${id.stdout}${id.stderr}`.includes(each), `${each} was lost`);
    assert.equal(keyFile().bytes.length, 32 * (1 + made.length));
    await allLogIn();
  });

  it('is what the services read next, also where somebody logs in as they are stopped, which cancels that', async () => {
    const [alice] = people;
    assert.ok(alice !== undefined);
    // As a connection that comes before the stop has begun: the start that it asks for takes the place of the stop.
    const unit = `notp@${String(alice.user.uid)}.service`;
    const start = `[ -e /run/was-cancelled ] || { touch /run/was-cancelled; systemctl start --no-block ${unit}; }`;
    const dropIn = `/run/systemd/system/${unit}.d/cancelled.conf`;
    const written = `mkdir -p "\${0%/*}" && printf '[Service]\\nExecStop=+/bin/sh -c "%s"\\n' "$1" >"$0" && systemctl daemon-reload`;
    await world.container.must(['sh', '-c', written, dropIn, start]);
    await allLogIn();
    const pid = await world.servicePid(alice.user);
    const ran = await notp('host-key', 'rotate');
    assert.equal(ran.code, 0, ran.stderr);
    await world.container.must(['test', '-e', '/run/was-cancelled']);
    await allLogIn();
    assert.notEqual(await world.servicePid(alice.user), pid);
    await world.container.must(['sh', '-c', `rm ${dropIn} && systemctl daemon-reload`]);
  });

  it('is refused to users, where there is none, and at the ninth', async () => {
    for (const words of [
      ['host-key', 'rotate'],
      ['host-key', 'retire', '--yes'],
      ['reseal', '--all'],
    ]) {
      const ran = await world.container.run(['notp', ...words], { as: 'alice' });
      assert.deepEqual([ran.code, ran.stdout], [1, '']);
      assert.match(ran.stderr, /only root can use the host key|only root can look into the enrolments of all users/);
    }
    let ninth = await notp('host-key', 'rotate');
    while (ninth.code === 0) ninth = await notp('host-key', 'rotate');
    assert.deepEqual([keyFile().bytes.length, ninth.code, ninth.stdout], [8 * 32, 1, '']);
    assert.match(ninth.stderr, /already holds 8 keys\nnotp: hint: run notp reseal --all/);
    await allLogIn();
    const stranded = await notp('host-key', 'retire', '--yes');
    assert.equal(stranded.code, 0, stranded.stderr);
    assert.equal((await world.login(people[0]?.user as TestUser, people[0]?.phone.recoveryCode() ?? '')).code, 1);
    assert.equal((await world.lastLogin())?.reason, 'bad_secret_file');
    fs.rmSync(world.outside(KEY));
    const without = await notp('host-key', 'rotate');
    assert.equal(without.code, 3);
    assert.match(without.stderr, /there is no host key at \/etc\/notp\/host\.key/);
  });
});
