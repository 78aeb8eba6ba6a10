/** Whoever hammers the own socket, in any way, disturbs nobody else, stays under the limits of the unit, and gets in again when it is over. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { printQuestion } from '../../../src/wire/question.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';
import { NOTHING_KNOWN } from '../../../src/wire/verifier.ts';

const HAMMER = fs.readFileSync(path.join(import.meta.dirname, 'hammer.py'), 'utf8');
const WAYS = {
  connects: 'thousands of connections',
  'half-open': 'hundreds of questions that never end',
  garbage: 'hundreds of lines of garbage',
  long: 'lines of 10 MB',
  idle: 'hundreds of connections that say nothing',
  costly: 'sealed files that cost as much memory and time as a file may',
};
/** A question whose sealed file asks for the most memory and time that a file may, three times over. */
const COSTLY = printQuestion({
  ask: 'verify',
  origin: { context: 'ssh', door: 'gate', service: 'ssh' },
  files: [{ context: 'ssh', sealed: costlyFile(), wrong: '' }],
  session: { connection: undefined, keyDigest: undefined },
  circumstances: NOTHING_KNOWN,
  readings: ['111111', '222222', '333333'].map((code) => ({ passphrase: 'x', proof: { kind: 'code', code } })),
  timedOut: false,
});
const SECONDS = 4;
const MEMORY_MAX = 256 * 1024 * 1024;
/** What systemd says of a unit that went over a limit, or died of something else. */
const DIED = /oom-kill|Failed with result|status=9\/KILL/;

describe('a user who hammers the own socket', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let [alice, bob]: TestUser[] = [];
  let phones: Map<TestUser | undefined, Phone>;

  before(async () => {
    world = await bootService('hammer', { toml: '[policy]\nbudget = 50\n' });
    alice = await world.addUser('alice');
    bob = await world.addUser('bob');
    phones = new Map([
      [alice, await world.enroll(alice, ['--recovery', '32'])],
      [bob, await world.enroll(bob, ['--recovery', '32'])],
    ]);
  });

  async function logsIn(user: TestUser | undefined): Promise<boolean> {
    assert.ok(user);
    return (await world.login(user, phones.get(user)?.recoveryCode() ?? '')).stdout === `${user.name}\n`;
  }

  const service = (): string => `notp@${String(alice?.uid)}.service`;

  const unit = async (property: string): Promise<string> =>
    (await world.container.must(['systemctl', 'show', '--value', `--property=${property}`, service()])).trim();

  async function journal(): Promise<string> {
    await world.container.must(['journalctl', '--sync']);
    return await world.container.must(['journalctl', '--no-pager', '--output=cat', `--unit=${service()}`]);
  }

  for (const [way, title] of Object.entries(WAYS)) {
    it(`with ${title} keeps nobody else from logging in, and nobody afterwards`, async () => {
      const socket = `/run/notp/${String(alice?.uid)}.sock`;
      const hammer = world.container.inTerminal(['python3', '-c', HAMMER, socket, way, String(SECONDS), COSTLY], { as: 'alice' });
      await hammer.expect(/ready/);
      for (let i = 0; i < 2; i++) assert.equal(await logsIn(bob), true, 'bob');
      assert.equal(await hammer.exited, 0);
      assert.equal(await logsIn(alice), true, 'alice');
      assert.equal(await world.container.must(['systemctl', 'is-active', `notp@${String(alice?.uid)}.socket`]), 'active\n');
      // The next start begins with a clean unit, but what ended the one before stays written.
      assert.doesNotMatch(await journal(), DIED);
    });
  }

  it('with costly questions is understood: a line that is none costs nothing', async () => {
    const ask = `import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode())
print(s.makefile().readline(), end='')`;
    const words = ['python3', '-c', ask, `/run/notp/${String(alice?.uid)}.sock`, COSTLY];
    assert.match(await world.container.must(words, { as: 'alice' }), /"result":"refused"/);
  });

  it('is held by limits on memory, tasks and files', async () => {
    assert.deepEqual([await unit('MemoryMax'), await unit('TasksMax'), await unit('LimitNOFILE')], [String(MEMORY_MAX), '32', '512']);
    assert.match(await unit('ControlGroup'), /notp\.slice/);
  });

  it('would be seen to have killed it, as whoever does is', async () => {
    assert.equal(await logsIn(alice), true, 'alice');
    await world.container.must(['systemctl', 'kill', '--signal=KILL', service()]);
    await world.container.must(['systemctl', 'stop', service()]);
    assert.match(await journal(), DIED);
  });

  it('leaves few lines in the journal besides the records of what was judged', async () => {
    const lines = await journal();
    // What was judged has its records.
    const others = lines.split('\n').filter((line) => !line.startsWith('{'));
    assert.ok(others.length < 200, lines);
  });
});

function base64(bytes: number): string {
  return randomBytes(bytes).toString('base64');
}

function costlyFile(): string {
  const seal = { kind: 'passphrase', kdf: 'argon2id', m: 128 * 1024, t: 6, p: 1, salt: base64(16) };
  const head = { notp: 'sealed/1', id: randomBytes(16).toString('hex'), user: 'alice', context: 'ssh', created: '2026-11-23T17:00:00Z' };
  return JSON.stringify({ ...head, seal, nonce: base64(24), ciphertext: base64(400) });
}
