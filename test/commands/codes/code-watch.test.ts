/** `notp code --watch` in a pipe: a line for each step, until a signal ends it. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { sleep } from '../../support/process.ts';
import { lacks, SOURCE_NOTP } from '../../support/world.ts';
import { assertRefused, codeBy, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';

const KIND = ['--totp', '--time-step-size=15s'];

interface Watching {
  readonly child: ChildProcess;
  /** The lines so far, each with the time when it came. */
  readonly lines: readonly { readonly text: string; readonly ms: number }[];
  readonly errors: () => string;
  readonly exited: Promise<number | null>;
}

describe('watching codes in a pipe', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('code-watch');
    assert.equal((await own.import('short', SECRET, ['--period', '15'])).code, 0);
    assert.equal((await own.import('counted', `otpauth://hotp/a?secret=${SECRET}`)).code, 0);
  });

  function watch(more: readonly string[] = []): Watching {
    const words = ['code', 'short', '--watch', '--config', own.config, '--passphrase-file', own.passphraseFile, ...more];
    const child = spawn(SOURCE_NOTP[0] ?? '', [...SOURCE_NOTP.slice(1), ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: { text: string; ms: number }[] = [];
    const errors: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      for (const text of chunk.toString().split('\n').slice(0, -1)) lines.push({ text, ms: Date.now() });
    });
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, lines, exited, errors: () => Buffer.concat(errors).toString() };
  }

  it('prints each code when its step begins, as oathtool makes it, and ends with 0 at SIGINT and SIGTERM', async () => {
    const plain = watch();
    const json = watch(['--json']);
    await untilLines(plain, 2);
    await untilLines(json, 2);
    plain.child.kill('SIGINT');
    json.child.kill('SIGTERM');
    assert.equal(await plain.exited, 0);
    assert.equal(await json.exited, 0);
    assert.equal(plain.errors() + json.errors(), '');
    const [first, second, ...more] = plain.lines;
    assert.ok(first !== undefined && second !== undefined && more.length === 0);
    assert.equal(first.text, codeBy(SECRET, second.ms - 15_000, KIND), 'a step was left out');
    assert.equal(second.text, codeBy(SECRET, second.ms, KIND));
    const objects = json.lines.map(({ text }) => JSON.parse(text) as Record<string, unknown>);
    assert.equal(objects[1]?.['code'], second.text);
    assert.equal(objects[0]?.['next'], second.text);
    assert.ok(Number(objects[1]['valid_seconds']) >= 14);
  });

  it('is wrong usage for a counted secret, and beside --once', async () => {
    assertRefused(await own.opening(['code', 'counted', '--watch']), 2, /cannot be watched/);
    assertRefused(await own.opening(['code', 'short', '--watch', '--once']), 2, /'--once'.*'--watch'|'--watch'.*'--once'/);
  });
});

async function untilLines({ lines, errors }: Watching, count: number): Promise<void> {
  for (let i = 0; lines.length < count; i++) {
    assert.ok(i < 500, `waited for ${String(count)} lines in vain: ${errors()}`);
    await sleep(100);
  }
}
