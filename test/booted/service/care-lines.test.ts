/** Whoever speaks to the socket themselves, in whatever order, gets no secret, no new file and no end of an enrolment without a right proof. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, SERVICE_NEEDS, type Phone, type ServiceWorld } from './world.ts';

/** Says each line of stdin to the socket, and prints each answer; ends where the other side does. */
const CLIENT = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
answers = s.makefile('r')
for line in sys.stdin:
    try:
        s.sendall(line.encode())
        answer = answers.readline()
    except OSError:
        break
    if answer == '':
        break
    print(answer, end='')
`;

const proof = (code: string, kind = 'recovery'): object => ({
  readings: code === '' ? [] : [{ passphrase: null, kind, codes: [code.replaceAll('-', '')] }],
});

describe('lines to the service in any order', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;
  let sealed: string;

  before(async () => {
    world = await bootService('lines');
    alice = await world.addUser('alice');
    phone = await world.enroll(alice, ['--recovery', '32']);
    sealed = await world.container.must(['cat', '/home/alice/.notp/ssh']);
  });

  // New recovery codes, and a new secret, cost a try.
  beforeEach(async () => {
    await world.container.must(['notp', 'unlock', '--user', 'alice']);
  });

  /** The kinds of the answers; a refusal as its reason, and `end` where the service hung up before the last line was answered. */
  const said = async (...lines: readonly object[]): Promise<string[]> => {
    const input = lines.map((line) => `${JSON.stringify({ notp: 'enrol/1', ...line })}\n`).join('');
    const socket = `/run/notp/${String(alice.uid)}.sock`;
    const { stdout } = await world.container.run(['python3', '-c', CLIENT, socket], { as: 'alice', input });
    const answers = stdout
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '');
    const kinds = answers.map((line) => JSON.parse(line) as { notp: string; reason?: string });
    return [...kinds.map(({ notp, reason }) => reason ?? notp), ...(kinds.length < lines.length ? ['end'] : [])];
  };

  const about = (code: string, kind?: string): object => ({ context: 'ssh', sealed, wrong: '', ...proof(code, kind) });
  const recovery = (code: string): object => ({ step: 'change', ...about(code), event: 'recovery', passphrase: null, recovery: 10 });
  const take = (code: string): object => ({ step: 'export', ...about(code) });
  const end = (code: string): object => ({ step: 'revoke', ...about(code) });
  const begin = (code: string): object => ({
    ...{ step: 'begin', context: 'ssh', replace: true, algorithm: 'SHA1', digits: 6, period: 30, issuer: 'x', account: 'y', recovery: 0 },
    ...{ sealed, wrong: '', ...proof(code) },
  });
  const COMPLETE = { step: 'complete' };
  const ABANDON = { step: 'abandon' };
  const CONFIRM = { step: 'confirm', code: '123456' };
  const WRONG = 'AAAABBBBCCCCD';

  it('give nothing without a proof, with a wrong one, or with one that was used by the step before', async () => {
    for (const step of [recovery, take, end, begin]) assert.deepEqual(await said(step('')), ['no_proof']);
    assert.deepEqual(await said(take(WRONG), end(WRONG)), ['wrong_code', 'wrong_code']);
    const used = phone.recoveryCode();
    assert.deepEqual(await said(begin(used), recovery(used), take(used), end(used)), ['offer/1', 'replayed', 'replayed', 'replayed']);
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
  });

  it('end the conversation where they confirm, complete or abandon what was not begun, or twice', async () => {
    for (const line of [CONFIRM, COMPLETE, ABANDON]) assert.deepEqual(await said(line), ['end']);
    assert.deepEqual(await said(begin(phone.recoveryCode()), COMPLETE), ['offer/1', 'end']);
    // What was begun is forgotten by the next step, and is not completed by it.
    assert.deepEqual(await said(begin(phone.recoveryCode()), take(''), CONFIRM), ['offer/1', 'no_proof', 'end']);
    assert.deepEqual(await said(take(phone.recoveryCode()), COMPLETE), ['secret/1', 'end']);
    assert.deepEqual(await said(recovery(phone.recoveryCode()), ABANDON, COMPLETE), ['anew/1', 'done/1', 'end']);
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
  });

  it('call nothing by another name: a change is what its event says', async () => {
    const change = recovery('') as Record<string, unknown>;
    for (const other of [{ event: 'reseal' }, { event: 'passphrase' }, { event: 'export' }, { recovery: null }, { recovery: 33 }])
      assert.deepEqual(await said({ ...change, ...other }), ['end']);
  });

  it('give the new file once, for a right proof, and what was not completed is completed by the first login with it only', async () => {
    assert.deepEqual(await said(recovery(phone.recoveryCode())), ['anew/1']);
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n', 'the file in place has the old codes');
    assert.deepEqual(await said(recovery(phone.recoveryCode()), COMPLETE, COMPLETE), ['anew/1', 'done/1', 'end']);
    assert.equal((await world.login(alice, phone.recoveryCode())).code, 1);
    assert.equal((await world.lastLogin())?.reason, 'stale_enrolment');
  });
});
