/** An enrolment whose result cannot be handed over fails, and leaves the earlier one working. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../../support/process.ts';
import { SOURCE_NOTP, type Enrolled } from '../../support/world.ts';
import { ownState, type OwnState } from '../own-state.ts';

const REPLACE = ['enroll', '--seal', 'passphrase', '--no-confirm', '--replace', '--json'];

describe('a result that nobody takes', () => {
  let own: OwnState;
  let enrolled: Enrolled;
  let next = 0;
  before(async () => {
    own = ownState('epipe');
    enrolled = await own.enrol();
  });
  /** Runs a shell command in which "$@" is an enrolment that replaces the first one. */
  const inShell = (script: string, words: readonly string[] = []): Promise<Ran> =>
    run([
      'bash',
      '-c',
      script,
      'bash',
      ...SOURCE_NOTP,
      ...REPLACE,
      '--config',
      own.config,
      '--passphrase-file',
      own.passphraseFile,
      ...words,
    ]);
  const oldStillWorks = async (): Promise<void> => {
    assert.equal((await own.verify(enrolled.recovery[next++] ?? '')).code, 0, 'the old enrolment does not work any more');
  };

  for (const [what, script, words] of [
    ['a closed pipe', '"$@" > >(exec true); exit $?', []],
    ['a pipe that closes before JSON', 'exec 3> >(exec true); sleep 0.2; exec "$@" >&3', []],
    ['a full device', 'exec "$@" >/dev/full', []],
    ['a full device, with the drawing', 'exec "$@" >/dev/full', ['--qr', 'unicode']],
  ] as const) {
    it(`into ${what} is a failure that leaves the old enrolment working`, async () => {
      const { code, stderr } = await inShell(script, words);
      assert.equal(code, 3, stderr);
      assert.match(
        stderr,
        /notp: error: .*the result cannot be written to stdout: (broken pipe \(EPIPE\)|no space left on device \(ENOSPC\))/,
      );
      assert.doesNotMatch(stderr, /internal error|\n {4}at /);
      await oldStillWorks();
      assert.deepEqual(fs.readdirSync(own.secrets).toSorted(), ['.audit.log', '.state.db', '.state.db-journal', 'ssh']);
    });
  }

  it('is recorded as an enrolment that failed', () => {
    assert.ok(own.records().some(({ event, result }) => event === 'enroll.failed' && result === 'failed'));
  });

  it('does not matter to what is said: with a closed stderr the enrolment is made', async () => {
    const { code, stdout } = await inShell('exec "$@" 2> >(exec true)');
    assert.equal(code, 0);
    assert.equal((await own.verify((JSON.parse(stdout) as Enrolled).recovery[0] ?? '')).code, 0);
  });

  it('with descriptors 0, 1 and 2 closed writes into no file of its own', async () => {
    const { code } = await inShell('exec "$@" <&- >&- 2>&-');
    assert.ok(code === 0 || code === 3, String(code));
    const files = fs.readdirSync(own.secrets).map((name) => fs.readFileSync(path.join(own.secrets, name), 'latin1'));
    for (const content of files) assert.doesNotMatch(content, /otpauth/);
    const { recovery } = await own.enrol();
    assert.equal((await own.verify(recovery[0] ?? '')).code, 0);
  });
});
