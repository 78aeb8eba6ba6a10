/** Records reach a real systemd-journald with their fields: by an inherited socket, through logger(1), or by /dev/log where that is all there is. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { messageIdOf } from '../../src/audit/journal-entry.ts';
import { printRecord } from '../../src/audit/record.ts';
import { journalSinks } from '../../src/audit/sinks.ts';
import { atEnd } from '../support/cleanup.ts';
import { ROOT, run, sleep } from '../support/process.ts';
import { lacks, must } from '../support/world.ts';

const SOCKETS = '/run/systemd/journal';
const JOURNALD =
  ['/usr/lib/systemd/systemd-journald', '/lib/systemd/systemd-journald'].find((file) => fs.existsSync(file)) ?? 'systemd-journald';

const record = (ref: string): string =>
  printRecord(
    { user: `alice-${ref}`, context: 'ssh', door: 'pam', event: 'login.refused', result: 'refused', reason: 'replayed', ref },
    undefined,
    0,
  );

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

  it('gets each line whole, with who wrote it', async () => {
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

  it('finds a record by its fields', async () => {
    await journalSinks()[0]?.write(record('a0b0c0d0'));
    await findsByFields('a0b0c0d0');
  });

  it('finds one of a service by its fields, which writes to the socket that systemd has connected', async () => {
    const inherit = `import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('${SOCKETS}/socket'); os.dup2(s.fileno(), 4); os.set_inheritable(4, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='notp:journal'); os.execv(sys.argv[1], sys.argv[1:])`;
    const script = `import { journalSinks } from '${ROOT}/src/audit/sinks.ts';
      const [sink] = journalSinks(); await sink.write(${JSON.stringify(record('a1b1c1d1'))});`;
    const { code, stderr } = await run(['python3', '-c', inherit, process.execPath, '--input-type=module', '-e', script]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    await findsByFields('a1b1c1d1');
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

/** What journalctl finds by the field NOTP_USER. */
async function findsByFields(ref: string): Promise<void> {
  const entry = await journalEntry(`"ref":"${ref}"`.replaceAll('"', String.raw`\"`), `NOTP_USER=alice-${ref}`);
  assert.equal(`${String(entry['MESSAGE'])}\n`, record(ref));
  const names = ['MESSAGE_ID', 'PRIORITY', 'SYSLOG_IDENTIFIER', 'NOTP_EVENT', 'NOTP_REASON', 'NOTP_REF', 'NOTP_DOOR', '_TRANSPORT', '_UID'];
  assert.deepEqual(
    names.map((name) => entry[name]),
    [messageIdOf('login.refused'), '5', 'notp', 'login.refused', 'replayed', ref, 'pam', 'journal', '0'],
  );
}

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
async function journalEntry(ref: string, match?: string): Promise<Record<string, unknown>> {
  for (let i = 0; i < 100; i++) {
    const words = ['journalctl', '--no-pager', '-t', 'notp', '-o', 'json', '--since', '-2min', ...(match === undefined ? [] : [match])];
    const lines = must(words).split('\n');
    const found = lines.find((line) => line.includes(ref));
    if (found !== undefined) return JSON.parse(found) as Record<string, unknown>;
    await sleep(100);
  }
  throw new Error(`the journal has no entry with ${ref}`);
}
