/** Where the system user notp is there and no socket is: the service's state judges, and no command of a user tells of or writes another one. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { pamWorld, type PamWorld } from '../../doors/pam-world.ts';
import type { Ran } from '../../support/process.ts';
import { addUser, installNotp, lacks, oathCode, runAs, type Enrolled, type TestUser } from '../../support/world.ts';

function sealed(user: TestUser): string {
  return `${user.home}/.notp/ssh`;
}

function elsewhere({ name, uid }: TestUser, command: string): RegExp {
  return new RegExp(
    `^notp: error: the service judges the logins of ${name}, and its socket /run/notp/${String(uid)}\\.sock ` +
      `is missing; nothing was changed\nnotp: hint: ask an administrator: sudo ${command}\n$`,
  );
}

describe(
  'a user whom no socket leads to the service',
  { skip: lacks({ root: true, programs: ['oathtool', 'python3', 'setpriv'] }) },
  () => {
    let world: PamWorld;
    let program: string;
    let alice: TestUser;
    let hers: Enrolled;
    let carol: TestUser;

    before(async () => {
      world = await pamWorld('unreached');
      fs.chmodSync(world.folder, 0o755);
      program = installNotp(world.folder);
      [alice, carol] = [addUser(), addUser()];
      hers = await world.enroll(alice);
    });

    const notp = (user: TestUser, words: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> =>
      runAs(user, [program, ...words, '--config', world.config], { environment });

    it('was told that she is not enrolled, by status', async () => {
      for (const words of [['status'], ['status', 'ssh'], ['status', '--json']]) {
        const ran = await notp(alice, words);
        assert.deepEqual([ran.code, ran.stdout], [1, '']);
        assert.match(ran.stderr, elsewhere(alice, `notp status --user ${alice.name}`));
      }
    });

    it('lost the sealed file of root to notp enroll, and was told to try a new login', async () => {
      const bytes = fs.readFileSync(sealed(alice));
      for (const words of [[], ['--replace'], ['--seal', 'passphrase'], ['--no-confirm']]) {
        const ran = await notp(alice, ['enroll', ...words]);
        assert.deepEqual([ran.code, ran.stdout], [1, '']);
        assert.match(ran.stderr, elsewhere(alice, `notp-enroll ${alice.name}`));
      }
      assert.deepEqual(fs.readFileSync(sealed(alice)), bytes);
      assert.deepEqual(fs.readdirSync(`${alice.home}/.notp`), ['ssh']);
      assert.equal((await world.pam(alice.name, oathCode(hers.secret))).code, 0);
    });

    it('enrolled without an invitation, in a state that nobody asks', async () => {
      const ran = await notp(carol, ['enroll']);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, elsewhere(carol, `notp-enroll ${carol.name}`));
      assert.equal(fs.existsSync(`${carol.home}/.notp`), false);
    });

    it('is told at the gate that he is not enrolled, and whom to ask, where he never was', async () => {
      const ran = await notp(carol, ['gate'], { LC_NOTP: '123456' });
      assert.equal(ran.code, 1);
      assert.match(
        ran.stderr,
        /^notp: error: not enrolled for one-time codes \(ref [0-9a-f]{8}\)\nnotp: hint: ask an administrator to run notp-enroll for you\n$/,
      );
      const records = fs.readFileSync(`${carol.home}/.notp/.audit.log`, 'utf8').trim().split('\n');
      const { reason, detail } = JSON.parse(records.at(-1) ?? '') as Record<string, unknown>;
      assert.equal(reason, 'not_enrolled');
      assert.match(String(detail), /^there is no \/run\/notp\/\d+\.sock, and no sealed file: an administrator must enrol you/);
    });

    it('is told of the socket at the gate where she is enrolled', async () => {
      const ran = await notp(alice, ['gate'], { LC_NOTP: oathCode(hers.secret) });
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, /the login state cannot be reached: there is no \/run\/notp\/\d+\.sock/);
    });

    it('cannot unlock a login, which was said not to be enrolled', async () => {
      const ran = await notp(alice, ['unlock']);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, new RegExp(`held by the service of this host\nnotp: hint: sudo notp unlock --user ${alice.name}`));
    });

    it('still has secrets of other names in a state of their own', async () => {
      const ran = await runAs(
        carol,
        [program, ...'enroll deploy --no-confirm --json --passphrase-file - --config'.split(' '), world.config],
        {
          input: 'correct horse\n',
        },
      );
      assert.equal(ran.code, 0);
      const told = await notp(carol, ['status', '--json']);
      assert.equal((JSON.parse(told.stdout) as Record<string, unknown>)['context'], 'deploy');
      assert.equal((await notp(carol, ['unlock', 'deploy'])).code, 0);
    });
  },
);
