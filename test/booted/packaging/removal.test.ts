/** A removal of the package that is refused: for each way in which sshd and PAM start notp, and without a change to any login. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Container } from '../../support/container.ts';
import type { Ran } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { builtPackage } from '../../support/built-package.ts';
import { bootWithout, debIn, loginFiles, PACKAGE_NEEDS } from '../../packaging/package-world.ts';

const GATE = 'ForceCommand /usr/bin/notp gate\n';
const CODE = 'auth required pam_exec.so quiet expose_authtok stdout /usr/bin/notp pam\n';

describe('the removal of the package for Debian', { skip: lacks(PACKAGE_NEEDS) }, () => {
  let container: Container;

  before(async () => {
    container = await bootWithout('removal', { 'notp.deb': debIn(builtPackage()) });
    await apt('install', '/srv/notp.deb');
  });

  const apt = async (...words: string[]): Promise<Ran> =>
    await container.run(['apt-get', '--quiet', '--yes', ...words], { environment: { DEBIAN_FRONTEND: 'noninteractive' } });
  const file = (name: string): string => path.join(container.root, name);
  const write = (name: string, text: string): void => {
    fs.mkdirSync(path.dirname(file(name)), { recursive: true });
    fs.writeFileSync(file(name), text);
  };
  /** Replaces `name` by a symlink to a file of its content, changed by `change`. */
  const link = (name: string, change: (text: string) => string): void => {
    const text = fs.existsSync(file(name)) ? fs.readFileSync(file(name), 'utf8') : '';
    write('srv/linked', change(text));
    fs.rmSync(file(name), { force: true });
    fs.symlinkSync('/srv/linked', file(name));
  };
  const prepend = (name: string, text: string): void => {
    write(name, text + fs.readFileSync(file(name), 'utf8'));
  };
  const prerm = async (): Promise<Ran> =>
    await container.run(['/var/lib/dpkg/info/notp.prerm', 'remove'], { environment: { DEBIAN_FRONTEND: 'noninteractive' } });
  /** Runs `test` with the profile of pam-auth-update enabled, and puts back what it did to the files of logins. */
  const withProfile = async (test: () => Promise<void>): Promise<void> => {
    await container.must(['cp', '--archive', '/etc/ssh', '/etc/pam.d', '/var/lib/pam', '/root/']);
    try {
      await container.must(['pam-auth-update', '--package', '--enable', 'notp']);
      await test();
    } finally {
      await container.must(['rm', '-rf', '/etc/ssh', '/etc/pam.d', '/var/lib/pam', '/usr/lib/pam.d/sshd']);
      await container.must(['mv', '/root/ssh', '/root/pam.d', '/etc/']);
      await container.must(['mv', '/root/pam', '/var/lib/']);
    }
  };
  const isRefused = async (named: string): Promise<void> => {
    const files = loginFiles(container);
    const { code, stdout, stderr } = await prerm();
    assert.match(stderr, /notp: error: logins need notp/, stdout);
    assert.ok(stderr.includes(` ${named}\n`), stderr);
    assert.equal(code, 1);
    assert.deepEqual(loginFiles(container), files);
    assert.match(files[file('etc/pam.d/common-auth')] ?? '', /notp pam --prompt-tty/);
    assert.equal((await container.run(['systemctl', 'is-active', 'notp-judge.socket'])).stdout, 'active\n');
  };

  /** Each way of starting notp: what is written, and the file that the refusal names. */
  const WAYS: Readonly<Record<string, readonly [write: () => void, named: string]>> = {
    'a drop-in': [() => write('etc/ssh/sshd_config.d/10-g.conf', GATE), '/etc/ssh/sshd_config.d/10-g.conf'],
    'a drop-in with /bin/notp': [
      () => write('etc/ssh/sshd_config.d/10-g.conf', 'ForceCommand=/bin/notp gate\n'),
      '/etc/ssh/sshd_config.d/10-g.conf',
    ],
    'a Match block in a folder of its own': [
      () => {
        write('etc/ssh/site/a/gate.conf', `Match User nobody\n${GATE}`);
        prepend('etc/ssh/sshd_config', 'Include /etc/ssh/site/*/*.conf\n');
      },
      '/etc/ssh/site/a/gate.conf',
    ],
    'a file outside /etc/ssh': [
      () => {
        write('srv/site.conf', GATE);
        prepend('etc/ssh/sshd_config', 'Include /srv/site.conf\n');
      },
      '/srv/site.conf',
    ],
    'a drop-in that is a symlink': [() => link('etc/ssh/sshd_config.d/10-g.conf', () => GATE), '/etc/ssh/sshd_config.d/10-g.conf'],
    'a symlink of another name': [
      () => {
        write('etc/ssh/sshd_config.d/10-g.conf', 'ForceCommand /usr/local/bin/second-factor gate\n');
        fs.rmSync(file('usr/local/bin/second-factor'), { force: true });
        fs.symlinkSync('/usr/bin/notp', file('usr/local/bin/second-factor'));
      },
      '/etc/ssh/sshd_config.d/10-g.conf',
    ],
    'a script': [
      () => {
        write('etc/ssh/sshd_config.d/10-g.conf', 'ForceCommand /usr/local/bin/gate\n');
        write('usr/local/bin/gate', '#!/bin/sh\nexec notp gate\n');
      },
      '/etc/ssh/sshd_config.d/10-g.conf',
    ],
    'a PAM file': [() => prepend('etc/pam.d/sshd', CODE), '/etc/pam.d/sshd'],
    'a PAM file with /bin/notp': [() => prepend('etc/pam.d/login', CODE.replace('/usr/bin', '/bin')), '/etc/pam.d/login'],
    'a PAM file that is a symlink': [() => link('etc/pam.d/sshd', (text) => CODE + text), '/etc/pam.d/sshd'],
    "the vendor's PAM file": [
      () => {
        write('usr/lib/pam.d/sshd', CODE + fs.readFileSync(file('etc/pam.d/sshd'), 'utf8'));
        fs.rmSync(file('etc/pam.d/sshd'));
      },
      '/usr/lib/pam.d/sshd',
    ],
    'a PAM file that an absolute path includes': [
      () => {
        write('srv/stack', CODE);
        prepend('etc/pam.d/sshd', 'auth include /srv/stack\n');
      },
      '/srv/stack',
    ],
    'a line over two lines': [() => prepend('etc/pam.d/sshd', CODE.replace('stdout ', 'stdout \\\n')), '/etc/pam.d/sshd'],
    'notp-enroll': [() => prepend('etc/pam.d/sshd', 'session optional pam_exec.so /usr/bin/notp-enroll --pending\n'), '/etc/pam.d/sshd'],
    'common-auth beside the lines of pam-auth-update': [() => prepend('etc/pam.d/common-auth', CODE), '/etc/pam.d/common-auth'],
  };

  for (const [way, [change, named]] of Object.entries(WAYS)) {
    it(`is refused where notp is started by ${way}, and no login changes`, async () => {
      await withProfile(async () => {
        change();
        await isRefused(named);
      });
    });
  }

  it('is refused where a second sshd that runs has the gate in its own file or in its options', async () => {
    for (const [words, named] of [
      [['-f', '/srv/second'], '/srv/second'],
      [['-o', 'ForceCommand=/bin/notp gate'], '/usr/sbin/sshd -o ForceCommand=/bin/notp gate'],
    ] as const) {
      write('srv/second', `Port 2022\n${GATE}`);
      await container.must(['systemd-run', '--quiet', '--unit=second', '/usr/sbin/sshd', '-D', '-p', '2022', ...words]);
      for (const until = Date.now() + 10_000; !(await container.must(['ss', '-tln'])).includes(':2022 ');) assert.ok(Date.now() < until);
      await withProfile(async () => {
        await isRefused(named);
      });
      await container.must(['systemctl', 'stop', 'second']);
    }
  });

  it('is refused where somebody has changed what pam-auth-update wrote, so that it stays', async () => {
    await withProfile(async () => {
      const name = 'etc/pam.d/common-auth';
      write(name, fs.readFileSync(file(name), 'utf8').replace(/^(.*notp pam --prompt-tty)$/m, '$1\nauth optional pam_echo.so ours'));
      await isRefused('/etc/pam.d/common-auth (pam-auth-update)');
      const { code, stdout } = await container.run(['notp', 'setup', 'callers', '--json']);
      assert.deepEqual([code, stdout], [1, '{"where":"/etc/pam.d/common-auth","pam_auth_update":true}\n']);
      assert.match((await container.run(['notp', 'setup', 'callers'], { as: 'daemon', cwd: '/' })).stderr, /only root can read all files/);
    });
  });

  it('that fails on a full disk takes nothing away: sudo, su and login still ask for a code', async () => {
    await withProfile(async () => {
      const files = loginFiles(container);
      await container.must(['ln', '--symbolic', '--force', '/dev/full', '/var/lib/notp-sockets']);
      await container.must(['ln', '--symbolic', '/dev/null', '/etc/systemd/system/sockets.target.wants/notp@4711.socket']);
      try {
        assert.notEqual((await prerm()).code, 0);
        assert.deepEqual(loginFiles(container), files);
      } finally {
        await container.must(['rm', '/var/lib/notp-sockets', '/etc/systemd/system/sockets.target.wants/notp@4711.socket']);
      }
    });
  });

  it('is refused where the program does not start any more, by the names in the files', async () => {
    await withProfile(async () => {
      await container.must(['chmod', '-x', '/usr/bin/notp']);
      try {
        link('etc/ssh/sshd_config.d/10-g.conf', () => GATE.replace('/usr', ''));
        await isRefused('/etc/ssh/sshd_config.d/10-g.conf');
      } finally {
        await container.must(['chmod', '+x', '/usr/bin/notp']);
      }
    });
  });

  it('is not refused for what only names notp', async () => {
    write('etc/ssh/sshd_config.d/10-g.conf', `# ${GATE}Match User notp\nSetEnv ZDOTDIR=/etc/notp/empty\nBanner /etc/notp/notp\n`);
    prepend('etc/pam.d/sshd', `# ${CODE}auth optional pam_echo.so file=/etc/notp/prompt\n`);
    const { code, stdout, stderr } = await container.run(['notp', 'setup', 'callers']);
    assert.deepEqual([code, stdout, stderr], [0, '', 'Neither sshd nor PAM starts notp\n']);
  });

  it('keeps the user notp at a purge while a file is its own, so that no other user gets the number and the file', async () => {
    for (const owner of ['notp:root', 'root:notp', undefined]) {
      await apt('install', '/srv/notp.deb');
      write('srv/notp/host.key', 'a key');
      await container.must(['chown', owner ?? 'root:root', '/srv/notp/host.key']);
      const { code, stdout, stderr } = await apt('purge', 'notp');
      assert.equal(code, 0, stdout + stderr);
      const stays = /^notp: hint: the user notp stays, so that nobody else gets its files: (.*)$/m.exec(stdout);
      assert.equal(stays?.[1], owner === undefined ? undefined : '/srv/notp/host.key', stdout + stderr);
      assert.equal((await container.run(['getent', 'passwd', 'notp'])).code, owner === undefined ? 2 : 0);
    }
  });

  it('is purged where the log has a disk of its own: what cannot be removed made the purge fail', async () => {
    await apt('install', '/srv/notp.deb');
    const script = 'mkdir -p /var/log/notp && mount -t tmpfs none /var/log/notp && touch /var/log/notp/audit.log';
    await container.must(['sh', '-c', script]);
    try {
      const { code, stdout, stderr } = await apt('purge', 'notp');
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout + stderr, /cannot remove '\/var\/log\/notp'/);
      assert.equal(await container.must(['ls', '-A', '/var/log/notp']), '');
    } finally {
      await container.must(['umount', '/var/log/notp']);
    }
  });
});
