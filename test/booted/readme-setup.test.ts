/** The set-up with systemd from a tree, as docs/install.md has it, makes a host on which somebody logs in with a code. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { addContainerUser, sshIn } from '../support/container-ssh.ts';
import { bootContainer, CONTAINER_NEEDS, installInto } from '../support/container.ts';
import { ROOT } from '../support/process.ts';
import { lacks, oathCode, type Enrolled } from '../support/world.ts';

const PAGE = fs.readFileSync(path.join(ROOT, 'docs/install.md'), 'utf8');

describe(
  'the set-up of docs/install.md',
  { skip: lacks({ ...CONTAINER_NEEDS, programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'sudo'] }) },
  () => {
    it('with systemd, then an enrolment and notp setup gate, asks for a code and takes it once', async () => {
      const container = await bootContainer('readme', (root) => {
        installInto(root);
        for (const name of fs.readdirSync(path.join(root, 'etc/systemd/system')).filter((each) => each.includes('notp')))
          fs.rmSync(path.join(root, 'etc/systemd/system', name), { recursive: true });
        for (const folder of ['sysusers.d', 'tmpfiles.d']) fs.rmSync(path.join(root, 'etc', folder, 'notp.conf'));
        fs.cpSync(path.join(ROOT, 'systemd'), path.join(root, 'opt/notp/systemd'), { recursive: true });
      });
      const alice = await addContainerUser(container, 'alice');
      await container.must(['sh', '-e', '-c', block('cd /opt/notp/systemd')]);
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
  },
);

/** The block of shell commands that begins with `start`. */
function block(start: string): string {
  const found = [...PAGE.matchAll(/```sh\n([^`]*)```/g)].map(([, text]) => text ?? '').find((text) => text.startsWith(start));
  assert.ok(found !== undefined, `docs/install.md has no block that begins with ${start}`);
  return found;
}
