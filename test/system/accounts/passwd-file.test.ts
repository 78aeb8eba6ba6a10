/** What stands in /etc/passwd is what getent(1) answers, where it is asked first; all else is left to getent(1). */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { accountInFile, lineInFile, linesInFile, MAX_PASSWD_BYTES, namesAreExact } from '../../../src/system/accounts/passwd-file.ts';
import { sleep } from '../../support/process.ts';
import { must, scratchFolder } from '../../support/world.ts';

/** Longer than a tick of the clock of files. */
const TICK_MS = 50;
const ALICE = 'alice:x:1000:1000:Alice:/home/alice:/bin/bash';

describe('the passwd file', () => {
  const folder = scratchFolder('passwd');
  const files = { passwd: path.join(folder, 'passwd'), nsswitch: path.join(folder, 'nsswitch.conf') };
  const withFiles = (passwd: string, nsswitch = 'passwd: files systemd\n'): typeof files => {
    // A new file each time, as tools for passwd(5) write it.
    for (const [file, text] of [
      [files.passwd, passwd],
      [files.nsswitch, nsswitch],
    ] as const) {
      fs.writeFileSync(`${file}+`, text);
      fs.renameSync(`${file}+`, file);
    }
    return files;
  };

  it('gives for every user of this host what getent(1) gives, by name and by uid', () => {
    // Throw-away users of other tests come and go meanwhile.
    const names = (fs.readFileSync('/etc/passwd', 'utf8').match(/^[a-z_][^:]*(?=:)/gm) ?? []).filter((name) => !name.startsWith('notp'));
    assert.ok(names.includes('root'));
    for (const name of names)
      assert.equal(lineInFile('name', name) ?? must(['getent', 'passwd', name]).trim(), must(['getent', 'passwd', name]).trim());
    assert.equal(lineInFile('uid', '0') ?? must(['getent', 'passwd', '0']).trim(), must(['getent', 'passwd', '0']).trim());
  });

  it('finds a name or a uid, and the first of two', () => {
    const two = withFiles(`root:x:0:0::/root:/bin/sh\n${ALICE}\n${ALICE.replace('/home/alice', '/evil')}\ntoor:x:0:0::/evil:/bin/sh\n`);
    assert.equal(lineInFile('name', 'alice', two), ALICE);
    assert.equal(lineInFile('uid', '1000', two), ALICE);
    assert.match(lineInFile('uid', '0', two) ?? '', /^root:/);
  });

  it('finds a name of digits by name alone, and a uid by uid alone', () => {
    const digits = withFiles(`1000:x:1234:1::/home/1000:/bin/sh\n${ALICE}\n`);
    assert.match(lineInFile('name', '1000', digits) ?? '', /^1000:x:1234:/);
    assert.equal(lineInFile('uid', '1000', digits), ALICE);
    assert.equal(lineInFile('name', '1234', digits), undefined);
  });

  it('gives the first line with the uid for each name of it, and for many what it gives for one', () => {
    const lines = [
      'root:x:0:0::/root:/bin/sh',
      ALICE,
      'toor:x:0:0::/evil:/bin/sh',
      'alicia:x:1000:1::/evil:/bin/sh',
      'torn:x:1000',
      'jo doe:x:7:7::/:/x',
    ];
    const several = withFiles(`${lines.join('\n')}\n`);
    for (const [name, first] of [
      ['root', lines[0]],
      ['toor', lines[0]],
      ['alice', ALICE],
      ['alicia', ALICE],
      ['torn', undefined],
      ['jo doe', lines[5]],
    ] as const)
      assert.equal(accountInFile(name, several), first, name);
    const { name, uid } = linesInFile(several);
    for (const line of lines) assert.equal(name.get(line.split(':')[0] ?? ''), lineInFile('name', line.split(':')[0] ?? '', several), line);
    assert.deepEqual([uid.get('1000'), uid.get('0'), uid.get('7')], [ALICE, lines[0], lines[5]]);
  });

  it('shows each change at once, also one that keeps size and time, after lookups that were answered from what was read before', async () => {
    const other = ALICE.replace('/home/alice', '/home/carol');
    const settled = withFiles(`${ALICE}\n`);
    for (let times = 20; times > 0; times--) assert.equal(accountInFile('alice', settled), ALICE);
    const { atime, mtime } = fs.statSync(files.passwd);
    await sleep(TICK_MS);
    fs.writeFileSync(files.passwd, `${other}\n`);
    fs.utimesSync(files.passwd, atime, mtime);
    assert.equal(accountInFile('alice', files), other);
    await sleep(TICK_MS);
    fs.writeFileSync(files.passwd, `${ALICE}\n`);
    assert.equal(lineInFile('uid', '1000', files), ALICE);
    fs.writeFileSync(`${files.passwd}+`, `${other}\n`);
    fs.renameSync(`${files.passwd}+`, files.passwd);
    assert.equal(lineInFile('name', 'alice', files), other);
    fs.writeFileSync(files.nsswitch, 'passwd: sss files\n');
    assert.equal(lineInFile('name', 'alice', files), undefined);
  });

  it('is left to getent(1) where an action goes on after an entry was found: two blanks before it counted as none', () => {
    const action = '[SUCCESS=continue] ldap';
    for (const sources of [`files ${action}`, `files  ${action}`, `\tfiles \t${action}`, `files${action}`, 'ldap files'])
      assert.equal(lineInFile('name', 'alice', withFiles(`${ALICE}\n`, `passwd:${sources}\n`)), undefined, sources);
    for (const sources of [' files', 'files  ldap', '\tfiles \t', 'files # [SUCCESS=continue]'])
      assert.equal(lineInFile('name', 'alice', withFiles(`${ALICE}\n`, `passwd:${sources}\n`)), ALICE, sources);
  });

  for (const [sources, exact] of [
    ['files', true],
    ['files systemd # sss', true],
    ['\tfiles\tsystemd ', true],
    ['files sss', false],
    ['sss files systemd', false],
    ['files [NOTFOUND=return] systemd', false],
    ['compat', false],
    ['', false],
  ] as const) {
    it(`${exact ? 'has one spelling of each name' : 'may not know all spellings of a name'} where nsswitch.conf(5) says passwd: ${sources}`, () => {
      assert.equal(namesAreExact(withFiles(ALICE, `group: files sss\npasswd: ${sources}\n`)), exact);
      assert.equal(namesAreExact(withFiles(ALICE, `passwd: ${sources}\n passwd : sss\n`)), false);
    });
  }

  it('knows nobody by a part of a name, a path or a pattern', () => {
    for (const name of ['', 'alic', 'alice:x', '.*', 'lice', 'ALICE', '/home/alice', ' alice', '1'])
      assert.equal(lineInFile('name', name, withFiles(`${ALICE}\n`)), undefined, name);
  });

  for (const line of ['+alice::::::', '-alice', '#alice:x:1:1::/:/', 'alice:x:abc:1::/:/', 'alice:x:1', 'alice', 'alice:x:1:1::/:/:more']) {
    it(`leaves ${line} to getent(1)`, () => {
      const name = line.split(':')[0] ?? '';
      assert.equal(lineInFile('name', name, withFiles(`${line}\n`)), undefined);
    });
  }

  for (const line of ['sss files', 'files [SUCCESS=continue] sss', 'compat', 'db files', '', '# files']) {
    it(`is not asked where nsswitch.conf(5) says passwd: ${line}`, () => {
      assert.equal(lineInFile('name', 'alice', withFiles(`${ALICE}\n`, `group: files\npasswd: ${line}\n`)), undefined);
    });
  }

  it('is not asked where a file is missing or too long', () => {
    const long = withFiles(`${ALICE}\n`.padEnd(MAX_PASSWD_BYTES + 1, '#'));
    assert.equal(lineInFile('name', 'alice', long), undefined);
    assert.equal(lineInFile('name', 'alice', withFiles(`${ALICE}\n`.padEnd(MAX_PASSWD_BYTES, '#'))), ALICE);
    assert.equal(lineInFile('name', 'alice', { ...files, nsswitch: path.join(folder, 'none') }), undefined);
    assert.equal(lineInFile('name', 'alice', { ...files, passwd: path.join(folder, 'none') }), undefined);
  });
});
