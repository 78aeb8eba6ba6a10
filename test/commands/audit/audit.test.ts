/** `notp audit`: the last records, as they are. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { auditKey } from '../../../src/seal/keys.ts';
import { run, type Ran } from '../../support/process.ts';
import { addUser, lacks, oathCode, scratchFolder, serviceUser, SOURCE_NOTP, writeConfig, type Enrolled } from '../../support/world.ts';
import { ownState, rowsOf, type OwnState } from '../own-state.ts';
import { DatabaseSync } from 'node:sqlite';

describe('the audit log of a user', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnState;
  before(async () => {
    own = ownState('audit');
    const { secret, recovery } = await own.enrol();
    const code = oathCode(secret);
    await own.verify(code);
    await own.verify(code);
    await own.verify(recovery[0] ?? '');
    await own.enrol();
  });

  it('is printed oldest first, one JSON object a line, the last 20 or as many as -n says', async () => {
    const all = await own.notp(['audit']);
    assert.equal(all.code, 0);
    assert.equal(all.stderr, '');
    const events = all.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event: string }).event);
    assert.deepEqual(events, ['enroll', 'login.accepted', 'login.refused', 'login.accepted', 'recovery.used', 'replace']);
    const last = await own.notp(['audit', '-n', '2']);
    assert.equal(last.stdout, all.stdout.split('\n').slice(-3).join('\n'));
  });

  it('has the fields of each decision, and never a code, a secret or a passphrase', () => {
    const [, accepted, refused, recovery] = own.records();
    const common = ['time', 'pid', 'host', 'user', 'uid', 'context', 'door', 'event', 'result'];
    assert.deepEqual(Object.keys(accepted ?? {}).toSorted(), [...common, 'method', 'step_offset', 'ref', 'seq', 'prev'].toSorted());
    assert.deepEqual(Object.keys(refused ?? {}).toSorted(), [...common, 'reason', 'ref', 'seq', 'prev'].toSorted());
    assert.equal(accepted?.['method'], 'totp');
    assert.equal(refused?.['reason'], 'replayed');
    assert.equal(recovery?.['method'], 'recovery');
    assert.match(String(accepted['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(String(accepted['ref']), /^[0-9a-f]{8}$/);
    assert.equal(accepted['door'], 'cli');
  });

  it('is a chain: each prev is the SHA-256 of the line before, and the store has the head', () => {
    checkChain(own.secrets, '.audit.log', '.state.db', (line) => createHash('sha256').update(line).digest('hex'));
  });

  it('of 10,000 lines at most is asked for, and of one at least', async () => {
    for (const lines of ['0', '10001', '-1', 'many']) assert.equal((await own.notp(['audit', `-n${lines}`])).code, 2, lines);
  });

  it('that is not there ends in an error and not in silence', async () => {
    const nothing = ownState('audit-none');
    const { code, stdout, stderr } = await nothing.notp(['audit']);
    assert.equal(code, 3);
    assert.equal(stdout, '');
    assert.match(stderr, /notp: hint: only root can read the log of the host; users can read their own/);
  });

  it('with a symlink in its place is not what only root can read: root was told so', async () => {
    const other = ownState('audit-symlink');
    await other.enrol();
    const log = path.join(other.secrets, '.audit.log');
    fs.rmSync(log);
    fs.symlinkSync('/etc/passwd', log);
    for (const words of [['audit'], ['audit', '--ref', '01234567']]) {
      const { code, stderr } = await other.notp(words);
      assert.equal(code, 3);
      assert.match(stderr, /ELOOP.*\nnotp: hint: find out who put a symlink there\n/);
    }
  });

  it('is read as a file and never through a FIFO, which would wait for ever', { skip: lacks({ programs: ['mkfifo'] }) }, async () => {
    const other = ownState('audit-fifo');
    await other.enrol();
    const log = path.join(other.secrets, '.audit.log');
    fs.rmSync(log);
    await run(['mkfifo', log]);
    const { code, stderr } = await other.notp(['audit'], { timeoutMs: 10_000 });
    assert.equal(code, 3);
    assert.match(stderr, /is not a regular file/);
  });
});

describe('the audit log of the host', { skip: lacks({ root: true, programs: ['useradd', 'oathtool'] }) }, () => {
  let folder: string;
  let config: string;
  before(() => {
    serviceUser();
    folder = scratchFolder('audit-host');
    config = writeConfig(folder);
  });
  const notp = (words: readonly string[], input = ''): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', config], { input });

  it('is a chain that only the host key can make, shown to root', async () => {
    const user = addUser();
    await notp(['host-key', 'init']);
    const { stdout } = await notp(['enroll', '--user', user.name, '--no-confirm', '--json']);
    const { secret } = JSON.parse(stdout) as Enrolled;
    assert.equal((await notp(['verify', '--user', user.name, '--code-stdin'], `${oathCode(secret)}\n`)).code, 0);
    assert.equal((await notp(['verify', '--user', user.name, '--code-stdin'], 'nothing\n')).code, 1);
    const printed = await notp(['audit', '-n', '3']);
    assert.match(printed.stdout, /"enroll"[^]*"login\.accepted"[^]*"login\.refused"/);
    assert.equal(rowsOf(path.join(folder, 'var/state.db')).length, 1);
    const key = auditKey(fs.readFileSync(path.join(folder, 'etc/host.key')));
    checkChain(folder, 'log/audit.log', 'var/state.db', (line) => createHmac('sha256', key).update(line).digest('hex'));
  });
});

/** Follows the chain with Node's own hashes. */
function checkChain(folder: string, log: string, database: string, hash: (line: string) => string): void {
  const lines = fs.readFileSync(path.join(folder, log), 'utf8').split(/(?<=\n)/);
  let prev = '0'.repeat(64);
  for (const [i, line] of lines.entries()) {
    const record = JSON.parse(line) as { seq: number; prev: string };
    assert.deepEqual({ seq: record.seq, prev: record.prev }, { seq: i + 1, prev });
    prev = hash(line);
  }
  const store = new DatabaseSync(path.join(folder, database), { readOnly: true });
  const head = { ...store.prepare('SELECT seq, hash FROM chain').get() };
  store.close();
  assert.deepEqual(head, { seq: lines.length, hash: prev });
}
