/**
 * The pages on a booted host: the set-up with systemd from a tree, as docs/install.md has it; the pictures of README.md, which are what it printed
 * (NOTP_SCREENS=write makes them again); then the commands of other pages.
 */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { addContainerUser, sshIn, sshInTerminal } from '../support/container-ssh.ts';
import { bootContainer, CONTAINER_NEEDS, installInto, type Container } from '../support/container.ts';
import { commandsOf, shellBlocks } from '../support/page-commands.ts';
import { ROOT, type Terminal } from '../support/process.ts';
import { terminalPicture } from '../support/terminal-picture.ts';
import { lacks, oathCode, type Enrolled, type TestUser } from '../support/world.ts';

const GATE = 'etc/ssh/sshd_config.d/10-notp-gate.conf';
const COLUMNS = 100;
const ESCAPE = '\x1b';
/** What is drawn over the line while doctor works. */
const PROGRESS = new RegExp(`\\r[^\\n]*${ESCAPE}\\[J`, 'g');
/** Of ten minutes ago, and so no right one. */
const WRONG_SECONDS = -600;

describe(
  'the pages on a booted host',
  { skip: lacks({ ...CONTAINER_NEEDS, programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'sudo'] }) },
  () => {
    let container: Container;
    let alice: TestUser;
    let bob: TestUser;

    before(async () => {
      container = await bootContainer('readme', (root) => {
        installInto(root);
        for (const name of fs.readdirSync(path.join(root, 'etc/systemd/system')).filter((each) => each.includes('notp')))
          fs.rmSync(path.join(root, 'etc/systemd/system', name), { recursive: true });
        for (const folder of ['sysusers.d', 'tmpfiles.d']) fs.rmSync(path.join(root, 'etc', folder, 'notp.conf'));
        fs.cpSync(path.join(ROOT, 'systemd'), path.join(root, 'opt/notp/systemd'), { recursive: true });
        // Where the package has them.
        fs.cpSync(
          path.join(ROOT, 'systemd/journal-fields.conf'),
          path.join(root, 'usr/share/doc/notp/examples/systemd/journal-fields.conf'),
        );
      });
      alice = await addContainerUser(container, 'alice');
      bob = await addContainerUser(container, 'bob');
      for (const user of ['carol', 'dave', 'erin', 'frank', 'grace', 'heidi']) await addContainerUser(container, user);
      for (const [list, user] of Object.entries({ users: 'carol', others: 'dave' }))
        fs.writeFileSync(path.join(container.root, `root/${list}.txt`), `${user}\n`);
      // What other modules have left.
      fs.writeFileSync(path.join(container.root, 'etc/users.oath'), `HOTP/T30 grace - ${'9a'.repeat(20)}\n`, { mode: 0o600 });
      await container.must(['su', 'frank', '-c', `umask 077; printf '%s\\n' ${'LLJE'.repeat(8)} '" TOTP_AUTH' > ~/.google_authenticator`]);
    });

    it('with systemd from a tree, then an enrolment and notp setup gate, ask for a code and take it once', async () => {
      const block = shellBlocks('docs/install.md').find((each) => each.startsWith('cd /opt/notp/systemd'));
      await container.must(['sh', '-e', '-c', block ?? 'false']);
      assert.match(await container.must(['notp', 'host-key', 'id']), /^[0-9a-f]{16}$/m);
      const { secret } = JSON.parse(await container.must(['notp-enroll', 'bob', '--no-confirm', '--json'])) as Enrolled;
      await container.must(['notp', 'setup', 'gate', '--apply', '--force', '--confirm-within', 'never']);
      const code = oathCode(secret);
      const login = async (): Promise<[number | null, string]> => {
        // sshd, which setup has just reloaded, does not listen for a moment.
        const options = { sshOptions: ['-o', 'SendEnv=LC_NOTP', '-o', 'ConnectionAttempts=10'], environment: { LC_NOTP: code } };
        const { code: exit, stdout } = await sshIn(container, bob, ['echo', 'in'], options);
        return [exit, stdout];
      };
      assert.deepEqual(await login(), [0, 'in\n']);
      assert.deepEqual(await login(), [1, '']);
      const { code: exit, stdout } = await container.run(['notp', 'doctor', '--json']);
      const failed = stdout.split('\n').filter((line) => line.includes('"severity":"fail"'));
      assert.deepEqual([exit, failed], [0, []]);
    });

    it('have a picture of a login: a wrong code, a right one, and that one again', async () => {
      const { secret } = JSON.parse(await container.must(['notp-enroll', 'alice', '--no-confirm', '--json'])) as Enrolled;
      const host = (await container.must(['hostname'])).trim();
      const [wrong, right] = [oathCode(secret, { offsetSeconds: WRONG_SECONDS }), oathCode(secret)];
      const first = sshInTerminal(container, alice);
      await answer(first, wrong);
      await answer(first, right);
      await first.expect(/alice@[^$]*\$ /);
      first.send('exit\r');
      await first.exited;
      const second = sshInTerminal(container, alice);
      await answer(second, right);
      await second.expect(/already used[^\n]*\n/);
      second.hangUp();
      const printed = [first, second].map((terminal) => `$ ssh web1\n${terminal.output()}`).join('\n');
      const [shown] = /^[^]*already used[^\n]*/.exec(printed) ?? [''];
      assertKept('login', settled(shown, { [host]: 'web1', [wrong]: '123456', [right]: '492039' }));
    });

    it('have a picture of what doctor finds where a line of the gate is missing, and its fix', async () => {
      const gate = path.join(container.root, GATE);
      const lines = fs.readFileSync(gate, 'utf8');
      assert.ok(lines.includes('DisableForwarding yes\n'));
      fs.writeFileSync(gate, lines.replace('DisableForwarding yes\n', ''));
      await container.must(['systemctl', 'reload', 'ssh']);
      const terminal = container.inTerminal(['notp', 'doctor', '--user', 'alice'], {
        columns: COLUMNS,
        environment: { TERM: 'xterm-256color' },
      });
      assert.equal(await terminal.exited, 1);
      assertKept('doctor', settled(`$ sudo notp doctor --user alice\n${terminal.output().replaceAll(PROGRESS, '')}`, {}));
      fs.writeFileSync(gate, lines);
      await container.must(['systemctl', 'reload', 'ssh']);
    });

    // In this order: each page begins with what those before have left.
    for (const [page, heading] of [
      ['docs/rules.md', 'Rules: who is asked for a code'],
      ['docs/audit.md', 'Read the log'],
      ['docs/records.md', 'The journal'],
      ['docs/records.md', 'Schemas of others'],
      ['docs/care.md', 'Look after it'],
      ['docs/enrol.md', 'One person'],
      ['docs/enrol.md', 'Many at once'],
      ['docs/enrol.md', 'Move in from other modules'],
      ['docs/care.md', 'Another seal, another key'],
    ] as const)
      it(`run one after the other: ${page}, "${heading}"`, async () => {
        const commands = shellBlocks(page, heading).flatMap(commandsOf);
        assert.ok(commands.length > 1);
        const { ref } = JSON.parse(await container.must(['notp', 'audit', '--event', 'login.refused', '--lines', '1'])) as { ref: string };
        for (const { command, isOther } of commands) {
          // The other way is for another user, and what asks a person is told the answer.
          const named = isOther ? command.replace('alice', 'heidi').replace('users.txt', 'others.txt') : command;
          // Who is enrolled for the first time: alice is already.
          const typed = (page === 'docs/enrol.md' ? named.replaceAll('alice', command.includes('import') ? 'frank' : 'erin') : named)
            .replace('1a2b3c4d', ref)
            .replace(/^sudo (.* --follow)/, 'timeout 0.3 sudo $1')
            .replace('the-agent-of-your-siem', 'grep -c class_uid')
            .replace(/(notp revoke .*|notp host-key retire)$/, '$1 --yes')
            .replace(/(notp-enroll [a-z]+)$/, '$1 --no-confirm');
          const { code, stderr } = await container.run(['bash', '-c', typed], { cwd: '/root', input: '' });
          // A timeout has ended what goes on.
          assert.ok(code === 0 || (code === 124 && typed.endsWith('--follow')), `${typed}\n${stderr}`);
        }
      });
  },
);

async function answer(terminal: Terminal, code: string): Promise<void> {
  await terminal.expect(/One-time code: /);
  terminal.send(`${code}\r`);
}

/** What differs from run to run, the same each time; `names` says what else is put in the place of what. */
function settled(printed: string, names: Readonly<Record<string, string>>): string {
  const renamed = Object.entries(names).reduce((text, [from, to]) => text.replaceAll(from, to), printed);
  return renamed
    .replaceAll('\r', '')
    .replaceAll(/\(ref [0-9a-f]{8}\)/g, '(ref 1871bac5)')
    .replaceAll(/already used(, wait \d+ s for the next one)?/g, 'already used, wait 12 s for the next one')
    .replaceAll(/pid \d+/g, 'pid 812')
    .replaceAll(/since \w{3} \d{4}-\d\d-\d\d \d\d:\d\d/g, 'since Tue 2026-11-24 14:03')
    .replaceAll(/\d+ ms/g, '5 ms');
}

function assertKept(name: string, printed: string): void {
  const file = path.join(ROOT, 'docs', `${name}.svg`);
  const picture = terminalPicture(printed, COLUMNS);
  if (process.env['NOTP_SCREENS'] === 'write') fs.writeFileSync(file, picture);
  assert.equal(picture, fs.readFileSync(file, 'utf8'), `NOTP_SCREENS=write writes ${file} again`);
}
