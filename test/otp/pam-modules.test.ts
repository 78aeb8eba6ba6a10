/** Files that the real google-authenticator wrote, and that real logins through its module and pam_oath changed, are read as they are. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { codeAt, stepAt } from '../../src/otp/code.ts';
import { parseGoogleAuthenticator, type GoogleAuthenticatorFile } from '../../src/otp/pam-google-authenticator.ts';
import { parsePamOath, type PamOathToken } from '../../src/otp/pam-oath.ts';
import type { Credential } from '../../src/otp/uri.ts';
import { atEnd } from '../support/cleanup.ts';
import { run } from '../support/process.ts';
import { lacks, must, scratchFolder, untilFreshStep } from '../support/world.ts';

/** A module of PAM is no program; a shell finds it by its path all the same. */
const PAM_OATH = '/usr/lib/$(uname -m)-linux-gnu/security/pam_oath.so';

const folder = scratchFolder('pam-modules');

/** Whether PAM lets root in by `line` and the typed `answer`. */
type Login = (answer: string) => Promise<boolean>;

function loginThrough(line: string): Login {
  const name = `notp-t${randomBytes(4).toString('hex')}`;
  const file = `/etc/pam.d/${name}`;
  fs.writeFileSync(file, `auth required ${line}\n`);
  atEnd(() => {
    fs.rmSync(file, { force: true });
  });
  return async (answer) => (await run(['pamtester', name, 'root', 'authenticate'], { input: `${answer}\n` })).code === 0;
}

/** The code that is `steps` after the next one, by the counter, or after the current one, by the clock. */
function codeOf(credential: Credential, steps = 0): string {
  const moving = credential.type === 'hotp' ? credential.counter : stepAt(Date.now(), credential.periodSeconds);
  return codeAt(credential.secret, moving + steps, credential);
}

/** Runs the tool with `options`; the file that it wrote can be read, and used to log in. */
const enrol = (...options: readonly string[]): { read: () => GoogleAuthenticatorFile; login: Login } => {
  const file = path.join(folder, randomBytes(4).toString('hex'));
  must(['google-authenticator', ...options, '--force', '--quiet', '--no-confirm', `--secret=${file}`]);
  const read = (): GoogleAuthenticatorFile => parseGoogleAuthenticator(fs.readFileSync(file, 'utf8'), Date.now());
  return { read, login: loginThrough(`pam_google_authenticator.so secret=${file} user=root no_strict_owner`) };
};

const key = randomBytes(20).toString('hex');
/** The same of a users file with `lines`. */
const users = (...lines: readonly string[]): { read: () => readonly PamOathToken[]; login: Login } => {
  const file = path.join(folder, `${randomBytes(4).toString('hex')}.oath`);
  fs.writeFileSync(file, `# tokens\r\n\r\n${lines.map((line) => `${line}\n`).join('')}`, { mode: 0o600 });
  const read = (): readonly PamOathToken[] => {
    const { tokens, mistakes } = parsePamOath(fs.readFileSync(file, 'utf8'), Date.now());
    assert.deepEqual(mistakes, []);
    return tokens;
  };
  return { read, login: loginThrough(`pam_oath.so usersfile=${file} window=20`) };
};

/** Of the next code of each token. */
const counters = (tokens: readonly PamOathToken[]): unknown =>
  tokens.map(({ credential }) => credential.type === 'hotp' && credential.counter);

describe('google-authenticator', { skip: lacks({ root: true, programs: ['google-authenticator', 'pamtester'] }) }, () => {
  it('writes files of every kind that are read', () => {
    const usual = enrol('-t', '-d', '-r', '3', '-R', '30', '-w', '3', '-e', '5').read();
    assert.equal(usual.credential.type, 'totp');
    assert.deepEqual([usual.emergency.length, usual.lastStep], [5, undefined]);
    assert.deepEqual(usual.notes, ['RATE_LIMIT is not carried over: notp has its own guess budget']);
    const slow = enrol('-t', '-D', '-u', '-S', '60', '-w', '17', '-e', '10').read();
    assert.equal(slow.credential.type === 'totp' && slow.credential.periodSeconds, 60);
    assert.deepEqual([slow.emergency.length, slow.notes.length], [10, 2]);
    const counted = enrol('-c', '-u', '-W', '-e', '0').read();
    assert.equal(counted.credential.type === 'hotp' && counted.credential.counter, 1);
    assert.deepEqual(counted.emergency, []);
  });

  it('remembers the step of each code that let in, also of one ahead of the clock', async () => {
    const { read, login } = enrol('-t', '-d', '-u', '-w', '17', '-e', '1');
    await untilFreshStep();
    const { credential } = read();
    const now = stepAt(Date.now(), 30);
    assert.equal(await login(codeOf(credential)), true);
    assert.equal(read().lastStep, now);
    assert.equal(await login(codeOf(credential, 3)), true);
    assert.equal(read().lastStep, now + 3);
    assert.equal(await login(codeOf(credential, -1)), true, 'an older code still lets in there');
    assert.equal(read().lastStep, now + 3);
  });

  it('takes a spent emergency code out of the file', async () => {
    const { read, login } = enrol('-t', '-d', '-u', '-w', '3', '-e', '3');
    const [first = '', spent = '', last = ''] = read().emergency;
    assert.equal(await login(spent), true);
    assert.deepEqual(read().emergency, [first, last]);
    assert.equal(await login(spent), false);
  });

  it('keeps the counter of the next code, and moves it on for a wrong one too', async () => {
    const { read, login } = enrol('-c', '-u', '-w', '5', '-e', '0');
    const counter = (): number | false => {
      const { credential } = read();
      return credential.type === 'hotp' && credential.counter;
    };
    const code = codeOf(read().credential, 3);
    assert.equal(await login(code), true);
    assert.equal(counter(), 5);
    assert.equal(await login(code), false);
    assert.equal(counter(), 6);
    assert.equal(await login(codeOf(read().credential)), true);
    assert.equal(counter(), 7);
  });
});

describe('pam_oath', { skip: lacks({ root: true, programs: [PAM_OATH, 'pamtester'] }) }, () => {
  it('keeps the counter of the code that let in, and the next one is read', async () => {
    const { read, login } = users(`HOTP/E/8 root - ${key}`);
    const credential = read()[0]?.credential as Credential;
    assert.deepEqual(counters(read()), [0]);
    assert.equal(await login(codeOf(credential)), true);
    assert.deepEqual(counters(read()), [1]);
    assert.equal(await login(codeOf(credential, 4)), true);
    assert.deepEqual(counters(read()), [5]);
    assert.equal(await login(codeOf(credential, 4)), false);
    assert.deepEqual(counters(read()), [5]);
    assert.equal(await login(codeOf(credential, 5)), true);
    assert.deepEqual(counters(read()), [6]);
  });

  it('keeps no step of a code by the clock, and the step is found', async () => {
    for (const type of ['HOTP/T30', 'HOTP/T60/8']) {
      const { read, login } = users(`${type} root - ${key}`);
      await untilFreshStep();
      const credential = read()[0]?.credential as Credential;
      const now = stepAt(Date.now(), type === 'HOTP/T30' ? 30 : 60);
      assert.equal(read()[0]?.lastStep, undefined);
      assert.equal(await login(codeOf(credential)), true);
      assert.equal(read()[0]?.lastStep, now);
      assert.equal(await login(codeOf(credential, 7)), true);
      assert.equal(read()[0]?.lastStep, now + 7);
    }
  });

  it('finds the token of a user who has several', async () => {
    const other = randomBytes(20).toString('hex');
    const { read, login } = users(`HOTP root - ${key} 9`, `HOTP daemon - ${key} 9`, `HOTP root - ${other} 30`);
    assert.equal(await login(codeOf(read()[2]?.credential as Credential)), true);
    assert.deepEqual(counters(read()), [9, 9, 31]);
  });
});
