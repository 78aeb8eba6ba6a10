/** A key on a security device at the gate, with a real sshd: its touch is the second factor only where sshd demands it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run } from '../support/process.ts';
import { securityKey, type SecurityKey } from '../support/security-key.ts';
import type { Sshd } from '../support/sshd.ts';
import { must } from '../support/world.ts';
import { auditLines, gateSshd, NEEDS, newPerson, place, type Person, type Place } from './gate-world.ts';
import { rulesText } from './rule-rows.ts';

describe('a rule that asks nothing of keys on a device', { skip: NEEDS }, () => {
  let where: Place;
  /** As sshd is without a line about the touch, and with each of its values. */
  const sshds = new Map<string, Sshd>();
  let person: Person;
  let key: SecurityKey;

  before(async () => {
    where = place('gate-touch');
    key = await securityKey(where.folder);
    fs.writeFileSync(path.join(where.folder, 'key.pub'), `${key.line}\n`);
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', path.join(where.folder, 'ca')]);
    const authority = `TrustedUserCAKeys ${where.folder}/ca.pub`;
    const words = `--config ${where.folder}/notp.toml`;
    for (const options of ['none', 'touch-required', 'verify-required'])
      sshds.set(options, await gateSshd(where, { words, lines: [authority, `PubkeyAuthOptions ${options}`] }));
    const own = `[store]\nurl = "user"\n[audit]\njournal = false\n[gate]\ntrusted_user_ca_keys = "${where.folder}/ca.pub"\n`;
    const rule = rulesText(['keys = ["sk-*"]\nask = "nothing"\nreason = "hardware keys"']);
    fs.writeFileSync(path.join(where.folder, 'notp.toml'), own + rule);
    person = await newPerson(where, [...sshds.values()]);
  });

  const authorize = (...lines: readonly string[]): void => {
    fs.writeFileSync(path.join(person.user.home, '.ssh/authorized_keys'), lines.map((line) => `${line}\n`).join(''));
  };
  /** What comes of a login: the word of the record, or "sshd" where that refuses the key. */
  const enter = async (options: string, touched: boolean, certificate?: string): Promise<string> => {
    key.touched = touched;
    const sshd = sshds.get(options);
    assert.ok(sshd);
    const wanted = ['-o', `IdentityAgent=${key.agent}`, '-i', path.join(where.folder, 'key.pub')];
    if (certificate !== undefined) wanted.push('-o', `CertificateFile=${path.join(where.folder, certificate)}`);
    const earlier = auditLines(person.user).length;
    const [ssh = '', ...more] = sshd.command(person.user, ['-o', 'BatchMode=yes']);
    const { stdout } = await run([ssh, ...wanted, ...more.filter((word, i) => word !== '-i' && more[i - 1] !== '-i'), 'echo in']);
    const { method, reason } = auditLines(person.user).at(-1) ?? {};
    if (auditLines(person.user).length === earlier) return 'sshd';
    assert.equal(stdout, method === undefined ? '' : 'in\n');
    return method ?? reason ?? '';
  };

  it('lets in whoever touches it, and sshd refuses whoever does not', async () => {
    authorize(key.line);
    assert.equal(await enter('none', true), 'rule');
    assert.equal(await enter('none', false), 'sshd');
    assert.equal(await enter('touch-required', true), 'rule');
  });

  it('lets in without a touch by a line of the user with no-touch-required, unless sshd requires one', async () => {
    authorize(`no-touch-required ${key.line}`);
    assert.equal(await enter('none', false), 'rule');
    assert.equal(await enter('touch-required', false), 'sshd');
    assert.equal(await enter('touch-required', true), 'rule');
    // The PIN, which the key has not.
    assert.equal(await enter('verify-required', true), 'sshd');
  });

  it('lets in without a touch by a certificate that says so, unless sshd requires one', async () => {
    authorize();
    const { folder } = where;
    must(['ssh-keygen', '-q', '-s', `${folder}/ca`, '-I', 'x', '-n', person.user.name, '-O', 'no-touch-required', `${folder}/key.pub`]);
    assert.equal(await enter('none', false, 'key-cert.pub'), 'rule');
    assert.equal(await enter('touch-required', false, 'key-cert.pub'), 'sshd');
    assert.equal(await enter('touch-required', true, 'key-cert.pub'), 'rule');
  });
});
