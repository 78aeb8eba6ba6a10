/** Who is not known, or not enrolled, at the PAM door: nothing can be learnt there, and nobody pays for it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { addUser, lacks, oathCode, untilFreshStep, type TestUser } from '../support/world.ts';
import { each, pamWorld, wrongCode, type PamWorld } from './pam-world.ts';

/** As sshd starts it before any method has succeeded. */
const SSHD = { PAM_SERVICE: 'sshd', PAM_TTY: 'ssh', PAM_RHOST: '192.0.2.7' };
const JUNK = '\b\n\r\x7fINCORRECT';
const LINE = 'notp: code not accepted; after several failed tries type two or three consecutive codes (ref)\n';
const withoutRef = (text: string): string => text.replace(/\(ref [0-9a-f]{8}\)/, '(ref)');

describe('strangers learn nothing at the PAM door', { skip: lacks({ root: true, programs: ['oathtool'] }) }, () => {
  let world: PamWorld;
  let enrolled: TestUser;
  let other: TestUser;
  let secret: string;

  before(async () => {
    world = await pamWorld('strangers');
    [enrolled, other] = [addUser(), addUser()];
    ({ secret } = await world.enroll(enrolled));
  });

  it('answers unknown users, unenrolled users and the junk of sshd as it answers a wrong code, not before the same tick', async () => {
    const wrong = wrongCode(secret);
    const tries: [string, string][] = [
      [enrolled.name, wrong],
      [other.name, wrong],
      ['nobody-of-that-name', wrong],
      ['nobody-of-that-name', JUNK],
      [enrolled.name, JUNK],
    ];
    await each(tries, async ([name, proof]) => {
      const startMs = performance.now();
      const { code, stdout } = await world.pam(name, proof, { environment: SSHD });
      assert.ok(performance.now() - startMs >= 500, 'it answered before the first tick');
      assert.equal(code, 1);
      assert.equal(withoutRef(stdout), LINE, `${name} ${JSON.stringify(proof)}`);
    });
  });

  it('knows sshd under whatever name its PAM service has', async () => {
    const environment = { ...SSHD, PAM_SERVICE: 'sshd-internal' };
    const { stdout } = await world.pam(other.name, '123456', { environment });
    assert.equal(withoutRef(stdout), LINE);
  });

  it('tells who has shown a key, or is known to sudo, that there is no enrolment', async () => {
    const afterKey = await world.pam(other.name, '123456', { environment: { ...SSHD, SSH_AUTH_INFO_0: 'publickey ssh-ed25519 AAAA' } });
    const sudo = await world.pam(other.name, '123456');
    for (const { code, stdout } of [afterKey, sudo]) {
      assert.equal(code, 1);
      assert.equal(withoutRef(stdout), 'notp: not enrolled for one-time codes (ref)\n');
    }
  });

  it('does not tell who has not passed a first factor by a sixth wrong code, an old file or a damaged one who is enrolled', async () => {
    const { secret: fresh, file } = await world.enroll(enrolled);
    const answers: string[] = [];
    const reasons = new Set<unknown>();
    const attack = async (environment: NodeJS.ProcessEnv): Promise<string> => {
      const { stdout } = await world.pam(enrolled.name, wrongCode(fresh), { environment });
      reasons.add(world.recordIn(stdout).reason);
      return withoutRef(stdout);
    };
    for (let i = 0; i < 6; i++) answers.push(await attack(SSHD));
    const afterKey = await attack({ ...SSHD, SSH_AUTH_INFO_0: 'publickey ssh-ed25519 AAAA' });
    assert.equal(afterKey, 'notp: too many failed tries: two consecutive codes are needed (ref)\n');
    const old = fs.readFileSync(file);
    await world.enroll(enrolled);
    fs.writeFileSync(file, old);
    answers.push(await attack(SSHD));
    fs.writeFileSync(file, 'damaged');
    answers.push(await attack(SSHD));
    assert.deepEqual([...reasons], ['wrong_code', 'step_up_required', 'stale_enrolment', 'bad_secret_file']);
    assert.deepEqual([...new Set(answers)], [LINE]);
  });

  it('refuses hostile names, and shows them escaped in the log', async () => {
    const names = [
      '..',
      '../root',
      'a/b',
      '.hidden',
      '-x',
      'a b',
      'a\nb',
      '\x1b[31mred',
      'caf\u00e9',
      '\u202eevil',
      'x'.repeat(300),
      '',
      '0',
      `${enrolled.name}:`,
    ];
    await each(names, async (name) => {
      const { code, stdout, stderr } = await world.pam(name, oathCode(secret), { environment: SSHD });
      assert.equal(code, 1, JSON.stringify(name));
      assert.equal(withoutRef(stdout), LINE, JSON.stringify(name));
      assert.equal(stderr, '');
      const record = world.recordIn(stdout);
      assert.equal(record.user, name.slice(0, 256));
      assert.equal(record.reason, 'not_enrolled');
    });
    const log = fs.readFileSync(`${world.folder}/log/audit.log`, 'utf8');
    assert.doesNotMatch(log.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
    assert.match(log, /\\u001b\[31mred/);
  });

  it('takes no try from anybody for junk: five wrong codes are still judged', async () => {
    const { secret: fresh } = await world.enroll(enrolled);
    await each(Array<string>(6).fill(JUNK), async (proof) => await world.pam(enrolled.name, proof, { environment: SSHD }));
    const wrong = wrongCode(fresh);
    await each(Array<string>(5).fill(wrong), async (proof) => {
      const { stdout } = await world.pam(enrolled.name, proof, { environment: SSHD });
      assert.equal(world.recordIn(stdout).reason, 'wrong_code');
    });
  });

  it('lets known users without an enrolment in where the policy says so, and nobody else', async () => {
    const lenient = await pamWorld('lenient', { top: 'rule = [{ ask = "code", enrol_by = 2099-01-01 }]' });
    const { file, secret: mine } = await lenient.enroll(enrolled);
    assert.equal((await lenient.pam(other.name, '')).code, 0);
    assert.equal(lenient.lastRecord().method, 'unenrolled');
    assert.equal((await lenient.pam('nobody-of-that-name', '')).code, 1);
    assert.equal((await lenient.pam(enrolled.name, '')).code, 1);
    await untilFreshStep();
    fs.rmSync(file);
    const { code, stdout } = await lenient.pam(enrolled.name, oathCode(mine));
    assert.equal(code, 1, 'deleting the file must not turn the second factor off');
    assert.equal(lenient.recordIn(stdout).reason, 'bad_secret_file');
  });
});
