/** A secret was imported for one context, name or uid and then for another, and its used codes worked again, or its unused ones were lost. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { pamWorld, type PamWorld } from '../../doors/pam-world.ts';
import type { Ran } from '../../support/process.ts';
import { addUser, installNotp, lacks, must, runAs, scratchFolder, SOURCE_NOTP, untilFreshStep } from '../../support/world.ts';
import { assertRefused } from '../codes/own-codes.ts';
import { done, EMERGENCY, importing, left, leftIn, login, on } from './left.ts';

const [FIRST, SECOND, THIRD] = EMERGENCY;

describe('a secret that was imported', { skip: lacks({ root: true, programs: ['oathtool'] }) }, () => {
  let homes: PamWorld;
  let inStore: PamWorld;
  before(async () => {
    homes = await pamWorld('moved', { top: 'context = ["ssh", "b"]' });
    inStore = await pamWorld('moved-kept', { top: 'secrets = "store"' });
  });
  for (const [what, between] of [
    ['which got another secret', ['enroll', 'b', '--no-confirm', '--json', '--replace']],
    ['which was revoked', ['revoke', 'b', '--yes']],
  ] as const)
    it(`for another context, ${what}, and back: codes used there worked again`, async () => {
      const user = addUser();
      const secret = left(homes.folder);
      await done(importing(homes, user, secret, 'ssh'));
      assert.equal(await login(homes, user, FIRST), 'in');
      await done(on(homes, 'revoke', 'ssh', '--user', user.name, '--yes'));
      await done(importing(homes, user, secret, 'b'));
      await untilFreshStep(15);
      const code = secret.code();
      assert.deepEqual([await login(homes, user, SECOND), await login(homes, user, code)], ['in', 'in']);
      await done(on(homes, ...between, '--user', user.name));
      assert.equal(await leftIn(importing(homes, user, secret, 'ssh', '--replace')), 2);
      for (const used of [FIRST, SECOND, code]) {
        await done(on(homes, 'unlock', '--user', user.name));
        assert.equal(await login(homes, user, used), 'replayed');
      }
      assert.equal(await login(homes, user, THIRD), 'in');
    });

  for (const counter of [undefined, 1])
    for (const kept of [false, true])
      it(`under another name of the account, which then got its name back: ${counter === undefined ? 'codes' : 'counters'} used under the other name worked again${kept ? ', from the store' : ''}`, async () => {
        const world = kept ? inStore : homes;
        const alice = addUser();
        const bob = { name: `${alice.name}b` };
        const secret = left(world.folder, counter);
        await done(importing(world, alice, secret));
        const [file, copy] = [path.join(alice.home, '.notp/ssh'), path.join(alice.home, 'copy')];
        if (!kept) fs.renameSync(file, copy);
        must(['usermod', '--login', bob.name, alice.name]);
        let codes: readonly string[];
        try {
          await done(importing(world, bob, secret));
          await untilFreshStep(10);
          codes = counter === undefined ? [secret.code()] : [1, 2, 3].map(secret.at);
          for (const proof of [...codes, FIRST]) assert.equal(await login(world, bob, proof), 'in');
        } finally {
          must(['usermod', '--login', alice.name, bob.name]);
        }
        if (!kept) fs.renameSync(copy, file);
        for (const proof of [...codes, FIRST]) assert.equal(await login(world, alice, proof), 'replayed');
        assert.equal(await login(world, alice, SECOND), 'in');
      });

  for (const counter of [undefined, 1])
    for (const kept of [false, true])
      it(`under another uid, and the account got its uid back: ${counter === undefined ? 'codes' : 'counters'} used in between worked again${kept ? ', from the store' : ''}`, async () => {
        const world = kept ? inStore : homes;
        const user = addUser();
        const secret = left(world.folder, counter);
        await done(importing(world, user, secret));
        must(['usermod', '--uid', String(user.uid + 20_000), user.name]);
        await untilFreshStep(10);
        const used = [...(counter === undefined ? [secret.code()] : [1, 2, 3].map(secret.at)), FIRST, SECOND];
        for (const proof of used) assert.equal(await login(world, user, proof), 'in');
        await done(on(world, 'enroll', '--replace', '--no-confirm', '--json', '--user', user.name));
        must(['usermod', '--uid', String(user.uid), user.name]);
        assert.equal(await leftIn(importing(world, user, secret, '--replace')), 2);
        for (const proof of used) {
          assert.equal(await login(world, user, proof), 'replayed');
          await done(on(world, 'unlock', '--user', user.name));
        }
        assert.equal(await login(world, user, THIRD), 'in');
      });

  it('had lost its emergency codes after an import that said that nothing was changed', async () => {
    const user = addUser();
    const secret = left(homes.folder);
    const options = `size=64k,uid=${String(user.uid)},gid=${String(user.gid)},mode=755`;
    must(['mount', '-t', 'tmpfs', '-o', options, 'none', user.home]);
    try {
      const full = path.join(user.home, 'full');
      assert.throws(() => {
        fs.writeFileSync(full, Buffer.alloc(1 << 20));
      }, /ENOSPC/);
      assertRefused(await importing(homes, user, secret), 3, /nothing was changed/);
    } finally {
      must(['umount', user.home]);
    }
    // The other module took one of them meanwhile.
    secret.write(EMERGENCY.slice(1));
    assert.equal(await leftIn(importing(homes, user, secret)), 3);
    for (const [proof, answer] of [
      [FIRST, 'wrong_code'],
      [SECOND, 'in'],
      [SECOND, 'replayed'],
    ] as const)
      assert.equal(await login(homes, user, proof), answer);
  });

  it('had lost its emergency codes after an import that was killed', async () => {
    const user = addUser();
    const secret = left(homes.folder);
    const words = ['import', '--from', 'google-authenticator', '--user', user.name, '--file', secret.file, '--config', homes.config];
    const [program = '', ...first] = SOURCE_NOTP;
    const log = `${homes.folder}/log/audit.log`;
    // As soon as the enrolment is recorded, before or after its file is in place.
    const size = fs.statSync(log).size;
    const child = spawn(program, [...first, ...words], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    while (fs.statSync(log).size === size && child.exitCode === null) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
    await ended;
    assert.equal(await leftIn(importing(homes, user, secret)), 4);
    assert.equal(await login(homes, user, FIRST), 'in');
  });

  it('was in two contexts after two imports at once', async () => {
    for (let i = 0; i < 4; i++) {
      const user = addUser();
      const secret = left(homes.folder);
      const both = await Promise.all(['ssh', 'b'].map((context) => importing(homes, user, secret, context)));
      assert.deepEqual(new Set(both.map(({ code }) => code)), new Set([0, 1]));
      assertRefused(both.find(({ code }) => code === 1) ?? assert.fail(), 1, /already has the same secret for (ssh|b)\n/);
    }
  });
});

describe('in a user’s own state, a secret that was imported', { skip: lacks({ root: true, programs: ['oathtool'] }) }, () => {
  it('for a context that has another name now: a used emergency code worked again', async () => {
    const folder = scratchFolder('moved-own');
    const notp = installNotp(folder);
    const user = addUser();
    const { file } = left(user.home);
    const [config, passphrase] = [`${user.home}/notp.toml`, `${user.home}/passphrase`];
    fs.writeFileSync(passphrase, 'correct horse\n', { mode: 0o600 });
    const configure = (context: string): void => {
      fs.writeFileSync(config, `context = "${context}"\n[store]\nurl = "user"\n[audit]\njournal = false\n`);
      for (const each of [file, passphrase, config]) fs.chownSync(each, user.uid, user.gid);
    };
    const as = (words: readonly string[], input = ''): Promise<Ran> =>
      runAs(user, [notp, ...words, '--passphrase-file', passphrase, '--config', config], { input });
    const again = (): Promise<Ran> => as(['import', '--from', 'google-authenticator', '--file', file]);
    const verify = async (context: string, proof: string): Promise<number | null> =>
      (await as(['verify', context, '--code-stdin'], `${proof}\n`)).code;
    configure('ssh');
    assert.equal((await again()).code, 0);
    assert.equal(await verify('ssh', FIRST), 0);
    configure('login');
    assertRefused(await again(), 1, /already has the same secret for ssh\nnotp: hint: [^\n]*notp revoke ssh/);
    assert.equal((await runAs(user, [notp, 'revoke', 'ssh', '--yes', '--config', config])).code, 0);
    const { code, stderr } = await again();
    assert.equal(code, 0, stderr);
    assert.deepEqual([await verify('login', FIRST), await verify('login', SECOND)], [1, 0]);
  });
});
