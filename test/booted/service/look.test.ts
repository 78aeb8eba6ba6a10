/** Root looks after everybody's enrolments on the state of the service: list --all, status, unlock; users see their own status alone. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Facts } from '../../../src/wire/facts.ts';
import { NODE_INSIDE } from '../../support/container.ts';
import type { Ran } from '../../support/process.ts';
import { signRows } from '../../support/row-macs.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { assertRefused } from '../../commands/codes/own-codes.ts';
import { bootService, SERVICE_NEEDS, type Phone, type ServiceWorld } from './world.ts';

describe('looking after everybody', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;
  const notp = (...words: readonly string[]): Promise<Ran> => world.container.run(['notp', ...words]);
  const facts = async (...words: readonly string[]): Promise<readonly Facts[]> => {
    const { code, stdout, stderr } = await notp(...words, '--json');
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const lines = stdout.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Facts);
  };
  before(async () => {
    world = await bootService('look');
    assert.match((await notp('list', '--all')).stderr, /nobody is enrolled yet: notp-enroll NAME/);
    alice = await world.addUser('alice');
    const [stale, missing, revoked, orphan] = await Promise.all(['bob', 'carol', 'dave', 'erin'].map((name) => world.addUser(name)));
    phone = await world.enroll(alice);
    for (const user of [stale, missing, revoked, orphan]) if (user !== undefined) await world.enroll(user);
    const script = `set -e
      cp -p /home/bob/.notp/ssh /root/old; notp-enroll bob --replace --no-confirm --json >/dev/null; cp -p /root/old /home/bob/.notp/ssh
      rm /home/carol/.notp/ssh; notp revoke --user dave --yes; userdel -r erin
      useradd -m frank; notp-enroll --pending frank; notp-enroll alice deploy --no-confirm --json >/dev/null; chmod 644 /home/alice/.notp/deploy`;
    await world.container.must(['sh', '-c', script]);
  });

  it('lists every enrolment in a line, with what does not log in, and says where to go on', async () => {
    assert.equal((await world.login(alice, await phone.code())).code, 0);
    const { code, stdout, stderr } = await notp('list', '--all');
    assert.equal(code, 0);
    const lines = stdout.trimEnd().split('\n');
    const rows = lines.map((line) => line.split(/ {2,}/));
    assert.deepEqual(
      rows.map((row) => row.slice(0, 4)),
      [
        ['alice', 'deploy', '-', 'bad'],
        ['alice', 'ssh', 'host', 'active'],
        ['bob', 'ssh', '-', 'stale'],
        ['carol', 'ssh', '-', 'missing'],
        ['dave', 'ssh', '-', 'revoked'],
        ['erin', 'ssh', '-', 'orphaned'],
        ['frank', 'ssh', '-', 'invited'],
      ],
    );
    assert.match(rows[1]?.[4] ?? '', /^\d{4}-\d\d-\d\d \d\d:\d\dZ$/);
    assert.equal(new Set(lines.map((line) => line.indexOf(line.includes('host') ? 'host' : '- '))).size, 1, 'aligned');
    assert.equal(stderr, 'notp: hint: 4 of 7 cannot log in: notp status --user alice shows why\n');
    assert.deepEqual(await facts('list', '--all'), await facts('status', '--all'));
  });

  it('fits a terminal of 80 columns in a line each, and one of 40 in two', async () => {
    for (const [columns, count] of [
      [80, 7],
      [40, 14],
    ] as const) {
      const terminal = world.container.inTerminal(['notp', 'list', '--all'], { columns });
      assert.equal(await terminal.exited, 0);
      const lines = terminal.output().split('\r\n').slice(0, count);
      assert.equal(lines.filter((line) => line !== '' && !line.startsWith('notp:') && line.length <= columns).length, count);
      assert.ok(!terminal.output().includes('\x1b'));
    }
  });

  it('shows the status of one, and the way out', async () => {
    const [of] = await facts('status', '--user', 'alice', 'ssh');
    assert.deepEqual(
      [of?.id, of?.state, of?.seal, of?.registered, of?.budget, of?.recovery_left],
      [phone.id, 'active', 'host', true, 5, 10],
    );
    for (const [user, way] of [
      ['bob', /stale: [^]*problem {9}the file's id is [0-9a-f]{32}\n[^]*run {13}sudo notp-enroll bob --replace\n/],
      ['carol', /missing: [^]*run {13}sudo notp-enroll carol --replace\n/],
      ['dave', /revoked: [^]*run {13}sudo notp-enroll dave\n/],
      ['erin', /orphaned: there is no such user any more/],
      ['frank', /invited: [^]*run {13}notp enroll\n/],
    ] as const) {
      const { code, stdout } = await notp('status', '--user', user);
      assert.equal(code, 0);
      assert.match(stdout, way);
    }
    assertRefused(await notp('status'), 1, /root is not enrolled\nnotp: hint: notp-enroll root/);
    assertRefused(await notp('status', '--user', 'zoe'), 2, /there is no user "zoe"/);
  });

  it('lists the sealed files of a user as theirs', async () => {
    const { code, stdout } = await notp('list', '--user', 'alice');
    assert.equal(code, 0);
    assert.match(stdout, /^deploy {2}cannot be used: \S+ has mode 0644.*\nssh {5}host {8}\d{4}-\d\d-\d\d\n$/);
  });

  it('unlocks, and the next login takes one code again', async () => {
    for (let i = 0; i < 5; i++) assert.notEqual((await world.login(alice, `00000${String(i)}`)).code, 0);
    const code = await phone.code();
    const refused = await world.login(alice, code);
    assert.match(refused.stderr, /two consecutive codes are needed/);
    const [empty] = await facts('status', 'ssh', '--user', 'alice');
    assert.deepEqual([empty?.budget, empty?.step_up], [0, true]);
    const { stderr } = await notp('unlock', 'ssh', '--user', 'alice');
    assert.match(stderr, /^Unlocked: alice has 5 tries with ssh again \(0 were left\)\n/);
    const record = (await world.records()).findLast(({ event }) => event === 'unlock');
    assert.deepEqual([record?.user, record?.uid, record?.context, record?.detail], ['alice', alice.uid, 'ssh', '0 of 5 tries were left']);
    const login = await world.login(alice, code);
    assert.equal(login.code, 0, login.stderr);
    assertRefused(await notp('unlock', '--user', 'dave'), 1, /the enrolment of dave is revoked/);
  });

  it('tells users of their own enrolments what it tells root, through the service', async () => {
    const own = await world.container.run(['notp', 'status', '--json'], { as: 'alice' });
    assert.deepEqual([own.code, own.stderr], [0, '']);
    const told = own.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Facts);
    const known = await facts('status', '--user', 'alice');
    assert.deepEqual(
      told.map((each) => ({ ...each, next_try: null })),
      known.map((each) => ({ ...each, next_try: null })),
    );
    assert.deepEqual([told.length, told.find(({ context }) => context === 'ssh')?.state], [2, 'active']);
    const screen = await world.container.run(['notp', 'status', 'ssh'], { as: 'alice' });
    assert.match(screen.stdout, /^ssh of alice\n {2}state +active: it logs in\n/);
    assertRefused(await world.container.run(['notp', 'status', 'nothing'], { as: 'alice' }), 1, /not enrolled for nothing/);
  });

  it('is not for the users, who would undo the cap on guessing', async () => {
    const ran = await world.container.run(['notp', 'unlock'], { as: 'alice' });
    assertRefused(ran, 1, /alice are held by the service of this host\nnotp: hint: sudo notp unlock --user alice\n/);
    assertRefused(await world.container.run(['notp', 'list', '--all'], { as: 'alice' }), 1, /only root can list/);
    assertRefused(await world.container.run(['notp', 'status', '--user', 'bob'], { as: 'alice' }), 1, /only root can look/);
  });

  it('takes seconds for a thousand users', async () => {
    await world.container.must([NODE_INSIDE, '--input-type=commonjs', '-'], { input: THOUSAND });
    const all = await facts('list', '--all');
    assert.equal(all.filter(({ user, state }) => user.startsWith('crowd-') && state === 'active').length, 1000);
  });
});

/** A thousand users, whose enrolments and sealed files are those of alice under their names. */
const THOUSAND = `
const fs = require('node:fs');
const { createHash } = require('node:crypto');
const { DatabaseSync } = require('node:sqlite');
const file = fs.readFileSync('/home/alice/.notp/ssh', 'utf8');
const store = new DatabaseSync('/var/lib/notp/state.db');
const row = store.prepare("SELECT * FROM enrolment WHERE user = 'alice' AND context = 'ssh'").get();
const insert = store.prepare('INSERT INTO enrolment VALUES (' + Object.keys(row).map((key) => '$' + key).join() + ')');
store.exec('BEGIN');
for (let i = 0; i < 1000; i++) {
  const [user, id] = ['crowd-' + i, 40000 + i];
  const home = '/home/' + user;
  const sealed = file.replace('"user": "alice"', '"user": "' + user + '"');
  insert.run({ ...row, user, digest: createHash('sha256').update(sealed).digest('hex') });
  fs.appendFileSync('/etc/passwd', user + ':x:' + id + ':' + id + '::' + home + ':/bin/sh\\n');
  fs.mkdirSync(home + '/.notp', { recursive: true, mode: 0o700 });
  fs.writeFileSync(home + '/.notp/ssh', sealed, { mode: 0o600 });
  for (const each of [home, home + '/.notp', home + '/.notp/ssh']) fs.chownSync(each, id, id);
}
store.exec('COMMIT');
(${signRows.toString()})(store, '/etc/notp/host.key');
`;
