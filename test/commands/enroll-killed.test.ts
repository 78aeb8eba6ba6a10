/** kill -9 at any moment of a replacement: the old or the new enrolment works, never neither. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { it } from 'node:test';
import { sleep } from '../support/process.ts';
import { SOURCE_NOTP, type Enrolled } from '../support/world.ts';
import { ownState, type OwnState } from './own-state.ts';

const CODES = 32;

it('kill -9 at any moment of a replacement leaves the old or the new enrolment working, and the next replacement works', async () => {
  const own = ownState('kill');
  const known = new Map<string, string[]>();
  const remember = ({ id, recovery }: Enrolled): unknown => known.set(id, [...recovery]);
  remember(await own.enrol('ssh', ['--recovery', String(CODES)]));
  for (let i = 0; i < 20; i++) {
    // In turn at each of the first changes of the folder, and after some time from the start.
    const stdout = await replacementKilled(own, i % 2 === 0 ? changes(own.secrets, 1 + 3 * (i / 2)) : sleep(150 + i * 20));
    if (stdout.endsWith('}\n')) remember(JSON.parse(stdout) as Enrolled);
    const { id } = JSON.parse(fs.readFileSync(path.join(own.secrets, 'ssh'), 'utf8')) as { id: string };
    const code = known.get(id)?.pop();
    assert.ok(code !== undefined, 'a file is in place whose codes were never given out');
    const { code: status, stderr } = await own.verify(code);
    assert.equal(status, 0, stderr);
  }
  const { recovery } = await own.enrol();
  assert.equal((await own.verify(recovery[0] ?? '')).code, 0);
});

/** Starts a replacement, kills it at `moment` or lets it end, and gives what it printed. */
async function replacementKilled(own: OwnState, moment: Promise<void>): Promise<string> {
  const words = ['enroll', '--seal', 'passphrase', '--no-confirm', '--replace', '--json', '--recovery', String(CODES)];
  const places = ['--config', own.config, '--passphrase-file', own.passphraseFile];
  const child: ChildProcess = spawn(SOURCE_NOTP[0] ?? '', [...SOURCE_NOTP.slice(1), ...words, ...places], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise((resolve) => child.once('close', resolve));
  await Promise.race([moment, closed]);
  child.kill('SIGKILL');
  await closed;
  return Buffer.concat(chunks).toString('utf8');
}

/** Resolves at the `count`th change in `folder`; where there are fewer, after a while. */
function changes(folder: string, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const watcher = fs.watch(folder, () => {
      if (++seen === count) finish();
    });
    const timer = setTimeout(() => {
      finish();
    }, 5_000);
    const finish = (): void => {
      clearTimeout(timer);
      watcher.close();
      resolve();
    };
  });
}
