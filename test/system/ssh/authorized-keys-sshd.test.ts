/** The gate takes no other line of authorized_keys than the real sshd took: it may refuse, but a limit is never lost. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { keyCommand } from '../../../src/system/ssh/authorized-keys.ts';
import { startSshd, type Sshd } from '../../support/sshd.ts';
import { addUser, lacks, must, scratchFolder, type TestUser } from '../../support/world.ts';

const NEEDS = lacks({ root: true, programs: ['sshd', 'ssh', 'ssh-keygen'] });
const folder = scratchFolder('lines');
const [keysFile, secondFile, authorities, principals] = ['ak', 'ak2', 'tca', 'principals'].map((name) => path.join(folder, name)) as [
  string,
  string,
  string,
  string,
];
const keyFile = (name: string): string => path.join(folder, name);
const X = 'command="cat $SSH_USER_AUTH; echo LIMIT"';

/** `key`: r is RSA, c has a certificate. `alike`: the gate must not refuse. */
interface Case {
  readonly name: string;
  readonly lines: string;
  readonly second?: string;
  readonly key?: 'k' | 'r' | 'c';
  readonly authorities?: string;
  readonly principals?: string;
  readonly alike?: boolean;
}

function makeKey(name: string, type: string): string {
  must(['ssh-keygen', '-q', '-t', type, '-N', '', '-f', keyFile(name)]);
  return fs
    .readFileSync(keyFile(`${name}.pub`), 'utf8')
    .split(' ')
    .slice(0, 2)
    .join(' ')
    .trim();
}

function blobOf(key: string): string {
  return key.split(' ')[1] ?? '';
}

/** An RSA key with a zero before its first number, which sshd passes over. */
function withZero(blob: string): string {
  const bytes = Buffer.from(blob, 'base64');
  const at = 4 + bytes.readUInt32BE(0);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.readUInt32BE(at) + 1);
  return Buffer.concat([bytes.subarray(0, at), length, Buffer.from([0]), bytes.subarray(at + 4)]).toString('base64');
}

describe('the line that the gate takes', { skip: NEEDS }, () => {
  let sshd: Sshd;
  let user: TestUser;
  const keys = { K: '', R: '', CA: '' };

  before(async () => {
    user = addUser();
    Object.assign(keys, { K: makeKey('k', 'ed25519'), R: makeKey('r', 'rsa'), CA: makeKey('ca', 'ed25519') });
    makeKey('c', 'ed25519');
    must(['ssh-keygen', '-q', '-s', keyFile('ca'), '-I', 'x', '-n', `${user.name},root,web`, '-V', '-1d:+10d', keyFile('c.pub')]);
    fs.writeFileSync(authorities, '');
    sshd = await startSshd(folder, [
      `AuthorizedKeysFile ${keysFile} ${secondFile}`,
      `TrustedUserCAKeys ${authorities}`,
      `AuthorizedPrincipalsFile ${principals}`,
      ...['ExposeAuthInfo yes', 'StrictModes no', 'UsePAM no', 'PasswordAuthentication no'],
    ]);
  });

  /** What sshd made of it, and what the gate makes of it. */
  const compare = ({ key = 'k', ...given }: Case): { sshd: string; gate: string } => {
    fs.writeFileSync(keysFile, given.lines);
    fs.writeFileSync(secondFile, given.second ?? '');
    fs.writeFileSync(authorities, given.authorities ?? '');
    fs.writeFileSync(principals, given.principals ?? 'root\n');
    const words = sshd
      .command(user, ['-o', 'BatchMode=yes', '-o', 'IdentityAgent=none'])
      .map((word) => (word === sshd.key ? keyFile(key) : word));
    const { stdout } = spawnSync(words[0] ?? '', [...words.slice(1), 'cat $SSH_USER_AUTH; echo FULL'], { encoding: 'utf8' });
    const bySshd = stdout.includes('LIMIT')
      ? 'limit'
      : stdout.includes('FULL')
        ? 'full'
        : stdout.includes('publickey')
          ? 'other'
          : 'refused';
    const publicKey = fs.readFileSync(keyFile(key === 'c' ? 'c-cert.pub' : `${key}.pub`), 'utf8');
    const shown = /^publickey .*$/m.exec(stdout)?.[0] ?? `publickey ${publicKey.split(' ').slice(0, 2).join(' ')}`;
    try {
      const files = [keysFile, secondFile];
      const command = keyCommand(shown, { name: user.name, files, authorities, principals, address: '127.0.0.1', nowMs: Date.now() });
      return { sshd: bySshd, gate: command === undefined ? 'full' : command.includes('LIMIT') ? 'limit' : 'other' };
    } catch {
      return { sshd: bySshd, gate: 'refused' };
    }
  };

  it('is the one that sshd took, or it refuses', () => {
    const { K, R, CA } = keys;
    const cases: Case[] = [
      { name: 'plain + limited', lines: `${K}\n${X} ${K}\n`, alike: true },
      { name: 'limited + plain', lines: `${X} ${K}\n${K}\n`, alike: true },
      { name: 'from mask not zero (plain) then limited', lines: `from="127.0.0.5/8" ${K}\n${X} ${K}\n` },
      { name: 'from with space (plain) then limited', lines: `from="10.0.0.1, 127.0.0.1" ${K}\n${X} ${K}\n` },
      { name: 'from trailing slash (plain) then limited', lines: `from="10.0.0.0/" ${K}\n${X} ${K}\n` },
      { name: 'from empty element (plain)', lines: `from="127.0.0.1,,10.0.0.1" ${K}\n${X} ${K}\n` },
      { name: 'from trailing comma (plain)', lines: `from="127.0.0.1," ${K}\n${X} ${K}\n` },
      { name: 'from "127.0/8" limited then plain', lines: `from="127.0/8",${X} ${K}\n${K}\n` },
      { name: 'from "127.1" limited then plain', lines: `from="127.1",${X} ${K}\n${K}\n` },
      { name: 'from hex float bits', lines: `from="10.0.0.0/0x0" ${K}\n${X} ${K}\n` },
      { name: 'from "127.0.0.0/8/9" plain', lines: `from="127.0.0.0/8/9" ${K}\n${X} ${K}\n` },
      { name: 'from ::ffff:127.0.0.1 limited then plain', lines: `from="::ffff:127.0.0.1",${X} ${K}\n${K}\n` },
      { name: 'from ::ffff:127.0.0.0/104 limited then plain', lines: `from="::ffff:127.0.0.0/104",${X} ${K}\n${K}\n` },
      { name: 'from !bad mask', lines: `from="*,!10.0.0.5/8" ${K}\n${X} ${K}\n` },
      { name: 'from "!127.0.0.1" host pattern', lines: `from="*,!127.0.0.1" ${K}\n${X} ${K}\n` },
      { name: 'from ! (empty neg)', lines: `from="*,!" ${K}\n${X} ${K}\n` },
      { name: 'from "localhost" UseDNS no, plain', lines: `from="localhost" ${K}\n${X} ${K}\n` },
      { name: 'from 127.0.0.?', lines: `from="127.0.0.?",${X} ${K}\n${K}\n`, alike: true },
      { name: 'unknown option plain then limited', lines: `no-such-option ${K}\n${X} ${K}\n` },
      { name: 'typo option', lines: `no-port-fowarding,no-pty ${K}\n${X} ${K}\n` },
      { name: 'option with value that takes none', lines: `no-pty="x" ${K}\n${X} ${K}\n` },
      { name: 'command without value', lines: `command ${K}\n${X} ${K}\n` },
      { name: 'permitopen bad', lines: `permitopen="nonsense" ${K}\n${X} ${K}\n` },
      { name: 'environment bad', lines: `environment="1" ${K}\n${X} ${K}\n` },
      { name: 'tunnel bad', lines: `tunnel="zz" ${K}\n${X} ${K}\n` },
      { name: 'principals on plain', lines: `principals="root" ${K}\n${X} ${K}\n` },
      { name: 'expiry twice limited then plain', lines: `expiry-time="20990101",expiry-time="20980101",${X} ${K}\n${K}\n` },
      { name: 'expiry UTC suffix limited then plain', lines: `expiry-time="20990101UTC",${X} ${K}\n${K}\n` },
      { name: 'expiry z limited then plain', lines: `expiry-time="20990101z",${X} ${K}\n${K}\n` },
      { name: 'expiry Z limited', lines: `expiry-time="20990101Z",${X} ${K}\n${K}\n`, alike: true },
      { name: 'expiry T24 plain', lines: `expiry-time="209901012400" ${K}\n${X} ${K}\n` },
      { name: 'expiry sec 60 limited', lines: `expiry-time="20990101235960",${X} ${K}\n${K}\n` },
      { name: 'expiry 0231 ', lines: `expiry-time="20990231",${X} ${K}\n${K}\n` },
      { name: 'expiry year 9999', lines: `expiry-time="99991231",${X} ${K}\n${K}\n` },
      { name: 'expiry 1969 plain', lines: `expiry-time="19690101" ${K}\n${X} ${K}\n` },
      { name: 'BOM plain then limited', lines: `\ufeff${K}\n${X} ${K}\n` },
      { name: 'BOM with options then limited', lines: `\ufeffno-pty ${K}\n${X} ${K}\n` },
      { name: 'NBSP start', lines: `\u00a0${K}\n${X} ${K}\n` },
      { name: 'formfeed start', lines: `\f${K}\n${X} ${K}\n` },
      { name: 'CRLF limited then plain', lines: `${X} ${K}\r\n${K}\r\n`, alike: true },
      { name: 'no newline end', lines: `${X} ${K}`, alike: true },
      { name: 'double space', lines: `${X}   ${K.replace(' ', '   ')}\n${K}\n`, alike: true },
      { name: 'tab', lines: `${X}\t${K.replace(' ', '\t')}\n${K}\n`, alike: true },
      { name: 'formfeed in blob limited then plain', lines: `${X} ${K.slice(0, 50)}\f${K.slice(50)}\n${K}\n` },
      { name: 'CR in blob limited', lines: `${X} ${K.slice(0, 50)}\r${K.slice(50)}\n${K}\n` },
      { name: 'VT after blob limited', lines: `${X} ${K}\v\n${K}\n` },
      { name: 'NUL in line', lines: `${X} ${K}\0foo\n${K}\n` },
      { name: 'wrong type name, plain', lines: `ecdsa-sha2-nistp256 ${blobOf(K)}\n${X} ${K}\n` },
      { name: 'ssh-rsa name on ed25519 blob options', lines: `no-pty ssh-rsa ${blobOf(K)}\n${X} ${K}\n` },
      { name: 'rsa-sha2-512 limited then plain', lines: `${X} rsa-sha2-512 ${blobOf(R)}\n${R}\n`, key: 'r' },
      { name: 'rsa-sha2-256 limited then plain', lines: `${X} rsa-sha2-256 ${blobOf(R)}\n${R}\n`, key: 'r' },
      { name: 'ssh-rsa limited rsa', lines: `${X} ${R}\n${R}\n`, key: 'r', alike: true },
      { name: 'rsa leading zeros', lines: `${X} ssh-rsa ${withZero(blobOf(R))}\n${R}\n`, key: 'r' },
      { name: 'quotes with escaped', lines: `command="cat $SSH_USER_AUTH; echo \\"LIMIT\\"" ${K}\n${K}\n`, alike: true },
      { name: 'backslash end value', lines: `command="cat $SSH_USER_AUTH; echo LIMIT \\\\" ${K}\n${K}\n` },
      { name: 'COMMAND upper', lines: `COMMAND="cat $SSH_USER_AUTH; echo LIMIT" ${K}\n${K}\n`, alike: true },
      { name: 'trailing comma opt', lines: `${X}, ${K}\n${K}\n` },
      { name: 'leading comma opt', lines: `,no-pty ${K}\n${X} ${K}\n` },
      { name: 'double comma opt', lines: `no-pty,,no-pty ${K}\n${X} ${K}\n` },
      { name: 'cert-authority on plain, limited', lines: `cert-authority ${K}\n${X} ${K}\n` },
      { name: 'long line >8k', lines: `${X},environment="A=${'x'.repeat(9000)}" ${K}\n${K}\n` },
      { name: 'CERT: file limited, tca plain', lines: `cert-authority,${X} ${CA}\n`, key: 'c', authorities: `${CA}\n` },
      {
        name: 'CERT: file plain, tca + principals limited',
        lines: `cert-authority ${CA}\n`,
        key: 'c',
        authorities: `${CA}\n`,
        principals: `${X} web\n`,
      },
      { name: 'CERT: principals limited', lines: ``, key: 'c', authorities: `${CA}\n`, principals: `${X} web\n`, alike: true },
      {
        name: 'CERT: principals first plain other, limited',
        lines: ``,
        key: 'c',
        authorities: `${CA}\n`,
        principals: `ops\n${X} root\nweb\n`,
      },
      { name: 'CERT: principals with junk', lines: ``, key: 'c', authorities: `${CA}\n`, principals: `${X} junk web\nroot\n` },
      {
        name: 'CERT: principals comment inside quotes',
        lines: ``,
        key: 'c',
        authorities: `${CA}\n`,
        principals: `command="echo # x" web\n${X} root\n`,
      },
      {
        name: 'CERT: tca junk line then CA; file limited',
        lines: `cert-authority,${X} ${CA}\n`,
        key: 'c',
        authorities: `junk line\n${CA}\n`,
        principals: 'web\n',
      },
      {
        name: 'CERT: tca CA with options; file limited',
        lines: `cert-authority,${X} ${CA}\n`,
        key: 'c',
        authorities: `no-pty ${CA}\n`,
        principals: 'web\n',
      },
      { name: 'CERT: principals="web,x"', lines: `cert-authority,principals="ops, web" ${CA}\ncert-authority,${X} ${CA}\n`, key: 'c' },
      { name: 'CERT: principals empty elem', lines: `cert-authority,principals=",web" ${CA}\ncert-authority,${X} ${CA}\n`, key: 'c' },
      { name: 'CERT: principals unknown opt line', lines: ``, key: 'c', authorities: `${CA}\n`, principals: `foo web\n${X} root\n` },
      { name: 'CERT: principals CRLF', lines: ``, key: 'c', authorities: `${CA}\n`, principals: `web\r\n${X} root\n` },
      {
        name: 'CERT: principals cert-authority opt',
        lines: ``,
        key: 'c',
        authorities: `${CA}\n`,
        principals: `cert-authority web\n${X} root\n`,
      },
      {
        name: 'CERT: first principal refused by from, file limited',
        lines: `cert-authority,${X} ${CA}\n`,
        key: 'c',
        authorities: `${CA}\n`,
        principals: `from="10.0.0.1" web\nroot\n`,
      },
      { name: 'CERT: principals tabs mixed', lines: ``, key: 'c', authorities: `${CA}\n`, principals: `${X}\tweb\n` },
      { name: 'CERT: NBSP before principal', lines: ``, key: 'c', authorities: `${CA}\n`, principals: `\u00a0web\n${X} root\n` },
      { name: 'short name of the type', lines: `${X} ED25519 ${blobOf(K)}\n${K}\n` },
      { name: 'expired an hour ago', lines: `expiry-time="20200101",${X} ${K}\n${K}\n` },
      { name: 'a network', lines: `from="10.0.0.0/8,127.0.0.0/8",${X} ${K}\n${K}\n`, alike: true },
      { name: 'another network', lines: `from="10.0.0.0/8,!10.1.0.0/16" ${K}\n${X} ${K}\n`, alike: true },
      { name: 'two files', lines: `${X} ${K}\n`, second: `${K}\n` },
      { name: 'two files the other way round', lines: `${K}\n`, second: `${X} ${K}\n` },
      { name: 'other keys with other limits', lines: `command="x" ${R}\nno-such-option,command="x" ${R}\n${X} ${K}\n`, alike: true },
      {
        name: 'CERT: the first line of the principal does not admit',
        lines: '',
        key: 'c',
        authorities: `${CA}\n`,
        principals: `from="10.0.0.1",${X} web\nweb\n`,
      },
      { name: 'a line cut in two', lines: `${X}\n${K}\n` },
      { name: 'all the usual options', lines: `restrict,pty,environment="A=b",permitopen="localhost:80",no-pty,${X} ${K}\n`, alike: true },
    ];
    const found = cases.map((each) => ({ ...each, ...compare(each) }));
    const told = found.map(({ name, sshd: took, gate, alike }) => ({ name, took, gate, alike: alike === true }));
    assert.ok(told.filter(({ took }) => took !== 'refused').length > 50, 'sshd lets most of them in');
    const wrong = told.filter(({ took, gate }) => took !== 'refused' && gate !== 'refused' && gate !== took);
    assert.deepEqual(wrong, [], 'a limit is lost, or another command runs');
    assert.deepEqual(
      told.filter(({ took, gate, alike }) => alike && gate !== took),
      [],
      'a line that is sure is refused',
    );
  });
});
