/** `notp doctor` as a person and a script meet it: screens of every width, colours, JSON, exit codes, and what it says without root. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/doctor.ts';
import { run, runInTerminal, type Ran } from '../../support/process.ts';
import { haveHost } from '../../support/host-lock.ts';
import {
  addUser,
  installTree,
  lacks,
  must,
  runAs,
  scratchFolder,
  serviceUser,
  SOURCE_NOTP,
  writeConfig,
  type TestUser,
} from '../../support/world.ts';
import { example } from '../../doctor/sshd/sshd-world.ts';

const ESCAPE = '\x1b';
const COLOUR = new RegExp(`${ESCAPE}\\[[\\d;]+m`);
const PROGRESS = new RegExp(`\\r[^\\n]*${ESCAPE}\\[J`, 'g');

function findings({ stdout }: Ran): Finding[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Finding);
}

describe('notp doctor', { skip: lacks({ root: true, programs: ['sshd', 'ssh-keygen', 'python3', 'setpriv'] }) }, () => {
  let folder: string;
  let notp: string;
  let config: string;
  let alice: TestUser;
  let recommended: string;
  let open: string;

  const write = (name: string, text: string): string => {
    const file = path.join(folder, name);
    fs.writeFileSync(file, `HostKey ${folder}/host\n${text}`);
    return file;
  };
  const doctor = async (sshdConfig: string, ...words: readonly string[]): Promise<Ran> =>
    await run([...SOURCE_NOTP, 'doctor', '--config', config, '--sshd-config', sshdConfig, ...words]);
  const screen = async (columns: number, environment: NodeJS.ProcessEnv, sshdConfig = open): Promise<string> => {
    const words = [...SOURCE_NOTP, 'doctor', '--config', config, '--sshd-config', sshdConfig];
    const terminal = runInTerminal(words, {
      columns,
      environment: { LC_ALL: 'C.UTF-8', TERM: 'xterm-256color', NO_COLOR: '', ...environment },
    });
    await terminal.exited;
    return terminal.output();
  };

  /** Runs with a folder of that size for its answer, which something else fills, and lists it on stderr. */
  const changes = async (size: string): Promise<Ran> => {
    const kept = '/var/lib/notp-doctor';
    const mounts = [`mount -t tmpfs none /var/lib && mkdir -m 700 ${kept} && mount -t tmpfs -o size=${size},mode=700 none ${kept}`];
    const inside = [
      ...mounts,
      `(head -c 100000 /dev/zero > ${kept}/other || true) 2> /dev/null`,
      '"$@"',
      'code=$?',
      `ls -A ${kept} >&2; exit $code`,
    ];
    const words = [...SOURCE_NOTP, 'doctor', '--changes', '--json', '--config', config];
    return await run(['unshare', '--mount', 'sh', '-c', inside.join('\n'), 'sh', ...words], { timeoutMs: 120_000 });
  };
  const records = async (): Promise<number> =>
    (await run([...SOURCE_NOTP, 'audit', '--json', '--config', config])).stdout.split('"doctor.changed"').length - 1;
  const asAlice = async (...words: readonly string[]): Promise<Ran> => await runAs(alice, [notp, 'doctor', ...words]);
  const own = (): string => {
    const file = path.join(alice.home, 'notp.toml');
    fs.writeFileSync(file, '[store]\nurl = "user"\n', { mode: 0o600 });
    fs.chownSync(file, alice.uid, alice.gid);
    return file;
  };

  before(async () => {
    folder = scratchFolder('doctor');
    notp = installTree(folder);
    haveHost('alone');
    serviceUser();
    alice = addUser();
    fs.mkdirSync('/run/sshd', { recursive: true });
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.join(folder, 'host')]);
    config = writeConfig(folder, { top: `socket = "${folder}/run/%U.sock"` });
    recommended = write('recommended', example('gate').replace('/usr/bin/notp gate', `${notp} gate --config ${config}`));
    open = write('open', `ForceCommand ${notp} gate --config ${config}\n`);
    for (const words of [
      ['host-key', 'init'],
      ['enroll', '--user', alice.name, '--no-confirm', '--json'],
    ])
      assert.equal((await run([...SOURCE_NOTP, ...words, '--config', config])).code, 0);
  });

  it('prints one object for each check with --json, the ones in order too, and exits 1 where any fails', async () => {
    const ran = await doctor(open, '--json');
    const found = findings(ran);
    assert.equal(ran.code, 1, ran.stderr);
    for (const finding of found) {
      assert.deepEqual(
        Object.keys(finding)
          .filter((key) => key !== 'user')
          .toSorted(),
        ['detail', 'fix', 'id', 'severity', 'title'],
      );
      assert.ok(finding.severity === 'ok' || finding.title !== '', JSON.stringify(finding));
    }
    const order = ['fail', 'warn', 'info', 'ok'];
    const severities = found.map(({ severity }) => order.indexOf(severity));
    assert.deepEqual(
      severities,
      severities.toSorted((a, b) => a - b),
    );
    assert.deepEqual(
      found.filter(({ id }) => id === 'FC3').map(({ user }) => user),
      [alice.name, 'root'],
    );
  });

  it('is no clean output with --json where it could not run at all: a script that looks for failures found none', async () => {
    fs.writeFileSync(path.join(folder, 'broken.toml'), 'foo = 1\n');
    const ran = await run([...SOURCE_NOTP, 'doctor', '--json', '--config', path.join(folder, 'broken.toml')]);
    assert.equal(ran.code, 3);
    assert.deepEqual(
      findings(ran).map(({ id, severity, detail }) => [id, severity, detail]),
      [['doctor', 'fail', `${folder}/broken.toml:1: unknown key "foo"`]],
    );
    assert.match(ran.stderr, /unknown key/);
  });

  it('finds no way around the recommended gate, and tries it', async () => {
    const ran = await doctor(recommended, '--json');
    const failed = findings(ran).filter(({ severity, id }) => severity === 'fail' && !id.startsWith('service-'));
    // The PAM file of this host is that of its distribution, which notp setup gate would mend.
    const stock = /^\s*session.*user_readenv=1/m.test(fs.readFileSync('/etc/pam.d/sshd', 'utf8')) ? ['FC12'] : [];
    assert.deepEqual(
      failed.map(({ id }) => id),
      stock,
    );
    assert.equal(findings(ran).find(({ id }) => id === 'FC17')?.severity, 'ok');
  });

  it('looks at the users that are named, and at no other', async () => {
    const users = findings(await doctor(open, '--json', '--user', alice.name)).flatMap(({ user }) => user ?? []);
    assert.deepEqual([...new Set(users)], [alice.name]);
    const { code, stderr } = await doctor(open, '--user', 'no-such-user');
    assert.deepEqual([code, /there is no user "no-such-user"/.test(stderr)], [2, true]);
  });

  it('folds what is wrong with several users into one, and names them', async () => {
    const { code, stdout, stderr } = await doctor(open);
    const said = `exit code ${String(code)}: ${stderr}${stdout}`;
    assert.equal(stdout.match(/\[FC10\]/g)?.length, 1, said);
    assert.match(stdout, new RegExp(`\\[FC10\\]\n +2 users: ${alice.name}, root\n`), said);
  });

  for (const columns of [80, 40]) {
    it(`fits a terminal of ${String(columns)} columns, whole words that are paths aside`, async () => {
      const output = (await screen(columns, { NO_COLOR: '1' })).replace(PROGRESS, '');
      const lines = output.split(/\r?\n/);
      const long = lines.filter(
        (line) => line.length > columns && line.trim().includes(' ') && !line.startsWith('notp: hint') && !/^ *(fix: )?\S+$/.test(line),
      );
      assert.deepEqual(long, []);
      assert.match(output, /fail {2}/);
    });
  }

  it('has colours on a terminal alone: not with NO_COLOR, not on a dumb one, not in a pipe', async () => {
    assert.match(await screen(80, {}), COLOUR);
    assert.doesNotMatch(await screen(80, { NO_COLOR: '1' }), COLOUR);
    assert.ok(!(await screen(80, { TERM: 'dumb' })).includes(ESCAPE));
    const piped = await doctor(open);
    assert.ok(![ESCAPE, '\r'].some((control) => (piped.stdout + piped.stderr).includes(control)));
  });

  it('shows how far it is on a terminal, and leaves nothing of it', async () => {
    const output = await screen(80, { NO_COLOR: '1' });
    assert.match(output, /Reading the enrolments.*\[ +\] 0\/(\d+) Asking sshd.*\[[#█]+\] \1\/\1 Asking sshd/s);
    assert.ok(output.includes(`\r${ESCAPE}[Jfail`));
  });

  it('says that a broken configuration is broken, with what sshd says', async () => {
    const ran = await doctor(write('broken', 'ForceCommand\n'), '--json');
    const [found] = findings(ran).filter(({ id }) => id === 'sshd-config');
    assert.equal(ran.code, 1);
    assert.match(found?.detail ?? '', /ForceCommand|missing argument/i);
  });

  it('exits 3 where sshd cannot be looked at', async () => {
    const { code, stdout } = await doctor(path.join(folder, 'none'), '--json');
    assert.deepEqual([code, stdout.includes('sshd-unseen')], [3, true]);
  });

  it('keeps no answer about some users or about a draft of sshd_config', async () => {
    for (const words of [
      ['--user', 'root'],
      ['--sshd-config', open],
    ]) {
      const { code, stderr } = await run([...SOURCE_NOTP, 'doctor', '--changes', '--config', config, ...words]);
      assert.deepEqual([code, stderr.includes(`option '--changes' cannot be used with option '${words[0] ?? ''}`)], [2, true], stderr);
    }
  });

  it(
    'recorded everything anew at each run where there was no room for its answer',
    { skip: lacks({ programs: ['unshare', 'mount'] }) },
    async () => {
      const full = await changes('16k');
      assert.deepEqual([full.code, full.stdout, await records()], [3, '', 0], full.stderr);
      assert.match(full.stderr, /ENOSPC[^\n]*\nnotp: hint: nothing was changed; free some space or fix the folder\nother\n$/);
      const { stderr } = await changes('1m');
      assert.match(stderr, /(?:^|\n)answer\n/);
      assert.equal(await records(), 1);
    },
  );

  describe('without root', () => {
    it('keeps no answer', async () => {
      const { code, stdout, stderr } = await asAlice('--config', own(), '--changes');
      assert.deepEqual([code, stdout, /only root can keep the answer of doctor/.test(stderr)], [1, '', true], stderr);
    });

    it('judges the configuration with a throw-away host key, for oneself alone, and says what was not seen', async () => {
      fs.chmodSync(path.join(folder, 'host'), 0o600);
      const ran = await asAlice('--config', own(), '--sshd-config', open, '--json');
      assert.equal(ran.code, 1, ran.stderr);
      assert.deepEqual([...new Set(findings(ran).flatMap(({ user }) => user ?? []))], [alice.name]);
      assert.ok(findings(ran).some(({ id }) => id === 'FC3'));
      assert.ok(findings(ran).some(({ id, severity }) => id === 'not-root' && severity === 'info'));
    });

    it('exits 3 where the configuration cannot be read, or one that it includes, for that would look like a clean one', async () => {
      const secret = path.join(folder, 'secret');
      fs.mkdirSync(secret, { mode: 0o700 });
      for (const file of [write('secret/sshd_config', ''), write('including', `Include ${secret}/*.conf\n`)]) {
        const ran = await asAlice('--config', own(), '--sshd-config', file, '--json');
        assert.equal(ran.code, 3, ran.stdout + ran.stderr);
        assert.ok(findings(ran).some(({ id, fix }) => id === 'sshd-unseen' && fix.includes('root')));
      }
    });

    it('refuses to look at somebody else', async () => {
      const { code, stderr } = await asAlice('--config', own(), '--sshd-config', open, '--user', 'root');
      assert.deepEqual([code, /only root can check other users' logins/.test(stderr)], [1, true]);
    });
  });
});
