/** After the gate: the shell is the one that sshd would have started, and nothing of notp is left. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { sleep } from '../support/process.ts';
import { startSshd, type Sshd } from '../support/sshd.ts';
import { runAs } from '../support/world.ts';
import {
  auditLines,
  gateSshd,
  NEEDS,
  newPerson,
  place,
  RECOMMENDED_SETENV,
  SEND_CODE,
  typePassphrase,
  type Person,
  type Place,
} from './gate-world.ts';

/** What differs between any two logins. */
const PER_LOGIN = /^(SSH_CLIENT|SSH_CONNECTION|SSH_TTY|SSH_USER_AUTH)=.*$/;

describe('the shell behind the gate is the one of a login without it', { skip: NEEDS }, () => {
  let where: Place;
  let gated: Sshd;
  let plain: Sshd;
  let person: Person;

  before(async () => {
    where = place('gate-shell');
    // Node.js raises its own limit of open files, and what it starts inherits that: here it is lower again.
    const program = path.join(where.folder, 'sshd-with-limits');
    fs.writeFileSync(program, '#!/bin/sh\numask 027\nulimit -Sn 1000\nexec /usr/sbin/sshd "$@"\n', { mode: 0o755 });
    gated = await gateSshd(where, { lines: [RECOMMENDED_SETENV], program });
    plain = await startSshd(where.folder, ['AcceptEnv LANG LC_*', 'ExposeAuthInfo yes', 'UsePAM no'], program);
    person = await newPerson(where, [gated, plain]);
  });

  /** What a command prints behind the gate and without it. */
  const both = async (command: string): Promise<[string, string]> => {
    const options = { environment: { ...person.variable(), LC_TIME: 'C' }, sshOptions: [...SEND_CODE, '-o', 'SendEnv=LC_TIME'] };
    const behind = await gated.ssh(person.user, [command], options);
    const without = await plain.ssh(person.user, [command], { ...options, environment: { LC_TIME: 'C' } });
    assert.equal(behind.stderr, '');
    assert.equal(without.stderr, '');
    return [behind.stdout, without.stdout];
  };

  it('gives a command the same environment, without the code and the blanks of the SetEnv line', async () => {
    const [behind, without] = (await both('env')).map(variables);
    assert.deepEqual(behind, without);
    assert.ok(behind?.includes('LC_TIME=C') === true && behind.includes('SSH_USER_AUTH=…'));
  });

  it('gives a login shell the same environment, its name with a dash, and its exit code', async () => {
    const [behind, without] = await Promise.all([loginEnvironment(gated, true), loginEnvironment(plain, false)]);
    assert.deepEqual(behind, without);
    assert.ok(behind.includes('argv0=-bash'));
    assert.ok(behind.includes('TERM=vt220'));
  });

  const loginEnvironment = async (sshd: Sshd, asks: boolean): Promise<string[]> => {
    const terminal = sshd.sshInTerminal(person.user, [], ['-t', '-o', 'SetEnv=TERM=vt220']);
    if (asks) {
      await typePassphrase(terminal);
      terminal.send(`${person.line().replace(/^.* /, '')}\r`);
    }
    await terminal.expect(/\$ /);
    const file = path.join(person.user.home, `environment-${String(sshd.port)}`);
    terminal.send(`(echo "argv0=$0"; env) > ${file}; exit 7\r`);
    assert.equal(await terminal.exited, 7);
    return variables(fs.readFileSync(file, 'utf8'));
  };

  it('leaves no descriptor non-blocking, on which a command would fail with EAGAIN', async () => {
    const command = 'grep -h flags /proc/self/fdinfo/[012]; head -c 1000000 /dev/zero | tr "\\0" x';
    const [behind, without] = await both(command);
    assert.equal(behind, without);
    assert.ok(behind.length > 1_000_000);
    assert.doesNotMatch(behind, /flags:\t0\d*4\d{3}\n/);
    const terminal = gated.sshInTerminal(person.user, ['grep flags /proc/self/fdinfo/[012]']);
    await typePassphrase(terminal);
    terminal.send(`${person.line().replace(/^.* /, '')}\r`);
    assert.equal(await terminal.exited, 0);
    assert.doesNotMatch(terminal.output(), /flags:\t0\d*4\d{3}\r/);
    assert.match(terminal.output(), /(?:\S+fdinfo\/\d:flags:\t0\d*2\r\n){3}/);
  });

  it('gives it the same signals, limits, umask, priorities and open files', async () => {
    const command =
      'grep -E "^Sig(Ign|Blk|Cgt)" /proc/self/status; ulimit -Sa; ulimit -Ha; umask; nice; cat /proc/self/oom_score_adj; ls /proc/self/fd; pwd; grep flags /proc/self/fdinfo/[012]';
    const [behind, without] = await both(command);
    assert.equal(behind, without);
    assert.match(behind, /SigBlk:\t0{16}\nSigIgn:\t0{16}/);
    assert.match(behind, /open files +\(-n\) 1000\n/);
    assert.match(behind, /^0027$/m);
  });

  it('passes on the exit code of a command, and the signal that ended it', async () => {
    for (const command of ['exit 42', 'kill -9 $$', 'kill -PIPE $$', 'no-such-program']) {
      const behind = await gated.ssh(person.user, [command], { environment: person.variable(), sshOptions: SEND_CODE });
      const without = await plain.ssh(person.user, [command]);
      assert.deepEqual({ ...behind, stdout: '' }, { ...without, stdout: '' }, command);
    }
    const { code } = await gated.ssh(person.user, ['exit 42'], { environment: person.variable(), sshOptions: SEND_CODE });
    assert.equal(code, 42);
  });

  it('leaves no process of notp while the shell runs', async () => {
    const command = 'sleep 60 & echo started; read line; echo "got <$line>"';
    const terminal = gated.sshInTerminal(person.user, [command]);
    await typePassphrase(terminal);
    terminal.send(`${person.line().replace(/^.* /, '')}\r`);
    await terminal.expect(/started/);
    const left = ['bash', 'sleep', 'sshd'];
    // What is to become `sleep` is a second shell at first.
    for (const deadline = Date.now() + 5000; !isDeepStrictEqual(processesOf(person.user.uid), left) && Date.now() < deadline;)
      await sleep(20);
    assert.deepEqual(processesOf(person.user.uid), left);
    terminal.send('hello\r');
    await terminal.expect(/got <hello>/);
    assert.equal(await terminal.exited, 0);
  });

  it('is /bin/sh for who has that', async () => {
    const { user, variable } = await newPerson(where, [gated], '/bin/sh');
    const { stdout } = await gated.ssh(user, ['echo "$0 ${BASH_VERSION:-none}"'], { environment: variable(), sshOptions: SEND_CODE });
    assert.equal(stdout, 'sh none\n');
  });

  it('ran another command than the one that was asked for, where it had bytes that are no UTF-8', async () => {
    const script = `SSH_ORIGINAL_COMMAND=$(printf 'touch other-\\377') exec "$0" gate`;
    const { code, stderr } = await runAs(person.user, ['sh', '-c', script, where.notp], { environment: person.variable() });
    assert.equal(code, 1);
    assert.match(stderr, /the command has bytes that are no UTF-8/);
    assert.deepEqual(
      fs.readdirSync(person.user.home).filter((name) => name.startsWith('other-')),
      [],
    );
    assert.equal(auditLines(person.user).at(-1)?.reason, 'not_permitted');
  });

  it('is said to be missing where the passwd entry names none that can be run', async () => {
    const { user, variable } = await newPerson(where, [gated], '/nonexistent/shell');
    const { code, stdout, stderr } = await runAs(user, [where.notp, 'gate'], { environment: variable() });
    assert.equal(code, 3);
    assert.equal(stdout, '');
    assert.match(stderr, /^notp: error: \/nonexistent\/shell: the login shell cannot be run\nnotp: hint: .+\n$/);
    // sshd itself refuses before that.
    assert.equal((await gated.ssh(user, ['true'])).code, 255);
  });
});

/** The lines of env(1), sorted, with what differs from login to login blanked. */
function variables(output: string): string[] {
  const lines = output.trimEnd().split('\n');
  return lines.map((line) => line.replace(PER_LOGIN, '$1=…')).toSorted();
}

/** The names of the processes that run as `uid`, sorted. */
function processesOf(uid: number): string[] {
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const ours = pids.filter((pid) => {
    const status = readIfThere(`/proc/${pid}/status`);
    return status.includes(`\nUid:\t${String(uid)}\t`) && !status.includes('\nState:\tZ');
  });
  return ours.map((pid) => readIfThere(`/proc/${pid}/comm`).trim()).toSorted();
}

function readIfThere(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
