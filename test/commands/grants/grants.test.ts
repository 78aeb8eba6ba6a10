/** `notp grant` and `notp grants`: what root grants, lists and ends, and what is refused. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../../support/process.ts';
import { addUser, lacks, must, runAs, SOURCE_NOTP, type TestUser } from '../../support/world.ts';
import { pamWorld, type PamWorld } from '../../doors/pam-world.ts';

const KEY = `SHA256:${'A'.repeat(42)}E`;
const AT_SSHD = { PAM_SERVICE: 'sshd', PAM_TTY: 'ssh', PAM_RHOST: '192.0.2.7' };

const AT_SSHD_BY_PASSWORD = { ...AT_SSHD, SSH_AUTH_INFO_0: 'password\n' };

describe('grants on the command line', { skip: lacks({ root: true, programs: ['getent', 'ssh-keygen'] }) }, () => {
  let world: PamWorld;
  let user: TestUser;
  before(async () => {
    world = await pamWorld('grants');
    user = addUser();
  });
  const notp = (...words: string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', world.config]);
  const grant = (...words: string[]): Promise<Ran> => notp('grant', user.name, ...words);
  const WHY = ['--for', '2h', '--reason', 'ticket OPS-12'];

  it('are made with their end, and named with their bounds', async () => {
    const { code, stdout, stderr } = await grant(...WHY, '--from', '10.0.0.0/8', '--key', KEY, '--service', 'sshd');
    assert.deepEqual([code, stdout], [0, '']);
    const said = new RegExp(
      `^Granted: ${user.name} at sshd from 10\\.0\\.0\\.0/8 with the key ${KEY} needs no code until \\S+ \\S+ UTC \\(grant ([0-9a-f]{8})\\)\nnotp: hint: notp grants --end (\\1) ends it at once`,
    );
    const [, id = ''] = said.exec(stderr) ?? [];
    assert.notEqual(id, '', stderr);
    const record = world.lastRecord();
    assert.deepEqual([record.event, record.user, record.uid, record.door], ['grant', user.name, user.uid, 'cli']);
    const list = await notp('grants');
    assert.match(list.stdout, new RegExp(`^${id}  ${user.name} at sshd .*, until \\S+ \\S+ UTC \\(in (1|2) hours?\\): ticket OPS-12\n$`));
    const [json] = (await notp('grants', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const { made, until, ...rest } = json ?? {};
    assert.deepEqual(rest, { id, user: user.name, from: '10.0.0.0/8', key: KEY, service: 'sshd', reason: 'ticket OPS-12', counts: true });
    assert.equal(Date.parse(String(until)) - Date.parse(String(made)), 7_200_000);
    assert.equal((await notp('grants', '--end', id)).code, 0);
    const none = await notp('grants');
    assert.deepEqual([none.code, none.stdout, none.stderr], [0, '', 'notp: hint: no grant is in force; notp grant makes one\n']);
  });

  it('let in by the fingerprint that ssh-keygen prints, and by no other', async () => {
    const file = `${world.folder}/key`;
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file]);
    const [type = '', base64 = ''] = fs.readFileSync(`${file}.pub`, 'utf8').split(' ');
    const [, fingerprint = ''] = must(['ssh-keygen', '-lf', `${file}.pub`]).split(' ');
    const environment = { ...AT_SSHD, SSH_AUTH_INFO_0: `publickey ${type} ${base64}\n` };
    const isIn = async (): Promise<boolean> => (await world.pam(user.name, '', { environment, words: ['--before'] })).code === 0;
    const other = idIn(await grant(...WHY, '--key', KEY, '--json'));
    assert.ok(!(await isIn()));
    const id = idIn(await grant(...WHY, '--key', fingerprint, '--json'));
    assert.ok(await isIn());
    assert.match(world.lastRecord().detail ?? '', new RegExp(`^grant ${id} `));
    await notp('grants', '--end', id);
    assert.ok(!(await isIn()));
    await notp('grants', '--end', other);
  });

  it('are refused where something is wrong, and say what', async () => {
    for (const [words, wrong] of [
      [['--for', '2h'], /required option '--reason/],
      [['--reason', 'x'], /required option '--for/],
      [['--for', '25h', '--reason', 'x'], /may last 1d at the most\nnotp: hint: max_grant of \[policy\]/],
      [['--for', '0h', '--reason', 'x'], /It must be a time such as 30m, 2h or 1d/],
      [['--for', '2', '--reason', 'x'], /It must be a time such as/],
      [['--for', '90s', '--reason', 'x'], /It must be a time such as/],
      [['--for', '2h', '--reason', ' '], /It must be 1 to 200 printable characters/],
      [['--for', '2h', '--reason', 'a\nb'], /It must be 1 to 200 printable characters/],
      [['--for', '2h', '--reason', 'x'.repeat(201)], /It must be 1 to 200 printable characters/],
      [[...WHY, '--from', 'host.example.org'], /"?host\.example\.org"? is no address or network/],
      [[...WHY, '--from', '10.1.2.3/8'], /has bits beyond its length of 8/],
      [[...WHY, '--key', 'ssh-ed25519'], /It must be a fingerprint as ssh-keygen -lf prints it/],
      [[...WHY, '--service', 'gate'], /is called "sshd" here/],
    ] as const) {
      const { code, stdout, stderr } = await grant(...words);
      assert.deepEqual([code, stdout], [2, ''], words.join(' '));
      assert.match(stderr, wrong);
    }
    const nobody = await notp('grant', 'no-such-user', ...WHY);
    assert.deepEqual([nobody.code, /there is no user "?no-such-user/.test(nobody.stderr)], [2, true]);
    const missing = await notp('grants', '--end', '00000000');
    assert.deepEqual([missing.code, /there is no grant 00000000/.test(missing.stderr)], [1, true]);
    assert.equal((await notp('grants', '--end', '../..')).code, 2);
    assert.equal((await notp('grants')).stdout, '');
  });

  it('end with notp revoke whatever the enrolment is, and notp status tells of them before', async () => {
    const other = addUser();
    const status = (): Promise<Ran> => notp('status', '--user', other.name);
    const revoke = (): Promise<Ran> => notp('revoke', '--user', other.name, '--yes');
    await notp('grant', other.name, ...WHY);
    assert.match((await status()).stderr, /is not enrolled\nnotp: hint: 1 grant lets \S+ in without a code: notp grants\n$/);
    const ended = await revoke();
    assert.deepEqual([ended.code, ended.stderr.split('\n')[0]], [0, `Ended: 1 grant of ${other.name}, who is not enrolled for ssh`]);
    assert.equal((await revoke()).code, 1);
    await notp('grant', other.name, ...WHY);
    must(['userdel', '--remove', '--force', other.name]);
    const gone = await revoke();
    assert.equal(gone.code, 0, gone.stderr);
    assert.equal((await notp('grants')).stdout, '');
    must(['useradd', '--create-home', other.name]);
  });

  it('are of one account, and the next one that gets its name is asked for a code', async () => {
    const once = addUser();
    const id = idIn(await notp('grant', once.name, ...WHY, '--json'));
    const isIn = async (): Promise<boolean> =>
      (await world.pam(once.name, '', { environment: AT_SSHD_BY_PASSWORD, words: ['--before'] })).code === 0;
    assert.ok(await isIn());
    must(['userdel', '--remove', '--force', once.name]);
    const gone = await notp('grants');
    assert.match(gone.stdout, new RegExp(`^${id} .*: ticket OPS-12 \\(counts for nothing: there is no such account here\\)$`, 'm'));
    must(['useradd', '--create-home', '--uid', String(once.uid + 777), once.name]);
    assert.ok(!(await isIn()));
    assert.match((await notp('grants')).stdout, /\(counts for nothing: another account has the name now\)$/m);
    assert.match((await notp('grants', '--json')).stdout, /"counts":false/);
    assert.doesNotMatch((await notp('rules', 'explain', once.name)).stdout, /grant/);
    assert.equal((await notp('grants', '--end', id)).code, 0);
  });

  it('are root’s alone', async () => {
    fs.chmodSync(world.folder, 0o755);
    for (const words of [['grant', user.name, ...WHY], ['grants'], ['grants', '--end', '00000000']]) {
      const { code, stderr } = await runAs(user, [...SOURCE_NOTP, ...words, '--config', world.config]);
      assert.notEqual(code, 0);
      assert.match(stderr, /only root can/);
    }
  });

  it('are told by the explanation of the rules, with what is not known of a login', async () => {
    const ids = [idIn(await grant(...WHY, '--key', KEY, '--json')), idIn(await grant(...WHY, '--from', '10.0.0.0/8', '--json'))];
    const explain = async (...words: string[]): Promise<string> => (await notp('rules', 'explain', user.name, ...words)).stdout;
    const unknown = await explain();
    assert.match(unknown, new RegExp(`^grant ${ids[0] ?? ''} \\(ticket OPS-12\\): perhaps fits, so it does not count: `, 'm'));
    assert.match(unknown, new RegExp(`^${user.name} at sshd: a code, since no rule fits$`, 'm'));
    const near = await explain('--from', '10.1.2.3', '--key', 'none');
    assert.match(near, new RegExp(`^grant ${ids[0] ?? ''} .*: does not fit: `, 'm'));
    assert.match(near, new RegExp(`^${user.name} at sshd: no code, by grant ${ids[1] ?? ''} \\(ticket OPS-12\\)$`, 'm'));
    const json = JSON.parse(await explain('--from', '10.1.2.3', '--json')) as { grant: unknown; grants: readonly { fits: string }[] };
    assert.deepEqual([json.grant, json.grants.map(({ fits }) => fits).toSorted()], [ids[1], ['unknown', 'yes']]);
    for (const id of ids) await notp('grants', '--end', id);
  });
});

function idIn({ stdout }: Ran): string {
  return (JSON.parse(stdout) as { id: string }).id;
}
