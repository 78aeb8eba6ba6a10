/** Somebody with a stolen key floods the gate, and the socket behind it: no guess too many, the owner gets in, and nothing grows. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { gateSshd, SEND_CODE } from '../doors/gate-world.ts';
import {
  asked,
  connectTo,
  code,
  NEEDS,
  PASSPHRASE,
  questionFor,
  serveWorld,
  word,
  type Connection,
  type ServeWorld,
  type Service,
} from '../doors/serve-world.ts';
import { wrongCode } from '../doors/pam-world.ts';
import { atEnd } from '../support/cleanup.ts';
import { sleep } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { addUser, must, type Enrolled, type TestUser } from '../support/world.ts';
import { LONG, report } from '../trials/trial.ts';
import { assertFewLines, BUDGET, Flood, judged, mostMemory, refusalsOf, told } from './flood.ts';

/** So many wrong codes in SSH sessions, and at the socket alone. */
const SESSIONS = LONG ? 10_000 : 120;
const QUESTIONS = LONG ? 10_000 : 1_500;
const SIDE = 6;
const MIB = 1024 * 1024;

/** Addresses that somebody with a key comes from, all at once. */
const SOURCES = 90;

describe('a flood with a stolen key', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let sshd: Sshd;
  let owner: TestUser;
  let enrolled: Enrolled;
  let service: Service;
  before(async () => {
    world = serveWorld('flood-gate');
    sshd = await gateSshd(world, { words: `--config ${world.config}` });
  });
  const database = (): number => fs.statSync(path.join(world.folder, 'var/state.db')).size;
  const begin = async (): Promise<void> => {
    owner = addUser();
    sshd.authorize(owner);
    enrolled = world.enrol(owner);
    service = await world.startInPlace(owner.uid);
  };
  /** A line for each refusal at first, then sums; all are told, and few are judged. */
  const assertTold = (times: number, refused: readonly string[]): void => {
    const records = world.records();
    assert.deepEqual([...new Set(refused)].toSorted(), ['step_up_required', 'wrong_code']);
    assert.equal(refused.filter((reason) => reason === 'wrong_code').length, BUDGET);
    assert.equal(judged(records, owner.name), BUDGET);
    assert.equal(told(records, owner.name), times);
    assert.ok(refusalsOf(records, owner.name).some(({ count }) => Number(count) > 1));
    assertFewLines(records, owner.name);
  };
  /** The service leaves, and tells what it has only counted. */
  const end = async (): Promise<void> => {
    assert.ok(mostMemory(service.child.pid) < 200, `${String(mostMemory(service.child.pid))} MiB`);
    service.child.kill('SIGTERM');
    assert.equal(await service.exited, 0, service.stderr());
    must([world.notp, 'audit', 'verify', '--config', world.config]);
  };

  it('in SSH sessions: five codes are judged, the owner gets in by two codes, and sshd answers', async () => {
    await begin();
    const wrong = wrongCode(enrolled.secret);
    const size = database();
    const shared = Array.from({ length: SIDE }, (_, i) => path.join(world.folder, `attacker-${String(i)}`));
    for (const socket of shared) openMaster(sshd, owner, socket);
    const flood = new Flood(SESSIONS, SIDE, async (i) => {
      const sshOptions = ['-S', shared[i] ?? '', ...SEND_CODE];
      const { code: exit, stdout, stderr } = await sshd.ssh(owner, ['echo in'], { environment: { LC_NOTP: wrong }, sshOptions });
      assert.deepEqual([exit, stdout], [1, ''], stderr);
      return stderr.includes('two consecutive codes are needed') ? 'step_up_required' : 'wrong_code';
    });
    await flood.ownerEnters(enrolled.secret, async (line) => {
      const { stdout, stderr } = await sshd.ssh(owner, ['echo in'], { environment: { LC_NOTP: line }, sshOptions: SEND_CODE });
      assert.equal(stdout, 'in\n', stderr);
    });
    const outcomes = await flood.ended;
    await end();
    const accepted = world.records().filter(({ user, event }) => user === owner.name && event === 'login.accepted');
    report({
      part: 'floods',
      tried: 'a wrong code in a session of SSH with a stolen key',
      times: SESSIONS,
      failed: judged(world.records(), owner.name) - BUDGET,
    });
    report({
      part: 'floods',
      tried: 'a login of the owner by two codes in the middle of it',
      times: accepted.length,
      failed: accepted.filter(({ method }) => method !== 'step_up').length,
    });
    assertTold(SESSIONS, outcomes);
    assert.ok(accepted.length > 0);
    assert.equal(database(), size);
  });

  it('past sshd, at the socket: five codes are judged, and all are told in a log of a few lines', async () => {
    await begin();
    const size = database();
    const earlier = fs.statSync(path.join(world.folder, 'log/audit.log')).size;
    const question = questionFor(enrolled.file, code(wrongCode(enrolled.secret)));
    const connections: Connection[] = Array.from({ length: SIDE }, () => connectTo(service));
    const flood = new Flood(QUESTIONS, SIDE, async (i) => {
      const connection = connections[i] ?? assert.fail();
      connection.say(question);
      return word(await connection.line());
    });
    const outcomes = await flood.ended;
    for (const connection of connections) connection.close();
    await end();
    report({
      part: 'floods',
      tried: "a wrong code at the user's own socket",
      times: QUESTIONS,
      failed: judged(world.records(), owner.name) - BUDGET,
    });
    assertTold(QUESTIONS, outcomes);
    assert.equal(database(), size);
    assert.ok(fs.statSync(path.join(world.folder, 'log/audit.log')).size - earlier < MIB / 10);
  });

  it('from 90 addresses at a passphrase seal: the owner gets in from where they have logged in before', async () => {
    await begin();
    enrolled = world.enrolWithPassphrase(owner);
    const recovery = enrolled.recovery.map((text) => ({ kind: 'recovery', code: text.replaceAll('-', '') }) as const);
    const ownerEnters = async (i: number): Promise<void> => {
      const proof = recovery[i] ?? assert.fail();
      const [first, then] = [
        questionFor(enrolled.file, [], { ask: 'before' }),
        questionFor(enrolled.file, [{ passphrase: PASSPHRASE, proof }]),
      ];
      assert.deepEqual([await asked(service, first), await asked(service, then)], ['ask', 'recovery']);
    };
    await ownerEnters(0);
    const over = new AbortController();
    const wrong = code('123456', 'w');
    const codes = { passphrase: 'w', proof: { kind: 'codes', codes: ['123456', '234567', '345678'] } } as const;
    const flood = Array.from({ length: SOURCES }, async (_, i) => {
      const origin = { context: 'ssh', door: 'gate', service: 'ssh', rhost: `198.51.100.${String(i)}` } as const;
      const question = questionFor(enrolled.file, [...wrong, codes], { origin });
      for (; !over.signal.aborted; await sleep(50)) {
        const connection = connectTo(service);
        connection.say(question);
        await connection.line().catch(() => undefined);
        connection.close();
      }
    });
    try {
      await sleep(2_000);
      for (const i of [1, 2, 3]) await ownerEnters(i);
    } finally {
      over.abort();
      await Promise.all(flood);
    }
    await end();
  });
});

/** A connection to which sessions can be added, and on which none of its own asks for a code: ControlMaster in ssh_config(5). */
function openMaster(sshd: Sshd, user: TestUser, socket: string): void {
  must([...sshd.command(user, [...SEND_CODE, '-M', '-S', socket, '-N', '-f'])]);
  atEnd(() => void must([...sshd.command(user, ['-S', socket, '-O', 'exit'])]));
}
