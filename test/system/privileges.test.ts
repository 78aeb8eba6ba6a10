/** Being somebody else for a while and for good, each in a process of its own. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ROOT, run, type Ran } from '../support/process.ts';
import { addUser, installTree, lacks, must, runAs, scratchFolder, serviceUser, type TestUser } from '../support/world.ts';

const IDENTITY = `const identity = () => JSON.stringify([process.getuid(), process.geteuid(), process.getgid(), process.getegid(), [...new Set(process.getgroups())].sort()]);`;

/** `tree`: where the sources are read; `node`: what runs them. */
function program(body: string, tree = ROOT, node = process.execPath): string[] {
  const code = `import { asOwner, asUser, becomeForGood } from ${JSON.stringify(path.join(tree, 'src/system/privileges.ts'))};
    import { readFileSync, existsSync } from 'node:fs';
    ${IDENTITY}
    ${body}`;
  return [node, '--input-type=module', '--eval', code];
}

function sortedNumbers(words: string): number[] {
  return words
    .split(' ')
    .map(Number)
    .toSorted((a, b) => a - b);
}

async function asRoot(body: string): Promise<Ran> {
  return await run(program(body));
}

describe('privileges are given up as asked', { skip: lacks({ root: true, programs: ['setpriv'] }) }, () => {
  let service: TestUser;
  let user: TestUser;
  let own: (body: string) => string[];

  before(() => {
    service = serviceUser();
    user = addUser();
    // An ordinary user may not be able to read this tree.
    const folder = scratchFolder('privileges');
    installTree(folder);
    fs.cpSync(path.join(ROOT, 'src'), path.join(folder, 'src'), { recursive: true });
    own = (body) => program(body, folder, path.join(folder, 'node_modules/.bin/node'));
    // A group besides the own one, which must not come along.
    must(['usermod', '--append', '--groups', 'adm', user.name]);
  });

  it('reads as the owner with the own group first, and with all groups only where that is not enough', async () => {
    const groups = '(process.getgroups().includes(4) ? "all" : "own")';
    const { stdout, stderr } = await asRoot(`
      const user = ${JSON.stringify(user)};
      const seen = [];
      const look = () => { seen.push(process.geteuid() + ' ' + ${groups}); return ${groups}; };
      console.log(await asOwner(user, look, (found) => found === 'own'), seen.splice(0).join(', '));
      console.log(await asOwner(user, look, (found) => found === 'all'), seen.splice(0).join(', '));
      console.log(process.geteuid(), process.getegid());`);
    const uid = String(user.uid);
    assert.equal(stdout, `own ${uid} own\nall ${uid} own, ${uid} all\n0 0\n`, stderr);
  });

  it('leaves no way back: every id is the new one, and root is out of reach', async () => {
    const { stdout, stderr } = await asRoot(`
      becomeForGood(${JSON.stringify(service)});
      const tried = (action) => { try { action(); return 'done'; } catch (error) { return error.code; } };
      console.log(JSON.stringify([
        tried(() => process.setuid(0)), tried(() => process.seteuid(0)), tried(() => process.setgid(0)),
        tried(() => process.setegid(0)), tried(() => process.setgroups([0])), tried(() => readFileSync('/etc/shadow')),
      ]));
      console.log(readFileSync('/proc/self/status', 'latin1'));`);
    assert.deepEqual(JSON.parse(stdout.split('\n')[0] ?? ''), [...Array<string>(5).fill('EPERM'), 'EACCES'], stderr);
    const [uid, gid] = [String(service.uid), String(service.gid)];
    assert.match(stdout, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
    assert.match(stdout, new RegExp(`^Gid:\\t${gid}\\t${gid}\\t${gid}\\t${gid}$`, 'm'));
    assert.match(stdout, new RegExp(`^Groups:\\t${gid} *$`, 'm'));
    assert.match(stdout, /^CapPrm:\t0+$/m);
    assert.match(stdout, /^CapEff:\t0+$/m);
  });

  it('gives up root as sudo starts it too: the real uid is the caller, only the effective one is root', async () => {
    const { stdout, stderr } = await run([
      'python3',
      '-c',
      `import os, sys; os.setresuid(${String(user.uid)}, 0, 0); os.execv(sys.argv[1], sys.argv[1:])`,
      ...program(`becomeForGood(${JSON.stringify(service)}); console.log(readFileSync('/proc/self/status', 'latin1'));`),
    ]);
    const uid = String(service.uid);
    assert.match(stdout, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'), stderr);
  });

  it('left the uid of the caller to what sheds the rest that it inherited from sudo: they could stop it', async () => {
    const code = `import { shedInherited } from ${JSON.stringify(path.join(ROOT, 'src/system/inherited.ts'))};
      import { readFileSync } from 'node:fs';
      shedInherited();
      console.log(readFileSync('/proc/self/status', 'latin1'));`;
    const ids = ['--ruid', String(user.uid), '--rgid', String(user.gid), '--keep-groups'];
    const { stdout, stderr } = await run(['setpriv', ...ids, process.execPath, '--input-type=module', '--eval', code]);
    assert.match(stdout, /^Uid:\t0\t0\t0\t0$/m, stderr);
    assert.match(stdout, /^Gid:\t0\t0\t0\t0$/m);
  });

  it('refuses to become root for good, and to become anybody without root', async () => {
    const root = { name: 'root', uid: 0, gid: 0 };
    const { code, stderr } = await asRoot(`becomeForGood(${JSON.stringify(root)});`);
    assert.equal(code, 1);
    assert.match(stderr, /could not become root for good/);
    const other = await runAs(user, own(`becomeForGood(${JSON.stringify(service)});`));
    assert.equal(other.code, 1);
    assert.match(other.stderr, /EPERM|could not become notp/);
  });

  it('acts as a user with their groups, and comes back, also from what throws', async () => {
    const { stdout } = await asRoot(`
      const was = identity();
      const during = await asUser(${JSON.stringify(user)}, async () => {
        await null;
        try { readFileSync('/etc/shadow'); } catch (error) { console.log(error.code); }
        return identity();
      });
      console.log(during);
      console.log(identity() === was);
      console.log(await asUser(${JSON.stringify(user)}, () => { throw new Error('inside'); }).catch((error) => error.message));
      console.log(identity() === was);`);
    const groups = must(['id', '-G', user.name]).trim().split(' ').map(Number);
    const [shadow, during = '', ...rest] = stdout.trim().split('\n');
    assert.equal(shadow, 'EACCES');
    const [uid, euid, gid, egid, had] = JSON.parse(during) as [number, number, number, number, number[]];
    assert.deepEqual({ uid, euid, gid, egid }, { uid: 0, euid: user.uid, gid: 0, egid: user.gid });
    assert.deepEqual(new Set(had), new Set(groups));
    assert.deepEqual(rest, ['true', 'inside', 'true']);
  });

  it('has the same groups each time, and never those of root or of the user before', async () => {
    const { stdout } = await asRoot(`
      const groups = () => /^Groups:\\s*(.*?)\\s*$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1];
      for (const user of [${JSON.stringify(user)}, ${JSON.stringify(service)}, ${JSON.stringify(user)}, ${JSON.stringify(service)}])
        console.log(await asUser(user, groups));`);
    const [ofUser, ofService] = [user, service].map(({ name }) => sortedNumbers(must(['id', '-G', name]).trim()));
    assert.deepEqual(stdout.trim().split('\n').map(sortedNumbers), [ofUser, ofService, ofUser, ofService]);
  });

  it('comes back when the user could not become', async () => {
    const nobody = { name: 'nobody-of-that-name', uid: user.uid, gid: -5 };
    const { stdout } = await asRoot(`
      const was = identity();
      console.log(await asUser(${JSON.stringify(nobody)}, () => 'acted').catch(() => 'refused'));
      console.log(identity() === was);`);
    assert.equal(stdout, 'refused\ntrue\n');
  });

  it('acts as nobody but oneself without root', async () => {
    const self = await runAs(user, own(`console.log(await asUser(${JSON.stringify(user)}, () => 'myself'));`));
    assert.equal(self.stdout, 'myself\n');
    const other = await runAs(user, own(`await asUser(${JSON.stringify(service)}, () => console.log('acted'));`));
    assert.equal(other.stdout, '');
    assert.match(other.stderr, /only root can act as notp/);
  });
});
