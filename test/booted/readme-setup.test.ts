/** The set-up with systemd from a tree, as docs/install.md has it, makes a host on which somebody logs in with a code; then the commands of other pages. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { addContainerUser, sshIn } from '../support/container-ssh.ts';
import { bootContainer, CONTAINER_NEEDS, installInto, type Container } from '../support/container.ts';
import { commandsOf, shellBlocks } from '../support/page-commands.ts';
import { ROOT } from '../support/process.ts';
import { lacks, oathCode, type Enrolled, type TestUser } from '../support/world.ts';

describe(
  'the commands of docs/',
  { skip: lacks({ ...CONTAINER_NEEDS, programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'sudo'] }) },
  () => {
    let container: Container;
    let alice: TestUser;

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
      for (const user of ['bob', 'carol', 'dave', 'erin', 'frank', 'grace']) await addContainerUser(container, user);
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
      const { secret } = JSON.parse(await container.must(['notp-enroll', 'alice', '--no-confirm', '--json'])) as Enrolled;
      await container.must(['notp', 'setup', 'gate', '--apply', '--force', '--confirm-within', 'never']);
      const code = oathCode(secret);
      const login = async (): Promise<[number | null, string]> => {
        // sshd, which setup has just reloaded, does not listen for a moment.
        const options = { sshOptions: ['-o', 'SendEnv=LC_NOTP', '-o', 'ConnectionAttempts=10'], environment: { LC_NOTP: code } };
        const { code: exit, stdout } = await sshIn(container, alice, ['echo', 'in'], options);
        return [exit, stdout];
      };
      assert.deepEqual(await login(), [0, 'in\n']);
      assert.deepEqual(await login(), [1, '']);
      const { code: exit, stdout } = await container.run(['notp', 'doctor', '--json']);
      const failed = stdout.split('\n').filter((line) => line.includes('"severity":"fail"'));
      assert.deepEqual([exit, failed], [0, []]);
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
          const named = isOther ? command.replace('alice', 'bob').replace('users.txt', 'others.txt') : command;
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
