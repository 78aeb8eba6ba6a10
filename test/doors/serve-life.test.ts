/** How the service starts and leaves, and that a broken host is answered with refusals. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, sleep } from '../support/process.ts';
import { addUser, must, oathCode, runAs, untilFreshStep, type TestUser } from '../support/world.ts';
import { asked, code, connectTo, NEEDS, questionFor, serveWorld, type ServeWorld, type Service } from './serve-world.ts';

describe('the service', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let alice: TestUser;
  before(() => {
    world = serveWorld('serve-life');
    alice = addUser();
  });

  it('leaves with 0 when nobody has asked for a while, and not while somebody is connected', async () => {
    const [unused, used] = [await world.start(alice.uid), await world.start(alice.uid)];
    const connection = connectTo(used);
    const [first] = await Promise.all([unused.exited, sleep(14_000)]);
    assert.equal(first, 0, unused.stderr());
    await sleep(1_500);
    connection.say(questionFor(undefined, [], { ask: 'before' }));
    assert.match((await connection.line()) ?? '', /not_enrolled/);
    connection.close();
    used.child.kill('SIGTERM');
    assert.equal(await used.exited, 0);
  });

  it('leaves with 0 on SIGTERM, also while a question is open', async () => {
    const service = await world.start(alice.uid);
    const connection = connectTo(service);
    connection.say(questionFor(undefined, [], { ask: 'before' }));
    await connection.line();
    connection.say('{"notp":');
    service.child.kill('SIGTERM');
    assert.equal(await service.exited, 0);
    assert.ok(await connection.closedWithin(2_000));
  });

  it('left without an answer to whoever had asked, and took more in while it left', async () => {
    const service = await world.start(alice.uid);
    const question = questionFor(undefined, [], { ask: 'before' });
    assert.match(await asked(service, question), /not_enrolled/);
    const asking = Array.from({ length: 20 }, () => connectTo(service));
    for (const connection of asking) {
      connection.say(question);
      await connection.line();
    }
    for (const connection of asking) connection.say(question);
    // One of them is answered, so all were heard.
    await asking[0]?.line();
    service.child.kill('SIGTERM');
    const answers = await Promise.all(asking.slice(1).map((connection) => connection.line()));
    assert.deepEqual(answers.filter((line) => line === undefined).length, 0);
    assert.equal(await service.exited, 0);
    assert.ok(fs.existsSync(service.socket), 'the socket is not its own to remove');
  });

  it('leaves with 0 at once for a message of another release, answers what is under way, and does not for one that is malformed', async () => {
    const others = ['question/7', 'question/5', 'refusal/2', 'enrol/2', 'ping/1', 'hello/1'];
    for (const other of others) {
      const service = await world.start(alice.uid);
      const [asking, idle] = [connectTo(service), connectTo(service)];
      const question = questionFor(undefined, [], { ask: 'before' });
      asking.say(question);
      await asking.line();
      asking.say(question);
      const connection = connectTo(service);
      connection.say(`{"notp":"${other}","wire":"x"}\n`);
      assert.equal(await connection.line(), undefined);
      assert.equal(await Promise.race([service.exited, sleep(5_000)]), 0, other);
      assert.ok(await idle.closedWithin(2_000));
      assert.match((await asking.line()) ?? '', /not_enrolled/, 'what it was asked is answered');
    }
    const service = await world.start(alice.uid);
    for (const line of ['{"notp":"question/6"}', '{"notp":"question/"}', '{"notp":"answer/3"}', ' {"notp":"question/7"}', 'question/7']) {
      const connection = connectTo(service);
      connection.say(`${line}\n`);
      assert.equal(await connection.line(), undefined);
    }
    assert.match(await asked(service, questionFor(undefined, [], { ask: 'before' })), /not_enrolled/);
    service.child.kill('SIGTERM');
    await service.exited;
  });

  it('leaves with 0 at once after it has met a store of a newer release, which it answers with a refusal', async () => {
    const service = await world.start(alice.uid);
    const database = `${world.folder}/var/state.db`;
    const version = (n: string): string => must(['python3', '-c', `import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); ${n}`, database]);
    const was = version('print(c.execute("PRAGMA user_version").fetchone()[0])').trim();
    version('c.execute("PRAGMA user_version = 9999")');
    assert.equal(await asked(service, questionFor(undefined, code('123456'))), 'store_unavailable');
    assert.equal(await Promise.race([service.exited, sleep(5_000)]), 0);
    const { stderr } = await run([world.notp, 'list', '--all', '--config', world.config]);
    assert.match(stderr, /schema 9999 is of a newer notp[^]*hint: install the newer notp/);
    assert.doesNotMatch(stderr, /check the disk/);
    version(`c.execute("PRAGMA user_version = ${was}")`);
    const again = await world.start(alice.uid);
    assert.equal(await asked(again, questionFor(undefined, code('123456'))), 'not_enrolled');
    again.child.kill('SIGTERM');
    await again.exited;
  });

  it('that is killed leaves nothing half done: the code still counts', async () => {
    const enrolled = world.enrol(alice);
    const service = await world.start(alice.uid);
    const connection = connectTo(service);
    connection.say(questionFor(enrolled.file, [], { ask: 'before' }));
    await connection.line();
    service.child.kill('SIGKILL');
    assert.equal(await service.exited, 'SIGKILL');
    assert.ok(await connection.closedWithin(2_000));
    const again = await world.start(alice.uid);
    await untilFreshStep();
    assert.equal(await asked(again, questionFor(enrolled.file, code(oathCode(enrolled.secret)))), 'totp');
  });

  it('is not started by hand: without a socket that was passed to it the usage is wrong', async () => {
    for (const environment of [{}, { LISTEN_FDS: '1' }, { LISTEN_FDS: '1', LISTEN_PID: '1' }, { LISTEN_FDS: '2', LISTEN_PID: '$$' }]) {
      const { code: exit, stderr } = await run([world.notp, 'serve', String(alice.uid), '--config', world.config], { environment });
      assert.equal(exit, 2, stderr);
      assert.match(stderr, /is started by systemd through a socket/);
    }
    for (const uid of ['', 'alice', '-1', '4294967295', '1.5', '0x3e8', ' 1']) {
      assert.equal((await run([world.notp, 'serve', uid])).code, 2, uid);
    }
  });

  it('cannot be started by the user on their own socket: they cannot be the service', async () => {
    const program = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
if s.fileno() != 3: os.dup2(s.fileno(), 3)
os.set_inheritable(3, True); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])`;
    const socket = path.join(alice.home, 'own.sock');
    const words = [
      'timeout',
      '--preserve-status',
      '6',
      'python3',
      '-c',
      program,
      socket,
      world.notp,
      'serve',
      String(alice.uid),
      '--config',
      world.config,
    ];
    const ending = runAs(alice, words);
    for (let i = 0; i < 100 && !fs.existsSync(socket); i++) await sleep(50);
    await sleep(200);
    assert.equal(await asked({ socket }, questionFor(undefined, [], { ask: 'before' })), 'not_permitted');
    assert.match((await ending).stderr, /must run as the system user notp/);
  });
});

async function refuses(service: Service, reason: string): Promise<void> {
  const question = questionFor(undefined, code('123456'));
  const connection = connectTo(service);
  for (const line of [question, question.replace('"verify"', '"before"'), question]) {
    connection.say(line);
    assert.match((await connection.line()) ?? '', new RegExp(`"refused".*"${reason}"`), service.stderr());
  }
  connection.say('garbage\n');
  assert.equal(await connection.line(), undefined);
}

describe('a broken host', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let alice: TestUser;
  before(() => {
    world = serveWorld('serve-broken');
    alice = addUser();
    world.enrol(alice);
  });

  it('is refused by: a configuration that cannot be used', async () => {
    const config = path.join(world.folder, 'broken.toml');
    fs.writeFileSync(config, 'no such key = 1\n', { mode: 0o644 });
    const service = await world.start(alice.uid, config);
    await refuses(service, 'bad_configuration');
    const begin = '{"notp":"enrol/1","step":"complete"}\n';
    const connection = connectTo(service);
    connection.say(begin);
    assert.match((await connection.line()) ?? '', /"bad_configuration"/);
    connection.close();
    assert.match(service.stderr(), /every question is refused until this is fixed/);
  });

  it('is refused by: users who keep their own state', async () => {
    const config = path.join(world.folder, 'own.toml');
    fs.writeFileSync(config, '[store]\nurl = "user"\n[audit]\njournal = false\n', { mode: 0o644 });
    await refuses(await world.start(alice.uid, config), 'not_permitted');
  });

  it('is refused by: a uid that is nobody’s', async () => {
    await refuses(await world.start(3_999_999_999), 'store_unavailable');
  });

  it('is refused by: no state, a state of somebody else, a host key that is none', async () => {
    const service = await world.start(alice.uid);
    const [database, key] = [`${world.folder}/var/state.db`, `${world.folder}/etc/host.key`];
    const spoilt: readonly (readonly [spoil: readonly string[], mend: readonly string[]])[] = [
      [
        ['mv', database, `${database}.away`],
        ['mv', `${database}.away`, database],
      ],
      [
        ['chmod', '644', database],
        ['chmod', '600', database],
      ],
      [
        ['chown', 'root', database],
        ['chown', 'notp', database],
      ],
      [
        ['sh', '-c', `mv ${key} ${key}.away && install -o notp -m 400 /etc/hostname ${key}`],
        ['mv', '-f', `${key}.away`, key],
      ],
      [
        ['chmod', '644', key],
        ['chmod', '400', key],
      ],
    ];
    for (const [spoil, mend] of spoilt) {
      must(spoil);
      assert.equal(await asked(service, questionFor(undefined, code('123456'))), 'store_unavailable', spoil.join(' '));
      must(mend);
    }
    assert.equal(await asked(service, questionFor(undefined, code('123456'))), 'bad_secret_file', 'mended, it judges again');
  });

  it('goes on without a log that cannot be written, and brings the records when it can', async () => {
    const service = await world.start(alice.uid);
    const question = questionFor(undefined, [], { origin: { context: 'none', door: 'gate' } });
    const log = `${world.folder}/log/audit.log`;
    const lines = (): number => fs.readFileSync(log, 'utf8').split('\n').length;
    const count = lines();
    must(['mv', `${world.folder}/log`, `${world.folder}/log.away`]);
    assert.equal(await asked(service, question), 'bad_secret_file');
    must(['mv', `${world.folder}/log.away`, `${world.folder}/log`]);
    assert.equal(lines(), count);
    assert.equal(await asked(service, question), 'bad_secret_file');
    assert.equal(lines(), count + 2);
  });
});
