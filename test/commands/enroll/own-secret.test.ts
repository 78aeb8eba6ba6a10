/** A new login that waits for its person does not take the place of a secret that its user has put there meanwhile. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { pamWorld, type PamWorld } from '../../doors/pam-world.ts';
import { NEEDS, serveWorld, type ServeWorld } from '../../doors/serve-world.ts';
import { runInTerminal, type Terminal } from '../../support/process.ts';
import { addUser, installNotp, lacks, must, oathCode, runAs, SOURCE_NOTP, type TestUser } from '../../support/world.ts';
import { left } from '../import/left.ts';
import { enrolling, fileOf, inviteUser, newKey } from './enrolling.ts';

const URI = 'otpauth://totp/x:y?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=x\n';
const PASSPHRASE = 'correct horse battery';

/** Puts a secret of `user` in the place of a login, as it may be from when logins went by another name, and gives its file. */
async function ownSecret({ folder, config }: Pick<PamWorld, 'folder' | 'config'>, notp: string, user: TestUser): Promise<Buffer> {
  const earlier = `${folder}/earlier.toml`;
  fs.writeFileSync(earlier, `context = "phone"\n${fs.readFileSync(config, 'utf8')}`);
  const passphrase = `${user.home}/passphrase`;
  fs.writeFileSync(passphrase, `${PASSPHRASE}\n`, { mode: 0o644 });
  const { code, stderr } = await runAs(user, [notp, 'import', 'ssh', '--config', earlier, '--passphrase-file', passphrase], {
    input: URI,
  });
  assert.equal(code, 0, stderr);
  return fs.readFileSync(fileOf(user));
}

async function assertRefused(terminal: Terminal, said: RegExp): Promise<void> {
  assert.equal(await terminal.exited, 1, terminal.output());
  assert.match(terminal.output(), said);
}

describe('a secret of its user, stored while root', { skip: lacks({ root: true, programs: ['oathtool', 'python3'] }) }, () => {
  let world: PamWorld;
  let notp: string;
  let alice: TestUser;
  before(async () => {
    world = await pamWorld('own-secret');
    notp = installNotp(world.folder);
  });
  beforeEach(() => {
    alice = addUser();
  });
  const begun = (...words: readonly string[]): Terminal =>
    runInTerminal([...SOURCE_NOTP, ...words, 'ssh', '--user', alice.name, '--config', world.config], { columns: 120 });
  const isKept = /error: \S+\/ssh is a secret of \S+ that is no login[^]*hint: give --replace to lose that secret/;

  it('waits for the code of a new login by that name, is kept', async () => {
    const terminal = begun('enroll');
    const secret = await newKey(terminal);
    const own = await ownSecret(world, notp, alice);
    terminal.send(`${oathCode(secret)}\r`);
    await assertRefused(terminal, isKept);
    assert.ok(!terminal.output().includes('Recovery codes'));
    assert.deepEqual(
      fs.readdirSync(path.dirname(fileOf(alice))).filter((each) => each.startsWith('.ssh')),
      [],
    );
    assert.deepEqual(fs.readFileSync(fileOf(alice)), own);
  });

  it('thinks of a passphrase for an imported login by that name, is kept', async () => {
    const { file } = left(world.folder);
    const terminal = begun('import', '--from', 'google-authenticator', '--file', file, '--seal', 'passphrase');
    await terminal.expect(/New passphrase: /);
    const own = await ownSecret(world, notp, alice);
    terminal.send(`${PASSPHRASE}\r`);
    await terminal.expect(/The same again: /);
    terminal.send(`${PASSPHRASE}\r`);
    await assertRefused(terminal, isKept);
    assert.deepEqual(fs.readFileSync(fileOf(alice)), own);
  });

  it('waits for the code of a new login by that name, is replaced where root asked for that', async () => {
    const terminal = begun('enroll', '--replace');
    const secret = await newKey(terminal);
    await ownSecret(world, notp, alice);
    terminal.send(`${oathCode(secret)}\r`);
    assert.equal(await terminal.exited, 0);
    assert.match(must(['cat', fileOf(alice)]), /"kind": "host"/);
  });
});

describe('a secret of a user', { skip: NEEDS }, () => {
  let world: ServeWorld;
  before(() => {
    world = serveWorld('own-secret-served');
  });

  it('stored while the service waits for the code of a new login by that name, is kept', async () => {
    const alice = addUser();
    await inviteUser(world, alice);
    await world.startInPlace(alice.uid);
    const terminal = enrolling(world, alice);
    const secret = await newKey(terminal);
    const own = await ownSecret(world, world.notp, alice);
    terminal.send(`${oathCode(secret)}\r`);
    await assertRefused(terminal, /error: \S+\/ssh is a secret of yours, sealed by a passphrase/);
    assert.deepEqual(fs.readFileSync(fileOf(alice)), own);
  });
});
