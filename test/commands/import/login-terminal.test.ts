/** `notp import --from google-authenticator` as a user meets it who has only their own state: in a terminal, piped, and refused. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { acrossLines, run, runInTerminal, type Ran, type RunOptions, type Terminal } from '../../support/process.ts';
import {
  addUser,
  installNotp,
  lacks,
  must,
  oathCode,
  runAs,
  SBIN_PATH,
  scratchFolder,
  SOURCE_NOTP,
  untilFreshStep,
  type TestUser,
} from '../../support/world.ts';
import { answer, assertRefused } from '../codes/own-codes.ts';
import { PASSPHRASE, recordsOf } from '../own-state.ts';

const NEEDS = { root: true, programs: ['google-authenticator', 'oathtool', 'python3', 'setpriv', 'setsid'] };
const GOOGLE = ['--from', 'google-authenticator'];
const NEW: readonly (readonly [RegExp, string])[] = [
  [/New passphrase: /, PASSPHRASE],
  [/The same again: /, PASSPHRASE],
];

describe('one’s own login from google-authenticator', { skip: lacks(NEEDS) }, () => {
  let alice: TestUser;
  let bob: TestUser;
  let program: string;
  let config: string;
  let passphrase: string;
  let file: string;
  /** A code that has logged in. */
  let spent = '';
  before(async () => {
    const folder = scratchFolder('import-own');
    [alice, bob] = [addUser(), addUser()];
    program = installNotp(folder);
    config = path.join(folder, 'notp.toml');
    passphrase = path.join(folder, 'passphrase');
    fs.writeFileSync(config, 'context = ["ssh", "ssh-2"]\n[store]\nurl = "user"\n[audit]\njournal = false\n', { mode: 0o644 });
    fs.writeFileSync(passphrase, `${PASSPHRASE}\n`);
    fs.chmodSync(passphrase, 0o644);
    file = path.join(alice.home, '.google_authenticator');
    const made = await runAs(alice, ['google-authenticator', '-t', '-d', '-r', '3', '-R', '30', '-w', '3', '-e', '3', '-f', '-q', '-C']);
    assert.equal(made.code, 0, made.stderr);
  });

  const words = (...given: readonly string[]): string[] => [program, 'import', '--config', config, ...given];
  const notp = (given: readonly string[], options?: RunOptions): Promise<Ran> => runAs(alice, words(...given), options);
  const terminal = (given: readonly string[], { columns = 80, term = 'xterm' } = {}): Terminal => {
    const become = ['setpriv', `--reuid=${String(alice.uid)}`, `--regid=${String(alice.gid)}`, '--init-groups'];
    const environment = { PATH: SBIN_PATH, HOME: alice.home, TERM: term };
    return runInTerminal([...become, ...words(...given)], { columns, clearEnvironment: true, cwd: alice.home, environment });
  };
  const verify = (code: string, context = 'ssh'): Promise<Ran> =>
    runAs(alice, [program, 'verify', context, '--config', config, '--code-stdin', '--passphrase-file', passphrase, '--json'], {
      input: `${code}\n`,
    });
  const secretOf = (): string => fs.readFileSync(file, 'utf8').split('\n')[0] ?? '';
  const sealed = (name = ''): string => path.join(alice.home, '.notp', name);
  const assertNothing = (): void => {
    assert.equal(fs.existsSync(sealed()), false);
  };

  it('is told by a dry run, which changes nothing', async () => {
    const asked = terminal([...GOOGLE, '--dry-run']);
    assert.equal(await asked.exited, 0, asked.output());
    assert.match(
      asked.output(),
      acrossLines(/^Would import \S+ for ssh: \S+\/\.notp\/ssh, with 3 emergency codes\r\nNote: RATE_LIMIT is not carried over/),
    );
    const { code, stdout } = await notp([...GOOGLE, '--dry-run', '--json', '--file', file]);
    const { id, result, notes } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([code, id, result, (notes as string[]).length], [0, null, 'would_import', 1]);
    assertNothing();
  });

  it('is left where Ctrl-C ends the questions, at 40 columns and on a dumb terminal too', async () => {
    for (const [options, answered] of [
      [{ columns: 40 }, 0],
      [{ term: 'dumb' }, 1],
    ] as const) {
      const asked = terminal(GOOGLE, options);
      await answer(asked, ...NEW.slice(0, answered));
      await asked.expect(NEW[answered]?.[0] ?? /^$/);
      asked.send('\x03');
      assert.equal(await asked.exited, 1);
      assert.ok(!asked.output().includes(PASSPHRASE) && !asked.output().includes(secretOf()));
      assert.ok(!asked.output().includes('\x1b'));
      assertNothing();
    }
  });

  it('is refused by its name where the file cannot be trusted or read, and why is said', async () => {
    const other = path.join(alice.home, 'other');
    const refused = async (said: RegExp, code = 1): Promise<void> => {
      assertRefused(await notp([...GOOGLE, '--file', other, '--passphrase-file', passphrase]), code, said);
    };
    await refused(/there is no \/home\/\S+\/other\n/, 2);
    fs.writeFileSync(other, `${secretOf()}\n" TOTP_AUTH\nnonsense\n`, { mode: 0o600 });
    fs.chownSync(other, alice.uid, alice.gid);
    await refused(/this google-authenticator file cannot be used: line 3: it is neither an option nor/);
    fs.chmodSync(other, 0o644);
    await refused(/other has mode 0644, which lets others in\n/);
    fs.rmSync(other);
    fs.symlinkSync(file, other);
    await refused(/other is a symlink\n/);
    // Also for root, whom a user could send anywhere.
    const asRoot = await run([...SOURCE_NOTP, ...words(...GOOGLE).slice(1), '--user', alice.name, '--seal', 'passphrase', '--file', other]);
    assertRefused(asRoot, 1, /other is a symlink\n/);
    // By another path of the home: it was followed as root, and a FIFO was waited for.
    const homes = scratchFolder('login-homes');
    fs.symlinkSync(path.dirname(alice.home), path.join(homes, 'home'));
    const byOtherPath = path.join(homes, 'home', path.basename(alice.home), 'other');
    const asRootToo = (): Promise<Ran> =>
      run([...SOURCE_NOTP, ...words(...GOOGLE).slice(1), '--user', alice.name, '--seal', 'passphrase', '--file', byOtherPath]);
    assertRefused(await asRootToo(), 1, /other is a symlink\n/);
    fs.rmSync(other);
    must(['mkfifo', other]);
    fs.chownSync(other, alice.uid, alice.gid);
    assertRefused(await asRootToo(), 1, /other is no regular file\n/);
    fs.rmSync(other);
    assertRefused(await notp(GOOGLE), 1, /stdin is empty\nnotp: hint: name the file: --file \/home\/\S+\/\.google_authenticator\n/);
    assertRefused(
      await notp([...GOOGLE, '--user', bob.name]),
      1,
      /only root can import the login of somebody else\nnotp: hint: sudo notp import/,
    );
    assertNothing();
  });

  it('is imported with a new passphrase, shows no secret, and is used as before', async () => {
    await untilFreshStep(15);
    const asked = terminal(GOOGLE);
    await answer(asked, ...NEW);
    await asked.expect(
      acrossLines(
        /Imported \S+ for ssh: [^]*Note: RATE_LIMIT[^]*until a new login works[^]*delete \/home\/\S+\/\.google_authenticator, which holds/,
      ),
    );
    assert.equal(await asked.exited, 0);
    assert.ok(!asked.output().includes(secretOf()) && !asked.output().includes(PASSPHRASE));
    assert.ok(fs.existsSync(file), 'it is not ours to delete');
    spent = oathCode(secretOf());
    assert.equal((await verify(spent)).code, 0);
    const events = recordsOf(sealed('.audit.log')).map(({ event, result }) => [event, result]);
    assert.deepEqual(events, [
      ['import', 'done'],
      ['login.accepted', 'accepted'],
    ]);
  });

  it('is not replaced unless that is asked for, also where it is piped and there is no terminal', async () => {
    const input = fs.readFileSync(file);
    const piped = ['setsid', '--wait', ...words(...GOOGLE, '--json')];
    const first = fs.readFileSync(sealed('ssh'));
    const given = ['--passphrase-file', passphrase];
    assertRefused(await runAs(alice, [...piped, ...given], { input }), 1, /is enrolled for ssh already[^\n]*\nnotp: hint: give --replace/);
    assertRefused(await runAs(alice, [...piped, '--replace'], { input }), 2, /there is no terminal to ask for the passphrase on/);
    assert.deepEqual(fs.readFileSync(sealed('ssh')), first);
    const replaced = await runAs(alice, [...piped, '--replace', ...given], { input });
    assert.equal(replaced.code, 0, replaced.stderr);
    assert.notDeepEqual(fs.readFileSync(sealed('ssh')), first);
    const again = await verify(spent);
    assert.equal(again.code, 1);
    assert.match(again.stdout, /"replayed"/, 'the file knows nothing of that login');
    // The secret is recognised, so its later codes count.
    assert.match((await verify(oathCode(secretOf(), { offsetSeconds: 30 }))).stdout, /"accepted"/);
  });

  it('is none of a second device beside its own, and under another name it is a secret of another service', async () => {
    const given = ['--file', file, '--passphrase-file', passphrase];
    fs.writeFileSync(sealed('ssh-2'), 'of something else', { mode: 0o600 });
    fs.chownSync(sealed('ssh-2'), alice.uid, alice.gid);
    assertRefused(await notp(['ssh-2', ...GOOGLE, ...given]), 1, /already has \/home\/\S+\/ssh-2, which is not registered for a login\n/);
    fs.rmSync(sealed('ssh-2'));
    assertRefused(await notp(['ssh-2', ...GOOGLE, ...given]), 1, /already has the same secret for ssh\n/);
    assert.ok(!fs.existsSync(sealed('ssh-2')));
    const other = await notp(['backup', ...GOOGLE, ...given, '--issuer', 'Shop']);
    assert.equal(other.code, 0, other.stderr);
    const shown = await runAs(alice, [program, 'code', 'backup', '--config', config, '--passphrase-file', passphrase]);
    assert.ok([oathCode(secretOf()), oathCode(secretOf(), { offsetSeconds: -30 })].includes(shown.stdout.trim()), shown.stderr);
  });
});
