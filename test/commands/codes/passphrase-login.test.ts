/** `notp passphrase` for what logs in: the state goes on, the old file is an old copy; and kill -9 at any moment loses nothing. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { parseSealedFile } from '../../../src/seal/file.ts';
import { passphraseKey } from '../../../src/seal/keys.ts';
import { open } from '../../../src/seal/seal.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { lacks, oathCode, SOURCE_NOTP, untilFreshStep, type Enrolled } from '../../support/world.ts';
import { ownCodes, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE, rowsOf } from '../own-state.ts';

const NEW = 'battery staple';

describe('a new passphrase for what logs in', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnCodes;
  let newFile: string;
  let enrolled: Enrolled;
  let oldBytes: Buffer;
  before(async () => {
    own = ownCodes('passphrase-login');
    newFile = own.put('new', `${NEW}\n`);
    enrolled = await own.enrol();
    oldBytes = fs.readFileSync(enrolled.file);
  });
  /** Without what a new file would start with. */
  const row = (): Record<string, unknown> => {
    const columns = Object.entries(rowsOf(path.join(own.secrets, '.state.db'))[0] ?? {});
    return Object.fromEntries(columns.filter(([name]) => !name.startsWith('pending_') || name === 'pending_id'));
  };
  const verifyNew = (code: string): Promise<Ran> => own.verify(code, 'ssh', ['--passphrase-file', newFile]);

  it('keeps last step, budget and spent codes, gets a new id, and is recorded', async () => {
    await untilFreshStep(12);
    const code = oathCode(enrolled.secret);
    assert.equal((await own.verify(code)).code, 0);
    assert.equal((await own.verify(enrolled.recovery[0] ?? '')).code, 0);
    assert.match((await own.verify(oathCode(enrolled.secret, { offsetSeconds: 3600 }))).stdout, /"wrong_code"/);
    const { id, digest, ...earlier } = row();
    const changed = await own.opening(['passphrase', 'ssh', '--new-passphrase-file', newFile, '--json']);
    assert.equal(changed.code, 0, changed.stderr);
    const { id: newId, digest: newDigest, ...later } = row();
    assert.deepEqual(later, earlier);
    assert.notEqual(newDigest, digest);
    assert.notEqual(newId, id);
    assert.equal((JSON.parse(changed.stdout) as { id: unknown }).id, newId);
    const record = own.records().at(-1);
    assert.deepEqual([record?.['event'], record?.['result'], record?.['context']], ['passphrase', 'done', 'ssh']);
    assert.match((await verifyNew(code)).stdout, /"replayed"/, 'a used code worked again');
    assert.match((await verifyNew(enrolled.recovery[0] ?? '')).stdout, /"replayed"/, 'a used recovery code worked again');
  });

  it('logs in with it, by codes and by the recovery codes that are left, and not with the old one', async () => {
    assert.match((await own.verify(enrolled.recovery[1] ?? '')).stdout, /"wrong_passphrase"/);
    assert.equal((await verifyNew(enrolled.recovery[1] ?? '')).code, 0);
    assert.match((await verifyNew(enrolled.recovery[1] ?? '')).stdout, /"replayed"|"step_up_required"/);
    assert.equal((await verifyNew(enrolled.recovery[2] ?? '')).code, 0);
  });

  it('makes the old file an old copy: put back, it is stale', async () => {
    const newBytes = fs.readFileSync(enrolled.file);
    fs.writeFileSync(enrolled.file, oldBytes);
    assert.match((await own.verify(enrolled.recovery[3] ?? '')).stdout, /"stale_enrolment"/);
    fs.writeFileSync(enrolled.file, newBytes);
    assert.equal((await verifyNew(enrolled.recovery[3] ?? '')).code, 0);
  });
});

it('kill -9 at any moment of a change leaves a file that the old or the new passphrase opens, and that logs in', async () => {
  const own = ownCodes('passphrase-kill');
  const { recovery, file } = await own.enrol('ssh', ['--recovery', '32']);
  const files = [own.passphraseFile, own.put('new', `${NEW}\n`)];
  const passphrases = [PASSPHRASE, NEW];
  const codes = [...recovery];
  const opened = [];
  let current = 0;
  for (let i = 0; i < 12; i++) {
    const [from = '', to = ''] = [files[current], files[1 - current]];
    // In turn at one of the changes of the folder, and after some time from the start.
    await killedChange(own, [from, to], i % 2 === 0 ? changes(own.secrets, 1 + 2 * i) : sleep(250 + i * 40));
    const found = passphrases.findIndex((passphrase) => opens(file, passphrase));
    assert.notEqual(found, -1, 'neither passphrase opens the file');
    opened.push(found === current ? 'old' : 'new');
    current = found;
    const verified = await own.verify(codes.pop() ?? '', 'ssh', ['--passphrase-file', files[current] ?? '']);
    assert.equal(verified.code, 0, `${opened.join(' ')}: ${verified.stderr}`);
  }
  assert.ok(opened.includes('old'), opened.join(' '));
  const done = await own.notp([
    'passphrase',
    'ssh',
    '--passphrase-file',
    files[current] ?? '',
    '--new-passphrase-file',
    own.passphraseFile,
  ]);
  assert.equal(done.code, 0, done.stderr);
  assert.equal((await own.verify(codes.pop() ?? '')).code, 0);
});

function opens(file: string, passphrase: string): boolean {
  const sealed = parseSealedFile(new Uint8Array(fs.readFileSync(file)));
  return sealed.seal.kind === 'passphrase' && open(sealed, passphraseKey(passphrase, sealed.seal)) !== undefined;
}

/** Starts a change and kills it at `moment`, or lets it end. */
async function killedChange(own: OwnCodes, [from, to]: readonly [string, string], moment: Promise<void>): Promise<void> {
  const words = ['passphrase', 'ssh', '--config', own.config, '--passphrase-file', from, '--new-passphrase-file', to];
  // Killed while it writes its coverage it would leave a broken one.
  const env = { ...process.env, NODE_V8_COVERAGE: '' };
  const child = spawn(SOURCE_NOTP[0] ?? '', [...SOURCE_NOTP.slice(1), ...words], { stdio: 'ignore', env });
  const closed = new Promise((resolve) => child.once('close', resolve));
  await Promise.race([moment, closed]);
  child.kill('SIGKILL');
  await closed;
}

/** Resolves at the `count`th change in `folder`; where there are fewer, after a while. */
function changes(folder: string, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const finish = (): void => {
      clearTimeout(timer);
      watcher.close();
      resolve();
    };
    const timer = setTimeout(finish, 5_000);
    const watcher = fs.watch(folder, () => {
      if (++seen === count) finish();
    });
  });
}
