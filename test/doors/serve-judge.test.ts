/** The judge of the PAM door: what asks it holds no lock, no state and no log, so nobody is in anybody's way who freezes, limits or kills that. */
import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { asked, code, connectTo, NEEDS, questionFor, sentFile, serveWorld, type Service, type ServeWorld, word } from './serve-world.ts';
import { run, sleep, type Ran } from '../support/process.ts';
import { report } from '../trials/trial.ts';
import { addUser, lacks, must, oathCode, type Enrolled, type TestUser } from '../support/world.ts';

const OTHERS = 20;
const HELD_UP = 10;
/** Far below the deadline of an answer: what is held up for a moment is not held up by somebody else's process. */
const BOUND_MS = 25_000;

const origin = { context: 'ssh', door: 'pam', service: 'sudo' } as const;

function account({ name, uid }: TestUser): { user: string; uid: number } {
  return { user: name, uid };
}

/** What pam_exec sets. */
function environment({ name }: TestUser): NodeJS.ProcessEnv {
  return { PAM_USER: name, PAM_TYPE: 'auth', PAM_SERVICE: 'sudo' };
}

describe('the judge of the PAM door', { skip: NEEDS }, () => {
  let world: ServeWorld;
  let judge: Service;
  let people: readonly TestUser[];
  let phones: readonly Enrolled[];
  const alice = (): TestUser => must1(people[0]);
  const phone = (): Enrolled => must1(phones[0]);

  before(async () => {
    world = serveWorld('judge', '[policy]\nbudget = 100\n', 'notices = false\n');
    people = Array.from({ length: 4 }, () => addUser());
    phones = people.map((user) => world.enrol(user));
    judge = await world.startJudge();
  });

  const pam = (user: TestUser, proof: string, first: readonly string[] = []): Promise<Ran> =>
    run([...first, world.notp, 'pam', '--config', world.config], { input: proof, environment: environment(user) });

  it('decides for whom root names, and for nobody where none is named', async () => {
    const [recovery = ''] = phone().recovery;
    const proof = [{ passphrase: undefined, proof: { kind: 'recovery' as const, code: recovery.replaceAll('-', '') } }];
    assert.equal(await asked(judge, questionFor(phone().file, proof, { account: account(alice()), origin })), 'recovery');
    assert.equal(await asked(judge, questionFor(phone().file, proof, { origin })), 'closed');
    assert.equal(
      await asked(judge, questionFor(phone().file, proof, { account: account(alice()), origin: { ...origin, door: 'gate' } })),
      'closed',
    );
    const stranger = { user: 'no such user' };
    assert.equal(await asked(judge, questionFor(undefined, code('123456'), { account: stranger, origin })), 'not_enrolled');
  });

  it('takes the file of one user for no other', async () => {
    const question = questionFor(phone().file, code(oathCode(phone().secret)), { account: account(must1(people[1])), origin });
    assert.equal(await asked(judge, question), 'bad_secret_file');
  });

  it('records what the door refuses by itself, with the reference that the person is told', async () => {
    const ran = await run([world.notp, 'pam', '--config', world.config], { environment: { ...environment(alice()), PAM_TYPE: 'account' } });
    const { ref = '' } = /\(ref (?<ref>[0-9a-f]{8})\)/.exec(ran.stdout)?.groups ?? {};
    const record = world.records().find((each) => each['ref'] === ref);
    assert.deepEqual([ran.code, record?.['reason'], record?.['seq'] !== undefined], [1, 'not_permitted', true]);
  });

  it('reads the configuration anew for each question, and refuses by it', async () => {
    const text = fs.readFileSync(world.config, 'utf8');
    fs.writeFileSync(world.config, `${text}\nnonsense = 1\n`);
    const question = questionFor(phone().file, code('123456'), { account: account(alice()), origin });
    assert.equal(await asked(judge, question), 'bad_configuration');
    fs.writeFileSync(world.config, text);
    assert.equal(await asked(judge, question), 'wrong_code');
  });

  it(
    'is asked by a process that has neither state nor log nor key: whatever its caller does to it is done to nobody else',
    { skip: lacks({ programs: ['unshare', 'mount'] }) },
    async () => {
      const hidden = ['state', 'log', 'etc'].map((name) => `${world.folder}/${name}`).filter((name) => fs.existsSync(name));
      assert.ok(hidden.length >= 2, hidden.join());
      const alone = [
        'unshare',
        '--mount',
        'sh',
        '-c',
        `for i in ${hidden.join(' ')}; do mount -t tmpfs none $i || exit 9; done; exec "$@"`,
        'sh',
      ];
      const [, recovery = ''] = phone().recovery;
      assert.deepEqual(await pam(alice(), recovery, alone), { code: 0, signal: null, stdout: '', stderr: '' });
      assert.equal((await pam(alice(), recovery, alone)).code, 1);
      assert.equal(world.records().at(-1)?.['reason'], 'replayed');
    },
  );

  it('records whole lines for a caller with limits on everything', async () => {
    const limits = ['prlimit', '--fsize=1', '--cpu=60', '--nofile=64', '--msgqueue=0', '--locks=0', '--', 'nice', '-n', '19'];
    const [, , recovery = ''] = phone().recovery;
    assert.equal((await pam(alice(), recovery, limits)).code, 0);
    assert.deepEqual(
      world
        .records()
        .slice(-2)
        .map(({ event }) => event),
      ['login.accepted', 'recovery.used'],
    );
  });

  it('answers twenty others in time while the processes of a caller are frozen, limited and killed at any moment', async () => {
    const held: (() => void)[] = [];
    const holdUp = async (i: number): Promise<void> => {
      const limits = i % 3 === 0 ? ['prlimit', `--fsize=${String(i * 100)}`, '--'] : [];
      const child = spawn(
        'env',
        [
          '-i',
          ...Object.entries(environment(alice())).map(([k, v]) => `${k}=${v ?? ''}`),
          ...limits,
          world.notp,
          'pam',
          '--config',
          world.config,
        ],
        {
          stdio: ['pipe', 'ignore', 'ignore'],
        },
      );
      child.stdin.on('error', () => undefined);
      child.stdin.end('000000');
      held.push(() => child.kill('SIGKILL'));
      await sleep(Math.random() * 400);
      child.kill(i % 3 === 1 ? 'SIGKILL' : 'SIGSTOP');
    };
    const started = Date.now();
    const flood = Promise.all(Array.from({ length: HELD_UP }, (_, i) => holdUp(i)));
    const words = await Promise.all(
      Array.from({ length: OTHERS }, async (_, i) => {
        const user = must1(people[1 + (i % 3)]);
        const file = must1(phones[1 + (i % 3)]).file;
        await sleep(Math.random() * 800);
        return await asked(judge, questionFor(file, code('000000'), { account: account(user), origin }));
      }),
    );
    assert.deepEqual(new Set(words), new Set(['wrong_code']));
    await flood;
    for (const user of people.slice(1)) assert.equal((await pam(user, must1(phones[people.indexOf(user)]).recovery[0] ?? '')).code, 0);
    assert.ok(Date.now() - started < BOUND_MS, 'nobody waited for a frozen process until its deadline');
    for (const end of held) end();
    const tried = 'a process of the PAM door that its caller froze, limited or killed, beside logins of others';
    report({ part: 'callers', tried, times: held.length, failed: 0 });
    assert.match(must([world.notp, 'audit', 'verify', '--config', world.config]), /\d/);
  });

  it('keeps many prompts that wait open, and answers whoever comes beside them', async () => {
    const waiting: ReturnType<typeof connectTo>[] = [];
    for (let i = 0; i < 300; i++) {
      const each = connectTo(judge);
      waiting.push(each);
      each.say(questionFor(phone().file, [], { ask: 'before', account: account(alice()), origin }));
      assert.equal(word(await each.line()), 'ask');
    }
    const other = must1(people[1]);
    assert.equal(await asked(judge, questionFor(must1(phones[1]).file, code('000000'), { account: account(other), origin })), 'wrong_code');
    for (const each of waiting) each.close();
  });

  it('is in no way held up by nonsense, nor by who says nothing', async () => {
    const silent = Array.from({ length: 20 }, () => connectTo(judge));
    const connection = connectTo(judge);
    connection.say('{"notp":"refusal/1"}\n');
    assert.equal(await connection.line(), undefined);
    const question = questionFor(undefined, code('123456'), { account: account(alice()), origin, files: sentFile('') });
    assert.equal(await asked(judge, question), 'bad_secret_file');
    for (const each of silent) each.close();
  });
});

function must1<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}
