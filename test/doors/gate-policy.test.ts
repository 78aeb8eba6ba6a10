/** What the configuration says about the gate, and what happens where something that it needs is missing. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Sshd } from '../support/sshd.ts';
import { ROOT, type Ran } from '../support/process.ts';
import { addUser, oathCode, secretShown, type TestUser } from '../support/world.ts';
import {
  auditLines,
  type AuditLine,
  authorizeAll,
  gateSshd,
  NEEDS,
  newPerson,
  PASSPHRASE,
  place,
  SEND_CODE,
  typePassphrase,
  type Person,
  type Place,
} from './gate-world.ts';

describe('the gate does what the configuration says', { skip: NEEDS }, () => {
  let where: Place;
  let sshd: Sshd;
  let person: Person;
  let stranger: TestUser;

  before(async () => {
    where = place('gate-policy');
    sshd = await gateSshd(where, { words: `--config ${where.folder}/notp.toml` });
    configure();
    person = await newPerson(where, [sshd]);
    stranger = addUser();
    authorizeAll(stranger, [sshd]);
  });

  /** Every user's state and log in their own home, and nowhere else. */
  const configure = ({ top = '', gate = '' } = {}): void => {
    const own = '[store]\nurl = "user"\n[audit]\njournal = false\n';
    fs.writeFileSync(path.join(where.folder, 'notp.toml'), `${top}\n${own}[gate]\n${gate}\n`);
  };
  const enter = async (user: TestUser, environment: NodeJS.ProcessEnv = {}): Promise<Ran> =>
    await sshd.ssh(user, ['echo in'], { environment, sshOptions: SEND_CODE });

  it('ends after the time-out at every prompt, and says so', async () => {
    configure({ gate: 'timeout = "2s"' });
    for (const prompt of ['passphrase', 'code', 'line']) {
      const terminal = sshd.sshInTerminal(person.user, ['echo', 'in'], prompt === 'line' ? ['-T'] : ['-t']);
      if (prompt === 'code') await typePassphrase(terminal);
      await terminal.expect(/notp: error: no answer in time \(ref [0-9a-f]{8}\)/);
      assert.equal(await terminal.exited, 1);
      assert.equal(lastDecision(person.user).reason, 'timeout');
      assert.doesNotMatch(terminal.output(), /^in/m);
    }
  });

  it('asks in the words that it has', async () => {
    configure({ gate: 'prompt = "Verification code: "' });
    const terminal = sshd.sshInTerminal(person.user, ['echo', 'in']);
    await terminal.expect(/Passphrase: /);
    terminal.send(`${PASSPHRASE}\r`);
    await terminal.expect(/^Verification code: /m);
    terminal.send('\x03');
    assert.equal(await terminal.exited, 1);
  });

  it('tells after a login what was refused before, unless it is not to', async () => {
    const wrong = { LC_NOTP: `${PASSPHRASE} 000000` };
    for (const [top, line] of [
      ['', /^notp: 2 refused tries since \w{3} \d{4}-\d\d-\d\d \d\d:\d\d, last from 127\.0\.0\.1; notp audit shows them$/m],
      ['notices = false', undefined],
    ] as const) {
      configure({ top });
      const fresh = await newPerson(where, [sshd]);
      assert.equal((await enter(fresh.user, wrong)).stdout + (await enter(fresh.user, wrong)).stdout, '');
      const { stdout, stderr } = await enter(fresh.user, fresh.variable());
      assert.equal(stdout, 'in\n');
      if (line === undefined) assert.doesNotMatch(stderr, /refused tr/);
      else assert.match(stderr, line);
      assert.doesNotMatch((await enter(fresh.user, fresh.variable())).stderr, /refused tr/, 'once');
    }
  });

  it('gives as many tries as it allows', async () => {
    configure({ gate: 'tries = 1' });
    const terminal = sshd.sshInTerminal(person.user, ['true']);
    await typePassphrase(terminal);
    terminal.send(`${oathCode(person.enrolled.secret, { offsetSeconds: 3000 })}\r`);
    await terminal.expect(/code not accepted/);
    assert.equal(await terminal.exited, 1);
  });

  it('refuses who is not enrolled, with a hint', async () => {
    configure();
    const { code, stdout, stderr } = await enter(stranger);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^notp: error: not enrolled for one-time codes \(ref [0-9a-f]{8}\)\nnotp: hint: ask an administrator to run notp-enroll/,
    );
  });

  it('lets who is not enrolled in where it says so, but not without a record', async () => {
    configure({ top: 'rule = [{ ask = "code", enrol_by = 2099-01-01 }]' });
    // A file where the folder of the log would be.
    const inTheWay = path.join(stranger.home, '.notp');
    fs.rmSync(inTheWay, { recursive: true, force: true });
    fs.writeFileSync(inTheWay, '');
    const unrecorded = await enter(stranger);
    assert.equal(unrecorded.code, 1);
    assert.doesNotMatch(unrecorded.stdout, /in/);
    fs.rmSync(inTheWay);
    const { stdout, stderr } = await enter(stranger);
    assert.deepEqual({ stdout, stderr }, { stdout: 'in\n', stderr: '' });
    assert.equal(lastDecision(stranger).method, 'unenrolled');
    const terminal = sshd.sshInTerminal(stranger, ['echo', 'in']);
    await terminal.expect(/^notp: until Fri 2099-01-02 \d\d:\d\d you get in without a code; enrol before then/m);
    assert.equal(await terminal.exited, 0);
    // Who is enrolled is asked all the same.
    assert.equal((await enter(person.user)).code, 1);
    assert.equal(lastDecision(person.user).reason, 'no_proof');
  });

  it('lets who is not enrolled enrol at the gate where it says so, and then asks for a code of it', async () => {
    configure({ top: 'unenrolled = "enroll"' });
    const newcomer = addUser();
    authorizeAll(newcomer, [sshd]);
    const { code, stdout, stderr } = await enter(newcomer);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
    assert.match(stderr, /notp: hint: log in with a terminal once/);
    const terminal = sshd.sshInTerminal(newcomer, ['echo', 'in']);
    await terminal.expect(/New passphrase: /);
    terminal.send('correct horse\r');
    await terminal.expect(/The same again: /);
    terminal.send('correct horse\r');
    const secret = await secretShown(terminal);
    for (const question of [/One-time code: /, /Passphrase: /, /One-time code: /]) {
      await terminal.expect(question);
      terminal.send(question.source.startsWith('Pass') ? 'correct horse\r' : `${oathCode(secret)}\r`);
    }
    await terminal.expect(/^in/m);
    assert.equal(await terminal.exited, 0);
    assert.equal(lastDecision(newcomer).method, 'totp');
  });

  it('refuses everybody, with a record, where it is broken', async () => {
    configure({ top: 'unenroled = "allow"' });
    for (const user of [person.user, stranger]) {
      const { code, stdout, stderr } = await enter(user, person.variable());
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /notp: error: the configuration cannot be used.*\nnotp: hint: /);
      assert.equal(lastDecision(user).reason, 'bad_configuration');
      assert.match(String(lastDecision(user).detail), /notp\.toml:1: unknown key "unenroled"/);
    }
  });

  it('refuses a host-sealed secret and says that the service is missing, also where strangers get in', async () => {
    configure({ top: 'rule = [{ ask = "code", enrol_by = 2099-01-01 }]' });
    const sealed = JSON.parse(fs.readFileSync(path.join(ROOT, 'test/vectors/sealed-host.json'), 'utf8')) as object;
    const file = path.join(secretsFolderOf(stranger), 'ssh');
    fs.writeFileSync(file, `${JSON.stringify({ ...sealed, user: stranger.name, context: 'ssh' }, undefined, 2)}\n`, { mode: 0o600 });
    fs.chownSync(file, stranger.uid, stranger.gid);
    const { code, stdout, stderr } = await enter(stranger, { LC_NOTP: '123456' });
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /notp: error: the login state cannot be reached: .*sealed by the host.*service/);
    assert.equal(lastDecision(stranger).reason, 'store_unavailable');
  });
});

function lastDecision(user: TestUser): Partial<AuditLine> {
  return auditLines(user).findLast(({ event }) => event.startsWith('login.')) ?? {};
}

function secretsFolderOf(user: TestUser): string {
  const folder = path.join(user.home, '.notp');
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  fs.chownSync(folder, user.uid, user.gid);
  return folder;
}
