/** A key that was meant for one command keeps to it behind the gate, though ForceCommand makes sshd forget that. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, type Ran, type RunOptions } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { must } from '../support/world.ts';
import { auditLines, gateSshd, NEEDS, newPerson, place, SEND_CODE, type Person, type Place } from './gate-world.ts';

describe("a key's own command is what runs after the code", { skip: NEEDS }, () => {
  let where: Place;
  let sshd: Sshd;
  let person: Person;
  let plainKey: string;

  before(async () => {
    where = place('gate-key');
    sshd = await gateSshd(where, { lines: ['Subsystem sftp internal-sftp'] });
    person = await newPerson(where, [sshd]);
    plainKey = path.join(where.folder, 'plain-key');
    must(['ssh-keygen', '-q', '-t', 'ecdsa', '-N', '', '-f', plainKey]);
  });

  /** The key of sshd.key gets `options`; another key in the same file has none. */
  const authorize = (options: string): void => {
    sshd.authorize(person.user, options);
    const file = path.join(person.user.home, '.ssh/authorized_keys');
    fs.appendFileSync(file, `# a comment\n\n${fs.readFileSync(`${plainKey}.pub`, 'utf8')}`);
  };
  const log = async (words: readonly string[], options: RunOptions & { sshOptions?: readonly string[] } = {}): Promise<Ran> =>
    await sshd.ssh(person.user, words, { environment: person.variable(), sshOptions: SEND_CODE, ...options });

  it('with what the client asked for in SSH_ORIGINAL_COMMAND', async () => {
    authorize('no-pty,command="echo \\"forced, $0: $SSH_ORIGINAL_COMMAND\\"",from="127.0.0.1" ');
    assert.equal((await log(['uptime', '-p'])).stdout, 'forced, bash: uptime -p\n');
    assert.equal((await log([])).stdout, 'forced, bash: \n');
  });

  it('and not before it', async () => {
    authorize('command="echo forced" ');
    const { code, stdout } = await log(['true'], { environment: {} });
    assert.equal(code, 1);
    assert.equal(stdout, '');
  });

  it('while another key of the same file runs what the client asks for', async () => {
    authorize('command="echo forced" ');
    const words = sshd.command(person.user, SEND_CODE).map((word) => (word === sshd.key ? plainKey : word));
    const { stdout } = await run([...words, 'echo "free ${SSH_ORIGINAL_COMMAND-none}"'], { environment: person.variable() });
    assert.equal(stdout, 'free none\n');
  });

  const sftp = async (batch: string): Promise<Ran> =>
    await run(['sftp', ...sshd.options(), ...SEND_CODE, '-b', '-', `${person.user.name}@127.0.0.1`], {
      environment: person.variable(),
      input: batch,
    });

  it('and may be internal-sftp, which is no program', async () => {
    authorize('restrict,command="internal-sftp -R" ');
    const listed = await sftp('ls -la .ssh\n');
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, /authorized_keys/);
    assert.match((await sftp('mkdir folder\n')).stderr, /Permission denied/);
  });

  it('and a certificate keeps to its force-command, or to the command of the authority that signed it', async () => {
    const authority = path.join(where.folder, 'authority');
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', authority]);
    const file = path.join(person.user.home, '.ssh/authorized_keys');
    const certify = async (lineOption: string, ...options: string[]): Promise<string> => {
      fs.writeFileSync(file, `cert-authority${lineOption} ${fs.readFileSync(`${authority}.pub`, 'utf8')}`);
      must(['ssh-keygen', '-q', '-s', authority, '-I', 'id', '-n', person.user.name, ...options, `${sshd.key}.pub`]);
      const sshOptions = [...SEND_CODE, '-o', `CertificateFile=${sshd.key}-cert.pub`];
      return (await log(['echo', 'free'], { sshOptions })).stdout;
    };
    const bound = await certify('', '-O', 'force-command=echo "bound: $SSH_ORIGINAL_COMMAND"');
    assert.equal(bound, 'bound: echo free\n');
    assert.equal(await certify(',command="echo by the authority"'), 'by the authority\n');
    assert.equal(await certify(''), 'free\n');
    fs.rmSync(`${sshd.key}-cert.pub`);
  });

  it('and is known where sshd has the keys elsewhere, once notp.toml says so', async () => {
    const keys = path.join(where.folder, 'keys');
    const config = path.join(where.folder, 'elsewhere.toml');
    const elsewhere = await gateSshd(where, {
      words: `--config ${config}`,
      lines: [`AuthorizedKeysFile ${keys}/%u`, 'StrictModes no'],
    });
    const file = path.join(keys, person.user.name);
    fs.mkdirSync(keys, { mode: 0o755 });
    const put = (options: string): void => {
      fs.writeFileSync(file, `${options}${fs.readFileSync(`${elsewhere.key}.pub`, 'utf8')}`);
    };
    const login = async (): Promise<Ran> =>
      await elsewhere.ssh(person.user, ['echo', 'free'], { environment: person.variable(), sshOptions: SEND_CODE });
    const own = '[store]\nurl = "user"\n';
    fs.writeFileSync(config, own);
    put('');
    const refused = await login();
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /no line of .*authorized_keys2 has this key/);
    assert.match(refused.stderr, /\[gate\] of notp\.toml name all files that sshd reads/);
    fs.writeFileSync(config, `${own}[gate]\nauthorized_keys = ["${keys}/%u"]\n`);
    assert.equal((await login()).stdout, 'free\n');
    put('command="echo forced" ');
    assert.equal((await login()).stdout, 'forced\n');
  });

  it('and where it cannot be looked up nothing runs, no code is asked for, and it is recorded', async () => {
    authorize('command="echo forced" ');
    const unreadable = path.join(person.user.home, '.ssh/authorized_keys2');
    fs.mkdirSync(unreadable);
    const { code, stdout, stderr } = await log(['echo', 'free']);
    fs.rmdirSync(unreadable);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`notp: error: ${unreadable} cannot be read`));
    const last = auditLines(person.user).at(-1);
    assert.deepEqual([last?.event, last?.reason], ['login.refused', 'not_permitted']);
  });

  it('was lost where sshd does not tell the key: users who may have come with a limited one are refused', async () => {
    const config = path.join(where.folder, 'untold.toml');
    fs.writeFileSync(config, '[store]\nurl = "user"\n[gate]\nexpose_auth_info = false\n');
    const untold = await gateSshd(where, { exposed: false, words: `--config ${config}` });
    const file = path.join(person.user.home, '.ssh/authorized_keys');
    const login = async (options: string): Promise<Ran> => {
      untold.authorize(person.user);
      fs.appendFileSync(file, `${options}${fs.readFileSync(`${plainKey}.pub`, 'utf8')}`);
      return await untold.ssh(person.user, ['echo', 'free'], { environment: person.variable(), sshOptions: SEND_CODE });
    };
    assert.equal((await login('')).stdout, 'free\n');
    const refused = await login('command="echo forced" ');
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /notp: hint: set ExposeAuthInfo yes in sshd_config/);
  });

  it('was lost where sshd had no space in /tmp to say which key it was: the gate refuses, and asks for no code', async () => {
    authorize('command="echo forced" ');
    const full = path.join(where.folder, 'full');
    fs.writeFileSync(full, '#!/bin/sh\nunset SSH_USER_AUTH\nexec "$@"\n', { mode: 0o755 });
    // sshd goes on without the variable, as with ExposeAuthInfo no.
    for (const exposed of [true, false]) {
      const silent = await gateSshd(exposed ? { ...where, notp: `${full} ${where.notp}` } : where, { exposed });
      silent.authorize(person.user);
      const { code, stdout, stderr } = await silent.ssh(person.user, ['echo', 'free'], {
        environment: person.variable(),
        sshOptions: SEND_CODE,
      });
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(
        stderr,
        /sshd did not say which key this login used\n.*set ExposeAuthInfo yes in sshd_config and check the space in \/tmp/,
      );
    }
  });

  it('and a certificate of an authority of sshd keeps to the line of its principal', async () => {
    const authority = path.join(where.folder, 'sshds-authority');
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', authority]);
    const principals = path.join(where.folder, 'principals');
    const config = path.join(where.folder, 'principals.toml');
    fs.writeFileSync(
      config,
      `[store]\nurl = "user"\n[gate]\ntrusted_user_ca_keys = "${authority}.pub"\nauthorized_principals = "${principals}"\n`,
    );
    const trusting = await gateSshd(where, {
      words: `--config ${config}`,
      lines: [`TrustedUserCAKeys ${authority}.pub`, `AuthorizedPrincipalsFile ${principals}`, 'AuthorizedKeysFile none', 'StrictModes no'],
    });
    must(['ssh-keygen', '-q', '-s', authority, '-I', 'id', '-n', 'ops', `${trusting.key}.pub`]);
    const login = async (line: string): Promise<string> => {
      fs.writeFileSync(principals, `${line}\n`);
      const sshOptions = [...SEND_CODE, '-o', `CertificateFile=${trusting.key}-cert.pub`];
      return (await trusting.ssh(person.user, ['echo', 'free'], { environment: person.variable(), sshOptions })).stdout;
    };
    assert.equal(await login('ops'), 'free\n');
    assert.equal(await login('command="echo by the principal" ops'), 'by the principal\n');
  });
});
