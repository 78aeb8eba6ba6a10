/** `notp serve` judges: the real process, as the system user, on a socket of the user, without a JIT compiler. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Question } from '../../src/wire/question.ts';
import { addUser, oathCode, untilFreshStep, type Enrolled, type TestUser } from '../support/world.ts';
import { printRefusal } from '../../src/wire/question.ts';
import {
  asked,
  code,
  connectTo,
  NEEDS,
  PASSPHRASE,
  questionFor,
  sentFile,
  serveWorld,
  word,
  type ServeWorld,
  type Service,
} from './serve-world.ts';

/** A question on the connection that the sshd process `pid` serves. */
function connected(pid: number): Partial<Question> {
  const connection = { pid, startTicks: 7, bootId: '01234567-89ab-cdef-0123-456789abcdef' };
  return { session: { connection, keyDigest: undefined } };
}

describe('the service', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let alice: TestUser;
  let bob: TestUser;
  let service: Service;
  let enrolled: Enrolled;
  before(async () => {
    world = serveWorld('serve');
    [alice, bob] = [addUser(), addUser()];
    enrolled = world.enrol(alice);
    service = await world.start(alice.uid);
  });

  it('runs as notp for good, without a JIT compiler, and holds nothing of root', async () => {
    await asked(service, questionFor(undefined, []));
    const pid = String(service.child.pid);
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
    const owner = fs.statSync(world.folder + '/var/state.db').uid;
    assert.match(status, new RegExp(`^Uid:(\\s+${String(owner)}){4}$`, 'm'));
    // What a JIT compiler writes lies in memory of no file.
    const executable = fs
      .readFileSync(`/proc/${pid}/maps`, 'latin1')
      .split('\n')
      .filter((line) => /^\S+ ..x/.test(line));
    assert.ok(executable.length > 0);
    for (const line of executable) assert.match(line, /^\S+ .-x. .* (\/|\[vdso\]|\[vsyscall\])/);
  });

  it('with same_connection = false remembers no connection and accepts none, whoever sends one', async () => {
    const forbidding = path.join(world.folder, 'no-connections.toml');
    fs.writeFileSync(forbidding, `${fs.readFileSync(world.config, 'utf8')}\n[gate]\nsame_connection = false\n`, { mode: 0o644 });
    const carol = addUser();
    const { file, recovery } = world.enrol(carol);
    const unspent = [...recovery];
    const [allowed, forbidden] = [await world.start(carol.uid), await world.start(carol.uid, forbidding)];
    const logIn = async (where: Service, pid: number): Promise<string> => {
      const proof = { kind: 'recovery', code: (unspent.shift() ?? '').replaceAll('-', '') } as const;
      return await asked(where, questionFor(file, [{ passphrase: undefined, proof }], connected(pid)));
    };
    const goOn = (where: Service, pid: number): Promise<string> =>
      asked(where, questionFor(file, [], { ask: 'before', ...connected(pid) }));
    assert.deepEqual([await logIn(allowed, 1), await goOn(allowed, 1)], ['recovery', 'same_connection']);
    assert.deepEqual([await goOn(forbidden, 1), await logIn(forbidden, 2), await goOn(forbidden, 2)], ['ask', 'recovery', 'ask']);
    assert.deepEqual([await goOn(allowed, 2), await goOn(allowed, 1)], ['ask', 'same_connection']);
  });

  it('goes by what root has written now, however long somebody keeps it alive', async () => {
    const file = path.join(world.folder, 'changed.toml');
    const text = fs.readFileSync(world.config, 'utf8');
    const write = (first: string): void => {
      fs.writeFileSync(
        file,
        `${first}
${text}`,
        { mode: 0o644 },
      );
    };
    write('rule = [{ ask = "code", enrol_by = 2099-01-01 }]');
    const kept = await world.start(addUser().uid, file);
    const open = connectTo(kept);
    const comesTo = (): Promise<string | undefined> => {
      open.say(questionFor(undefined, [], { ask: 'before' }));
      return open.line();
    };
    assert.match((await comesTo()) ?? '', /"unenrolled"/);
    write('unenrolled = "deny"');
    assert.match((await comesTo()) ?? '', /"not_enrolled"/);
    write('nonsense = 1');
    assert.match((await comesTo()) ?? '', /"bad_configuration"/);
    assert.match((await comesTo()) ?? '', /"bad_configuration"/);
    assert.equal(kept.stderr().split('every question is refused').length, 2, 'it is said once');
    write('rule = [{ ask = "code", enrol_by = 2099-01-01 }]');
    assert.match((await comesTo()) ?? '', /"unenrolled"/);
    open.close();
  });

  it('accepts a right code once, and says nothing but the verdict', async () => {
    await untilFreshStep();
    const right = questionFor(enrolled.file, code(oathCode(enrolled.secret)));
    const connection = connectTo(service);
    connection.say(right);
    const line = (await connection.line()) ?? '';
    assert.match(
      line,
      /^\{"notp":"answer\/2","result":"accepted","method":"totp","stepOffset":0,"reason":null,"waitSeconds":null,"codesNeeded":null,"ref":"[0-9a-f]{8}","notice":null\}$/,
    );
    connection.say(right);
    assert.equal(word(await connection.line()), 'replayed');
    connection.close();
    assert.equal(await asked(service, right), 'replayed');
    const { ref } = JSON.parse(line) as { ref: string };
    const [record] = world.records().filter((each) => each['ref'] === ref);
    assert.deepEqual(
      ['event', 'user', 'uid', 'context', 'door', 'service', 'rhost', 'method'].map((key) => record?.[key]),
      ['login.accepted', alice.name, alice.uid, 'ssh', 'gate', 'ssh', '192.0.2.7', 'totp'],
    );
  });

  it('accepts a recovery code, and a wrong code never', async () => {
    const [recovery = ''] = enrolled.recovery;
    const readings = [{ passphrase: undefined, proof: { kind: 'recovery' as const, code: recovery.replaceAll('-', '') } }];
    assert.equal(await asked(service, questionFor(enrolled.file, readings)), 'recovery');
    assert.equal(await asked(service, questionFor(enrolled.file, code('00000000'))), 'wrong_code');
    assert.equal(await asked(service, questionFor(enrolled.file, [])), 'no_proof');
    assert.equal(await asked(service, questionFor(enrolled.file, [], { timedOut: true })), 'timeout');
  });

  it('asks for a code before, and not where there is nothing to ask for', async () => {
    assert.equal(await asked(service, questionFor(enrolled.file, [], { ask: 'before' })), 'ask');
    assert.equal(await asked(service, questionFor(undefined, [], { ask: 'before' })), 'bad_secret_file');
    const other = sentFile('', '', 'deploy');
    const script = { context: 'deploy', door: 'cli' as const };
    assert.equal(await asked(service, questionFor(undefined, [], { ask: 'before', files: other, origin: script })), 'not_enrolled');
    const renamed = sentFile(fs.readFileSync(enrolled.file, 'utf8'), '', 'deploy');
    assert.equal(await asked(service, questionFor(undefined, code('123456'), { files: renamed, origin: script })), 'not_enrolled');
  });

  it('lets nobody choose by which context a login goes, or say that it is the PAM door or somebody else', async () => {
    const other = { files: sentFile('', '', 'deploy') };
    assert.equal(await asked(service, questionFor(undefined, [], { ...other, ask: 'before' })), 'bad_configuration');
    assert.equal(await asked(service, questionFor(undefined, code('123456'), other)), 'bad_configuration');
    assert.match(String(world.records().at(-1)?.['detail']), /^asked by deploy, but the configuration says context = ssh$/);
    assert.equal(await asked(service, questionFor(enrolled.file, [], { origin: { context: 'ssh', door: 'pam' } })), 'closed');
    assert.equal(await asked(service, questionFor(enrolled.file, [], { account: { user: 'root', uid: 0 } })), 'closed');
  });

  it('records what a door says of a file as what the door says', async () => {
    const files = sentFile('', 'the moon is full');
    assert.equal(await asked(service, questionFor(undefined, code('123456'), { files })), 'bad_secret_file');
    assert.match(String(world.records().at(-1)?.['detail']), /the door says: the moon is full$/);
  });

  it('records what the gate refuses before it asks, as what the door says, and no other reason', async () => {
    const refusal = { account: undefined, origin: { context: 'ssh', door: 'gate' }, detail: 'it is late' } as const;
    for (const reason of ['not_permitted', 'bad_configuration'] as const) {
      assert.equal(await asked(service, printRefusal({ ...refusal, reason })), reason);
      const { user, uid, event, detail } = world.records().at(-1) ?? {};
      assert.deepEqual([user, uid, event, detail], [alice.name, alice.uid, 'login.refused', 'the door says: it is late']);
    }
    for (const told of [
      { ...refusal, reason: 'wrong_code' },
      { ...refusal, reason: 'not_permitted', account: { user: 'root', uid: 0 } },
      { ...refusal, reason: 'not_permitted', origin: { context: 'ssh', door: 'pam' } },
    ] as const)
      assert.equal(await asked(service, printRefusal(told)), 'closed');
  });

  it('lets the user choose a context at the door cli and some reasons to be refused for, and never whose record it is or that it is an acceptance', async () => {
    const right = code(oathCode(enrolled.secret));
    const cli = { context: 'prod-db.root', door: 'cli' } as const;
    const said = {
      not_enrolled: questionFor(undefined, right, { origin: cli, files: sentFile('', '', cli.context) }),
      timeout: questionFor(enrolled.file, [], { timedOut: true }),
      no_proof: questionFor(enrolled.file, []),
      bad_secret_file: questionFor(undefined, right, { files: sentFile('', 'the host key was stolen') }),
    };
    const missing = questionFor(undefined, right);
    for (const [reason, question] of [...Object.entries(said), ['bad_secret_file', missing] as const]) {
      assert.equal(await asked(service, question), reason);
      const record = world.records().at(-1);
      assert.deepEqual(
        ['user', 'uid', 'event'].map((key) => record?.[key]),
        [alice.name, alice.uid, 'login.refused'],
        reason,
      );
      assert.equal(record?.['context'], reason === 'not_enrolled' ? cli.context : 'ssh');
    }
  });

  it('takes the file of nobody else, none that was changed, and none that cannot be read', async () => {
    const others = world.enrol(bob);
    assert.equal(await asked(service, questionFor(others.file, code(oathCode(others.secret)))), 'bad_secret_file');
    const text = fs.readFileSync(enrolled.file, 'utf8');
    const own = (sealed: string, wrong = ''): Promise<string> =>
      asked(service, questionFor(undefined, code(oathCode(enrolled.secret)), { files: sentFile(sealed, wrong) }));
    assert.equal(await own(text.replace(/"created": "2/, '"created": "3')), 'stale_enrolment');
    assert.equal(await own(text.replace(enrolled.id, '0'.repeat(32))), 'stale_enrolment');
    assert.equal(await own('{}'), 'bad_secret_file');
    assert.equal(await own('\u0000'.repeat(15_000)), 'bad_secret_file');
    assert.equal(await own(`${text}${' '.repeat(17_000)}`), 'bad_secret_file');
    assert.equal(await own('', 'it is a FIFO'), 'bad_secret_file');
    assert.match(JSON.stringify(world.records().at(-1)), /it is a FIFO/);
  });

  it('judges as the user of its socket, whatever a question claims', async () => {
    const line = questionFor(enrolled.file, code('123456')).replace('{"notp"', `{"user":"${bob.name}","notp"`);
    assert.equal(await asked(service, line), 'closed');
    assert.equal(await asked(service, questionFor(enrolled.file, [], { ask: 'before' })), 'ask');
  });

  it('has an old file that was put back refused', async () => {
    const old = fs.readFileSync(enrolled.file, 'utf8');
    const { secret } = enrolled;
    enrolled = world.enrol(alice);
    assert.equal(await asked(service, questionFor(undefined, code(oathCode(secret)), { files: sentFile(old) })), 'stale_enrolment');
    await untilFreshStep();
    assert.equal(await asked(service, questionFor(enrolled.file, code(oathCode(enrolled.secret)))), 'totp');
  });

  it('lets one of twenty who type the same code at the same time in', async () => {
    // Before anything that derives keys: whoever would wait for too long is turned away, by what a turn took of late.
    enrolled = world.enrol(alice);
    await untilFreshStep();
    const question = questionFor(enrolled.file, code(oathCode(enrolled.secret)));
    const words = await Promise.all(Array.from({ length: 20 }, () => asked(service, question)));
    assert.equal(words.filter((each) => each === 'totp').length, 1, words.join());
    assert.equal(words.filter((each) => each === 'closed').length, 0, words.join());
    enrolled = world.enrol(alice);
  });

  it('takes a passphrase where the file is sealed by one', async () => {
    enrolled = world.enrolWithPassphrase(alice);
    await untilFreshStep();
    assert.equal(await asked(service, questionFor(enrolled.file, code(oathCode(enrolled.secret), 'wrong'))), 'wrong_passphrase');
    const both = [...code(oathCode(enrolled.secret), 'wrong'), ...code(oathCode(enrolled.secret), PASSPHRASE)];
    assert.equal(await asked(service, questionFor(enrolled.file, both)), 'totp');
    enrolled = world.enrol(alice);
  });

  it('asks for two codes when the budget is empty, and takes a code of no other door for more', async () => {
    enrolled = world.enrol(alice);
    await untilFreshStep(12);
    const connection = connectTo(service);
    const ask = async (question: string): Promise<string> => {
      connection.say(question);
      return word(await connection.line());
    };
    for (let i = 0; i < 5; i++) assert.equal(await ask(questionFor(enrolled.file, code('00000000'))), 'wrong_code');
    assert.equal(await ask(questionFor(enrolled.file, code(oathCode(enrolled.secret)))), 'step_up_required');
    const [first, second] = [oathCode(enrolled.secret), oathCode(enrolled.secret, { offsetSeconds: 30 })];
    const two = [{ passphrase: undefined, proof: { kind: 'codes' as const, codes: [first, second] } }];
    assert.equal(await ask(questionFor(enrolled.file, two, { origin: { context: 'ssh', door: 'cli' } })), 'step_up');
    connection.close();
  });

  it('tells no secret in any answer, to whatever it is asked', () => {
    const log = fs.readFileSync(`${world.folder}/log/audit.log`, 'utf8') + service.stderr();
    for (const hidden of [enrolled.secret, PASSPHRASE, ...enrolled.recovery]) assert.ok(!log.includes(hidden));
  });
});
