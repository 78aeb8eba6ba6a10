/** What root of a member can do with its certificate: each attempt at more than that fails. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import * as tls from 'node:tls';
import { before, describe, it } from 'node:test';
import { openFleetJudges, printGreeting } from '../../src/wire/fleet-judges.ts';
import { printEnrolQuestion } from '../../src/wire/enrolment.ts';
import { printQuestion, printRefusal, type Question } from '../../src/wire/question.ts';
import { NOTHING_KNOWN } from '../../src/wire/verifier.ts';
import { uptimeMs } from '../../src/store/clock.ts';
import { freePort } from '../support/postgres.ts';
import { sleep } from '../support/process.ts';
import { addUser, lacks, oathCode, scratchFolder, untilFreshStep, type Enrolled, type TestUser } from '../support/world.ts';
import { authority, certify, connectAs, filesIn, fleetJudge, fleetLines, linesOf, type FleetJudge } from './judges-world.ts';
import { pamWorld, type PamWorld } from './pam-world.ts';
import { code, word } from './serve-world.ts';

const NEEDS = lacks({ root: true, programs: ['oathtool', 'openssl', 'python3'] });
const RHOST = '192.0.2.7';
const CONNECTION = { pid: 4711, startTicks: 42, bootId: 'b0071d00-0000-4000-8000-000000000000' };
/** More connections than one certificate may have. */
const FLOOD = 300;
/** Handshakes of one network at the same time. */
const PLACES = 256;

/** A wrong code of somebody in so many groups. */
function inGroups(count: number): Partial<Question> {
  const groups = Array.from({ length: count }, (_, i) => `${'group-'.repeat(20)}${String(i)}`);
  return { readings: code('000000'), circumstances: { ...NOTHING_KNOWN, firstFactor: true, groups } };
}

describe('root of a member', { skip: NEEDS }, () => {
  let ca: string;
  let judge: FleetJudge;
  let host: PamWorld;
  let user: TestUser;
  let phone: Enrolled;
  let web1: string;
  let web2: string;

  before(async () => {
    ca = authority('forged');
    const folder = scratchFolder('judge-forged');
    certify(ca, 'localhost', folder, ['--judge']);
    const rule = '[[rule]]\nask = "code"\nremember = "1h"\n';
    host = await pamWorld('judge-forged', { top: 'secrets = "store"\n', tables: `${fleetLines(folder)}${rule}` });
    judge = await fleetJudge(host.config);
    await judge.start();
    [web1, web2] = ['web1', 'web2'].map((name) => {
      const its = scratchFolder(name);
      certify(ca, name, its);
      return its;
    }) as [string, string];
    user = addUser();
    phone = await host.enroll(user);
  });

  const question = (other: Partial<Question> = {}): Question => ({
    ...{ ask: 'verify', account: { user: user.name, uid: user.uid }, readings: [], timedOut: false },
    ...{ origin: { context: 'ssh', door: 'gate', service: 'ssh', rhost: RHOST }, files: [{ context: 'ssh', sealed: '', wrong: '' }] },
    ...{ session: { connection: CONNECTION, keyDigest: 'ab'.repeat(32) }, circumstances: { ...NOTHING_KNOWN, firstFactor: true } },
    ...other,
  });
  /** The verdict on one line, on a connection of its own. */
  const said = async (folder: string, line: string): Promise<string> => {
    const connection = await connectAs(folder, judge.port);
    try {
      const answer = await connection.ask(line);
      return answer === 'closed' ? answer : word(answer);
    } finally {
      connection.close();
    }
  };

  it('has no message to enrol, to change, to revoke, to read a secret, or to ask for the state of a user', async () => {
    const file = { context: 'ssh', sealed: '', wrong: '' };
    const readings = code(oathCode(phone.secret));
    const wanted = { algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: 'x', account: 'x', recovery: 0 } as const;
    const lines = [
      printEnrolQuestion({ step: 'begin', replace: true, wanted, readings, ...file }),
      printEnrolQuestion({ step: 'change', change: { event: 'recovery', passphrase: undefined, recovery: 10 }, readings, ...file }),
      printEnrolQuestion({ step: 'export', readings, ...file }),
      printEnrolQuestion({ step: 'revoke', readings, ...file }),
      printEnrolQuestion({ step: 'status', files: [file] }),
      printEnrolQuestion({ step: 'forget' }),
      '{"notp":"ping/1"}\n',
      printQuestion(question({ account: undefined })),
    ];
    for (const line of lines) assert.equal(await said(web1, line), 'closed', line);
    assert.deepEqual(await said(web1, printQuestion(question({ ask: 'before' }))), 'ask');
  });

  it('cannot name another host: a line has no place for it, and the record has the name of the certificate', async () => {
    const line = printQuestion(question());
    assert.equal(await said(web1, line.replace('{', '{"host":"web2",')), 'closed');
    assert.equal(await said(web1, line), 'no_proof');
    assert.equal(linesOf(`${host.folder}/log/audit.log`).at(-1)?.['host'], 'web1');
    const told = { account: { user: user.name }, origin: question().origin, reason: 'not_permitted', detail: 'lies' } as const;
    assert.equal(await said(web1, printRefusal(told)), 'not_permitted');
    const last = linesOf(`${host.folder}/log/audit.log`).at(-1);
    assert.deepEqual([last?.['host'], last?.['detail']], ['web1', 'web1 says: lies']);
  });

  it('cannot bring a sealed file of its own', async () => {
    const other = addUser();
    const { secret } = await host.enroll(other);
    const sealed = fs.readFileSync(new URL('../vectors/sealed-host.json', import.meta.url), 'utf8');
    const files = [{ context: 'ssh', sealed, wrong: '' }];
    await untilFreshStep(10);
    const account = { user: other.name, uid: other.uid };
    assert.equal(await said(web1, printQuestion(question({ account, files, readings: code('000000') }))), 'wrong_code');
    assert.equal(await said(web1, printQuestion(question({ account, files, readings: code(oathCode(secret)) }))), 'totp');
  });

  it('gains nothing elsewhere by what was typed there: the code is used, and what is remembered counts there alone', async () => {
    await untilFreshStep(10);
    const typed = printQuestion(question({ readings: code(oathCode(phone.secret)) }));
    assert.equal(await said(web1, typed), 'totp');
    assert.equal(await said(web2, typed), 'replayed');
    const connected = printQuestion(question({ ask: 'before' }));
    const remembered = printQuestion(question({ ask: 'before', session: { ...question().session, connection: undefined } }));
    assert.deepEqual([await said(web1, connected), await said(web1, remembered)], ['same_connection', 'remembered']);
    assert.deepEqual([await said(web2, connected), await said(web2, remembered)], ['ask', 'ask']);
  });

  it('cannot pose as a judge: neither with its own certificate nor with one for another server', async () => {
    const served = scratchFolder('posing');
    const judges = openFleetJudges();
    const ask = async (): Promise<void> => {
      const files = filesIn(served);
      const port = await freePort();
      const server = tls.createServer({ ...files, minVersion: 'TLSv1.3' }, (socket) => socket.pipe(socket).on('error', () => undefined));
      await new Promise<void>((resolve) => server.on('tlsClientError', () => undefined).listen(port, 'localhost', resolve));
      try {
        const of = { servers: [{ host: 'localhost', port }], identity: () => filesIn(web2) };
        assert.equal(await judges.ask(of, 'said\n', uptimeMs() + 5_000), 'said');
      } finally {
        judges.close();
        server.close();
      }
    };
    certify(ca, 'localhost', served);
    await assert.rejects(ask(), /unsuitable certificate purpose/);
    certify(ca, 'other.example.org', served, ['--judge']);
    await assert.rejects(ask(), /does not match certificate's altnames/);
    certify(ca, 'localhost', served, ['--judge']);
    await ask();
  });

  it('has no room for more than a question takes', async () => {
    assert.equal(await said(web1, printQuestion(question(inGroups(100)))), 'wrong_code');
    assert.equal(await said(web1, printQuestion(question(inGroups(1_024)))), 'closed');
  });

  it('cannot keep the judge from answering others', async () => {
    const hello = printGreeting();
    const begun = await Promise.allSettled(Array.from({ length: FLOOD }, () => connectAs(web1, judge.port)));
    const flood = begun.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const heard = await Promise.all(flood.map((each) => each.ask(hello)));
    assert.ok(heard.filter((line) => line === hello.trim()).length <= 256);
    const asking = flood.map((each) => each.ask(printQuestion(question({ readings: code('000000') }))));
    const other = addUser();
    await host.enroll(other);
    const startMs = Date.now();
    const account = { user: other.name, uid: other.uid };
    assert.equal(await said(web2, printQuestion(question({ account, readings: code('000000') }))), 'wrong_code');
    assert.ok(Date.now() - startMs < 5_000, `it waited ${String(Date.now() - startMs)} ms`);
    for (const each of flood) each.close();
    await Promise.all(asking);
  });
});

describe('a stranger at the port of a judge', { skip: NEEDS }, () => {
  it('holds no more than his places by handshakes that never end', async () => {
    const [folder, web] = [scratchFolder('judge-silent'), scratchFolder('silent-web')];
    const ca = authority('silent');
    certify(ca, 'localhost', folder, ['--judge']);
    certify(ca, 'web1', web);
    const { config } = await pamWorld('judge-silent', { top: 'secrets = "store"\n', tables: fleetLines(folder) });
    const judge = await fleetJudge(config);
    await judge.start();
    /** Connections that never say a word, and how many of them are closed. */
    const silent = async (count: number): Promise<{ closed: () => number; close: () => void }> => {
      let closed = 0;
      const sockets = Array.from({ length: count }, () =>
        connect({ host: '127.0.0.1', port: judge.port, localAddress: '127.0.0.2' }).on('close', () => closed++),
      );
      await Promise.all(
        sockets.map((each) => new Promise((resolve) => each.once('connect', resolve).on('error', resolve).once('close', resolve).resume())),
      );
      return {
        closed: () => closed,
        close: () => {
          for (const each of sockets) each.destroy();
        },
      };
    };
    /** Whether others were hung up on while the first ones still had their places: a handshake may take three seconds. */
    const isFull = async (): Promise<boolean> => {
      const [first, others] = [await silent(PLACES), await silent(FLOOD - PLACES)];
      while (others.closed() < FLOOD - PLACES) await sleep(20);
      const still = first.closed() === 0;
      const member = await connectAs(web, judge.port);
      assert.equal(`${await member.ask(printGreeting())}\n`, printGreeting());
      for (const each of [first, others, member]) each.close();
      return still;
    };
    let tries = 10;
    while (!(await isFull())) assert.ok(--tries > 0, 'nobody is hung up on before three seconds');
  });
});
