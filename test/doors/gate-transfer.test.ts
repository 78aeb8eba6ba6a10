/** Commands and file transfers without a terminal: with the code on stdin or in a variable they work, without it they end at once. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { lacks, must } from '../support/world.ts';
import { auditLines, codeLine, gateSshd, newPerson, place, SEND_CODE, type Person, type Place } from './gate-world.ts';

/** Far below the 60 s that a person has to answer. */
const AT_ONCE_MS = 15_000;
const HEADLESS_HINT =
  /notp: error: no one-time code was given \(ref [0-9a-f]{8}\)\n(notp: hint: .*\n)*notp: hint: set the code in the environment: LC_NOTP=/;
const TOLD_BY_SFTP = /notp: no one-time code was given \(ref [0-9a-f]{8}\): set the code in LC_NOTP/;
/** scp speaks the SFTP protocol too, unless told otherwise. */
const SUBSYSTEMS = ['sftp with an sftp-server', 'sftp with internal-sftp', 'scp'];

describe(
  'a code in the environment opens what has no terminal',
  { skip: lacks({ root: true, withoutService: true, programs: ['sshd', 'ssh', 'oathtool', 'git', 'rsync', 'sftp', 'scp'] }) },
  () => {
    let where: Place;
    let sshd: Sshd;
    let internal: Sshd;
    let person: Person;
    let local: string;
    const content = randomBytes(1_000_000);

    before(async () => {
      where = place('gate-transfer');
      sshd = await gateSshd(where, { lines: ['Subsystem sftp /usr/lib/openssh/sftp-server', 'AcceptEnv NOTP_CODE'] });
      internal = await gateSshd(where, { lines: ['Subsystem sftp internal-sftp'] });
      person = await newPerson(where, [sshd, internal]);
      local = path.join(where.folder, 'local');
      fs.writeFileSync(local, content);
      const bare = path.join(person.user.home, 'repository.git');
      must(['git', 'init', '--quiet', '--bare', bare]);
      must(['chown', '-R', `${String(person.user.uid)}:${String(person.user.gid)}`, bare]);
    });

    /** A path that is not there yet, in the person's home and in our folder. */
    let count = 0;
    const remote = (): string => path.join(person.user.home, `remote-${String(++count)}`);
    const ours = (): string => path.join(where.folder, `ours-${String(++count)}`);
    const host = (): string => `${person.user.name}@127.0.0.1`;

    /** Each transfer with a code must bring the file; without one it must end at once, with a hint and without the file. */
    const transfers: Record<string, (target: string, options: { environment: NodeJS.ProcessEnv; timeoutMs: number }) => Promise<Ran>> = {
      'a command': (target, options) =>
        sshd.ssh(person.user, [`head -c 1000000 ${local} > ${target}`], { ...options, sshOptions: SEND_CODE }),
      'sftp with an sftp-server': (target, options) => sftp(sshd, target, options),
      'sftp with internal-sftp': (target, options) => sftp(internal, target, options),
      scp: (target, options) => run(['scp', ...sshd.options(), ...SEND_CODE, local, `${host()}:${target}`], options),
      'scp -O': (target, options) => run(['scp', '-O', ...sshd.options(), ...SEND_CODE, local, `${host()}:${target}`], options),
      rsync: (target, options) => run(['rsync', '-e', shellOf(sshd), local, `${host()}:${target}`], options),
    };
    const sftp = (server: Sshd, target: string, options: { environment: NodeJS.ProcessEnv; timeoutMs: number }): Promise<Ran> =>
      run(['sftp', ...server.options(), ...SEND_CODE, '-b', '-', host()], { ...options, input: `put ${local} ${target}\n` });

    for (const [name, transfer] of Object.entries(transfers)) {
      it(`${name}: works with the code and is refused at once without it`, async () => {
        const target = remote();
        const opened = await transfer(target, { environment: person.variable(), timeoutMs: AT_ONCE_MS });
        assert.equal(opened.code, 0, opened.stderr);
        assert.ok(fs.readFileSync(target).equals(content));

        const earlier = auditLines(person.user).length;
        const refused = await transfer(remote(), { environment: {}, timeoutMs: AT_ONCE_MS });
        assert.notEqual(refused.code, 0);
        assert.equal(refused.signal, null, 'it had to be killed');
        assert.equal(fs.existsSync(path.join(person.user.home, `remote-${String(count)}`)), false);
        const added = auditLines(person.user).slice(earlier);
        assert.deepEqual(
          added.map(({ reason }) => reason),
          ['no_proof'],
        );
        // sshd passes on nothing that a subsystem says on stderr, so its client is told in its protocol.
        const told = name === 'scp' ? /Permission denied/ : SUBSYSTEMS.includes(name) ? TOLD_BY_SFTP : HEADLESS_HINT;
        assert.match(refused.stderr, told);
      });
    }

    const clone = async (environment: NodeJS.ProcessEnv): Promise<Ran> =>
      await run(['git', 'clone', `${host()}:repository.git`, ours()], {
        environment: { ...environment, GIT_SSH_COMMAND: shellOf(sshd) },
        timeoutMs: AT_ONCE_MS,
      });
    it('git clone: works with the code and is refused at once without it', async () => {
      const opened = await clone(person.variable());
      assert.equal(opened.code, 0, opened.stderr);
      const refused = await clone({});
      assert.equal(refused.code, 128);
      assert.match(refused.stderr, HEADLESS_HINT);
    });

    it('takes passphrase and code of now in one value, from NOTP_CODE too where sshd accepts that', async () => {
      const byLocale = await sshd.ssh(person.user, ['echo $((6*7))'], {
        environment: { LC_NOTP: codeLine(person) },
        sshOptions: SEND_CODE,
      });
      assert.equal(byLocale.stdout, '42\n');
      const byName = await sshd.ssh(person.user, ['echo $((6*8)) "${NOTP_CODE-gone}"'], {
        environment: { NOTP_CODE: person.line() },
        sshOptions: ['-o', 'SendEnv=NOTP_CODE'],
      });
      assert.equal(byName.stdout, '48 gone\n');
    });

    it('reads the code from the first line of stdin and leaves every other byte to the command', async () => {
      const target = remote();
      const input = Buffer.concat([Buffer.from(`${person.line()}\n`), content]);
      const { code, stdout, stderr } = await sshd.ssh(person.user, [`cat > ${target}`], { input });
      assert.equal(code, 0);
      assert.equal(stdout, '');
      assert.equal(stderr, 'Passphrase and one-time code: ');
      assert.ok(fs.readFileSync(target).equals(content));
    });

    it('passes 1 MB through the command in both directions', async () => {
      const { stdout } = await sshd.ssh(person.user, ['base64 -w0'], {
        input: Buffer.concat([Buffer.from(`${person.line()}\n`), content]),
      });
      assert.equal(stdout, content.toString('base64'));
    });
  },
);

function shellOf(server: Sshd): string {
  return ['ssh', ...server.options(), ...SEND_CODE].join(' ');
}
