/** What stands in /etc/passwd is what getent(1) answers, where it is asked first; all else is left to getent(1). */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { lineInFile, MAX_PASSWD_BYTES } from '../../src/system/passwd-file.ts';
import { must, scratchFolder } from '../support/world.ts';

const ALICE = 'alice:x:1000:1000:Alice:/home/alice:/bin/bash';

describe('the passwd file', () => {
  const folder = scratchFolder('passwd');
  const files = { passwd: path.join(folder, 'passwd'), nsswitch: path.join(folder, 'nsswitch.conf') };
  const withFiles = (passwd: string, nsswitch = 'passwd: files systemd\n'): typeof files => {
    fs.writeFileSync(files.passwd, passwd);
    fs.writeFileSync(files.nsswitch, nsswitch);
    return files;
  };

  it('gives for every user of this host what getent(1) gives, by name and by uid', () => {
    const names = fs.readFileSync('/etc/passwd', 'utf8').match(/^[a-z_][^:]*(?=:)/gm) ?? [''];
    assert.ok(names.includes('root'));
    for (const name of names)
      assert.equal(lineInFile(name) ?? must(['getent', 'passwd', name]).trim(), must(['getent', 'passwd', name]).trim());
    assert.equal(lineInFile('0') ?? must(['getent', 'passwd', '0']).trim(), must(['getent', 'passwd', '0']).trim());
  });

  it('finds a name or a uid, and the first of two', () => {
    const two = withFiles(`root:x:0:0::/root:/bin/sh\n${ALICE}\n${ALICE.replace('/home/alice', '/evil')}\ntoor:x:0:0::/evil:/bin/sh\n`);
    assert.equal(lineInFile('alice', two), ALICE);
    assert.equal(lineInFile('1000', two), ALICE);
    assert.match(lineInFile('0', two) ?? '', /^root:/);
  });

  it('knows nobody by a part of a name, a path or a pattern', () => {
    for (const name of ['', 'alic', 'alice:x', '.*', 'lice', 'ALICE', '/home/alice', ' alice', '1'])
      assert.equal(lineInFile(name, withFiles(`${ALICE}\n`)), undefined, name);
  });

  for (const line of ['+alice::::::', '-alice', '#alice:x:1:1::/:/', 'alice:x:abc:1::/:/', 'alice:x:1', 'alice', 'alice:x:1:1::/:/:more']) {
    it(`leaves ${line} to getent(1)`, () => {
      const name = line.split(':')[0] ?? '';
      assert.equal(lineInFile(name, withFiles(`${line}\n`)), undefined);
    });
  }

  for (const line of ['sss files', 'files [SUCCESS=continue] sss', 'compat', 'db files', '', '# files']) {
    it(`is not asked where nsswitch.conf(5) says passwd: ${line}`, () => {
      assert.equal(lineInFile('alice', withFiles(`${ALICE}\n`, `group: files\npasswd: ${line}\n`)), undefined);
    });
  }

  it('is not asked where a file is missing or too long', () => {
    const long = withFiles(`${ALICE}\n`.padEnd(MAX_PASSWD_BYTES + 1, '#'));
    assert.equal(lineInFile('alice', long), undefined);
    assert.equal(lineInFile('alice', withFiles(`${ALICE}\n`.padEnd(MAX_PASSWD_BYTES, '#'))), ALICE);
    assert.equal(lineInFile('alice', { ...files, nsswitch: path.join(folder, 'none') }), undefined);
    assert.equal(lineInFile('alice', { ...files, passwd: path.join(folder, 'none') }), undefined);
  });
});
