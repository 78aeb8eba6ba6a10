/** Who hammers their own socket with nonsense, silence and crowds is dropped; the service goes on. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { MAX_LINE } from '../../src/wire/question.ts';
import { addUser, oathCode, untilFreshStep, type Enrolled, type TestUser } from '../support/world.ts';
import {
  asked,
  code,
  connectTo,
  NEEDS,
  questionFor,
  sentFile,
  serveWorld,
  type Connection,
  type ServeWorld,
  type Service,
} from './serve-world.ts';

const MIB = 1024 * 1024;

describe('the service outlives', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let alice: TestUser;
  let enrolled: Enrolled;
  let service: Service;
  before(async () => {
    world = serveWorld('serve-hostile');
    alice = addUser();
    enrolled = world.enrol(alice);
    service = await world.start(alice.uid);
  });
  const stillAsks = async (): Promise<void> => {
    assert.equal(await asked(service, questionFor(enrolled.file, [], { ask: 'before' })), 'ask', service.stderr());
  };

  it('lines that are no question: the connection is closed without an answer', async () => {
    const enrol = '{"notp":"enrol/1"';
    const garbage = [
      'garbage\n',
      '\n',
      '{}\n',
      'null\n',
      '\0\n',
      '['.repeat(100_000) + '\n',
      `${enrol}}\n`,
      `${enrol},"step":"confirm","code":"123456"}\n`,
    ];
    const early = [`${enrol},"step":"complete"}\n`, `${enrol},"step":"abandon"}\n`, `${enrol}\n`];
    for (const bytes of [...garbage, ...early, Buffer.from([255, 254, 10])]) {
      const connection = connectTo(service);
      connection.say(bytes);
      assert.equal(await connection.line(), undefined);
    }
    await stillAsks();
    assert.equal(service.stderr().match(/malformed question/g)?.length, 1, 'said once, not for each');
  });

  it('two questions in one go: neither is answered', async () => {
    await untilFreshStep();
    const question = questionFor(enrolled.file, code(oathCode(enrolled.secret)));
    const connection = connectTo(service);
    connection.say(question + question);
    assert.equal(await connection.line(), undefined);
    assert.equal(await asked(service, question), 'totp', 'the code was not used up');
  });

  it('a line one byte too long, and one of 10 MB, without keeping it', async () => {
    const fits = questionFor(undefined, [], { ask: 'before', files: sentFile('x') });
    const padded = questionFor(undefined, [], { ask: 'before', files: sentFile('x'.repeat(1 + MAX_LINE - fits.length)) });
    assert.equal(padded.length, MAX_LINE);
    assert.equal(await asked(service, padded), 'bad_secret_file');
    assert.equal(await asked(service, padded.replace('"x', '"xx')), 'closed');
    const connection = connectTo(service);
    connection.say('x'.repeat(10 * MIB));
    assert.ok(await connection.closedWithin(5_000));
    assert.equal(await connection.line(), undefined);
    await stillAsks();
  });

  it('a question that is begun and never ended: the connection is closed after some seconds', async () => {
    const begun = connectTo(service);
    begun.say(questionFor(enrolled.file, []).slice(0, 20));
    const idle = connectTo(service);
    await stillAsks();
    assert.ok(await begun.closedWithin(9_000), 'who writes has little time');
    assert.ok(!(await idle.closedWithin(100)), 'who thinks has more');
    idle.say(questionFor(enrolled.file, [], { ask: 'before' }));
    assert.match((await idle.line()) ?? '', /"ask"/);
    idle.close();
  });

  it('people who hang up at any point', async () => {
    const question = questionFor(enrolled.file, code('00000000'));
    for (const length of [0, 1, 100, question.length - 1, question.length]) {
      const connection = connectTo(service);
      connection.say(question.slice(0, length));
      connection.close();
      const half = connectTo(service);
      half.socket.end(question.slice(0, length));
      await half.closedWithin(2_000);
    }
    await stillAsks();
  });

  it('200 connections at once: some are turned away, none gets a wrong answer, and then there is room again', async () => {
    const crowd = Array.from({ length: 200 }, () => connectTo(service));
    for (const connection of crowd) connection.say(questionFor(enrolled.file, [], { ask: 'before' }));
    const answers = await Promise.all(crowd.map((connection) => connection.line()));
    const served = answers.filter((line) => line !== undefined);
    for (const line of served) assert.match(line, /"result":"ask"/);
    assert.ok(served.length >= 32, `${String(served.length)} were served: ${service.stderr()}`);
    for (const connection of crowd) connection.close();
    await stillAsks();
  });

  it('connections that ask nothing, which closed the socket for ten minutes: the oldest are closed, and it needs little memory', async () => {
    const open: Connection[] = [];
    for (let i = 0; i < 128; i++) {
      const connection = connectTo(service);
      connection.say(questionFor(enrolled.file, [], { ask: 'before' }));
      assert.match((await connection.line()) ?? '', /"ask"/);
      open.push(connection);
    }
    await stillAsks();
    assert.equal(await open[0]?.closedWithin(2_000), true);
    for (const connection of open) connection.say('x'.repeat(MAX_LINE - 1));
    const rss = /^VmHWM:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${String(service.child.pid)}/status`, 'utf8'))?.[1];
    assert.ok(Number(rss) < 200 * 1024, `${String(rss)} kB`);
    for (const connection of open) connection.close();
    await Promise.all(open.map((connection) => connection.closedWithin(2_000)));
    await stillAsks();
  });

  it('200 connections with nonsense, and is another process then', async () => {
    for (let i = 0; i < 200; i++) {
      const connection = connectTo(service);
      connection.say('garbage\n');
      assert.equal(await connection.line(), undefined);
    }
    assert.equal(await service.exited, 0);
  });
});
