/** A thousand hardware tokens of one PSKC file become the logins of a thousand users, however often that is interrupted; and one by one. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { bootContainer, installInto, type Container } from '../../support/container.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { must } from '../../support/world.ts';
import { COUNTED, lacksPskc, pskcOf, TIMED, type WrittenToken } from '../../formats/token-files.ts';
import { assertRefused } from '../../commands/codes/own-codes.ts';

const COUNT = 1000;
const FIRST_UID = 40_000;
const FILE = '/root/tokens.xml';
const OWNERS = '/root/owners.csv';
const KEY_FILE = '/root/key';
const PSK = '00112233445566778899aabbccddeeff';
const IMPORT = ['notp', 'import', '--from', 'pskc', '--file', FILE, '--assign', OWNERS, '--passphrase-file', KEY_FILE];

const names = Array.from({ length: COUNT }, (_, i) => `user${String(i).padStart(4, '0')}`);

/** A user whom the list does not name. */
const EXTRA = 'extra';

/** Every other token counts. */
function tokenOf(name: string): WrittenToken {
  const [i, secret] = [Number(name.slice(4)), createHash('sha1').update(name).digest('hex')];
  const printed = { serial: `26${String(100_000 + i)}`, user: '', secret };
  return i % 2 === 1 ? { ...COUNTED, ...printed, counter: 7 } : { ...TIMED, ...printed };
}

/** The code that the token shows after `further` presses of its button, by oathtool. */
function codeOf(name: string, further = 0): string {
  const { type, secret, digits, period, counter } = tokenOf(name);
  const moving = type === 'hotp' ? ['--hotp', `--counter=${String(counter + further)}`] : ['--totp', `--time-step-size=${String(period)}s`];
  return must(['oathtool', ...moving, `--digits=${String(digits)}`, secret]).trim();
}

function makeUsers(root: string): void {
  const entries = [...names, EXTRA].map((name, i) => `${name}:x:${String(FIRST_UID + i)}:100::/home/${name}:/bin/sh\n`);
  fs.appendFileSync(path.join(root, 'etc/passwd'), entries.join(''));
  for (const [i, name] of [...names, EXTRA].entries()) {
    fs.mkdirSync(path.join(root, 'home', name), { mode: 0o700 });
    fs.chownSync(path.join(root, 'home', name), FIRST_UID + i, 100);
  }
  fs.writeFileSync(path.join(root, FILE), pskcOf(names.map(tokenOf), 'key', PSK), { mode: 0o600 });
  const owners = names.map((name) => `${name},${tokenOf(name).serial}\n`);
  fs.writeFileSync(path.join(root, OWNERS), ['user,serial\n', ...owners].join(''), { mode: 0o600 });
  fs.writeFileSync(path.join(root, KEY_FILE), `${PSK}\n`, { mode: 0o600 });
}

describe('a file of a thousand hardware tokens', { skip: lacksPskc({ root: true, programs: ['oathtool', 'systemd-nspawn'] }) }, () => {
  let container: Container;
  before(async () => {
    container = await bootContainer('import-tokens', (root) => {
      installInto(root);
      makeUsers(root);
      fs.rmSync(path.join(root, 'etc/systemd/system/notp@.socket'));
    });
    await container.must(['notp', 'host-key', 'init']);
  });

  const isEnrolled = (name: string): boolean => fs.existsSync(path.join(container.root, 'home', name, '.notp/ssh'));
  const enrolled = (): number => names.filter(isEnrolled).length;
  const verify = (name: string, code: string): Promise<Ran> =>
    container.run(['notp', 'verify', '--user', name, '--code-stdin', '--json'], { input: `${code}\n` });
  const put = (file: string, text: string): void => {
    fs.writeFileSync(path.join(container.root, file), text, { mode: 0o600 });
  };

  it('is refused without its key, and says how to give the tokens to users', async () => {
    put('/root/wrong', '00'.repeat(16));
    assertRefused(await container.run([...IMPORT.slice(0, -1), '/root/wrong']), 1, /the pre-shared key does not open \/root\/tokens\.xml/);
    const alone = ['notp', 'import', '--from', 'pskc', '--file', FILE, '--passphrase-file', KEY_FILE];
    assertRefused(
      await container.run(alone),
      2,
      /does not say whose its 1000 tokens are\nnotp: hint: for one: --user NAME --serial 26100000; for many: --assign FILE/,
    );
    assert.equal(enrolled(), 0);
  });

  it('goes on where Ctrl-C or kill -9 ended it, until all are there, once each', async () => {
    for (const [signal, count] of [
      ['INT', 60],
      ['KILL', 1],
      ['KILL', 150],
    ] as const) {
      const start = enrolled();
      const running = container.run(['sh', '-c', 'echo $$ > /root/pid && exec "$@"', 'sh', ...IMPORT]);
      while (enrolled() < start + count) await sleep(100);
      await container.must(['sh', '-c', `kill -${signal} $(cat /root/pid)`]);
      const { stderr } = await running;
      if (signal === 'INT') assert.match(stderr, /interrupted after \d+ of 1000 tokens\nnotp: hint: |hint: run the same command again/);
    }
    // Whoever logs in meanwhile has spent that code for good.
    const spent = names.slice(0, 2).map((name) => ({ name, code: codeOf(name) }));
    for (const { name, code } of spent) assert.equal((await verify(name, code)).code, 0);
    const rest = await container.run(IMPORT, { timeoutMs: 180_000 });
    assert.equal(rest.code, 0, rest.stderr);
    const [, done = '', already = ''] =
      /Imported (\d+) of 1000 tokens of \/root\/owners\.csv\nAlready there, unchanged: (\d+)\n/.exec(rest.stderr) ?? [];
    assert.equal(Number(done) + Number(already), COUNT, rest.stderr);
    // After more than a step it is an old code, too.
    for (const { name, code } of spent) assert.match((await verify(name, code)).stdout, /"refused".*"(replayed|wrong_code)"/);
    const all = (await container.must(['notp', 'list', '--all', '--json']))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      all.map(({ user, state, token }) => ({ user, state, token })),
      names.map((user) => {
        const { serial, manufacturer, model } = tokenOf(user);
        return { user, state: 'active', token: { serial, model: `${manufacturer.replace('oath.', '')} ${model}`.trim() } };
      }),
    );
    for (const i of [2, 61, 99, 500, 999]) assert.equal((await verify(names[i] ?? '', codeOf(names[i] ?? ''))).code, 0);
  });

  it('leaves a token that counts and ran ahead to two codes in a row', async () => {
    const name = 'user0101';
    assert.notEqual((await verify(name, codeOf(name, 14))).code, 0);
    assert.equal((await verify(name, `${codeOf(name, 15)} ${codeOf(name, 16)}`)).code, 0);
    assert.equal((await verify(name, codeOf(name, 17))).code, 0);
  });

  it('shows serial number and model in the status and in the log', async () => {
    assert.match(await container.must(['notp', 'status', '--user', 'user0002']), /\n {2}token {11}Feitian c200 26100002\n/);
    assert.match(
      await container.must(['notp', 'audit', '--user', 'user0002', '--json']),
      /"event":"import"[^\n]*"detail":"token 26100002 \(Feitian c200\)"/,
    );
  });

  it('gives one token to one user by its serial number, and takes the place of another with --replace alone', async () => {
    const seed = 'GEZDGNBV'.repeat(4);
    put('/root/new.csv', `upn,serial number,secret key,time interval,manufacturer,model\nextra@example.org,4711,${seed},30,Token2,c302\n`);
    const one = ['notp', 'import', '--from', 'csv', '--file', '/root/new.csv'];
    assertRefused(await container.run([...one, '--user', EXTRA, '--serial', '12']), 2, /token "12" is not in \/root\/new\.csv/);
    assertRefused(await container.run([...one, '--serial', '4711']), 2, /--serial names the token of one user/);
    await container.must([...one, '--user', EXTRA, '--serial', '4711']);
    assert.equal((await verify(EXTRA, must(['oathtool', '--totp', '-b', seed]).trim())).code, 0);
    // The file itself says whose it is.
    assert.match((await container.run(one)).stderr, /Imported 0 of 1 token of \/root\/new\.csv\nAlready there, unchanged: 1\n/);
    const other = ['--user', 'user0003', '--serial', '4711'];
    const refused = await container.run([...one, ...other]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /user0003: [^\n]*--replace replaces it\n/);
    await container.must([...one, ...other, '--replace']);
    assert.match(
      await container.must(['notp', 'status', '--user', 'user0003', '--json']),
      /"token":\{"serial":"4711","model":"Token2 c302"\}/,
    );
  });

  it('names the lines of the list that cannot be followed', async () => {
    put('/root/few.csv', `user0004,26100004\nuser0005,26100004\nnobody-here,26100006\nuser0006,0\nuser0007\n`);
    const { code, stderr } = await container.run([...IMPORT.slice(0, 6), '--assign', '/root/few.csv', '--passphrase-file', KEY_FILE]);
    assert.equal(code, 1);
    for (const line of [
      'line 2: user0005: token "26100004" is given to user0004 already',
      'line 3: nobody-here: there is no such user',
      'line 4: user0006: token "0" is not in /root/tokens.xml',
      'line 5: user0007: it must be a user and a serial number, separated by a comma',
    ])
      assert.ok(stderr.includes(`  ${line}\n`), stderr);
    assert.match(stderr, /Imported 0 of 5 tokens of \/root\/few\.csv\nAlready there, unchanged: 1\nFailed: 4\n/);
  });

  it('keeps serial number and model through new recovery codes', async () => {
    await container.must(['notp', 'recovery', '--user', 'user0002']);
    assert.match(await container.must(['notp', 'status', '--user', 'user0002']), /Feitian c200 26100002/);
  });
});
