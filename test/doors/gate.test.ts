/** `notp gate` behind a real sshd, with the real OpenSSH client. */
import assert from 'node:assert/strict';
import { describe, it, before } from 'node:test';
import { addUser, installNotp, lacks, oathCode, runAs, scratchFolder, type Enrolled, type TestUser } from '../support/world.ts';
import { startSshd, type Sshd } from '../support/sshd.ts';

const PASSPHRASE = 'correct horse';

describe(
  'a code guards a login through ForceCommand',
  { skip: lacks({ root: true, withoutService: true, programs: ['sshd', 'ssh', 'oathtool', 'python3'] }) },
  () => {
    let notp: string;
    let user: TestUser;
    let sshd: Sshd;
    let enrolled: Enrolled;

    before(async () => {
      const folder = scratchFolder('gate');
      notp = installNotp(folder);
      user = addUser();
      sshd = await startSshd(folder, [`ForceCommand ${notp} gate`, 'AcceptEnv LANG LC_*', 'ExposeAuthInfo yes', 'UsePAM no']);
      sshd.authorize(user);
      const { stdout } = await runAs(user, [notp, 'enroll', '--no-confirm', '--json', '--passphrase-file', '-'], {
        input: `${PASSPHRASE}\n`,
      });
      enrolled = JSON.parse(stdout) as Enrolled;
    });

    it('gives a login shell after passphrase and code', async () => {
      const terminal = sshd.sshInTerminal(user);
      await terminal.expect(/Passphrase: /);
      terminal.send(`${PASSPHRASE}\r`);
      await terminal.expect(/One-time code: /);
      terminal.send(`${oathCode(enrolled.secret)}\r`);
      await terminal.expect(/\$ /);
      terminal.send('echo "0=$0" $((6*7)); exit 5\r');
      await terminal.expect(/0=-bash 42/);
      assert.equal(await terminal.exited, 5);
    });
  },
);
