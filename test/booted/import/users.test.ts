/** A users file of a thousand is imported whole, however often it is interrupted: nobody twice, nobody lost, and what logged in since stays as it is. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { bootContainer, installInto, NODE_INSIDE, type Container } from '../../support/container.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { changing } from '../../support/row-macs.ts';
import { lacks } from '../../support/world.ts';
import { frozen, thaw } from '../enroll/frozen.ts';
import { assertRefused } from '../../commands/codes/own-codes.ts';
import { counted, MODULE_NEEDS, timed } from './login-world.ts';

const COUNT = 1000;
const FIRST_UID = 40_000;
const FILE = '/root/users.oath';
const IMPORT = ['notp', 'import', '--from', 'pam-oath', '--file', FILE];

const DATABASE = '/var/lib/notp/state.db';
/** What the store holds, read inside: SQLite finds its files by their real paths. */
const ROWS = `const { DatabaseSync } = require('node:sqlite');
  const store = new DatabaseSync('${DATABASE}', { readOnly: true });
  console.log(JSON.stringify(store.prepare('SELECT * FROM enrolment ORDER BY user, context').all()));`;

const names = Array.from({ length: COUNT }, (_, i) => `user${String(i).padStart(4, '0')}`);
/** The key of each, in hex. */
function keyOf(name: string): string {
  return createHash('sha1').update(name).digest('hex');
}
/** Every other one has a token that counts. */
function isCounted(name: string): boolean {
  return Number(name.slice(4)) % 2 === 1;
}

/** Which is right now and was not used before. */
function codeOf(name: string): string {
  return isCounted(name) ? counted(keyOf(name), 7, []) : timed(keyOf(name), 0, []);
}

function makeUsers(root: string): void {
  const entries = names.map((name, i) => `${name}:x:${String(FIRST_UID + i)}:100::/home/${name}:/bin/sh\n`);
  fs.appendFileSync(path.join(root, 'etc/passwd'), entries.join(''));
  for (const [i, name] of names.entries()) {
    fs.mkdirSync(path.join(root, 'home', name), { mode: 0o700 });
    fs.chownSync(path.join(root, 'home', name), FIRST_UID + i, 100);
  }
  const lines = names.map((name) => (isCounted(name) ? `HOTP ${name} - ${keyOf(name)} 7\n` : `HOTP/T30 ${name} - ${keyOf(name)}\n`));
  fs.writeFileSync(path.join(root, FILE), lines.join(''), { mode: 0o600 });
}

describe('a users file of a thousand', { skip: lacks(MODULE_NEEDS) }, () => {
  let container: Container;
  before(async () => {
    container = await bootContainer('import-users', (root) => {
      installInto(root);
      makeUsers(root);
      // Without the service: a thousand sockets are systemd's work, and import-login.test.ts has some.
      fs.rmSync(path.join(root, 'etc/systemd/system/notp@.socket'));
    });
    await container.must(['notp', 'host-key', 'init']);
  });

  const rows = async (): Promise<Record<string, unknown>[]> =>
    JSON.parse(await container.must([NODE_INSIDE, '-e', ROWS])) as Record<string, unknown>[];
  const enrolled = (): number => names.filter((name) => fs.existsSync(path.join(container.root, 'home', name, '.notp/ssh'))).length;
  const verify = (name: string, code: string): Promise<Ran> =>
    container.run(['notp', 'verify', '--user', name, '--code-stdin', '--json'], { input: `${code}\n` });
  /** Begins an import, and sends `signal` when `count` more are done. */
  const interrupted = async (signal: 'INT' | 'KILL', count: number): Promise<Ran> => {
    const start = enrolled();
    const running = container.run(['sh', '-c', 'echo $$ > /root/pid && exec "$@"', 'sh', ...IMPORT]);
    while (enrolled() < start + count) await sleep(100);
    await container.must(['sh', '-c', `kill -${signal} $(cat /root/pid)`]);
    return await running;
  };

  it('changes nothing in a dry run', async () => {
    const { code, stdout, stderr } = await container.run([...IMPORT, '--dry-run']);
    assert.deepEqual([code, stdout], [0, ''], stderr);
    assert.match(stderr, /^Read as root: \/root\/users.oath\nWould import 1000 of 1000 tokens of \/root\/users.oath\n$/);
    assert.ok(names.every((name) => !fs.existsSync(path.join(container.root, 'home', name, '.notp'))));
  });

  it('goes on where Ctrl-C or kill -9 ended it, until all are there, once each', async () => {
    const stopped = await interrupted('INT', 100);
    assert.equal(stopped.code, 1, stopped.stderr);
    const after = Number(/interrupted after (\d+) of 1000 tokens\n/.exec(stopped.stderr)?.[1]);
    assert.match(stopped.stderr, /notp: hint: run the same command again: it continues where this one ended\n/);
    assert.equal((await rows()).length, after);
    // Whoever logs in meanwhile has spent that code for good.
    const [first = '', second = ''] = names;
    for (const name of [first, second]) assert.equal((await verify(name, codeOf(name))).code, 0);
    const spent = (await rows()).slice(0, 2);
    assert.deepEqual(
      spent.map(({ user, last_step: step }) => [user, Number(step) >= 7]),
      [first, second].map((name) => [name, true]),
    );
    for (const count of [1, 90, 203]) assert.equal((await interrupted('KILL', count)).signal, 'SIGKILL');
    const rest = await container.run(IMPORT, { timeoutMs: 120_000 });
    assert.equal(rest.code, 0, rest.stderr);
    assert.deepEqual((await rows()).slice(0, 2), spent);
    assert.match((await verify(second, codeOf(second))).stdout, /"replayed"/);
  });

  it('has each of them registered with the file in place, and all can log in', async () => {
    const all = await rows();
    assert.deepEqual(
      all.map(({ user }) => user),
      names,
    );
    for (const { user, id, pending_id: pending } of all) {
      const sealed = JSON.parse(fs.readFileSync(path.join(container.root, 'home', String(user), '.notp/ssh'), 'utf8')) as { id: string };
      assert.deepEqual([sealed.id, pending], [id, ''], String(user));
    }
    for (const i of [2, 99, 100, 101, 102, 192, 396, 999]) {
      const { code, stdout } = await verify(names[i] ?? '', codeOf(names[i] ?? ''));
      assert.equal(code, 0, `${names[i] ?? ''}: ${stdout}`);
    }
  });

  it('run once more it does nothing, and the audit log is whole', async () => {
    const earlier = await rows();
    const { code, stdout, stderr } = await container.run([...IMPORT, '--json']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Imported 0 of 1000 tokens[^\n]*\nAlready there, unchanged: 1000\n/);
    const lines = stdout.trimEnd().split('\n');
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      told.map(({ user, id, result }) => [user, id, result]),
      earlier.map(({ user, id }) => [user, id, 'already_there']),
    );
    assert.deepEqual(await rows(), earlier);
    const audit = await container.run(['notp', 'audit', 'verify']);
    assert.equal(audit.code, 0, audit.stderr);
  });

  it('shows a bar that fits the terminal, and none where the cursor cannot move', async () => {
    const terminal = container.inTerminal(IMPORT, { columns: 40 });
    const [line] = await terminal.expect(/\r\[[^\r]*\] \d+\/1000[ -~]*/);
    assert.ok(line.length <= 40, line);
    assert.equal(await terminal.exited, 0);
    const standing = frozen(container, 'notp-import');
    const other = container.inTerminal(IMPORT);
    await standing;
    const second = await container.run(IMPORT);
    assertRefused(second, 3, /another import is running on this host/);
    other.send('\x03');
    await thaw(container);
    await other.expect(/interrupted after \d+ of 1000 tokens/);
    assert.equal(await other.exited, 1);
    const dumb = container.inTerminal([...IMPORT, '--user', 'user0007'], { environment: { TERM: 'dumb' } });
    assert.equal(await dumb.exited, 0);
    assert.match(dumb.output(), /^Read as root: [^\r]*\r\nImported 0 of 1 token of [^\r]*\r\nAlready there, unchanged: 1\r\n/);
    assert.ok(!dumb.output().includes('\x1b'));
  });

  it('completes what was ended between the file and its registration', async () => {
    const earlier = await rows();
    const undo =
      "UPDATE enrolment SET pending_id = id, pending_digest = digest, id = '', digest = '' WHERE user IN ('user0010', 'user0011')";
    await container.must([NODE_INSIDE, '-e', changing(DATABASE, undo)]);
    assert.notDeepEqual(await rows(), earlier);
    const { code, stderr } = await container.run(IMPORT);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Already there, unchanged: 1000\n/);
    assert.deepEqual(await rows(), earlier);
  });

  it('is asked for by name where a person calls it', async () => {
    const terminal = container.inTerminal(['notp', 'import', '--from', 'pam-oath']);
    await terminal.expect(/--file is missing: notp needs the users file\r\nnotp: hint: give --file with/);
    assert.equal(await terminal.exited, 2);
  });
});
