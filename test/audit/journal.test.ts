/** Records reach a real systemd-journald: by its stream socket, and through logger(1) and /dev/log where that is all there is. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { journalSinks } from '../../src/audit/sinks.ts';
import { atEnd } from '../support/cleanup.ts';
import { ROOT, run, sleep } from '../support/process.ts';
import { lacks, must } from '../support/world.ts';

const SOCKETS = '/run/systemd/journal';
const JOURNALD =
  ['/usr/lib/systemd/systemd-journald', '/lib/systemd/systemd-journald'].find((file) => fs.existsSync(file)) ?? 'systemd-journald';

describe('the journal', { skip: lacks({ root: true, programs: [JOURNALD, 'journalctl', 'logger', 'unshare'] }) }, () => {
  before(async () => {
    if (await answers()) return;
    // No systemd runs here: start its journald alone.
    fs.mkdirSync(SOCKETS, { recursive: true });
    const child = spawn(JOURNALD, { stdio: 'ignore' });
    atEnd(async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await gone;
      for (const name of ['stdout', 'socket', 'dev-log']) fs.rmSync(path.join(SOCKETS, name), { force: true });
    });
    for (let i = 0; i < 100 && !(await answers()); i++) await sleep(50);
  });

  it('gets each line whole, with who wrote it, by its stream socket', async () => {
    const [sink] = journalSinks();
    assert.equal(sink?.name, 'journal');
    const line = `${JSON.stringify({ event: 'login.refused', ref: 'a1b2c3d4', long: 'x'.repeat(3000) })}\n`;
    await sink.write(line);
    const entry = await journalEntry('a1b2c3d4');
    assert.equal(`${String(entry['MESSAGE'])}\n`, line);
    assert.equal(entry['SYSLOG_IDENTIFIER'], 'notp');
    assert.equal(entry['_UID'], '0');
    assert.equal(entry['PRIORITY'], '6');
  });

  it('gets it through logger and /dev/log where the stream socket is not there', async () => {
    if (!fs.existsSync('/dev/log')) {
      fs.writeFileSync('/dev/log', '');
      atEnd(() => {
        fs.rmSync('/dev/log');
      });
    }
    const script = `import { journalSinks } from '${ROOT}/src/audit/sinks.ts';
      const [sink] = journalSinks(); console.log(sink.name); await sink.write('{"ref":"d4c3b2a1"}\\n');`;
    // In a mount namespace of its own, journald's socket stands at /dev/log and nothing else of systemd is there.
    const hide = `mount --bind ${SOCKETS}/dev-log /dev/log && mount -t tmpfs none /run/systemd && exec "$@"`;
    const { code, stdout, stderr } = await run([
      'unshare',
      '--mount',
      'sh',
      '-c',
      hide,
      'sh',
      process.execPath,
      '--input-type=module',
      '-e',
      script,
    ]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: 'syslog\n' }, stderr);
    assert.equal((await journalEntry('d4c3b2a1'))['MESSAGE'], '{"ref":"d4c3b2a1"}');
  });
});

/** Whether journald takes lines on its stream socket. */
async function answers(): Promise<boolean> {
  const [sink] = journalSinks();
  if (sink?.name !== 'journal') return false;
  return await sink.write('{"is":"there"}\n').then(
    () => true,
    () => false,
  );
}

/** The entry whose message holds `ref`; journald takes a moment. */
async function journalEntry(ref: string): Promise<Record<string, unknown>> {
  for (let i = 0; i < 100; i++) {
    const lines = must(['journalctl', '--no-pager', '-t', 'notp', '-o', 'json', '--since', '-2min']).split('\n');
    const found = lines.find((line) => line.includes(ref));
    if (found !== undefined) return JSON.parse(found) as Record<string, unknown>;
    await sleep(100);
  }
  throw new Error(`the journal has no entry with ${ref}`);
}
