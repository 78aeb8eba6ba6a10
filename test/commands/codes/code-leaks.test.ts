/** Secrets, passphrases and codes are in no process list, environment, log, core dump or terminal where they do not belong. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, sleep } from '../../support/process.ts';
import { lacks, SOURCE_NOTP } from '../../support/world.ts';
import { answer, ownCodes, PYTHON_FILE, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const NEW = 'battery staple';
const URI = `otpauth://totp/Shop:eve?secret=${SECRET}&issuer=Shop`;
const HIDDEN = [SECRET, SECRET.toLowerCase(), PASSPHRASE, NEW];

describe('nothing leaks', { skip: lacks({ programs: ['strace', 'prlimit', 'bash', 'python3'] }) }, () => {
  let own: OwnCodes;
  let newFile: string;
  before(async () => {
    own = ownCodes('leaks');
    newFile = own.put('new', `${NEW}\n`);
    assert.equal((await own.import('shop', URI)).code, 0);
    await own.enrol('ssh');
  });

  it('to another program: no argument and no variable of any process holds a secret, a passphrase or a code', async () => {
    const steps: readonly (readonly [readonly string[], string])[] = [
      [['import', 'traced', '--replace'], URI],
      [['code', 'shop', '--json'], ''],
      [['export', 'shop', '--to', 'base32'], ''],
      [['passphrase', 'traced', '--new-passphrase-file', newFile], ''],
    ];
    for (const [[command = '', ...rest], input] of steps) {
      const trace = path.join(own.folder, 'trace');
      const words = [...SOURCE_NOTP, command, '--config', own.config, '--passphrase-file', own.passphraseFile, ...rest];
      const { code, stdout, stderr } = await run(['strace', '-f', '-v', '-s', '4096', '-e', 'trace=execve', '-o', trace, ...words], {
        input,
      });
      assert.equal(code, 0, stderr);
      const calls = fs.readFileSync(trace, 'utf8');
      // It is a trace of the program, whatever other programs it starts.
      assert.match(calls, /execve\("[^"]*\/node"/);
      const codes = command === 'code' ? Object.values(JSON.parse(stdout) as Record<string, unknown>).filter(isCode) : [];
      assert.equal(codes.length, command === 'code' ? 2 : 0);
      for (const hidden of [...HIDDEN, ...codes]) assert.ok(!calls.includes(hidden), command);
      for (const hidden of HIDDEN) assert.ok(!stderr.includes(hidden), command);
    }
  });

  it('to whoever looks at the running process, which dumps no core though it was allowed to', async () => {
    for (const words of [
      ['code', 'shop', '--watch'],
      ['import', 'waiting', '--file', own.put('uri', URI)],
    ]) {
      const [command = '', ...rest] = words;
      const given = command === 'code' ? ['--passphrase-file', own.passphraseFile] : [];
      const notp = [...SOURCE_NOTP, command, '--config', own.config, ...given, ...rest];
      const child = spawn('bash', ['-c', 'ulimit -S -c hard; exec "$@"', 'bash', ...notp], { stdio: ['pipe', 'pipe', 'pipe'] });
      const ended = new Promise((resolve) => child.once('close', resolve));
      try {
        await untilItSays(child);
        const pid = String(child.pid);
        assert.match(fs.readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +0 +\S+ +bytes/m);
        for (const place of ['cmdline', 'environ']) {
          const content = fs.readFileSync(`/proc/${pid}/${place}`, 'latin1');
          assert.ok(content.includes(place === 'cmdline' ? own.config : 'PATH='));
          for (const hidden of HIDDEN) assert.ok(!content.includes(hidden), place);
        }
      } finally {
        child.kill('SIGTERM');
        await ended;
      }
    }
  });

  it('to the audit log, or any other file in the folder', async () => {
    assert.equal((await own.opening(['passphrase', 'ssh', '--new-passphrase-file', newFile])).code, 0);
    assert.equal(
      (await own.notp(['import', 'old', '--file', own.put('python', PYTHON_FILE), '--passphrase-file', own.put('test', 'test\n')])).code,
      0,
    );
    for (const name of fs.readdirSync(own.secrets)) {
      const content = fs.readFileSync(path.join(own.secrets, name), 'latin1');
      for (const hidden of [...HIDDEN, 'Shop']) assert.ok(!content.includes(hidden), `${hidden} is in ${name}`);
    }
    assert.ok(own.records().length > 0);
  });

  it('to the terminal: typing a secret and passphrases leaves none of them there', async () => {
    const imported = own.inTerminal(['import', 'typed']);
    await answer(imported, [/it is not shown\): /, SECRET], [/New passphrase: /, PASSPHRASE], [/The same again: /, PASSPHRASE]);
    assert.equal(await imported.exited, 0);
    const changed = own.inTerminal(['passphrase', 'typed']);
    await answer(changed, [/Passphrase for typed: /, PASSPHRASE], [/New passphrase: /, NEW], [/The same again: /, NEW]);
    assert.equal(await changed.exited, 0);
    for (const { output } of [imported, changed]) {
      for (const hidden of HIDDEN) assert.ok(!output().includes(hidden));
      assert.doesNotMatch(output().replaceAll(own.folder, ''), /\b\d{6,8}\b/);
    }
  });
});

function isCode(value: unknown): value is string {
  return typeof value === 'string' && /^\d{6}$/.test(value);
}

/** Waits for the first word of a command, which has its secrets by then. */
async function untilItSays(child: ChildProcess): Promise<void> {
  const heard: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => heard.push(chunk));
  for (let i = 0; heard.length === 0; i++) {
    assert.ok(i < 400, 'it never said anything');
    await sleep(50);
  }
}
