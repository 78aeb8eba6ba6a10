/** The forced command of the key that opened a session is found as sshd(8) finds it, also behind a certificate. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { askingFor, keyCommand, keyFiles, parseAuthorizedKey, requireNoLimits } from '../../../src/system/ssh/authorized-keys.ts';
import { defaultConfig } from '../../../src/system/config.ts';
import { lacks, must, scratchFolder } from '../../support/world.ts';

const KEY = plainKey(1);
const OTHER = plainKey(2);
const home = scratchFolder('keys');
const ssh = path.join(home, '.ssh');
const NOW_MS = Date.UTC(2026, 10, 29);
const alice = { name: 'alice', uid: 1000, gid: 1000, home, shell: '/bin/sh' };
const ASKING = { ...askingFor(defaultConfig(), alice), address: '203.0.113.7', nowMs: NOW_MS };

function plainKey(byte: number, type = 'ssh-ed25519'): string {
  const parts = [Buffer.from(type), Buffer.alloc(32, byte)].flatMap((part) => [Buffer.from([0, 0, 0, part.length]), part]);
  return `${type} ${Buffer.concat(parts).toString('base64')}`;
}

describe('a line of authorized_keys', () => {
  const lines: readonly (readonly [line: string, key: string | undefined, command?: string])[] = [
    [KEY, KEY],
    [`${KEY} alice@laptop with a comment`, KEY],
    [`  ${KEY}\r`, KEY],
    [`no-pty,no-X11-forwarding ${KEY}`, KEY],
    [`command="uptime" ${KEY}`, KEY, 'uptime'],
    [`COMMAND="uptime" ${KEY}`, KEY, 'uptime'],
    [`no-pty,command="ls -l /",from="10.0.0.0/8" ${KEY} comment`, KEY, 'ls -l /'],
    [`command="echo \\"a b\\", c" ${KEY}`, KEY, 'echo "a b", c'],
    [`command="echo ssh-rsa AAAA" ${KEY}`, KEY, 'echo ssh-rsa AAAA'],
    [`command="" ${KEY}`, KEY, ''],
    [`environment="A=b c",command="x"\t${KEY}`, KEY, 'x'],
    [`environment="A=,command=",command="real" ${KEY}`, KEY, 'real'],
    [`environment="A=\\",command=\\"fake\\"" ${KEY}`, KEY],
    [`cert-authority,principals="a,b",command="x" ${KEY}`, KEY, 'x'],
    [`${plainKey(3, 'sk-ssh-ed25519@openssh.com')} x`, plainKey(3, 'sk-ssh-ed25519@openssh.com')],
    [`command="x" ${plainKey(3, 'sk-ecdsa-sha2-nistp256@openssh.com')}`, plainKey(3, 'sk-ecdsa-sha2-nistp256@openssh.com'), 'x'],
    [plainKey(3, 'ecdsa-sha2-nistp521'), plainKey(3, 'ecdsa-sha2-nistp521')],
    [plainKey(3, 'ssh-rsa'), plainKey(3, 'ssh-rsa')],
    ['', undefined],
    ['# comment', undefined],
    [`# command="x" ${KEY}`, undefined],
    ['ssh-ed25519', undefined],
    ['command="x"', undefined],
    [`command="x ${KEY}`, undefined],
    [`a"b",command="x" ${KEY}`, KEY],
    ['hello world', undefined],
  ];
  for (const [line, key, command] of lines) {
    it(`is read as sshd reads it: ${JSON.stringify(line)}`, () => {
      const found = parseAuthorizedKey(line);
      assert.deepEqual([found?.key, found?.command], [key, command]);
    });
  }
});

function authorize(file: string, ...lines: string[]): void {
  fs.writeFileSync(path.join(ssh, file), `${lines.join('\n')}\n`);
}

beforeEach(() => {
  fs.rmSync(ssh, { recursive: true, force: true });
  fs.mkdirSync(ssh);
});

describe('the command of the key that logged in', () => {
  const other = OTHER;

  it('is that of its own line, in either file', () => {
    authorize('authorized_keys', `command="other" ${other}`, KEY);
    assert.equal(keyCommand(`publickey ${KEY}\n`, ASKING), undefined);
    authorize('authorized_keys2', `command="mine" ${KEY}`);
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), /several lines/, 'sshd may have passed over the first file');
    authorize('authorized_keys', `command="other" ${other}`);
    assert.equal(keyCommand(`publickey ${KEY}\n`, ASKING), 'mine');
    assert.equal(keyCommand(`publickey ${other}\n`, ASKING), 'other');
  });

  it('is that of any key where several were shown', () => {
    authorize('authorized_keys', KEY, `command="other" ${other}`);
    assert.equal(keyCommand(`publickey ${KEY}\npassword\npublickey ${other}\n`, ASKING), 'other');
  });

  it('was that of another line with the same key, which does not admit this client', () => {
    authorize('authorized_keys', `from="192.0.2.1",command="A" ${KEY}`, `command="B" ${KEY}`);
    assert.equal(keyCommand(`publickey ${KEY}\n`, ASKING), 'B');
    assert.equal(keyCommand(`publickey ${KEY}\n`, { ...ASKING, address: '192.0.2.1' }), 'A');
  });

  const lines: readonly (readonly [options: string, command: 'A' | 'B' | 'refused'])[] = [
    ['from="203.0.113.0/24"', 'A'],
    ['from="203.0.113.*"', 'A'],
    ['from="!203.0.113.7,203.0.113.0/24"', 'B'],
    ['from="10.0.0.0/8,::1"', 'B'],
    ['from="2001:db8::/32"', 'B'],
    ['cert-authority', 'B'],
    ['expiry-time="20271130"', 'A'],
    ['expiry-time="20271130Z"', 'A'],
    ['expiry-time="202611282359Z"', 'refused'],
    ['expiry-time="20261130"', 'refused'],
    ['expiry-time="tomorrow"', 'refused'],
    ['expiry-time="20270231"', 'refused'],
    ['from="203.0.113.7",from="203.0.113.7"', 'refused'],
    ['from="203.0.113.7/24"', 'refused'],
    ['from="2001:db8::1/32"', 'refused'],
    ['from="10.0.0.0/8,"', 'refused'],
    ['from="10.0.0.0/08"', 'refused'],
    ['from="::ffff:203.0.113.7"', 'refused'],
    ['from="192.0.2.*"', 'refused'],
    ['principals="alice"', 'refused'],
    ['no-such-option', 'refused'],
  ];
  for (const [options, expected] of lines) {
    it(`is ${expected === 'refused' ? 'not known' : expected} after a line with ${options}`, () => {
      authorize('authorized_keys', `${options},command="A" ${KEY}`, `command="B" ${KEY}`);
      const command = (): string | undefined => keyCommand(`publickey ${KEY}\n`, ASKING);
      if (expected === 'refused') assert.throws(command, { code: 'not_permitted', message: /several lines differ.*keys:1, .*keys:2/ });
      else assert.equal(command(), expected);
    });
  }

  it('is refused where a line that may have the key cannot be read, and that line is named', () => {
    authorize('authorized_keys', 'wrapped', `command="A" ${KEY}`);
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), /several lines differ/);
    authorize('authorized_keys', 'wrapped', KEY);
    assert.equal(keyCommand(`publickey ${KEY}\n`, ASKING), undefined);
    authorize('authorized_keys', `command="A" ed25519 ${KEY.split(' ')[1] ?? ''}`, `command="A" ${KEY}`);
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), /cannot read a line that may have this key: .*authorized_keys:1/);
  });

  it('is refused where it cannot be known: a host name decides, no line has the key, or none admits', () => {
    authorize('authorized_keys', `from="*.example.org",command="A" ${KEY}`, `command="B" ${KEY}`);
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), /several lines/);
    authorize('authorized_keys', `from="*.example.org",command="A" ${KEY}`);
    assert.equal(keyCommand(`publickey ${KEY}\n`, ASKING), 'A');
    for (const line of [`command="A" ${other}`, `from="192.0.2.1",command="A" ${KEY}`]) {
      authorize('authorized_keys', line);
      assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), { code: 'not_permitted', message: /no line/ });
    }
  });

  it('is none after a password, and where there is no file', () => {
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), { code: 'not_permitted' });
    authorize('authorized_keys', `command="x" ${KEY}`);
    assert.equal(keyCommand('password\n', ASKING), undefined);
    assert.equal(keyCommand('', ASKING), undefined);
  });

  it('throws where a file cannot be read, and names it: a limit must not vanish', () => {
    authorize('authorized_keys', KEY);
    const second = path.join(ssh, 'authorized_keys2');
    const refusal = { code: 'not_permitted', message: new RegExp(`^${second} cannot be read`), hint: new RegExp(second) };
    fs.mkdirSync(second);
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), refusal);
    fs.rmdirSync(second);
    must(['mkfifo', second]);
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), refusal, 'and does not wait for a FIFO');
    fs.rmSync(second);
    fs.writeFileSync(second, '#'.repeat(4 * 1024 * 1024 + 1));
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, ASKING), refusal);
  });

  it('is looked for in the files of the setting, with the words of sshd, and in no other', () => {
    const templates = ['.ssh/%u-%U', '%h/.ssh/50%%', '/srv/keys/%u'];
    const files = keyFiles(templates, alice);
    assert.deepEqual(files, [path.join(ssh, 'alice-1000'), path.join(ssh, '50%'), '/srv/keys/alice']);
    authorize('authorized_keys', `command="here" ${KEY}`);
    assert.throws(() => keyCommand(`publickey ${KEY}\n`, { ...ASKING, files }), { message: new RegExp(files.join(', ')) });
    authorize('50%', `command="there" ${KEY}`);
    assert.equal(keyCommand(`publickey ${KEY}\n`, { ...ASKING, files }), 'there');
  });
});

/** Type and base64 blob. */
function publicKey(file: string): string {
  return fs.readFileSync(file, 'utf8').split(' ').slice(0, 2).join(' ');
}

/** What sshd tells of a login with a new key of this type that a new authority signed. */
function certified(type: readonly string[], options: readonly string[] = []): { authInfo: string; authority: string } {
  const folder = fs.mkdtempSync(path.join(home, 'ca-'));
  const [authority, key] = [path.join(folder, 'ca'), path.join(folder, 'key')];
  must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', authority]);
  must(['ssh-keygen', '-q', ...type, '-N', '', '-f', key]);
  must(['ssh-keygen', '-q', '-s', authority, '-I', 'id', '-n', 'alice', '-V', '+1d', ...options, `${key}.pub`]);
  return { authInfo: `publickey ${publicKey(`${key}-cert.pub`)}\n`, authority: publicKey(`${authority}.pub`) };
}

describe('the command of a certificate', { skip: lacks({ programs: ['ssh-keygen'] }) }, () => {
  const types = [
    ['-t', 'ed25519'],
    ['-t', 'rsa', '-b', '2048'],
    ['-t', 'ecdsa', '-b', '384'],
  ];
  for (const type of types) {
    it(`is that of the line of its authority: ${type.join(' ')}`, () => {
      const { authInfo, authority } = certified(type);
      authorize('authorized_keys', `cert-authority,command="theirs" ${authority}`);
      assert.equal(keyCommand(authInfo, ASKING), 'theirs');
      authorize('authorized_keys', `cert-authority ${authority}`, `command="x" ${KEY}`);
      assert.equal(keyCommand(authInfo, ASKING), undefined);
    });

    it(`is the one that the certificate forces: ${type.join(' ')}`, () => {
      const { authInfo, authority } = certified(type, ['-O', 'source-address=127.0.0.1', '-O', 'force-command=echo "für dich"']);
      authorize('authorities', authority);
      assert.equal(keyCommand(authInfo, { ...ASKING, authorities: path.join(ssh, 'authorities') }), 'echo "für dich"');
    });
  }

  it('is refused where nobody whom the gate knows has signed the certificate', () => {
    const { authInfo, authority } = certified(['-t', 'ed25519']);
    assert.throws(() => keyCommand(authInfo, ASKING), { code: 'not_permitted', message: /no line of/ });
    authorize('authorities', OTHER, authority);
    const asking = { ...ASKING, authorities: path.join(ssh, 'authorities') };
    assert.equal(keyCommand(authInfo, asking), undefined);
    assert.throws(() => keyCommand(authInfo, { ...asking, name: 'bob' }), { code: 'not_permitted' }, 'it is of alice');
  });

  const principals: readonly (readonly [lines: readonly string[], command: string | undefined | RegExp])[] = [
    [['alice'], undefined],
    [['# alice', '', 'bob', 'command="A" alice # hers', 'command="B" alice'], 'A'],
    [['from="192.0.2.1",command="A" alice', 'command="B"\talice'], /no line/],
    [['bob', 'command="B"\talice'], 'B'],
    [['command="A" bob', '  alice  '], undefined],
    [['command="A bob', 'bob'], /no line/],
    [['command="A alice'], /cannot read a line/],
    [['from="*.example.org",command="A" alice', 'alice'], 'A'],
    [['no-such-option alice', 'command="A" alice'], /several lines/],
    [[], /no line/],
  ];
  for (const [lines, expected] of principals) {
    it(`is that of the line of its principal: ${JSON.stringify(lines)}`, () => {
      const { authInfo, authority } = certified(['-t', 'ed25519']);
      authorize('authorities', authority);
      authorize('principals', ...lines);
      const asking = { ...ASKING, authorities: path.join(ssh, 'authorities'), principals: path.join(ssh, 'principals') };
      if (expected instanceof RegExp) assert.throws(() => keyCommand(authInfo, asking), { code: 'not_permitted', message: expected });
      else assert.equal(keyCommand(authInfo, asking), expected);
    });
  }

  it('is that of the line that admits its principals', () => {
    const { authInfo, authority } = certified(['-t', 'ed25519']);
    authorize(
      'authorized_keys',
      `cert-authority,principals="bob,ops",command="A" ${authority}`,
      `cert-authority,principals="ops,alice",command="B" ${authority}`,
    );
    assert.equal(keyCommand(authInfo, ASKING), 'B');
    authorize('authorized_keys', `cert-authority,command="A" ${authority}`);
    assert.equal(keyCommand(authInfo, ASKING), 'A');
    assert.throws(() => keyCommand(authInfo, { ...ASKING, name: 'bob' }), { code: 'not_permitted' });
  });

  it('throws where the certificate is cut off or of a type that is not known', () => {
    const { authInfo } = certified(['-t', 'ed25519']);
    assert.throws(() => keyCommand(authInfo.slice(0, 120), ASKING), RangeError);
    assert.throws(() => keyCommand(authInfo.replace('ssh-ed25519', 'ssh-new'), ASKING), /unknown type of certificate/);
  });
});

describe('a login whose key sshd does not tell', () => {
  it('is refused where one that the user can come with may have a limit', () => {
    requireNoLimits(ASKING);
    authorize('authorized_keys', `no-pty ${KEY}`);
    requireNoLimits(ASKING);
    const refusal = { code: 'not_permitted', hint: /ExposeAuthInfo yes/ };
    assert.throws(() => {
      requireNoLimits({ ...ASKING, authorities: '/etc/ssh/ca.pub' });
    }, refusal);
    for (const options of ['command="x"', 'cert-authority', 'no-such-option', 'command', 'command="x']) {
      authorize('authorized_keys', KEY, `${options} ${OTHER}`);
      assert.throws(() => {
        requireNoLimits(ASKING);
      }, refusal);
    }
  });
});
