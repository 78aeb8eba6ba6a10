/** The rules at the PAM door, with a real sshd and the line for `notp pam --before`, and at sudo. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { addUser, installNotp, lacks, oathCode, SOURCE_NOTP, untilFreshStep, type TestUser } from '../support/world.ts';
import { codeLine, pamWorld, startPamSshd, type PamWorld } from './pam-world.ts';
import { ROWS, rulesText } from './rule-rows.ts';

const KEY_THEN_CODE = 'publickey,keyboard-interactive:pam';
const KEY = 'publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2Q=\n';
const AT_SSHD = { PAM_SERVICE: 'sshd', PAM_TTY: 'ssh', PAM_RHOST: '192.0.2.7', SSH_AUTH_INFO_0: KEY };
const NOTHING = 'ask = "nothing"\nreason = "ticket OPS-12"';

describe('the rules at the PAM door', { skip: lacks({ root: true, programs: ['sshd', 'ssh', 'oathtool', 'python3'] }) }, () => {
  let world: PamWorld;
  let plain: string;
  let checker: string;
  let user: TestUser;
  let stranger: TestUser;
  let secret: string;
  let sshd: Sshd;

  before(async () => {
    world = await pamWorld('pam-rules');
    plain = fs.readFileSync(world.config, 'utf8');
    checker = `${installNotp(world.folder)} pam --config ${world.config}`;
    [user, stranger] = [addUser(), addUser()];
    secret = (await world.enroll(user)).secret;
    const lines = [
      `auth [success=1 default=ignore] pam_exec.so quiet quiet_log ${checker} --before`,
      codeLine(checker),
      'auth sufficient pam_permit.so',
    ];
    sshd = await startPamSshd(world.folder, lines, KEY_THEN_CODE);
    for (const each of [user, stranger]) sshd.authorize(each);
  });

  const configure = (rules: readonly string[]): void => {
    fs.writeFileSync(world.config, plain + rulesText(rules));
  };
  /** A login without a terminal: a prompt would get an empty answer. */
  const enter = async (who: TestUser, options: readonly string[] = []): Promise<Ran> =>
    await run(['setsid', '-w', ...sshd.command(who, ['-o', 'NumberOfPasswordPrompts=1', ...options]), 'echo in'], {
      input: '',
      environment: { SSH_ASKPASS_REQUIRE: 'never' },
    });
  const word = (): string | undefined => {
    const { method, reason } = world.lastRecord();
    return method ?? reason;
  };

  const at = async (environment: NodeJS.ProcessEnv): Promise<string | undefined> => {
    await world.pam(user.name, '', { environment });
    return word();
  };

  for (const { what, rules, enrolled, stranger: other } of ROWS)
    it(`decide by ${what}: ${enrolled}, and ${other} without an enrolment`, async () => {
      for (const [who, expected] of [
        [user, enrolled],
        [stranger, other],
      ] as const) {
        configure(rules(who.name));
        const earlier = world.records().length;
        const { code, stdout, stderr } = await enter(who);
        assert.equal(word(), expected);
        assert.equal(world.records().length, earlier + 1, 'one record for one login');
        const isIn = world.lastRecord().method !== undefined;
        assert.deepEqual([code, stdout], isIn ? [0, 'in\n'] : [255, '']);
        // Nobody is asked whom a rule lets in.
        if (isIn) assert.doesNotMatch(stderr, /assword/);
        if (world.lastRecord().method === 'rule') assert.match(world.lastRecord().detail ?? '', /\(ticket OPS-12\)$/);
      }
    });

  it('need a client that tries keyboard-interactive, which none does in BatchMode', async () => {
    configure([NOTHING]);
    assert.equal((await enter(user)).code, 0);
    assert.equal((await enter(user, ['-o', 'BatchMode=yes'])).code, 255);
  });

  it('let nobody in before a first factor has passed at sshd', async () => {
    configure([NOTHING]);
    for (const environment of [
      { ...AT_SSHD, SSH_AUTH_INFO_0: '' },
      { ...AT_SSHD, SSH_AUTH_INFO_0: undefined, PAM_SERVICE: 'other' },
      { ...AT_SSHD, SSH_AUTH_INFO_0: undefined, PAM_TTY: 'other' },
    ])
      for (const words of [['--before'], []]) assert.equal((await world.pam(user.name, '', { environment, words })).code, 1);
    assert.equal((await world.pam(user.name, '', { environment: AT_SSHD, words: ['--before'] })).code, 0);
    assert.equal((await world.pam('no-such-user', '', { environment: AT_SSHD, words: ['--before'] })).code, 1);
  });

  it('take a name for no address, and an empty list of factors for no key', async () => {
    configure([`from = ["0.0.0.0/0", "::/0"]\n${NOTHING}`, 'keys = ["ssh-*"]\nask = "refuse"']);
    assert.equal(await at(AT_SSHD), 'rule');
    assert.equal(await at({ ...AT_SSHD, PAM_RHOST: 'host.example.org' }), 'not_permitted');
    assert.equal(await at({ ...AT_SSHD, PAM_RHOST: 'host.example.org', SSH_AUTH_INFO_0: 'password\n' }), 'no_proof');
    // What is in sudo's environment is not sshd's word.
    assert.equal(await at({ SSH_AUTH_INFO_0: 'password\n', PAM_RHOST: '' }), 'not_permitted');
  });

  it('remember a code that was typed at the PAM door, for the same key and address', async () => {
    configure(['services = ["sshd"]\nask = "code"\nremember = "1h"']);
    const isBefore = async (environment: NodeJS.ProcessEnv): Promise<boolean> =>
      (await world.pam(user.name, '', { environment, words: ['--before'] })).code === 0;
    await untilFreshStep();
    assert.ok(!(await isBefore(AT_SSHD)));
    assert.equal((await world.pam(user.name, oathCode(secret), { environment: AT_SSHD })).code, 0);
    assert.ok(await isBefore(AT_SSHD));
    assert.equal(world.lastRecord().method, 'remembered');
    assert.ok(!(await isBefore({ ...AT_SSHD, PAM_RHOST: '192.0.2.8' })));
    assert.ok(!(await isBefore({ ...AT_SSHD, SSH_AUTH_INFO_0: KEY.replace('FiY2Q=', 'FiY2U=') })));
    assert.ok(!(await isBefore({ ...AT_SSHD, PAM_SERVICE: 'sudo', PAM_TTY: '/dev/pts/1' })));
    // Not by a rule that is about sudo, either: whose session it is there is not proven.
    configure(['ask = "code"\nremember = "1h"']);
    secret = (await world.enroll(user)).secret;
    assert.equal((await world.pam(user.name, oathCode(secret), { environment: AT_SSHD })).code, 0);
    assert.ok(await isBefore(AT_SSHD));
    for (const environment of [
      { ...AT_SSHD, PAM_SERVICE: 'sudo', PAM_TTY: '/dev/pts/1' },
      { PAM_SERVICE: 'sudo', PAM_TTY: '/dev/pts/1', PAM_RUSER: user.name },
      { PAM_SERVICE: 'sudo', PAM_TTY: '/dev/pts/1', PAM_RHOST: '192.0.2.7', SSH_AUTH_INFO_0: KEY },
    ])
      assert.ok(!(await isBefore(environment)), JSON.stringify(environment));
    const status = await run([...SOURCE_NOTP, 'status', '--config', world.config, '--user', user.name]);
    assert.match(status.stdout, /^ {2}remembered +1 key and address needs no code for a while/m);
    assert.equal((await run([...SOURCE_NOTP, 'forget', '--config', world.config, user.name])).code, 0);
    assert.ok(!(await isBefore(AT_SSHD)), 'not once it is forgotten');
    secret = (await world.enroll(user)).secret;
    assert.ok(!(await isBefore(AT_SSHD)), 'not after a new enrolment');
  });

  it('let sudo in without a terminal where nothing is asked, and say elsewhere that there is none', async () => {
    const prompt = { words: ['--prompt-tty'], environment: { PAM_TTY: '', PAM_RUSER: user.name } };
    configure([`services = ["sudo"]\n${NOTHING}`]);
    assert.equal((await world.pam(user.name, '', prompt)).code, 0);
    assert.equal(word(), 'rule');
    configure([`services = ["su"]\n${NOTHING}`]);
    const { code, stdout } = await world.pam(user.name, '', prompt);
    assert.equal(code, 1);
    assert.equal(world.recordIn(stdout).reason, 'not_permitted');
    assert.match(world.recordIn(stdout).detail ?? '', /this service has none/);
  });

  it('let nobody in who was revoked, by nothing and by a day to come', async () => {
    assert.equal(
      (await run([...checker.split(' ').slice(0, 1), 'revoke', '--config', world.config, '--user', user.name, '--yes'])).code,
      0,
    );
    for (const rule of [NOTHING, 'ask = "code"\nenrol_by = 2099-01-01']) {
      configure([rule]);
      assert.equal((await enter(user)).code, 255);
      assert.equal(word(), 'revoked');
    }
  });

  it('tell a stranger nothing about a user whom a rule refuses', async () => {
    configure([`users = ["${user.name}"]\nask = "refuse"`]);
    const environment = { ...AT_SSHD, SSH_AUTH_INFO_0: '' };
    const [known, unknown] = await Promise.all([user.name, 'no-such-user'].map((name) => world.pam(name, '123456', { environment })));
    assert.equal(withoutRef(known), withoutRef(unknown));
    assert.match(known?.stdout ?? '', /code not accepted/);
  });
});

function withoutRef(ran: Ran | undefined): string | undefined {
  return ran?.stdout.replace(/ref [0-9a-f]{8}/, 'ref');
}
