/** `notp verify` on one end and `notp serve` on the other: one state for user and root, and a refusal where the service is not what it should be. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, beforeEach, describe, it } from 'node:test';
import { run, sleep, type Ran } from '../support/process.ts';
import { addUser, oathCode, runAs, untilFreshStep, type Enrolled, type TestUser } from '../support/world.ts';
import { NEEDS, serveWorld, type ServeWorld, type Service } from './serve-world.ts';

interface Verdict {
  readonly result: string;
  readonly reason?: string;
  readonly ref: string;
}

const reason = ({ stdout }: Ran): string | undefined => (JSON.parse(stdout) as Verdict).reason;

describe('a login through the service', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let alice: TestUser;
  let enrolled: Enrolled;
  let service: Service;
  before(() => {
    world = serveWorld('both-ends');
  });
  beforeEach(async () => {
    alice = addUser();
    enrolled = world.enrol(alice);
    service = await world.startInPlace(alice.uid);
  });
  const words = (): string[] => [world.notp, 'verify', '--config', world.config, '--code-stdin', '--json'];
  const verify = (code: string): Promise<Ran> => runAs(alice, words(), { input: `${code}\n` });
  const byRoot = (code: string): Promise<Ran> => run([...words(), '--user', alice.name], { input: `${code}\n` });

  it('takes a code of the user once, whoever asks', async () => {
    await untilFreshStep();
    const code = oathCode(enrolled.secret);
    const first = await verify(code);
    assert.equal(first.code, 0, first.stderr);
    for (const again of [await verify(code), await byRoot(code)]) {
      assert.equal(again.code, 1);
      assert.equal(reason(again), 'replayed');
    }
    assert.equal((await byRoot(enrolled.recovery[0] ?? '')).code, 0);
    assert.equal(reason(await verify(enrolled.recovery[0] ?? '')), 'replayed');
  });

  it('that the gate refuses before it asks has its record there: it was a line each in the home of the owner, and none in the log', async () => {
    const known = world.records().length;
    const environment = { SSH_ORIGINAL_COMMAND: 'echo \ufffd' };
    const { code, stderr } = await runAs(alice, [world.notp, 'gate', '--config', world.config], { environment });
    assert.equal(code, 1);
    const [, ref] = /not permitted \(ref ([0-9a-f]{8})\)/.exec(stderr) ?? [];
    const [record, ...more] = world.records().slice(known);
    assert.deepEqual([record?.['ref'], record?.['reason'], record?.['door'], more.length], [ref, 'not_permitted', 'gate', 0], stderr);
    assert.equal(fs.existsSync(`${alice.home}/.notp/.audit.log`), false);
  });

  it('finds its record by the reference that the person saw', async () => {
    const { stdout } = await verify('00000000');
    const { ref } = JSON.parse(stdout) as Verdict;
    const found = world.records().filter((record) => record['ref'] === ref);
    assert.deepEqual(
      found.map((record) => [record['user'], record['door'], record['reason']]),
      [[alice.name, 'cli', 'wrong_code']],
    );
  });

  it('is refused, and recorded at home, where the service was killed; the next one judges again', async () => {
    service.child.kill('SIGKILL');
    await service.exited;
    const dead = await verify(oathCode(enrolled.secret));
    assert.notEqual(dead.code, 0);
    assert.equal(reason(dead), 'store_unavailable');
    const log = fs.readFileSync(`${alice.home}/.notp/.audit.log`, 'utf8');
    assert.ok(log.includes((JSON.parse(dead.stdout) as Verdict).ref));
    assert.match(log, /ECONNREFUSED/);
    await world.startInPlace(alice.uid);
    assert.equal((await verify(oathCode(enrolled.secret))).code, 0, 'the code was not spent, and the next service takes it');
  });

  it('is refused without a socket: the secret cannot be judged from here', async () => {
    fs.rmSync(world.socketOf(alice.uid));
    const gone = await verify(oathCode(enrolled.secret));
    assert.notEqual(gone.code, 0);
    assert.equal(reason(gone), 'store_unavailable');
    assert.equal((await byRoot(oathCode(enrolled.secret))).code, 0, 'root judges on the same state');
  });

  it('is refused by a socket of somebody else', async () => {
    fs.chownSync(world.socketOf(alice.uid), 0, 0);
    assert.equal(reason(await verify(oathCode(enrolled.secret))), 'store_unavailable');
  });

  it('is refused without the sealed file, and with an old one', async () => {
    const old = fs.readFileSync(enrolled.file);
    const again = world.enrol(alice);
    fs.writeFileSync(again.file, old);
    assert.equal(reason(await verify(oathCode(enrolled.secret))), 'stale_enrolment');
    fs.rmSync(again.file);
    assert.equal(reason(await verify(oathCode(again.secret))), 'bad_secret_file');
  });

  it('of one user does not suffer from another who hammers their own service', async () => {
    const bob = addUser();
    await world.startInPlace(bob.uid);
    const program = `
import socket, sys, time
end = time.time() + 4
while time.time() < end:
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'x' * 50000 + b'\\n')
    except OSError: pass`;
    const hammering = runAs(bob, ['python3', '-c', program, world.socketOf(bob.uid)]);
    await sleep(300);
    await untilFreshStep();
    const { code, stderr } = await verify(oathCode(enrolled.secret));
    assert.equal(code, 0, stderr);
    await hammering;
  });
});
