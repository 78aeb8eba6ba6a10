/** What stands in a command that somebody is told to run: each name and path from outside is one word of it, or is not in it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../src/doctor/finding.ts';
import { run } from '../support/process.ts';
import { haveHost } from '../support/host-lock.ts';
import { addUser, lacks, must, scratchFolder, serviceUser, SOURCE_NOTP, writeConfig, type TestUser } from '../support/world.ts';

/** As the name of a context, of a user or of a folder: a command of its own, where a shell reads it. */
const HOSTILE = 'x;touch${IFS}pwned;';
const OPTION = '--config=/tmp/x';
const QUOTED = /'[^' ]*touch[^' ]*'|"[^" ]*touch[^" ]*"/g;
const PROGRAM = /\b(?:notp-enroll|notp [a-z-]+|sudo|runuser|chown|chmod|rm|df|getent|systemctl) .*/g;
const NOBODY = 65_534;

/** Throws where a shell would run what was put into `advice`, a command alone or in a sentence. */
function assertWords(advice: string, folder: string): void {
  assert.doesNotMatch(advice.replaceAll(QUOTED, ''), /touch/, advice);
  const pwned = path.join(folder, 'pwned');
  spawnSync('/bin/sh', ['-c', advice], { cwd: folder, uid: NOBODY, gid: NOBODY, env: { PATH: path.join(folder, 'bin') }, timeout: 10_000 });
  assert.ok(!fs.existsSync(pwned), advice);
}

describe('advice', { skip: lacks({ root: true, programs: ['sqlite3', 'sshd', 'ssh-keygen'] }) }, () => {
  let shell: string;
  let folder: string;
  let config: string;
  let alice: TestUser;
  const notp = async (...words: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await run([...SOURCE_NOTP, ...words, '--config', config], { input: '' });
    return stdout + stderr;
  };
  const fixes = async (): Promise<string[]> => {
    const lines = (await notp('doctor', '--json')).split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => (JSON.parse(line) as Finding).fix);
  };

  before(async () => {
    haveHost('alone');
    serviceUser();
    shell = scratchFolder('advice-shell');
    fs.chmodSync(shell, 0o777);
    fs.mkdirSync(path.join(shell, 'bin'));
    fs.symlinkSync('/usr/bin/touch', path.join(shell, 'bin/touch'));
    folder = path.join(scratchFolder('advice'), HOSTILE);
    fs.mkdirSync(folder);
    config = writeConfig(folder);
    alice = addUser();
    await notp('host-key', 'init');
    await notp('enroll', '--user', alice.name, '--no-confirm', '--json');
    const columns = must(['sqlite3', path.join(folder, 'var/state.db'), "SELECT name FROM pragma_table_info('enrolment')"])
      .trim()
      .split('\n');
    const forge = (user: string, context: string): void => {
      const values = columns.map((name) => (name === 'user' ? `'${user}'` : name === 'context' ? `'${context}'` : `"${name}"`));
      const rows = `INSERT INTO enrolment SELECT ${values.join()} FROM enrolment WHERE user = '${alice.name}' AND context = 'ssh'`;
      must(['sqlite3', path.join(folder, 'var/state.db'), rows]);
    };
    for (const context of [HOSTILE, OPTION]) forge(alice.name, context);
    for (const user of [HOSTILE, OPTION]) forge(user, 'ssh');
  });

  it('of doctor for rows that the administrator of the database wrote has their names as words, and no option', async () => {
    const found = await fixes();
    const concerned = found.filter((fix) => fix.includes(HOSTILE));
    assert.ok(
      concerned.some((fix) => fix.startsWith(`notp-enroll ${alice.name} '${HOSTILE}'`)),
      found.join('\n'),
    );
    assert.ok(
      concerned.some((fix) => fix.endsWith(`notp revoke --user '${HOSTILE}'`)),
      found.join('\n'),
    );
    for (const fix of found) assertWords(fix, shell);
    assert.ok(found.every((fix) => !fix.includes(OPTION)));
  });

  it('of every command about such rows has their names as words, and no option', async () => {
    const commands = [
      ['status', '--user', alice.name],
      ['status', '--all'],
      ['status', HOSTILE, '--user', alice.name],
      ['status', '--user', HOSTILE],
      ['list', '--user', alice.name],
      ['list', '--all'],
      ['unlock', '--user', alice.name],
      ['unlock', '--user', HOSTILE],
      ['reseal', '--all'],
      ['reseal', '--user', alice.name],
      ['host-key', 'retire'],
      ['export', 'ssh', '--user', alice.name],
      ['recovery', '--user', alice.name],
      ['recovery', '--user', HOSTILE],
      ['verify', '--user', alice.name, '--code-stdin'],
      ['audit'],
      ['audit', 'verify'],
      ['enroll', '--user', alice.name, '--no-confirm'],
      ['enroll', '--user', HOSTILE, '--no-confirm'],
      ['enroll', HOSTILE, '--batch', '-'],
      ['import', '--from', 'google-authenticator', '--user', alice.name],
      ['setup', 'gate', '--user', alice.name],
      ['setup', 'gate', '--group', HOSTILE],
      ['revoke', '--user', alice.name],
      ['revoke', '--user', HOSTILE],
    ];
    let seen = 0;
    for (const words of commands) {
      const told = await notp(...words);
      const advice = [...told.matchAll(/^notp: hint: (.*)$|^ +run +(.*)$/gm)].map(([, hint, command]) => hint ?? command ?? '');
      for (const each of [...advice, ...(told.match(PROGRAM) ?? [])]) {
        assertWords(each, shell);
        assert.ok(!each.includes(OPTION) && !/[ =]-x/.test(each), `${words.join(' ')}: ${each}`);
        if (each.includes(HOSTILE)) seen++;
      }
    }
    assert.ok(seen >= 5, String(seen));
  });

  for (const [what, name, mode] of [
    ['the state', 'var/state.db', 0o644],
    ['the folder of the state', 'var', 0o777],
    ['the audit log', 'log/audit.log', 0o644],
    ['the folder of the log', 'log', 0o777],
    ['the host key', 'etc/host.key', 0o644],
    ['the folder of the host key', 'etc', 0o777],
    ['the configuration', 'notp.toml', 0o666],
    ['the folder of all', '.', 0o777],
  ] as const) {
    it(`has the path of ${what} as one word, where that has mode ${mode.toString(8)}`, async () => {
      const file = path.join(folder, name);
      const earlier = fs.statSync(file).mode & 0o7777;
      fs.chmodSync(file, mode);
      const told = [...(await fixes()), ...(await notp('status', '--all')).split('\n').filter((line) => line.startsWith('notp: hint: '))];
      fs.chmodSync(file, earlier);
      assert.ok(told.some((each) => each.includes(HOSTILE)));
      for (const each of told) assertWords(each.replace('notp: hint: ', ''), shell);
    });
  }
});
