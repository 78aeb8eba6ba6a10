/** The drop-ins say what the examples say, and the Include that sshd needs for them is found as sshd finds it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { dropInPath, dropInText, includeProblem } from '../../src/setup/sshd-drop-in.ts';
import { ROOT, run } from '../support/process.ts';
import { lacks, must, scratchFolder } from '../support/world.ts';

const EVERYBODY = { users: [], groups: [] };

function directives(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

for (const door of ['gate', 'pam'] as const) {
  describe(`the drop-in for the ${door}`, () => {
    it('says for everybody what the example says', () => {
      const example = fs.readFileSync(path.join(ROOT, 'examples/sshd_config.d', path.basename(dropInPath(door))), 'utf8');
      assert.deepEqual(directives(dropInText(door, EVERYBODY)).toSorted(), directives(example).toSorted());
    });

    it(
      'says the same for those who are named, and nothing for what comes after it',
      { skip: lacks({ root: true, programs: ['sshd'] }) },
      async () => {
        const folder = scratchFolder('drop-in');
        must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.join(folder, 'host')]);
        fs.mkdirSync('/run/sshd', { recursive: true });
        const effective = async (text: string, user: string): Promise<string[]> => {
          fs.writeFileSync(path.join(folder, 'drop-in'), text);
          fs.writeFileSync(path.join(folder, 'config'), `Include ${folder}/drop-in\nHostKey ${folder}/host\nUsePAM yes\nMaxAuthTries 3\n`);
          const { stdout, stderr } = await run([
            '/usr/sbin/sshd',
            '-T',
            '-f',
            path.join(folder, 'config'),
            '-C',
            `user=${user},host=h,addr=192.0.2.1`,
          ]);
          assert.equal(stderr, '');
          return stdout.split('\n');
        };
        const all = await effective(dropInText(door, EVERYBODY), 'nobody');
        const named = dropInText(door, { users: [{ name: 'nobody', uid: 65_534, spellings: ['nobody'] }], groups: ['root'] });
        assert.deepEqual(await effective(named, 'nobody'), all);
        assert.deepEqual(await effective(named, 'root'), all);
        const [global = ''] = directives(named);
        assert.deepEqual(await effective(named, 'daemon'), await effective(`${global}\n`, 'daemon'));
      },
    );
  });
}

describe('the drop-in for the pam door with the password first', () => {
  it('differs in the two lines about passwords alone, also for those who are named', () => {
    for (const scope of [EVERYBODY, { users: [], groups: ['root'] }]) {
      const lines = (first?: 'password'): string[] => directives(dropInText('pam', scope, first)).map((line) => line.trim());
      const usual = lines();
      assert.deepEqual(
        lines('password').filter((line) => !usual.includes(line)),
        ['PasswordAuthentication yes', 'AuthenticationMethods publickey,keyboard-interactive:pam password,keyboard-interactive:pam'],
      );
      assert.equal(lines('password').length, usual.length);
    }
    assert.equal(dropInText('gate', EVERYBODY, 'password'), dropInText('gate', EVERYBODY));
  });
});

describe('the Include of sshd_config', () => {
  for (const line of [
    'Include /etc/ssh/sshd_config.d/*.conf',
    'include "/etc/ssh/sshd_config.d/*.conf"',
    'Include=sshd_config.d/*',
    '  Include /etc/other/* /etc/ssh/sshd_config.d/10-*.conf',
  ]) {
    it(`is found: ${line}`, () => {
      assert.equal(includeProblem(`Port 22\n${line}\nMatch User x\n`), undefined);
    });
  }

  for (const line of [
    '#Include /etc/ssh/sshd_config.d/*.conf',
    'Include /etc/ssh/other.d/*.conf',
    'Include /etc/ssh/*.conf',
    'Include /etc/ssh/sshd_config.d/20-*.conf',
    '',
  ]) {
    it(`is missed: ${line === '' ? 'an empty file' : line}`, () => {
      assert.equal(includeProblem(`${line}\n`), 'absent');
    });
  }

  it('does not count in a Match block', () => {
    assert.equal(includeProblem('MATCH all\nInclude /etc/ssh/sshd_config.d/*.conf\n'), 'inside a Match block');
  });
});
