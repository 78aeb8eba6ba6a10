/** What runs after the gate: the program, its argv and its environment. That it runs is shown by the gate's own tests. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { shellProgram, type Session } from '../../src/doors/shell.ts';

const USER = { name: 'alice', uid: 1000, gid: 1000, home: '/home/alice', shell: '/usr/bin/zsh' };
const session = (environment: NodeJS.ProcessEnv, keyCommand?: string): Session => ({ environment, umask: 0o022, keyCommand });

describe('what the gate becomes', () => {
  it('is a login shell without a command, and shell -c with one', () => {
    assert.deepEqual(shellProgram(USER, session({})).argv, ['-zsh']);
    const { file, argv } = shellProgram(USER, session({ SSH_ORIGINAL_COMMAND: 'uptime; id' }));
    assert.deepEqual([file, ...argv], ['/usr/bin/zsh', 'zsh', '-c', 'uptime; id']);
  });

  it('keeps no code, no trace of the gate and no blank of the SetEnv line', () => {
    const blanks = {
      ZDOTDIR: '/etc/notp/empty',
      LD_PRELOAD: '',
      NODE_OPTIONS: '',
      BASH_ENV: '',
      XDG_DATA_HOME: '/etc/notp/empty',
      SHLVL: '1',
      SHELLOPTS: 'braceexpand:hashall',
      _: '/usr/bin/notp',
    };
    const environment = { HOME: '/home/alice', ...blanks, LC_NOTP: '123456', NOTP_CODE: '123456', SSH_ORIGINAL_COMMAND: 'id' };
    assert.deepEqual(shellProgram(USER, session(environment)).environment, { HOME: '/home/alice' });
  });

  it("keeps what is the user's own under the same names", () => {
    const environment = { XDG_CONFIG_HOME: '/home/alice/cfg', LD_LIBRARY_PATH: '/opt/lib' };
    assert.deepEqual(shellProgram(USER, session(environment)).environment, environment);
  });

  it("runs a key's own command, and tells it what the client asked for", () => {
    const { argv, environment } = shellProgram(USER, session({ SSH_ORIGINAL_COMMAND: 'sh -i' }, 'backup --only'));
    assert.deepEqual(argv, ['zsh', '-c', 'backup --only']);
    assert.deepEqual(environment, { SSH_ORIGINAL_COMMAND: 'sh -i' });
  });

  it('takes the real sftp-server for internal-sftp, with its arguments', () => {
    const [, , command = ''] = shellProgram(USER, session({ SSH_ORIGINAL_COMMAND: 'internal-sftp -l INFO' })).argv;
    const [program = '', ...words] = command.split(' ');
    assert.match(program, /^\/.*\/sftp-server$/);
    assert.ok(existsSync(program));
    assert.deepEqual(words, ['-l', 'INFO']);
    assert.equal(shellProgram(USER, session({ SSH_ORIGINAL_COMMAND: 'internal-sftpd' })).argv[2], 'internal-sftpd');
  });
});
