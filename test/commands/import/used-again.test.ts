/** An import that replaces gave back what was used since the move: the counter of a token, and codes that were typed while root imported. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { PASSPHRASE, pamWorld, type PamWorld } from '../../doors/pam-world.ts';
import { run, type Ran } from '../../support/process.ts';
import { addUser, lacks, must, SOURCE_NOTP, type TestUser } from '../../support/world.ts';

/** A token that counts, and the file of another module that stands still since the move. */
interface Token {
  readonly user: TestUser;
  readonly file: string;
  code(counter: number): string;
}

describe('a token that counts, imported with --replace', { skip: lacks({ root: true, programs: ['oathtool', 'sqlite3'] }) }, () => {
  let world: PamWorld;
  before(async () => {
    world = await pamWorld('used-again');
    fs.writeFileSync(path.join(world.folder, 'passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 });
  });

  const token = ({ user = addUser(), counter = 3 } = {}): Token => {
    const key = randomBytes(20).toString('hex');
    const [, secret = ''] = /^Base32 secret: (\S+)$/m.exec(must(['oathtool', '--verbose', key])) ?? [];
    const file = path.join(world.folder, `${user.name}-${key}`);
    fs.writeFileSync(file, `${secret}\n" HOTP_COUNTER ${String(counter)}\n`, { mode: 0o600 });
    return { user, file, code: (each) => must(['oathtool', '--hotp', '--counter', String(each), key]).trim() };
  };
  const notp = (...words: string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', world.config]);
  const imported = async ({ user, file }: Token, ...words: string[]): Promise<string> => {
    const { code, stderr } = await notp('import', '--from', 'google-authenticator', '--user', user.name, '--file', file, ...words);
    assert.equal(code, 0, stderr);
    return stderr;
  };
  const withPassphrase = (): string[] => ['--seal', 'passphrase', '--passphrase-file', path.join(world.folder, 'passphrase')];
  const assertIn = async ({ user }: Token, proof: string): Promise<void> => {
    const { code, stdout } = await world.pam(user.name, proof);
    assert.equal(code, 0, stdout);
  };
  const assertUsed = async ({ user }: Token, proof: string): Promise<void> => {
    const { code, stdout } = await world.pam(user.name, proof);
    assert.deepEqual([code, world.recordIn(stdout).reason], [1, 'replayed']);
  };

  it('took every code again that was used since the move, from a passphrase to another and to the host', async () => {
    const counting = token();
    await imported(counting, ...withPassphrase());
    await assertIn(counting, `${PASSPHRASE} ${counting.code(3)}`);
    await assertIn(counting, `${PASSPHRASE} ${counting.code(4)}`);
    assert.match(
      await imported(counting, '--replace', ...withPassphrase()),
      /\nNote: continues after counter 4, [^\n]* may be the same token\. /,
    );
    await assertUsed(counting, `${PASSPHRASE} ${counting.code(4)}`);
    await imported(counting, '--replace');
    await assertUsed(counting, counting.code(4));
    await assertIn(counting, counting.code(5));
  });

  it('took them where the user had moved the sealed file away', async () => {
    const counting = token();
    await imported(counting);
    await assertIn(counting, counting.code(5));
    fs.renameSync(path.join(counting.user.home, '.notp/ssh'), path.join(counting.user.home, 'ssh.away'));
    await imported(counting, '--replace');
    await assertUsed(counting, counting.code(5));
    await assertIn(counting, counting.code(6));
  });

  it('took them from a users file of pam_oath', async () => {
    const counting = token();
    const key = counting.file.split('-').at(-1) ?? '';
    const users = path.join(world.folder, 'users.oath');
    fs.writeFileSync(users, `HOTP ${counting.user.name} - ${key}\n`, { mode: 0o600 });
    assert.equal((await notp('import', '--from', 'pam-oath', '--file', users)).code, 0);
    await assertIn(counting, counting.code(2));
    fs.rmSync(path.join(counting.user.home, '.notp/ssh'));
    const { code, stderr } = await notp('import', '--from', 'pam-oath', '--file', users, '--replace');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /\nNoted: 1\n {2}line 1: \S+: continues after counter 2, /);
    await assertUsed(counting, counting.code(2));
    await assertIn(counting, counting.code(3));
  });

  it('begins where its file says when it is known to be another one', async () => {
    const first = token({ counter: 1000 });
    await imported(first);
    const second = token({ user: first.user });
    assert.doesNotMatch(await imported(second, '--replace'), /Note/);
    await assertIn(second, second.code(3));
  });

  it('is refused where the enrolment was changed in the database, as nobody knows what was used', async () => {
    const counting = token();
    await imported(counting);
    const database = path.join(world.folder, 'var/state.db');
    must(['sqlite3', database, `UPDATE enrolment SET last_step = 1 WHERE user = '${counting.user.name}'`]);
    const { code, stderr } = await notp(
      'import',
      '--from',
      'google-authenticator',
      '--user',
      counting.user.name,
      '--file',
      counting.file,
      '--replace',
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /it is unknown which codes of this token were used\nnotp: hint: notp-enroll --replace --user \S+ makes a new secret\n/,
    );
  });
});

describe('an import over an enrolment that came in between', { skip: lacks({ root: true, programs: ['oathtool'] }) }, () => {
  // As many as notp makes recovery codes, so that their number tells nothing.
  const EMERGENCY = Array.from({ length: 10 }, (_, i) => String(12_345_678 + i));
  const [FIRST = '', SECOND = ''] = EMERGENCY;
  let world: PamWorld;
  let passphraseFile: string;
  before(async () => {
    world = await pamWorld('used-between');
    passphraseFile = path.join(world.folder, 'passphrase');
    fs.writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
  });

  interface Owner {
    readonly user: TestUser;
    readonly code: () => string;
    readonly notp: (...words: string[]) => string;
    readonly imported: () => { readonly recovery_left: number; readonly notes: readonly string[] };
    readonly login: (proof: string) => Promise<string>;
  }

  const owner = (): Owner => {
    const user = addUser();
    const key = randomBytes(20).toString('hex');
    const [, secret = ''] = /^Base32 secret: (\S+)$/m.exec(must(['oathtool', '--verbose', key])) ?? [];
    const file = path.join(world.folder, user.name);
    fs.writeFileSync(file, [secret, '" DISALLOW_REUSE', '" TOTP_AUTH', ...EMERGENCY, ''].join('\n'), { mode: 0o600 });
    const notp = (...words: string[]): string => must([...SOURCE_NOTP, ...words, '--user', user.name, '--config', world.config]);
    const words = ['import', '--from', 'google-authenticator', '--file', file, '--seal', 'host', '--replace', '--json'];
    return {
      ...{ user, notp },
      code: () => must(['oathtool', '--totp', '--base32', secret]).trim(),
      imported: () => JSON.parse(notp(...words)) as ReturnType<Owner['imported']>,
      login: async (proof) => {
        const { code, stdout } = await world.pam(user.name, proof);
        return code === 0 ? 'in' : String(world.recordIn(stdout).reason);
      },
    };
  };
  const putAway = ({ user }: Owner): void => {
    fs.renameSync(path.join(user.home, '.notp/ssh'), path.join(user.home, 'ssh.away'));
  };

  for (const [what, change, words] of [
    ['', () => undefined, []],
    [', and was revoked', ({ notp }) => notp('revoke', 'ssh', '--yes'), []],
    [', and whose file its user had moved away', putAway, []],
    [', and was sealed by a passphrase', () => undefined, ['--seal', 'passphrase', '--passphrase-file']],
  ] as const satisfies readonly (readonly [string, (one: Owner) => void, readonly string[]])[])
    it(`took every code again that had been used before that${what}`, async () => {
      const one = owner();
      const { recovery_left: all, notes: none } = one.imported();
      assert.deepEqual([all, none], [10, []]);
      const code = one.code();
      assert.deepEqual([await one.login(FIRST), await one.login(code)], ['in', 'in']);
      one.notp('enroll', '--no-confirm', '--replace', '--json', ...words, ...(words.length === 0 ? [] : [passphraseFile]));
      change(one);
      const { recovery_left: left, notes } = one.imported();
      assert.equal(left, 9);
      assert.match(notes.join(), /^1 of the emergency codes may have been used before and no longer work: [^,]*$/);
      for (const [proof, answer] of [
        [FIRST, 'replayed'],
        [code, 'replayed'],
        [SECOND, 'in'],
        [SECOND, 'replayed'],
      ] as const)
        assert.equal(await one.login(proof), answer);
    });

  it('took every emergency code again where notp had made other codes in between', async () => {
    const one = owner();
    one.imported();
    assert.equal(await one.login(FIRST), 'in');
    one.notp('recovery', 'ssh', '--json');
    one.notp('revoke', 'ssh', '--yes');
    assert.equal(one.imported().recovery_left, 0);
    assert.equal(await one.login(FIRST), 'replayed');
  });

  it('is none where it is the same secret again, though its file be away: what was not used works', async () => {
    const one = owner();
    one.imported();
    assert.equal(await one.login(FIRST), 'in');
    putAway(one);
    assert.equal(one.imported().recovery_left, 9);
    assert.deepEqual([await one.login(FIRST), await one.login(SECOND)], ['replayed', 'in']);
  });
});
