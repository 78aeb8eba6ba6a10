/** No backup and no change of the passphrase leaves a secret out without a word, whatever is wrong with its file or was once its name. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacks } from '../../support/world.ts';
import { assertRefused, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';

const NEEDS = { skip: lacks({ programs: ['python3'] }) };

describe('a secret whose file cannot be used', NEEDS, () => {
  let own: OwnCodes;
  let good: Buffer;
  let file: string;
  let elsewhere: string;
  before(async () => {
    own = ownCodes('left-out');
    for (const name of ['a', 'b']) assert.equal((await own.import(name, SECRET)).code, 0);
    [file, elsewhere] = [path.join(own.secrets, 'b'), path.join(own.folder, 'elsewhere')];
    good = fs.readFileSync(file);
  });
  const WRONG: readonly (readonly [string, () => void])[] = [
    [
      'lets others in',
      () => {
        fs.chmodSync(file, 0o640);
      },
    ],
    [
      'has a second name',
      () => {
        fs.linkSync(file, elsewhere);
      },
    ],
    [
      'is a symbolic link',
      () => {
        fs.renameSync(file, elsewhere);
        fs.symlinkSync(elsewhere, file);
      },
    ],
    [
      'has other line ends',
      () => {
        fs.writeFileSync(file, good.toString().replaceAll('\n', '\r\n'));
      },
    ],
    [
      'is cut off',
      () => {
        fs.writeFileSync(file, good.subarray(0, 200));
      },
    ],
    [
      'has another name',
      () => {
        fs.renameSync(file, `${file}b`);
      },
    ],
  ];
  const restore = (): void => {
    for (const each of [file, `${file}b`, elsewhere]) fs.rmSync(each, { force: true });
    fs.writeFileSync(file, good, { mode: 0o600 });
  };

  for (const [i, [what, spoil]] of WRONG.entries())
    it(`is named by export --all and passphrase --all where it ${what}, which both end with 1 then`, async () => {
      spoil();
      for (const [words, said] of [
        [['export', '--all', '--file', path.join(own.folder, `archive${String(i)}`)], 'not in the archive'],
        [['passphrase', '--all', '--new-passphrase-file', own.passphraseFile], 'not changed'],
      ] as const) {
        const { code, stderr } = await own.opening(words);
        assert.equal(code, 1, stderr);
        assert.match(
          stderr,
          new RegExp(`^notp: error: ${said}, since they cannot be used: ${own.secrets}/bb?\\b.+\nnotp: hint: mend`, 'm'),
        );
      }
      restore();
    });

  it('is named where there is no other, instead of that there are none', async () => {
    for (const name of ['a', 'b']) fs.chmodSync(path.join(own.secrets, name), 0o644);
    for (const words of [
      ['export', '--all'],
      ['passphrase', '--all'],
    ])
      assertRefused(await own.opening(words), 1, /none of your secrets can be used: \S+\/a .+; \S+\/b /);
  });
});

describe('a secret whose counter is lost', NEEDS, () => {
  it('is named by export --all, and the others are in the archive', async () => {
    const own = ownCodes('left-out-counter');
    assert.equal((await own.import('a', SECRET)).code, 0);
    assert.equal((await own.import('bank', `otpauth://hotp/bank?secret=${SECRET}&counter=7`)).code, 0);
    fs.rmSync(path.join(own.secrets, '.state.db'));
    const { code, stderr } = await own.opening(['export', '--all', '--file', path.join(own.folder, 'archive')]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^1 secret in [^]*notp: error: not in the archive, [^\n]*: bank: the counter of this HOTP secret is lost/);
  });
});

describe('an import of several secrets', NEEDS, () => {
  it('does not say that nothing was changed where some files were', async () => {
    const own = ownCodes('left-out-import');
    for (const name of ['a', 'b']) assert.equal((await own.import(name, SECRET)).code, 0);
    const archive = path.join(own.folder, 'archive');
    assert.equal((await own.opening(['export', '--all', '--file', archive])).code, 0);
    fs.rmSync(path.join(own.secrets, 'b'));
    fs.mkdirSync(path.join(own.secrets, 'b'));
    const { code, stderr } = await own.opening(['import', '--file', archive, '--replace']);
    assert.equal(code, 3);
    assert.match(
      stderr,
      /\/b: illegal operation on a directory \(EISDIR\)\nnotp: hint: 1 other file of this run changed before it: mend this, and run the command again\n$/,
    );
    assert.doesNotMatch(stderr, /nothing was changed/);
  });
});

describe('a secret under the name of a login that is revoked', NEEDS, () => {
  it('is in the archive, and gets the new passphrase; the file of the login is not and does not', async () => {
    const own = ownCodes('left-out-name');
    for (const name of ['deploy', 'old']) {
      await own.enrol(name);
      assert.equal((await own.notp(['revoke', name, '--yes'])).code, 0);
    }
    assert.equal((await own.notp(['remove', 'deploy', '--yes'])).code, 0);
    for (const name of ['a', 'deploy']) assert.equal((await own.import(name, SECRET)).code, 0);
    const exported = await own.opening(['export', '--all', '--file', path.join(own.folder, 'archive')]);
    assert.equal(exported.code, 0, exported.stderr);
    assert.match(exported.stderr, /^2 secrets in /);
    const changed = await own.opening(['passphrase', '--all', '--new-passphrase-file', own.put('new', 'battery staple horse\n'), '--json']);
    assert.deepEqual(
      changed.stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { context: string }).context),
      ['a', 'deploy'],
    );
    assert.equal((await own.opening(['code', 'deploy', '--once'])).code, 1, 'the old passphrase opens it no more');
  });
});

describe('a secret whose name became the context of logins after it', NEEDS, () => {
  it('is in the archive, and gets the new passphrase; the file of a login is not and does not', async () => {
    const own = ownCodes('left-out-context');
    for (const name of ['github', 'phone']) assert.equal((await own.import(name, SECRET)).code, 0);
    await own.enrol();
    fs.writeFileSync(own.config, `context = ["ssh", "phone"]\n${fs.readFileSync(own.config, 'utf8')}`);
    const earlier = own.files();
    const exported = await own.opening(['export', '--all', '--file', path.join(own.folder, 'archive')]);
    assert.equal(exported.code, 0, exported.stderr);
    assert.match(exported.stderr, /^2 secrets in /);
    const changed = await own.opening(['passphrase', '--all', '--new-passphrase-file', own.put('new', 'battery staple horse\n')]);
    assert.equal(changed.code, 0, changed.stderr);
    assert.match(changed.stderr, /^Sealed 2 secrets together\./);
    assert.equal(own.files()['ssh'], earlier['ssh']);
    // Where the file of the login is broken, it is still no secret.
    fs.chmodSync(path.join(own.secrets, 'ssh'), 0o640);
    const again = await own.notp(['export', '--all', '--passphrase-file', path.join(own.folder, 'new')]);
    assert.equal(again.code, 0, again.stderr);
    fs.chmodSync(path.join(own.secrets, 'phone'), 0o640);
    const broken = await own.notp(['export', '--all', '--passphrase-file', path.join(own.folder, 'new')]);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /^notp: error: not in the archive, since they cannot be used: \S+\/phone .*\n/m);
    assert.doesNotMatch(broken.stderr, /\/ssh/);
  });
});
