/** Names as directory services have them, on a booted host: one account by all its spellings, and any name through all commands. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isUserName } from '../../../src/otp/names.ts';
import { CLIENT_KEY } from '../../support/container-root.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { lacks, must, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const MODULE = path.join(import.meta.dirname, '../../support/nss_spellings.c');
const NEEDS = { ...SERVICE_NEEDS, programs: [...SERVICE_NEEDS.programs, 'gcc'] };
const LONG = 'x'.repeat(256);
const ODD = fc.constantFrom('a', 'B', '7', '.', '/', '\\', '@', ' ', '%', '$', '#', "'", '"', '&', 'é', '😀', '-', '*');
const RANDOM = fc.sample(
  fc.string({ unit: ODD, minLength: 1, maxLength: 24 }).filter((name) => isUserName(name) && !/^[#+\-\s]/.test(name)),
  10,
);

const RULES = `
[[rule]]
users = ["@contractors"]
ask = "refuse"
[[rule]]
ask = "nothing"
reason = "inside the network"
`;

/** Of the module. */
const directory = (name: string, uid: number): TestUser => ({ name, uid, gid: uid, home: `/home/u${String(uid)}` });
const BOB = directory('adbob', 3001);
const NAMES = [
  directory('adann@corp.example', 3002),
  directory('CORP\\wsam', 3003),
  directory('20231234', 3004),
  directory('CORP\\jo doe', 3005),
  directory('josé', 3006),
];
/** Of passwd(5). */
const LISTED: readonly (TestUser & { readonly shell?: string })[] = [
  { ...directory('carol', 3100), name: 'carol' },
  { ...directory('carol', 3100), name: 'carol2', home: '/home/carol2', shell: '/bin/sh' },
  directory(LONG, 3101),
  directory('4711', 3102),
  ...[...new Set(RANDOM)].map((name, i) => directory(name, 3200 + i)),
];

describe('names of a directory service', { skip: lacks(NEEDS) }, () => {
  let world: ServiceWorld;
  let bob: Phone;

  before(async () => {
    world = await bootService('names', {
      toml: '[policy]\nbudget = 50\n',
      prepare: (root) => {
        const library = path.join(root, 'usr/lib', must(['gcc', '-print-multiarch']).trim(), 'libnss_spellings.so.2');
        must(['gcc', '-shared', '-fPIC', '-o', library, MODULE]);
        nsswitch(root, 'files spellings systemd');
        const lines = LISTED.map(
          ({ name, uid, home, shell = '/bin/bash' }) => `${name}:*:${String(uid)}:${String(uid)}::${home}:${shell}\n`,
        );
        fs.appendFileSync(path.join(root, 'etc/passwd'), lines.join(''));
        fs.appendFileSync(path.join(root, 'etc/group'), 'bobs:x:3001:\n');
      },
    });
    const homes = [BOB, ...NAMES, ...LISTED].map(
      ({ uid, home }) =>
        `install -d -m 700 -o ${String(uid)} -g ${String(uid)} ${home} ${home}/.ssh; install -m 600 -o ${String(uid)} -g ${String(uid)} ${CLIENT_KEY}.pub ${home}/.ssh/authorized_keys\n`,
    );
    await world.container.must(['sh', '-eu'], { input: homes.join('') });
    bob = await world.enroll({ ...BOB, name: 'ADBOB' });
  });

  const pam = async (name: string, proof: string): Promise<Ran> =>
    await world.container.run(['notp', 'pam'], {
      environment: { PAM_USER: name, PAM_TYPE: 'auth', PAM_SERVICE: 'sudo', PAM_RHOST: '192.0.2.7' },
      input: proof,
    });
  const lastUser = async (): Promise<readonly unknown[]> => {
    const record = await world.lastLogin();
    return [record?.event, record?.user, record?.uid];
  };
  const status = async (name: string): Promise<unknown> =>
    (JSON.parse(await world.container.must(['notp', 'status', '--json', '--user', name])) as { user: string }).user;

  it('are one account by all spellings of it: enrolled by one, known and let in by the others, at both doors', async () => {
    const sealed = JSON.parse(fs.readFileSync(world.outside('/home/u3001/.notp/ssh'), 'utf8')) as { user: string };
    assert.equal(sealed.user, 'adbob');
    for (const name of ['adbob', 'AdBob', 'CORP\\adbob', 'ADBOB@CORP.EXAMPLE']) {
      assert.equal(await status(name), 'adbob');
      const refused = await world.login({ ...BOB, name }, '000000');
      assert.deepEqual([refused.stdout, (await world.recordOf(refused))?.user], ['', 'adbob']);
      assert.equal((await pam(name, '000000')).code, 1);
    }
    const inside = await world.login({ ...BOB, name: 'CORP\\ADBOB' }, await bob.code());
    assert.equal(inside.stdout, 'adbob\n', inside.stderr);
    assert.deepEqual(await lastUser(), ['login.accepted', 'adbob', 3001]);
    assert.equal((await pam('ADBOB', await bob.code())).code, 0);
    assert.deepEqual(await lastUser(), ['login.accepted', 'adbob', 3001]);
    const audit = await world.container.must(['notp', 'audit', '--user', 'Corp\\AdBob', '--event', 'login.accepted']);
    assert.equal(audit.trim().split('\n').length, 2);
    const replaced = await world.container.run(['notp-enroll', 'Adbob', '--no-confirm', '--json']);
    assert.match(replaced.stderr, /adbob is enrolled for ssh already/);
  });

  it('are nobody where they are the number of a uid, or no name at all', async () => {
    for (const name of ['3001', '+3001', '0', '3001 ', ' 3001', 'adbo', 'adbob:x', 'x'.repeat(257)]) {
      assert.equal((await pam(name, bob.recovery[0] ?? '')).code, 1, name);
      assert.notEqual((await world.container.run(['notp', 'status', '--user', name])).code, 0, name);
    }
  });

  /** Through everything: enrolled, looked at, let in by either door, told of. */
  const goesThrough = async ({ name, uid, ...user }: TestUser): Promise<void> => {
    const phone = await world.enroll({ name, uid, ...user });
    assert.equal(await status(name), name);
    assert.deepEqual(await pam(name, await phone.code()), { code: 0, signal: null, stdout: '', stderr: '' });
    assert.deepEqual(await lastUser(), ['login.accepted', name, uid]);
    const told = await world.container.must(['notp', 'audit', '--user', name, '--event', 'enroll']);
    assert.equal((JSON.parse(told) as { user: string }).user, name);
    assert.match(await world.container.must(['notp', 'audit', '--table', '--user', name]), /login\.accepted|accepted/);
  };

  for (const user of [...NAMES, ...LISTED.slice(2, 4)]) {
    it(`may be ${user.name.slice(0, 24)}${user.name.length > 24 ? '…' : ''}, from the enrolment to the log, through the real sshd too`, async () => {
      await goesThrough(user);
      const phone = await world.enroll(user, ['--replace']);
      assert.equal((await world.login(user, '000000')).stdout, '');
      const inside = await world.login(user, await phone.code());
      assert.equal(inside.stdout, `${user.name}\n`, inside.stderr);
    });
  }

  it('may be whatever the passwd database has: what is accepted for an enrolment is read at a login', async () => {
    for (const user of LISTED.slice(4)) {
      try {
        await goesThrough(user);
      } catch (error) {
        throw new Error(`the name ${JSON.stringify(user.name)}`, { cause: error });
      }
    }
  });

  it('have a hand-out each, in the folder that was named', async () => {
    const users = [...NAMES, ...LISTED.slice(2)].filter(({ name }) => !/(^|\s)#|^\s|\s$/.test(name));
    const list = users.map(({ name }) => `${name}\n`).join('');
    const words = ['notp-enroll', '--batch', '-', '--out', '/root/handouts', '--replace'];
    await world.container.must(words, { input: list, timeoutMs: 120_000 });
    const files = fs.readdirSync(world.outside('/root/handouts'));
    assert.equal(files.length, 2 * users.length);
    assert.ok(files.includes('CORP\\jo doe.txt'));
  });

  it('with one uid are one account: neither gets in because the other is not enrolled', async () => {
    const [carol, carol2] = LISTED;
    assert.ok(carol !== undefined && carol2 !== undefined);
    await world.configure('rule = [{ ask = "code", enrol_by = 2099-01-01 }]\n');
    assert.equal((await pam('carol2', '000000')).code, 0, 'not enrolled yet');
    const phone = await world.enroll(carol2);
    assert.equal(await status('carol2'), 'carol');
    for (const user of [carol, carol2]) {
      assert.equal((await pam(user.name, '000000')).code, 1, user.name);
      assert.equal((await world.login(user, '000000')).stdout, '', user.name);
      assert.equal((await pam(user.name, phone.recoveryCode())).code, 0, user.name);
      const inside = await world.login(user, await phone.code(), { words: ['id -u'] });
      assert.equal(inside.stdout, '3100\n', inside.stderr);
    }
    assert.deepEqual(await lastUser(), ['login.accepted', 'carol', 3100]);
    await world.configure('');
  });

  it('with one uid have the home, the keys and the shell of the entry that was logged in by', async () => {
    const [, carol2] = LISTED;
    assert.ok(carol2 !== undefined);
    const keys = world.outside('/home/u3100/.ssh/authorized_keys');
    const key = fs.readFileSync(keys, 'utf8');
    fs.rmSync(keys);
    fs.writeFileSync(world.outside('/home/carol2/.ssh/authorized_keys'), `command="echo forced; pwd; echo $0" ${key}`);
    const phone = await world.enroll(carol2, ['--replace']);
    const inside = await world.login(carol2, await phone.code());
    assert.equal(inside.stdout, 'forced\n/home/carol2\nsh\n', inside.stderr);
  });

  it('are refused by setup where sshd would take one spelling alone; the uid goes to PAM, and a group holds for all', async () => {
    for (const door of ['gate', 'pam']) {
      const refused = await world.container.run(['notp', 'setup', door, '--user', 'adbob']);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /another spelling of "adbob" may avoid "Match User".*\nnotp: hint: .*notp setup \w+ --group GROUP, with adbob in it/,
      );
    }
    const sudo = await world.container.must(['notp', 'setup', 'sudo', '--user', 'CORP\\ADBOB']);
    assert.match(sudo, /^\+# uid 3001: adbob\n\+auth .* pam_succeed_if\.so quiet uid in 3001$/m);
    nsswitch(world.container.root, 'files systemd');
    const exact = await world.container.must(['notp', 'setup', 'gate', '--user', 'carol2']);
    nsswitch(world.container.root, 'files spellings systemd');
    assert.match(exact, /^\+Match User carol,carol2$/m);
    for (const [group, isTold] of [
      ['contractors', true],
      ['bobs', false],
    ] as const) {
      const { stderr } = await world.container.run(['notp', 'setup', 'pam', '--group', group]);
      assert.equal(
        /is not in \/etc\/group: while the directory .* does not answer, its members are asked for no code/.test(stderr),
        isTold,
      );
    }
  });

  it('that lead past a Match User line are a failure to doctor, and a group is none', async () => {
    const gate = world.outside('/etc/ssh/sshd_config.d/notp.conf');
    const whole = fs.readFileSync(gate, 'utf8');
    const under = async (criteria: string): Promise<{ spelling: string[]; login: Ran }> => {
      fs.writeFileSync(gate, `ExposeAuthInfo yes\nMatch ${criteria}\n  ForceCommand /usr/bin/notp gate\nMatch all\n`);
      await world.container.must(['systemctl', 'reload', 'ssh']);
      const { stdout } = await world.container.run(['notp', 'doctor', '--json', '--user', 'adbob']);
      const findings = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: string; severity: string; detail: string });
      const spelling = findings.filter(({ id, severity }) => id === 'spelling' && severity === 'fail').map(({ detail }) => detail);
      await sleep(500);
      return { spelling, login: await world.login({ ...BOB, name: 'ADBOB' }, '000000') };
    };
    const byName = await under('User adbob');
    assert.equal(byName.login.stdout, 'adbob\n', 'this is the way past');
    assert.match(byName.spelling.join(), /^"ADBOB" is the same account, but Match uses the typed name and its groups: FC1: /);
    const byGroup = await under('Group bobs');
    assert.equal(byGroup.login.stdout, '');
    assert.deepEqual(byGroup.spelling, []);
    fs.writeFileSync(gate, whole);
    await world.container.must(['systemctl', 'reload', 'ssh']);
  });

  it('have groups that a rule refuses also while the directory is silent about them: a later rule let them in', async () => {
    await world.configure(RULES);
    const logins = async (): Promise<unknown[]> => {
      const atGate = await world.login({ ...BOB, name: 'adbob' }, '000000');
      const atPam = await world.container.run(['notp', 'pam', '--before'], {
        environment: {
          ...{ PAM_USER: 'adbob', PAM_TYPE: 'auth', PAM_SERVICE: 'sshd', PAM_TTY: 'ssh', PAM_RHOST: '127.0.0.1' },
          SSH_AUTH_INFO_0: `publickey ${fs
            .readFileSync(world.outside(`${CLIENT_KEY}.pub`), 'utf8')
            .split(' ')
            .slice(0, 2)
            .join(' ')}`,
        },
      });
      return [atGate.stdout, atPam.code === 0];
    };
    assert.deepEqual(await logins(), ['', false]);
    await world.container.must(['touch', '/run/nss-silent']);
    assert.deepEqual(await logins(), ['', false]);
    const explained = await world.container.must(['notp', 'rules', 'explain', 'adbob', '--from', '127.0.0.1']);
    assert.match(
      explained,
      /decides: perhaps fits, so it refuses all the same: it is unknown who is in @contractors: no group database knows it now/,
    );
    const { stdout } = await world.container.run(['notp', 'doctor']);
    assert.match(stdout, /^fail +Rules refuse everybody, as no group database knows the group/m);
    await world.container.must(['rm', '/run/nss-silent']);
    await world.configure(RULES.replace('@contractors', '@daemon'));
    assert.deepEqual(await logins(), ['adbob\n', true], 'who is in no such group gets in');
    await world.configure('[policy]\nbudget = 50\n');
  });
});

/** Says which modules are asked for users and groups. */
function nsswitch(root: string, sources: string): void {
  const file = path.join(root, 'etc/nsswitch.conf');
  const others = fs.readFileSync(file, 'utf8').replace(/^(passwd|group|initgroups):.*\n/gm, '');
  fs.writeFileSync(file, `${others}\npasswd: ${sources}\ngroup: ${sources}\n`);
}
