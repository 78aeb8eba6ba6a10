/** What sshd tells about a session: address, key, and the process that serves the connection. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { clientAddress, isConsole, loginStart, sshConnection, authInfo, keyDigestOf, keyTypeOf } from '../../../src/system/ssh/session.ts';
import { digestOfKey } from '../../../src/verdict/grants.ts';
import { ROOT, run } from '../../support/process.ts';
import { lacks, scratchFolder } from '../../support/world.ts';

const KEY = 'publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2Q=';
const OTHER = 'publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHh5enw=';
let folder: string;
before(() => {
  folder = scratchFolder('ssh-session');
});

/** The digest where sshd wrote `text` to SSH_USER_AUTH. */
function digest(text: string): string | undefined {
  const file = path.join(folder, 'auth');
  fs.writeFileSync(file, text);
  return keyDigestOf(authInfo({ SSH_USER_AUTH: file }));
}

/** What a process sees that is started by a program called `name`, with `shells` shells between. */
async function seenBelow(
  name: string,
  shells: number,
  asked: 'sshConnection' | 'loginStart' = 'sshConnection',
): Promise<Record<string, unknown> | null> {
  const fake = path.join(folder, name);
  fs.copyFileSync('/bin/sh', fake);
  fs.chmodSync(fake, 0o755);
  const script = path.join(folder, 'ask.mjs');
  const module = JSON.stringify(path.join(ROOT, 'src/system/ssh/session.ts'));
  fs.writeFileSync(script, `import { ${asked} } from ${module};\nconsole.log(JSON.stringify(${asked}({ console: true }) ?? null));\n`);
  // After "; :" a shell stays and waits instead of becoming the last command.
  const inner = Array.from({ length: shells }).reduce<string>(
    (command) => `sh -c ${JSON.stringify(`${command}; :`)}`,
    `${process.execPath} ${script}`,
  );
  const { stdout, stderr } = await run([fake, '-c', `${inner}; :`]);
  assert.equal(stderr, '');
  return JSON.parse(stdout) as Record<string, unknown> | null;
}

describe('the type of the key', () => {
  it('is that of the key that passed first', () => {
    assert.equal(keyTypeOf(`${KEY}\n`), 'ssh-ed25519');
    assert.equal(keyTypeOf(`password\npublickey sk-ssh-ed25519@openssh.com AAAA\n${KEY}\n`), 'sk-ssh-ed25519@openssh.com');
  });

  it('is empty where no key has passed, and unknown where nothing is known', () => {
    for (const text of ['password\n', 'keyboard-interactive/pam\n', 'hostbased ssh-ed25519 AAAA\n', `x${KEY}`])
      assert.equal(keyTypeOf(text), '');
    for (const text of ['', 'publickey \u0007 AAAA\n', `publickey ${'x'.repeat(65)} AAAA\n`]) assert.equal(keyTypeOf(text), undefined);
  });
});

describe('the digest of the key', () => {
  it('is 64 hex digits, the same for the same key, whatever else was accepted', () => {
    assert.match(digest(`${KEY}\n`) ?? '', /^[0-9a-f]{64}$/);
    assert.equal(digest(`${KEY}\n`), digest(KEY));
    assert.equal(digest(`password\n${KEY}\nkeyboard-interactive/pam\n`), digest(KEY));
  });

  it('is that of the fingerprint that ssh-keygen prints', { skip: lacks({ programs: ['ssh-keygen'] }) }, async () => {
    const file = path.join(folder, 'key');
    await run(['ssh-keygen', '-q', '-t', 'ecdsa', '-N', '', '-f', file]);
    const [type = '', base64 = ''] = fs.readFileSync(`${file}.pub`, 'utf8').split(' ');
    const [, fingerprint = ''] = (await run(['ssh-keygen', '-lf', file])).stdout.split(' ');
    assert.match(fingerprint, /^SHA256:/);
    assert.equal(digest(`publickey ${type} ${base64}\n`), digestOfKey(fingerprint));
  });

  it('is another one for another key, and for two keys', () => {
    assert.equal(new Set([digest(KEY), digest(OTHER), digest(`${KEY}\n${OTHER}\n`)]).size, 3);
  });

  it('is none where no key was accepted or nothing is told', () => {
    for (const text of ['', '\n', 'password\n', 'keyboard-interactive/pam\n', 'hostbased\n', 'publickey\n', ` ${KEY}\n`, `x${KEY}`]) {
      assert.equal(digest(text), undefined, text);
    }
    assert.equal(keyDigestOf(authInfo({})), undefined);
    for (const file of ['', '/nowhere', folder]) assert.equal(keyDigestOf(authInfo({ SSH_USER_AUTH: file })), undefined, file);
  });
});

describe('the address of the client', () => {
  it('is the first word of SSH_CONNECTION', () => {
    assert.equal(clientAddress({ SSH_CONNECTION: '192.0.2.7 50000 192.0.2.1 22' }), '192.0.2.7');
    assert.equal(clientAddress({ SSH_CONNECTION: '2001:db8::1 50000 2001:db8::2 22' }), '2001:db8::1');
    assert.equal(clientAddress({}), undefined);
  });
});

describe('the connection', { skip: lacks({ programs: ['sh'] }) }, () => {
  it('is the closest sshd among the parents, by pid, start time and boot', async () => {
    for (const [name, shells] of [
      ['sshd', 0],
      ['sshd-session', 1],
    ] as const) {
      const seen = await seenBelow(name, shells);
      assert.equal(seen?.['bootId'], fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
      assert.ok(Number(seen['pid']) > 1 && Number(seen['startTicks']) > 0);
    }
  });

  it('is none of a program with a similar name', async () => {
    for (const name of ['sshd-auth', 'xsshd', 'sshd)']) assert.equal(await seenBelow(name, 0), null, name);
  });

  it('is none where nobody came by ssh', () => {
    const seen = sshConnection();
    assert.ok(seen === undefined || seen.pid > 1);
  });
});

describe('the beginning of a login', { skip: lacks({ programs: ['sh'] }) }, () => {
  const own = loginStart({ console: true })?.name;

  it('is the sshd of the connection however far up', async () => {
    for (const name of ['sshd', 'sshd-session']) assert.equal((await seenBelow(name, 6, 'loginStart'))?.['name'], name);
  });

  it('is none of what cron, a service manager or a terminal multiplexer starts, nor of a login without a console', async () => {
    for (const name of ['cron', 'atd', 'systemd', 'systemd-run', 'tmux: server', 'xlogin', 'login2', 'login'])
      assert.equal((await seenBelow(name, 1, 'loginStart'))?.['name'], own, name);
  });

  it('takes virtual terminals, serial lines and /dev/console for a console, and no pseudo-terminal: login -f in one confirmed a setup', () => {
    for (const terminal of [device(4, 1), device(4, 64), device(5, 1), device(204, 64), device(229, 0)])
      assert.equal(isConsole(terminal), true);
    for (const terminal of [0, device(136, 0), device(136, 1000), device(143, 7)]) assert.equal(isConsole(terminal), false);
  });
});

/** As /proc writes it. */
function device(major: number, minor: number): number {
  return (major << 8) | (minor & 0xff) | ((minor >> 8) << 20);
}
