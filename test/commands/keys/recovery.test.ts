/** `notp recovery` and `notp reseal` on a state of one's own: the passphrase is the proof, and the login goes on as it was. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { addUser, installNotp, lacks, oathCode, runAs, scratchFolder, untilFreshStep, type Enrolled } from '../../support/world.ts';
import { answer, assertRefused, ownCodes, type OwnCodes } from '../codes/own-codes.ts';
import { PASSPHRASE, rowsOf } from '../own-state.ts';

describe('new recovery codes', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnCodes;
  let enrolled: Enrolled;
  let recovery: string[];

  before(async () => {
    own = ownCodes('recovery');
    enrolled = await own.enrol();
    recovery = [...enrolled.recovery];
  });

  const row = (): Record<string, unknown> => rowsOf(path.join(own.secrets, '.state.db'))[0] ?? {};

  it('come for the passphrase: the old ones are worth nothing, last step and budget go on, and the old file is stale', async () => {
    await untilFreshStep(15);
    const code = oathCode(enrolled.secret);
    assert.equal((await own.verify(code)).code, 0);
    assert.match((await own.verify(oathCode(enrolled.secret, { offsetSeconds: 3600 }))).stdout, /"wrong_code"/);
    const { last_step: step, tokens } = row();
    const oldFile = fs.readFileSync(enrolled.file);
    const ran = await own.opening(['recovery', '--json']);
    assert.equal(ran.code, 0, ran.stderr);
    const { id, recovery: codes, ...rest } = JSON.parse(ran.stdout) as { id: string; recovery: string[] };
    assert.equal(codes.length, 10);
    assert.deepEqual(Object.keys(rest), ['user', 'context', 'file']);
    const now = row();
    assert.deepEqual([now['id'], now['last_step'], now['tokens'], now['spent']], [id, step, tokens, '0000000000']);
    assert.equal(own.records().at(-1)?.['event'], 'recovery');
    assert.match((await own.verify(code)).stdout, /"replayed"/);
    assert.match((await own.verify(recovery[0] ?? '')).stdout, /"wrong_code"/);
    assert.equal((await own.verify(codes[0] ?? '')).code, 0);
    assert.match((await own.verify(codes[0] ?? '')).stdout, /"replayed"/);
    const newFile = fs.readFileSync(enrolled.file);
    fs.writeFileSync(enrolled.file, oldFile);
    assert.match((await own.verify(recovery[1] ?? '')).stdout, /"stale_enrolment"/);
    fs.writeFileSync(enrolled.file, newFile);
    recovery = codes.slice(1);
  });

  it('are shown once, on stdout; what is said beside them goes to stderr', async () => {
    const ran = await own.opening(['recovery', '--recovery', '3']);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^Recovery codes[^\n]+\n( {2}[A-Z2-7]{4}(-[A-Z2-7]+)+\n){3}$/);
    assert.match(ran.stderr, /^The recovery codes of \S+ for ssh are new; the old ones no longer work\n$/);
    recovery = ran.stdout.match(/^ {2}\S+$/gm)?.map((code) => code.trim()) ?? [];
    assert.equal((await own.verify(recovery.pop() ?? '')).code, 0);
  });

  it('are asked for in a terminal, narrow and dumb ones too, and can be none', async () => {
    const terminal = own.shellInTerminal('TERM=dumb exec "$@"', ['recovery', '--recovery', '0']);
    await answer(terminal, [/Passphrase for ssh: /, PASSPHRASE]);
    await terminal.expect(/The recovery codes of \S+ for ssh are gone/);
    assert.equal(await terminal.exited, 0);
    assert.ok(!terminal.output().includes('\x1b['));
    const narrow = own.inTerminal(['recovery'], 40);
    await answer(narrow, [/Passphrase for ssh: /, PASSPHRASE]);
    await narrow.expect(/Recovery codes/);
    assert.equal(await narrow.exited, 0);
    assert.doesNotMatch(narrow.output(), new RegExp(PASSPHRASE));
  });

  it('do not come for a wrong passphrase, Ctrl-C, nobody to ask, or what logs in nowhere', async () => {
    const earlier = own.snapshot();
    const wrong = own.put('wrong', 'battery staple\n');
    assertRefused(await own.notp(['recovery', '--passphrase-file', wrong]), 1, /wrong passphrase for ssh/);
    const terminal = own.inTerminal(['recovery']);
    await terminal.expect(/Passphrase for ssh: /);
    terminal.send('\x03');
    await terminal.expect(/no passphrase was given/);
    assert.equal(await terminal.exited, 1);
    const alone = await own.alone(['recovery']);
    assert.deepEqual([alone.code, alone.stdout], [1, '']);
    assertRefused(await own.opening(['recovery', 'github']), 1, /there is no secret .*github/);
    assertRefused(await own.opening(['recovery', '--recovery', '33']), 2, /from 0 to 32/);
    assert.deepEqual(own.snapshot(), earlier);
    await own.import('github', 'JBSWY3DPEHPK3PXP');
    assertRefused(await own.opening(['recovery', 'github']), 1, /\S+ does not log in with github here/);
  });

  it('do not come of reseal: it keeps those there are, under another passphrase where one is given', async () => {
    const words = ['recovery', '--recovery', '4', '--json'];
    const { recovery: codes } = JSON.parse((await own.opening(words)).stdout) as { recovery: string[] };
    const ran = await own.opening(['reseal', '--json']);
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(Object.keys(JSON.parse(ran.stdout) as object), ['id', 'user', 'context', 'seal', 'file']);
    assert.equal((await own.verify(codes.pop() ?? '')).code, 0);
    assertRefused(await own.opening(['reseal', '--seal', 'host']), 1, /a host-sealed secret needs root and the system user notp/);
    assertRefused(await own.opening(['reseal', '--new-passphrase-file', own.passphraseFile]), 2, /needs --seal passphrase/);
    assertRefused(await own.opening(['reseal', '--all', '--seal', 'host']), 2, /--all takes no context, --user or --seal/);
    const other = own.put('other', 'battery staple\n');
    const sealed = await own.opening(['reseal', '--seal', 'passphrase', '--new-passphrase-file', other]);
    assert.equal(sealed.code, 0, sealed.stderr);
    assert.match((await own.verify(codes.pop() ?? '')).stdout, /"wrong_passphrase"/);
    assert.equal((await own.verify(codes.pop() ?? '', 'ssh', ['--passphrase-file', other])).code, 0);
  });
});

it('says how it is used, with examples', async () => {
  const own = ownCodes('recovery-help');
  for (const [word, said] of [
    ['recovery', /sudo notp recovery --user alice/],
    ['reseal', /sudo notp reseal --all/],
  ] as const) {
    const { code, stdout } = await own.notp([word, '--help']);
    assert.equal(code, 0);
    assert.match(stdout, said);
  }
});

describe('root on behalf of a user', { skip: lacks({ root: true, withoutService: true }) }, () => {
  it('changes files as that user, and is led nowhere by links', async () => {
    const folder = scratchFolder('recovery-root');
    const notp = installNotp(folder);
    const config = path.join(folder, 'notp.toml');
    fs.writeFileSync(config, '[store]\nurl = "user"\n[audit]\njournal = false\n', { mode: 0o644 });
    const user = addUser();
    const passphraseFile = path.join(folder, 'passphrase');
    fs.writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o644 });
    const common = ['--config', config, '--passphrase-file', passphraseFile, '--json'];
    const enrolled = await runAs(user, [notp, 'enroll', ...common, '--seal', 'passphrase', '--no-confirm']);
    assert.equal(enrolled.code, 0, enrolled.stderr);
    const root = { ...user, name: 'root', uid: 0, gid: 0, home: '/root' };
    const asRoot = (word: string): ReturnType<typeof runAs> => runAs(root, [notp, word, '--user', user.name, ...common]);
    const secrets = path.join(user.home, '.notp');
    for (const word of ['recovery', 'reseal']) {
      const ran = await asRoot(word);
      assert.equal(ran.code, 0, ran.stderr);
      const owners = fs.readdirSync(secrets).map((name) => fs.statSync(path.join(secrets, name)).uid);
      assert.deepEqual([...new Set(owners)], [user.uid]);
    }
    const target = path.join(folder, 'target');
    fs.cpSync(secrets, target, { recursive: true });
    const sealed = fs.readFileSync(path.join(target, 'ssh'));
    for (const lead of [() => fs.symlinkSync(target, secrets), () => fs.cpSync(target, secrets, { recursive: true })]) {
      fs.rmSync(secrets, { recursive: true });
      lead();
      for (const word of ['recovery', 'reseal', 'passphrase', 'export']) {
        const ran = await asRoot(word);
        assert.notEqual(ran.code, 0, word);
        assert.equal(ran.stdout, '');
        assert.match(ran.stderr, /is a symlink|cannot be|belongs to somebody else|permission denied/);
      }
    }
    assert.deepEqual(fs.readFileSync(path.join(target, 'ssh')), sealed);
  });
});
