/** Two devices of one account at the gate, each sealed by a passphrase: a code of either logs in, and both are guessed at on one budget. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ROOT, type Ran } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { addUser, oathCode, runAs, type Enrolled, type TestUser } from '../support/world.ts';
import { auditLines, authorizeAll, gateSshd, NEEDS, place, SEND_CODE, typePassphrase, type AuditLine, type Place } from './gate-world.ts';

const PHONE = { context: 'ssh', passphrase: 'correct horse' } as const;
const BACKUP = { context: 'ssh-backup', passphrase: 'battery staple' } as const;

const codeOf = ({ secret }: Enrolled, offsetSeconds = 0): string => oathCode(secret, { offsetSeconds });

describe('the gate for two devices', { skip: NEEDS }, () => {
  let where: Place;
  let sshd: Sshd;
  let user: TestUser;
  let config: string;
  let phone: Enrolled;
  let backup: Enrolled;
  let spent: number;

  before(async () => {
    where = place('gate-devices');
    config = path.join(where.folder, 'notp.toml');
    const contexts = `context = ["${PHONE.context}", "${BACKUP.context}", "ssh-host"]`;
    fs.writeFileSync(config, `${contexts}\n[policy]\nbudget = 4\n[store]\nurl = "user"\n[audit]\njournal = false\n`);
    sshd = await gateSshd(where, { words: `--config ${config}` });
    user = addUser();
    authorizeAll(user, [sshd]);
  });

  const enrol = async (context: string, passphrase: string): Promise<Enrolled> => {
    const words = ['enroll', context, '--config', config, '--no-confirm', '--json', '--replace', '--passphrase-file', '-'];
    const { code, stdout, stderr } = await runAs(user, [where.notp, ...words], { input: `${passphrase}\n` });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Enrolled;
  };
  /** With new secrets and a full budget. */
  const both = async (): Promise<void> => {
    phone = await enrol(PHONE.context, PHONE.passphrase);
    backup = await enrol(BACKUP.context, BACKUP.passphrase);
    spent = 0;
  };
  const recoveryOf = ({ recovery }: Enrolled): string => recovery[spent++] ?? '';
  const enter = async (passphrase: string, proof: string): Promise<Ran> =>
    await sshd.ssh(user, ['echo in'], { environment: { LC_NOTP: `${passphrase} ${proof}` }, sshOptions: SEND_CODE });
  const last = (): Partial<AuditLine> => auditLines(user).findLast(({ event }) => event.startsWith('login.')) ?? {};
  const entered = async (passphrase: string, proof: string): Promise<readonly unknown[]> => {
    const { stdout } = await enter(passphrase, proof);
    return [stdout, last().context, last().method ?? last().reason];
  };

  it('counts wrong tries at both together, those of notp verify too, and lets two codes of either in after that', async () => {
    await both();
    for (let i = 0; i < 2; i++) {
      const input = `${BACKUP.passphrase} 000000\n`;
      const { code } = await runAs(user, [where.notp, 'verify', BACKUP.context, '--config', config, '--code-stdin'], { input });
      assert.equal(code, 1);
      assert.deepEqual([last().context, last().reason], ['ssh-backup', 'wrong_code']);
    }
    assert.deepEqual(await entered(PHONE.passphrase, codeOf(backup)), ['', 'ssh', 'wrong_code']);
    const { stdout, stderr } = await enter(PHONE.passphrase, codeOf(phone));
    assert.equal(stdout, '');
    assert.match(stderr, /two consecutive codes are needed/);
    const two = `${codeOf(backup)} ${codeOf(backup, 30)}`;
    assert.deepEqual(await entered(BACKUP.passphrase, two), ['in\n', 'ssh-backup', 'step_up']);
  });

  it('lets in with a code of either after its own passphrase, and records which it was', async () => {
    await both();
    assert.deepEqual(await entered(BACKUP.passphrase, codeOf(backup)), ['in\n', 'ssh-backup', 'totp']);
    assert.deepEqual(await entered(PHONE.passphrase, codeOf(phone)), ['in\n', 'ssh', 'totp']);
    assert.deepEqual(await entered(BACKUP.passphrase, recoveryOf(backup)), ['in\n', 'ssh-backup', 'recovery']);
  });

  it('asks a person once for a passphrase, and takes the code that goes with it', async () => {
    const terminal = sshd.sshInTerminal(user, ['echo', 'in']);
    await typePassphrase(terminal, BACKUP.passphrase);
    terminal.send(`${codeOf(backup, 30)}\r`);
    await terminal.expect(/^in/m);
    assert.equal(await terminal.exited, 0);
    assert.deepEqual([last().context, last().method], ['ssh-backup', 'totp']);
  });

  it('says that a passphrase may be left out where a device has none, and goes on where that cannot be judged here', async () => {
    const file = path.join(user.home, '.notp/ssh-host');
    const sealed = JSON.parse(fs.readFileSync(path.join(ROOT, 'test/vectors/sealed-host.json'), 'utf8')) as object;
    fs.writeFileSync(file, `${JSON.stringify({ ...sealed, user: user.name, context: 'ssh-host' }, undefined, 2)}\n`, { mode: 0o600 });
    fs.chownSync(file, user.uid, user.gid);
    const terminal = sshd.sshInTerminal(user, ['echo', 'in']);
    await terminal.expect(/Passphrase \(empty for a device without one\): /);
    terminal.send(`${PHONE.passphrase}\r`);
    await terminal.expect(/One-time code: /);
    terminal.send(`${codeOf(phone, 30)}\r`);
    await terminal.expect(/^in/m);
    assert.equal(await terminal.exited, 0);
    const line = sshd.sshInTerminal(user, ['echo', 'in'], ['-T']);
    await line.expect(/One-time code, after its passphrase where it has one: /);
    line.send(`${PHONE.passphrase} ${recoveryOf(phone)}\r`);
    await line.expect(/^in/m);
    assert.equal(await line.exited, 0);
    fs.rmSync(file);
  });

  it('lets in with one passphrase for both where they share it', async () => {
    backup = await enrol(BACKUP.context, PHONE.passphrase);
    assert.deepEqual(await entered(PHONE.passphrase, codeOf(backup)), ['in\n', 'ssh-backup', 'totp']);
    assert.deepEqual(await entered(PHONE.passphrase, recoveryOf(phone)), ['in\n', 'ssh', 'recovery']);
  });

  it('goes on with the other one where one is revoked or its file is gone', async () => {
    const { code, stderr } = await runAs(user, [where.notp, 'revoke', BACKUP.context, '--config', config, '--yes']);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await entered(PHONE.passphrase, codeOf(backup, 30)), ['', 'ssh', 'wrong_code']);
    assert.deepEqual(await entered(PHONE.passphrase, recoveryOf(phone)), ['in\n', 'ssh', 'recovery']);
    fs.rmSync(path.join(user.home, '.notp', BACKUP.context));
    assert.deepEqual(await entered(PHONE.passphrase, recoveryOf(phone)), ['in\n', 'ssh', 'recovery']);
  });
});
