/** The verifier behind a socket: a service that is dead, hung, slow, restarted or lying lets nobody in, and nobody wait for long. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import type { Socket } from 'node:net';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { DeviceFile, Found } from '../../src/system/secrets.ts';
import type { Reason } from '../../src/verdict/reasons.ts';
import { connectForEach, connectGreeting, connectOnce, remoteVerifier, type Wire } from '../../src/wire/remote.ts';
import { NOTHING_KNOWN, type Outcome, type Verifier } from '../../src/wire/verifier.ts';
import { HELLO, MAX_LINE, parseQuestion, printAnswer } from '../../src/wire/question.ts';
import { HOST_HEADER, PASSPHRASE_HEADER, sealed } from '../seal/sealed.ts';
import { sleep } from '../support/process.ts';
import { scratchFolder } from '../support/world.ts';
import { fakeService } from './fake-service.ts';

const DEADLINE_MS = 400;
/** Far beyond the deadline of connection and question together. */
const PATIENCE_MS = 5_000;
const ACCEPTED = printAnswer({ verdict: { result: 'accepted', method: 'totp' }, ref: '0123abcd' });
const REFUSED = printAnswer({ verdict: { result: 'refused', reason: 'wrong_code' }, ref: '0123abcd' });
const ASK = printAnswer(undefined);
const ATTEMPT = { readings: [{ passphrase: undefined, proof: { kind: 'code', code: '123456' } }] } as const;

let folder: string;
before(() => {
  folder = scratchFolder('remote');
});

/** A verifier at `socket`, and what it recorded on this side. */
async function verifierAt(
  socket: string,
  found: Found = { kind: 'absent' },
  others: readonly DeviceFile[] = [],
  connectNow = true,
): Promise<{ verifier: Verifier; recorded: string[] }> {
  const recorded: string[] = [];
  const refuse = (reason: Reason, detail: string): Promise<Outcome> => {
    recorded.push(`${reason}: ${detail}`);
    return Promise.resolve({ verdict: { result: 'refused', reason: 'store_unavailable', detail }, ref: 'ffffffff' });
  };
  const origin = { user: 'alice', uid: 1000, context: 'ssh', door: 'gate' } as const;
  const files = [{ context: 'ssh', found }, ...others];
  const wire = connectNow ? await connectOnce(socket, DEADLINE_MS) : connectForEach(socket, DEADLINE_MS);
  return { verifier: remoteVerifier({ wire, origin, files, circumstances: NOTHING_KNOWN, refuse }), recorded };
}

async function refusesAt(socket: string, why: RegExp): Promise<void> {
  const started = Date.now();
  const { verifier, recorded } = await verifierAt(socket);
  const { verdict, ref } = await verifier.verify(ATTEMPT);
  assert.deepEqual([verdict.result, 'reason' in verdict ? verdict.reason : '', ref], ['refused', 'store_unavailable', 'ffffffff']);
  assert.equal(recorded.length, 1);
  assert.match(recorded[0] ?? '', why);
  assert.ok(recorded[0]?.startsWith('store_unavailable: ') === true, 'recorded with its reason');
  // What failed once is not tried again.
  assert.equal((await verifier.verify(ATTEMPT)).verdict.result, 'refused');
  verifier.close();
  assert.ok(Date.now() - started < PATIENCE_MS);
}

type Speaks = (socket: Socket, nextLine: () => Promise<void>) => unknown;

/** What a service does with the first question, and why it is refused. */
const LYING: readonly (readonly [title: string, speak: Speaks, why: RegExp])[] = [
  ['that accepts the connection and never answers', () => undefined, /did not answer within 0\.4 seconds/],
  ['that closes the connection at once', (socket) => socket.destroy(), /gone|ended|EPIPE|ECONNRESET/],
  ['that ends instead of an answer', (socket, next) => next().then(() => socket.end()), /ended the conversation/],
  ['that sends half an answer and ends', (socket, next) => next().then(() => socket.end(ACCEPTED.slice(0, 40))), /ended the conversation/],
  [
    'that sends a whole answer but its newline and ends',
    (socket, next) => next().then(() => socket.end(ACCEPTED.trimEnd())),
    /ended the conv/,
  ],
  ['that answers garbage', (socket, next) => next().then(() => socket.write('garbage\n')), /not JSON/],
  ['that answers bytes that are no text', (socket, next) => next().then(() => socket.write(Buffer.from([255, 254, 0, 10]))), /not JSON/],
  ['that answers an empty line', (socket, next) => next().then(() => socket.write('\n')), /not JSON/],
  [
    'that speaks another version',
    (socket, next) => next().then(() => socket.write(ACCEPTED.replace('answer/2', 'answer/3'))),
    /"notp" must be one of/,
  ],
  ['that adds a key', (socket, next) => next().then(() => socket.write(ACCEPTED.replace('}', ',"root":true}'))), /unknown key/],
  ['that asks for a code when it is to judge one', (socket, next) => next().then(() => socket.write(ASK)), /gave no verdict/],
  ['that answers twice at once', (socket, next) => next().then(() => socket.write(ACCEPTED + ACCEPTED)), /more than one line/],
  ['that sends a line without an end', (socket, next) => next().then(() => socket.write('x'.repeat(2 * MAX_LINE))), /too long a one/],
  ['that repeats the question', (socket) => socket.pipe(socket), /unknown key|lacks/],
  ['that drips its answer past the deadline', (socket, next) => next().then(() => drip(socket)), /did not answer within/],
];

async function drip(socket: Socket): Promise<void> {
  for (const character of ACCEPTED) {
    socket.write(character);
    await sleep(20);
  }
}

describe('a service', () => {
  for (const [title, speak, why] of LYING) {
    it(`${title} is a refusal with a record`, async () => {
      const service = await fakeService(folder, speak);
      await refusesAt(service.path, why);
    });
  }

  it('that answers before it is asked is a refusal with a record', async () => {
    const service = await fakeService(folder, (socket) => socket.write(ACCEPTED));
    const { verifier, recorded } = await verifierAt(service.path);
    await sleep(100);
    assert.equal((await verifier.verify(ATTEMPT)).verdict.result, 'refused');
    assert.match(recorded[0] ?? '', /without being asked/);
    verifier.close();
  });

  it('whose socket is a dead file, no socket, or not there is a refusal with a record', async () => {
    const dead = path.join(folder, 'dead.sock');
    const program = 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()';
    assert.equal(spawnSync('python3', ['-c', program, dead]).status, 0);
    const file = path.join(folder, 'file.sock');
    fs.writeFileSync(file, '');
    await refusesAt(dead, /ECONNREFUSED/);
    await refusesAt(file, /ECONNREFUSED|ENOTSOCK/);
    await refusesAt(path.join(folder, 'none.sock'), /ENOENT/);
    await refusesAt(folder, /ECONNREFUSED|ENOTSOCK/);
  });

  it('that has no room for one more connection is a refusal with a record', async () => {
    const full = path.join(folder, 'full.sock');
    const program =
      'import socket,sys,time\ns=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)\nc=socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])\nprint(flush=True); time.sleep(30)';
    const child = spawn('python3', ['-c', program, full], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await refusesAt(full, /EAGAIN|did not answer/);
    } finally {
      child.kill();
    }
  });

  it('that goes away between two questions is a refusal', async () => {
    const service = await fakeService(folder, (socket, next) => next().then(() => socket.end(REFUSED)));
    const { verifier, recorded } = await verifierAt(service.path);
    assert.deepEqual((await verifier.verify(ATTEMPT)).verdict, { result: 'refused', reason: 'wrong_code' });
    await sleep(100);
    assert.equal((await verifier.verify(ATTEMPT)).ref, 'ffffffff');
    assert.equal(recorded.length, 1);
    verifier.close();
  });

  it('that adds an acceptance to a refusal does not get the next question answered by it', async () => {
    const service = await fakeService(folder, async (socket, next) => {
      await next();
      socket.write(REFUSED);
      await sleep(50);
      socket.write(ACCEPTED);
    });
    const { verifier, recorded } = await verifierAt(service.path);
    assert.equal((await verifier.verify(ATTEMPT)).ref, '0123abcd');
    await sleep(200);
    const { verdict, ref } = await verifier.verify(ATTEMPT);
    assert.deepEqual([verdict.result, ref], ['refused', 'ffffffff']);
    assert.match(recorded[0] ?? '', /without being asked/);
    verifier.close();
  });

  it('that is not there is told before anybody is asked', async () => {
    const { verifier } = await verifierAt(path.join(folder, 'none.sock'));
    assert.equal((await verifier.beforeAsking(undefined))?.ref, 'ffffffff');
  });
});

describe('a prompt', () => {
  it('held a connection for as long as somebody waited at it', async () => {
    const closed: Promise<unknown>[] = [];
    const service = await fakeService(folder, async (socket, next) => {
      closed.push(new Promise((resolve) => socket.once('close', resolve)));
      await next();
      socket.write(closed.length === 1 ? ASK : ACCEPTED);
    });
    const { verifier, recorded } = await verifierAt(service.path, { kind: 'absent' }, [], false);
    assert.equal(closed.length, 0, 'nothing is connected before there is a question');
    assert.equal(await verifier.beforeAsking(undefined), undefined);
    await Promise.all(closed);
    assert.equal((await verifier.verify(ATTEMPT)).verdict.result, 'accepted');
    await Promise.all(closed);
    assert.deepEqual([closed.length, recorded], [2, []]);
  });

  it('whose service failed once asks it no more', async () => {
    const service = await fakeService(folder, (socket, next) => next().then(() => socket.write('garbage\n')));
    const { verifier, recorded } = await verifierAt(service.path, { kind: 'absent' }, [], false);
    for (const outcome of [await verifier.beforeAsking(undefined), await verifier.verify(ATTEMPT)]) assert.equal(outcome?.ref, 'ffffffff');
    assert.equal(recorded.length, 2);
    assert.equal(service.received().trimEnd().split('\n').length, 1);
  });
});

describe('the remote verifier', () => {
  it('sends what it was given, and gives back verdict and reference as they came', async () => {
    const file = sealed(HOST_HEADER);
    const service = await fakeService(folder, async (socket, next) => {
      for (const answer of [ASK, REFUSED, ACCEPTED]) {
        await next();
        socket.write(answer);
      }
    });
    const { verifier, recorded } = await verifierAt(service.path, { kind: 'sealed', file });
    const session = { connection: { pid: 7, startTicks: 8, bootId: '01234567-89ab-cdef-0123-456789abcdef' }, keyDigest: 'ab'.repeat(32) };
    assert.equal(await verifier.beforeAsking(session), undefined);
    assert.deepEqual(await verifier.verify({ readings: [], timedOut: true }), {
      verdict: { result: 'refused', reason: 'wrong_code' },
      ref: '0123abcd',
    });
    assert.deepEqual(await verifier.verify({ ...ATTEMPT, session }), { verdict: { result: 'accepted', method: 'totp' }, ref: '0123abcd' });
    verifier.close();
    const [first, second, third] = service.received().trimEnd().split('\n').map(parseQuestion);
    assert.deepEqual([first?.ask, second?.ask, third?.ask], ['before', 'verify', 'verify']);
    assert.deepEqual([first?.session, second?.session.connection, third?.session], [session, undefined, session]);
    assert.deepEqual([second?.timedOut, third?.timedOut, third?.readings], [true, false, ATTEMPT.readings]);
    assert.deepEqual(third?.origin, { context: 'ssh', door: 'gate' });
    assert.equal((JSON.parse(third.files[0]?.sealed ?? '') as { id: string }).id, file.id);
    assert.deepEqual(recorded, []);
  });

  it('sends the files of all devices, and asks as their seals are', async () => {
    const service = await fakeService(folder, (socket, next) => next().then(() => socket.write(REFUSED)));
    const found: Found = { kind: 'sealed', file: sealed(PASSPHRASE_HEADER) };
    const others: DeviceFile[] = [
      { context: 'backup', found: { kind: 'sealed', file: sealed(HOST_HEADER) } },
      { context: 'tablet', found: { kind: 'absent' } },
      { context: 'old', found: { kind: 'bad', why: 'it is a FIFO' } },
    ];
    const { verifier, recorded } = await verifierAt(service.path, found, others);
    assert.equal(verifier.seal, 'either');
    await verifier.verify(ATTEMPT);
    verifier.close();
    const { files, origin } = parseQuestion(service.received().trimEnd());
    assert.deepEqual(
      files.map(({ context, sealed: text, wrong }) => [context, text === '' ? '' : 'sealed', wrong]),
      [
        ['ssh', 'sealed', ''],
        ['backup', 'sealed', ''],
        ['tablet', '', ''],
        ['old', '', 'it is a FIFO'],
      ],
    );
    assert.equal(origin.context, 'ssh');
    assert.deepEqual(recorded, []);
  });

  it('asks for a passphrase where the file is sealed by one, and says why a file cannot be read', async () => {
    const service = await fakeService(folder, (socket, next) => next().then(() => socket.write(REFUSED)));
    const sealedByPassphrase = await verifierAt(service.path, { kind: 'sealed', file: sealed(PASSPHRASE_HEADER) });
    assert.equal(sealedByPassphrase.verifier.seal, 'passphrase');
    sealedByPassphrase.verifier.close();
    const bad = await verifierAt(service.path, { kind: 'bad', why: 'it is a symlink' });
    assert.equal(bad.verifier.seal, 'host');
    await bad.verifier.verify(ATTEMPT);
    bad.verifier.close();
    const question = parseQuestion(service.received().trimEnd());
    assert.deepEqual(question.files, [{ context: 'ssh', sealed: '', wrong: 'it is a symlink' }]);
  });
});

const hangsUp: Speaks = (socket, next) => next().then(() => socket.destroy());
const answers: Speaks = (socket, next) => next().then(() => socket.write(ACCEPTED));
const greets: Speaks = async (socket, next) => {
  await next();
  socket.write(`${HELLO}\n`);
  await next();
  socket.write(ACCEPTED);
};
const each = (socket: string): Wire => connectForEach(socket, DEADLINE_MS);
const greeting = (socket: string): Promise<Wire> => connectGreeting(socket, DEADLINE_MS);
const begins: Speaks = (socket, next) => next().then(() => socket.end(ACCEPTED.slice(0, 1)));

/** What `wire` hears where the nth connection is served by the nth of `speakers`, and how many connections there were. */
const heardBy = async (
  connectWith: (path: string) => Promise<Wire> | Wire,
  speakers: readonly Speaks[],
): Promise<{ heard: string; connections: number; received: string }> => {
  let connections = 0;
  const service = await fakeService(folder, (socket, next) => speakers[Math.min(connections++, speakers.length - 1)]?.(socket, next));
  const wire = await connectWith(service.path);
  const heard = await wire.ask('a question\n').catch(String);
  wire.close();
  return { heard, connections, received: service.received() };
};

describe('a service of another release, which hangs up and leaves', () => {
  it('is asked once more at the gate, where the next one answers', async () => {
    const { heard, connections } = await heardBy(each, [hangsUp, answers]);
    assert.deepEqual([heard, connections], [ACCEPTED.trimEnd(), 2]);
  });

  it('is not asked a third time', async () => {
    const { heard, connections } = await heardBy(each, [hangsUp, hangsUp, answers]);
    assert.match(heard, /ended the conversation|ECONNRESET/);
    assert.equal(connections, 2);
  });

  it('is not asked again once it has begun an answer, nor where it was silent until the deadline', async () => {
    for (const speaks of [begins, (() => undefined) satisfies Speaks]) {
      const { heard, connections } = await heardBy(each, [speaks, answers]);
      assert.match(heard, /ended the conversation|did not answer/);
      assert.equal(connections, 1);
    }
  });

  it('has no more time than one that answers', async () => {
    const started = Date.now();
    await heardBy(each, [
      (socket, next) =>
        next()
          .then(() => sleep(300))
          .then(() => socket.destroy()),
      () => undefined,
    ]);
    assert.ok(Date.now() - started < DEADLINE_MS + 250, `${String(Date.now() - started)} ms`);
  });

  it('is met at the PAM door by a greeting, before a proof is sent, and the next one is asked', async () => {
    const { heard, connections, received } = await heardBy(greeting, [hangsUp, answers]);
    assert.deepEqual([heard, connections, received], [ACCEPTED.trimEnd(), 2, `${HELLO}\na question\n`]);
  });

  it('is not met where the greeting is answered, and there is one connection', async () => {
    const { heard, connections } = await heardBy(greeting, [greets]);
    assert.deepEqual([heard, connections], [ACCEPTED.trimEnd(), 1]);
  });

  it('is refused where it answers the greeting with anything else, or not at all', async () => {
    for (const speaks of [answers, (() => undefined) satisfies Speaks]) {
      const { heard, connections } = await heardBy(greeting, [speaks, answers]);
      assert.match(heard, /does not answer the greeting|did not answer within/);
      assert.equal(connections, 1);
    }
  });
});
