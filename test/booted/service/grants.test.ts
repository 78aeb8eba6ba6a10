/** Grants on a booted host: the recipes of docs/unattended.md, with real logins at the gate and at the PAM door, inside their hours and after. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CLIENT_KEY, NODE_INSIDE } from '../../support/container-root.ts';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { addContainerUser, sshCommand } from '../../support/container-ssh.ts';
import { ROOT, type Ran } from '../../support/process.ts';
import { changing } from '../../support/row-macs.ts';
import { lacks, oathCode, type TestUser } from '../../support/world.ts';
import { assertDone, bootHost, loginOnceUp, type Host } from '../setup/world.ts';
import type { Logged } from './world.ts';

const PAGE = fs.readFileSync(path.join(ROOT, 'docs/unattended.md'), 'utf8');
const FOR_GOOD = ['--apply', '--confirm-within', 'never'];

/** The shell commands of the page under a title, from where the tests log in. */
function recipe(title: string): string[] {
  const section = PAGE.split(/^## /m).find((each) => each.startsWith(`${title}\n`)) ?? '';
  const blocks = [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, text = '']) => text.replaceAll('192.0.2.7', '127.0.0.1'));
  assert.ok(blocks.length > 0, title);
  return blocks;
}

describe('grants', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'oathtool'] }) }, () => {
  let host: Host;
  let alice: TestUser;
  let nightly: TestUser;
  let deploy: TestUser;
  let monitor: TestUser;

  before(async () => {
    host = await bootHost('grants');
    ({ alice } = host);
    nightly = await addContainerUser(host.container, 'nightly');
    deploy = await addContainerUser(host.container, 'deploy');
    monitor = await addContainerUser(host.container, 'monitor');
    await host.enrol(alice);
    assertDone(await host.setup('gate', ...FOR_GOOD));
    await loginOnceUp(host, alice, ['true']);
  });
  after(async () => {
    await host.clear();
  });

  /** As a person runs it, with the id of the last grant in place of that of the page. */
  const shell = async (text: string): Promise<string> => {
    const id = await lastGrant();
    return await host.container.must(['bash', '-euc', text.replaceAll('1a2b3c4d', id)]);
  };
  const records = async (): Promise<readonly Logged[]> =>
    (await host.container.must(['notp', 'audit', '--lines', '1000']))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Logged);
  const last = async (): Promise<Logged | undefined> => (await records()).at(-1);
  const lastGrant = async (): Promise<string> => {
    const made = (await records()).findLast(({ event }) => event === 'grant');
    return /^grant ([0-9a-f]{8}) /.exec(made?.detail ?? '')?.[1] ?? '';
  };
  /** A login without a code: what its record says. */
  const enter = async (user: TestUser, options: readonly string[] = ['-o', 'BatchMode=yes']): Promise<string | undefined> => {
    const ran: Ran = await host.container.run(['setsid', '-w', ...sshCommand(user, options), 'id -un'], { input: '' });
    const record = await last();
    assert.equal(record?.user, user.name);
    assert.equal(ran.stdout, record.method === undefined ? '' : `${user.name}\n`, ran.stderr);
    return record.method ?? record.reason;
  };
  const sql = (statement: string): Promise<string> =>
    host.container.must([NODE_INSIDE, '-e', changing('/var/lib/notp/state.db', statement)]);
  /** As if so much time had passed; the rows are signed, as whoever has the host key can. */
  const passed = (ms: number): Promise<string> =>
    sql(`UPDATE granted SET as_of_ms = as_of_ms - ${String(ms)}, until_ms = until_ms - ${String(ms)}`);
  const HOUR_MS = 3_600_000;

  it('let a nightly backup in within its hours, with its key from its host, and tell why in each record', async () => {
    // Without a socket nobody is asked.
    assert.notEqual((await host.login(nightly, ['true'])).code, 0);
    for (const each of recipe('A nightly backup')) await shell(each);
    assert.equal(await enter(nightly), 'grant');
    const { door, detail } = (await last()) ?? {};
    assert.deepEqual([door, detail], ['gate', `grant ${await lastGrant()} (nightly backup)`]);
    assert.equal(await enter(alice), 'no_proof', 'nobody else gets in by it');
    await passed(2 * HOUR_MS - 60_000);
    assert.equal(await enter(nightly), 'grant');
    await passed(60_000);
    assert.equal(await enter(nightly), 'not_enrolled');
  });

  it('are not made where the socket of the user cannot be enabled', async () => {
    await shell(`systemctl mask notp@${String(deploy.uid)}.socket`);
    const { code } = await host.container.run(['notp', 'grant', deploy.name, '--for', '1h', '--reason', 'x']);
    assert.notEqual(code, 0);
    assert.doesNotMatch(await shell('notp grants'), /deploy/);
    await shell(`systemctl unmask notp@${String(deploy.uid)}.socket`);
  });

  it('let a playbook in until they are ended, and sudo by one of its own', async () => {
    const [atSshd = '', atSudo = ''] = recipe('An Ansible playbook');
    const [grant = '', list = '', end = ''] = atSshd.trimEnd().split('\n');
    await shell(grant);
    assert.match(
      await shell(list),
      /^[0-9a-f]{8} {2}deploy at sshd from 127\.0\.0\.1, until \S+ \S+ UTC \(in \d+ minutes\): playbook, change 12$/m,
    );
    assert.equal(await enter(deploy), 'grant');
    const pam = { PAM_USER: 'deploy', PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_RUSER: 'deploy' };
    const sudo = async (): Promise<number> =>
      (await host.container.run(['notp', 'pam', '--prompt-tty'], { environment: pam, input: '' })).code ?? -1;
    assert.notEqual(await sudo(), 0);
    await shell(end);
    assert.equal(await shell(list), '');
    assert.equal(await enter(deploy), 'not_enrolled');
    await shell(atSudo);
    assert.equal(await sudo(), 0);
    assert.equal((await last())?.method, 'grant');
    assert.equal(await enter(deploy), 'not_enrolled');
  });

  it('leave monitoring to a rule, which stands beside them', async () => {
    const [, rule = ''] = /^```toml\n([^]*?)^```$/m.exec(PAGE) ?? [];
    host.write('/etc/notp/notp.toml', rule.replaceAll('192.0.2.7', '127.0.0.1'));
    const [check = '', socket = ''] = recipe('Monitoring');
    const said = await shell(check);
    assert.match(said, /no mistake found; rules: 1/);
    assert.match(said, /^monitor at sshd: no code \(monitoring, OPS-12\)$/m);
    await shell(socket);
    assert.equal(await enter(monitor), 'rule');
    // A refusal is stronger than a grant, and doctor and the explanation name both.
    host.write('/etc/notp/notp.toml', '[[rule]]\nusers = ["monitor"]\nservices = ["sshd"]\nask = "refuse"\n');
    await host.container.must(['notp', 'grant', 'monitor', '--for', '1h', '--reason', 'beside a refusal']);
    assert.equal(await enter(monitor), 'not_permitted');
    const explained = await host.container.must(['notp', 'rules', 'explain', 'monitor']);
    assert.match(explained, /^grant [0-9a-f]{8} \(beside a refusal\): fits: monitor, until /m);
    assert.match(explained, /^monitor at sshd: refused$/m);
    host.write('/etc/notp/notp.toml', '');
    assert.equal(await enter(monitor), 'grant');
    assert.match(
      await host.container.must(['notp', 'rules', 'explain', 'monitor']),
      /^monitor at sshd: no code, by grant [0-9a-f]{8} \(beside a refusal\)$/m,
    );
    const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
    assert.match(stdout, /^\{"id":"grants","severity":"info",.*[0-9a-f]{8}: monitor, until \S+: beside a refusal/m);
    assert.doesNotMatch(stdout, /"id":"grant-changed"/);
    await shell('notp grants --end 1a2b3c4d');
  });

  it('open to who has lost the phone, once that is revoked, until they are ended', async () => {
    const [grant = '', end = ''] = recipe('Break-glass: the phone is lost');
    await shell('notp grant alice --for 1h --reason "of before"');
    await shell(grant);
    assert.deepEqual((await host.container.must(['notp', 'grants', '--json'])).match(/"reason":"[^"]*"/g)?.toSorted(), [
      '"reason":"phone lost, OPS-12"',
      '"reason":"playbook, change 12"',
    ]);
    assert.equal(await enter(alice), 'grant');
    const terminal = host.terminal(alice, ['notp', 'enroll']);
    const [shown] = await terminal.expect(/secret=([A-Z2-7]+)|([A-Z2-7]{4}(?: [A-Z2-7]{4})+)/);
    assert.notEqual(shown, '');
    terminal.hangUp();
    await host.enrol(alice);
    assert.equal(await enter(alice), 'grant', 'a new enrolment does not end it');
    const log = await shell(end);
    assert.match(log, /"method":"grant"/);
    assert.equal(await enter(alice), 'no_proof');
    const { secret } = await host.enrol(alice);
    assertDone(await host.login(alice, ['true'], oathCode(secret)));
  });

  it('let nobody in whose row somebody wrote who has no host key', async () => {
    await host.container.must(['notp', 'grant', 'deploy', '--for', '1h', '--reason', 'true', '--service', 'sshd']);
    assert.equal(await enter(deploy), 'grant');
    const forge = async (statement: string): Promise<string> =>
      await host.container.must([
        NODE_INSIDE,
        '-e',
        `new (require('node:sqlite').DatabaseSync)('/var/lib/notp/state.db').exec(${JSON.stringify(statement)})`,
      ]);
    await forge('UPDATE granted SET until_ms = until_ms + 1');
    assert.equal(await enter(deploy), 'not_enrolled');
    const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
    assert.match(stdout, /^\{"id":"grant-changed","severity":"warn",/m);
    assert.match(await host.container.must(['notp', 'grants']), /deploy: counts for nothing, as it was changed outside notp/);
    await forge('DELETE FROM granted');
  });

  it('let in at the PAM door without a prompt, by the line that setup writes, within their hours and bounds', async () => {
    assertDone(await host.setup('undo'));
    assertDone(await host.setup('pam', '--grants', ...FOR_GOOD));
    await loginOnceUp(host, deploy, ['true']);
    assert.match(host.read('/etc/pam.d/sshd'), /success=4 [^]*success=2 .*notp pam --before\n/);
    const tries = ['-o', 'NumberOfPasswordPrompts=1', '-o', 'PreferredAuthentications=publickey,keyboard-interactive'];
    assert.notEqual(await enter(deploy, tries), 'grant');
    const key = /SHA256:\S+/.exec(await host.container.must(['ssh-keygen', '-lf', `${CLIENT_KEY}.pub`]))?.[0] ?? '';
    const grant = async (...words: string[]): Promise<string> =>
      await host.container.must(['notp', 'grant', 'deploy', '--for', '1h', '--reason', 'at PAM', ...words]);
    const other = `${key.slice(0, 10)}${key[10] === 'A' ? 'B' : 'A'}${key.slice(11)}`;
    for (const bound of [
      ['--key', other],
      ['--from', '192.0.2.7'],
      ['--service', 'sudo'],
    ]) {
      await grant(...bound);
      assert.notEqual(await enter(deploy, tries), 'grant', bound.join(' '));
    }
    await grant('--key', key, '--from', '127.0.0.0/8', '--service', 'sshd');
    assert.equal(await enter(deploy, tries), 'grant');
    assert.equal((await last())?.door, 'pam');
    assert.equal(await enter(nightly, tries), 'not_enrolled', 'nobody else gets in by it');
    await passed(HOUR_MS);
    assert.notEqual(await enter(deploy, tries), 'grant');
    host.write('/etc/notp/notp.toml', '[policy]\nmax_grant = "0s"\n');
    const { code, stderr } = await host.container.run(['notp', 'grant', 'deploy', '--for', '1h', '--reason', 'none']);
    assert.deepEqual([code, /notp\.toml allows no grants/.test(stderr)], [2, true]);
  });

  it('have a record of their own for each use, and the log is whole', async () => {
    const uses = (await records()).filter(({ method }) => method === 'grant');
    assert.ok(uses.length >= 8);
    assert.equal(new Set(uses.map(({ ref }) => ref)).size, uses.length);
    for (const { detail } of uses) assert.match(detail ?? '', /^grant [0-9a-f]{8} \(.+\)$/);
    assertDone(await host.container.run(['notp', 'audit', 'verify']));
  });
});
