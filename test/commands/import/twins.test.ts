/** One secret was imported for two contexts where the file of the other could not be opened, so that each of its codes worked twice. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { PASSPHRASE, pamWorld, type PamWorld } from '../../doors/pam-world.ts';
import { run, type Ran } from '../../support/process.ts';
import { addUser, lacks, must, SOURCE_NOTP, type TestUser } from '../../support/world.ts';
import { assertRefused } from '../codes/own-codes.ts';

const EMERGENCY = ['12345678', '23456789'] as const;

describe('a secret that another context has already', { skip: lacks({ root: true, programs: ['oathtool'] }) }, () => {
  let world: PamWorld;
  let passphrase: string;
  before(async () => {
    world = await pamWorld('twins', { top: 'context = ["ssh", "phone"]' });
    passphrase = path.join(world.folder, 'passphrase');
    fs.writeFileSync(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
  });

  /** What google-authenticator left, with emergency codes; `counter`: of a token that counts. */
  const left = (counter?: number): { readonly file: string; readonly code: (counter: number) => string } => {
    const key = randomBytes(20).toString('hex');
    const [, secret = ''] = /^Base32 secret: (\S+)$/m.exec(must(['oathtool', '--verbose', key])) ?? [];
    const file = path.join(world.folder, key);
    const kind = counter === undefined ? '" TOTP_AUTH' : `" HOTP_COUNTER ${String(counter)}`;
    fs.writeFileSync(file, [secret, kind, ...EMERGENCY, ''].join('\n'), { mode: 0o600 });
    return { file, code: (each) => must(['oathtool', '--hotp', '--counter', String(each), key]).trim() };
  };
  const notp = (...words: string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', world.config]);
  const importing = (user: TestUser, file: string, ...words: string[]): Promise<Ran> =>
    notp('import', ...words, '--from', 'google-authenticator', '--user', user.name, '--file', file);
  const imported = async (user: TestUser, file: string, ...words: string[]): Promise<string> => {
    const { code, stderr } = await importing(user, file, ...words);
    assert.equal(code, 0, stderr);
    return stderr;
  };
  const byPassphrase = (): string[] => ['--seal', 'passphrase', '--passphrase-file', passphrase];

  it('sealed by a passphrase, which root is asked for', async () => {
    const user = addUser();
    const { file } = left();
    await imported(user, file, ...byPassphrase());
    // The mark in its id tells that it is the same, and of another one nothing.
    assertRefused(await importing(user, file, 'phone'), 1, /already has the same secret for ssh/);
    assertRefused(
      await importing(user, left().file, 'phone'),
      1,
      /may already have the same secret for ssh, whose secret cannot be read: it is sealed by a passphrase\nnotp: hint: [^\n]*--passphrase-file[^\n]* notp revoke ssh --user /,
    );
    assertRefused(await importing(user, file, 'phone', '--passphrase-file', passphrase), 1, /already has the same secret for ssh/);
    await imported(user, left().file, 'phone', '--passphrase-file', passphrase);
  });

  it('whose file its user had moved away, or put another one in the place of', async () => {
    const user = addUser();
    const [first, second] = [left(), left()];
    const ssh = path.join(user.home, '.notp/ssh');
    await imported(user, second.file);
    fs.copyFileSync(ssh, `${user.home}/earlier`);
    await imported(user, first.file, '--replace');
    fs.renameSync(ssh, `${user.home}/away`);
    const other = left();
    assertRefused(await importing(user, first.file, 'phone'), 1, /already has the same secret for ssh/);
    assertRefused(
      await importing(user, other.file, 'phone'),
      1,
      /may already have the same secret for ssh, [^\n]*its sealed file is missing\n/,
    );
    fs.copyFileSync(`${user.home}/earlier`, ssh);
    fs.chownSync(ssh, user.uid, user.gid);
    fs.chmodSync(ssh, 0o600);
    assertRefused(await importing(user, first.file, 'phone'), 1, /already has the same secret for ssh/);
    assertRefused(await importing(user, other.file, 'phone'), 1, /its sealed file is not the registered one\n/);
    fs.renameSync(`${user.home}/away`, ssh);
    assertRefused(await importing(user, first.file, 'phone'), 1, /already has the same secret for ssh/);
    await imported(user, other.file, 'phone');
  });

  it('had all its codes back after that was revoked, as the hint says, and it was imported for the other', async () => {
    const user = addUser();
    const { file, code } = left(3);
    await imported(user, file);
    const assertIn = async (proof: string): Promise<void> => assert.equal((await world.pam(user.name, proof)).code, 0);
    for (const proof of [code(3), code(5), EMERGENCY[0]]) await assertIn(proof);
    assert.equal((await notp('revoke', 'ssh', '--user', user.name, '--yes')).code, 0);
    assert.match(await imported(user, file, 'phone'), /\nNote: continues after counter 5, /);
    for (const proof of [code(5), EMERGENCY[0]]) {
      const { code: exit, stdout } = await world.pam(user.name, proof);
      assert.deepEqual([exit, world.recordIn(stdout).reason], [1, 'replayed'], proof);
    }
    for (const proof of [code(6), EMERGENCY[1]]) await assertIn(proof);
  });

  /** The file of pam_oath with a token of `user`. */
  const oathFile = (user: TestUser, kind: string, hex: string, counter: number): string => {
    const file = path.join(world.folder, `${user.name}-${kind.replaceAll('/', '-')}`);
    fs.writeFileSync(file, `${kind} ${user.name} - ${hex} ${String(counter)}\n`, { mode: 0o600 });
    return file;
  };

  it('with another number of digits was taken as another one, so that one code logged in twice', async () => {
    const user = addUser();
    const hex = randomBytes(20).toString('hex');
    const code = (digits: number, counter: number): string =>
      must(['oathtool', '--hotp', '--digits', String(digits), '--counter', String(counter), hex]).trim();
    const [six, eight] = [oathFile(user, 'HOTP/E/6', hex, 0), oathFile(user, 'HOTP/E/8', hex, 0)];
    const importAll = (file: string, ...words: string[]): Promise<Ran> => notp('import', '--from', 'pam-oath', '--file', file, ...words);
    const both = path.join(world.folder, `${user.name}-both`);
    fs.writeFileSync(both, fs.readFileSync(six, 'utf8') + fs.readFileSync(eight, 'utf8'), { mode: 0o600 });
    const failing = async (file: string): Promise<string> => {
      const { code: exit, stderr } = await importAll(file);
      assert.equal(exit, 1, stderr);
      return stderr;
    };
    assert.match(await failing(both), /line 2: .* already has the same secret for ssh\n/);
    const verdictOf = async (proof: string): Promise<string | undefined> => {
      const { code: exit, stdout } = await world.pam(user.name, proof);
      return exit === 0 ? 'in' : world.recordIn(stdout).reason;
    };
    assert.equal(await verdictOf(code(6, 0)), 'in');
    // As its other digits, in its place: it goes on where it stood.
    assert.match(await failing(eight), /with the same secret for other codes; --replace replaces it/);
    assert.equal((await importAll(eight, '--replace')).code, 0);
    assert.deepEqual([await verdictOf(code(8, 0)), await verdictOf(code(8, 1))], ['replayed', 'in']);
    // And in the other context, after this one has ended.
    assert.equal((await notp('revoke', 'ssh', '--user', user.name, '--yes')).code, 0);
    const uri = path.join(world.folder, `${user.name}-left`);
    const [, secret = ''] = /^Base32 secret: (\S+)$/m.exec(must(['oathtool', '--verbose', hex])) ?? [];
    fs.writeFileSync(uri, `${secret}\n" HOTP_COUNTER 1\n`, { mode: 0o600 });
    await imported(user, uri, 'phone');
    assert.deepEqual([await verdictOf(code(6, 1)), await verdictOf(code(6, 2))], ['replayed', 'in']);
  });

  it('is named where that was revoked and its file is gone', async () => {
    const user = addUser();
    const { file } = left();
    await imported(user, file);
    assert.equal((await world.pam(user.name, EMERGENCY[0])).code, 0);
    assert.equal((await notp('revoke', 'ssh', '--user', user.name, '--yes')).code, 0);
    fs.rmSync(path.join(user.home, '.notp/ssh'), { force: true });
    assert.match(
      await imported(user, left().file, 'phone'),
      /, with no emergency codes;[^]*Note: the ended enrolment ssh may have had this secret \(its sealed file is missing\): /,
    );
    assert.doesNotMatch(await imported(user, file, 'phone', '--replace'), /the ended enrolment/);
    assert.equal((await world.pam(user.name, EMERGENCY[0])).code, 1);
  });

  /** `action` under this list of contexts in notp.toml. */
  const withContexts = async (contexts: string, action: () => Promise<void>): Promise<void> => {
    const earlier = fs.readFileSync(world.config, 'utf8');
    fs.writeFileSync(world.config, earlier.replace(/^context = .*$/m, `context = ${contexts}`));
    await action().finally(() => {
      fs.writeFileSync(world.config, earlier);
    });
  };
  const assertUsed = async (user: string, proof: string): Promise<void> => {
    const { code, stdout } = await world.pam(user, proof);
    assert.deepEqual([code, world.recordIn(stdout).reason], [1, 'replayed'], proof);
  };

  it('of a context that is no more in notp.toml: what was used there worked again', async () => {
    const user = addUser();
    const { file, code } = left(3);
    await imported(user, file);
    for (const proof of [code(3), EMERGENCY[0]]) assert.equal((await world.pam(user.name, proof)).code, 0);
    await withContexts('"login"', async () => {
      assertRefused(await importing(user, file), 1, /already has the same secret for ssh\nnotp: hint: [^\n]*notp revoke ssh --user /);
      assert.equal((await notp('revoke', 'ssh', '--user', user.name, '--yes')).code, 0);
      assert.match(await imported(user, file), /\nNote: continues after counter 3, /);
      for (const proof of [code(3), EMERGENCY[0]]) await assertUsed(user.name, proof);
      for (const proof of [code(4), EMERGENCY[1]]) assert.equal((await world.pam(user.name, proof)).code, 0);
    });
  });

  it('under the name that the account had before: what was used there worked again', async () => {
    const user = addUser();
    const { file, code } = left(3);
    await imported(user, file);
    for (const proof of [code(3), EMERGENCY[0]]) assert.equal((await world.pam(user.name, proof)).code, 0);
    const renamed = { ...user, name: `${user.name}n` };
    must(['usermod', '--login', renamed.name, user.name]);
    try {
      assert.match(await imported(renamed, file, '--replace'), /\nNote: continues after counter 3, /);
      for (const proof of [code(3), EMERGENCY[0]]) await assertUsed(renamed.name, proof);
      for (const proof of [code(4), EMERGENCY[1]]) assert.equal((await world.pam(renamed.name, proof)).code, 0);
    } finally {
      must(['usermod', '--login', user.name, renamed.name]);
    }
  });

  it('whose place has another secret now, or whose host key is another now: what was used worked again', async () => {
    const [one, two] = [addUser(), addUser()];
    const files = new Map([one, two].map((user) => [user, left().file]));
    const again = async (user: TestUser, context: string, note: RegExp): Promise<void> => {
      assert.match(await imported(user, files.get(user) ?? '', context), note);
      await assertUsed(user.name, EMERGENCY[0]);
    };
    const isLost = /, with no emergency codes;[^]*Note: this secret was imported for \S+ before, or may have been,/;
    for (const user of [one, two]) {
      await imported(user, files.get(user) ?? '', 'phone');
      assert.equal((await world.pam(user.name, EMERGENCY[0])).code, 0);
    }
    await imported(one, left().file, 'phone', '--replace');
    await again(one, 'ssh', /, with 1 emergency code\n[^]*Note: 1 of the emergency codes may have been used before and no longer work/);
    for (const words of [
      ['host-key', 'rotate'],
      ['reseal', 'phone', '--user', two.name],
    ])
      assert.equal((await notp(...words)).code, 0);
    assertRefused(await importing(two, files.get(two) ?? '', 'ssh'), 1, /already has the same secret for phone/);
    assert.equal((await notp('host-key', 'retire', '--yes')).code, 0);
    assert.equal((await notp('revoke', 'phone', '--user', two.name, '--yes')).code, 0);
    await again(two, 'ssh', isLost);
    await assertUsed(two.name, EMERGENCY[1]);
    // Another secret of a user for whom nothing was imported is not affected.
    assert.match(await imported(addUser(), left().file), /, with 2 emergency codes/);
  });
});
