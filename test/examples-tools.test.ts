/** The examples for fail2ban, logrotate and Ansible, read by the programs that they are for. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { appendUnlinked } from '../src/audit/audit.ts';
import { printRecord, type AuditRecord } from '../src/audit/record.ts';
import { logFile } from '../src/audit/log-file.ts';
import { ROOT, run, type Ran } from './support/process.ts';
import { lacks, must, runAs, scratchFolder, serviceUser } from './support/world.ts';

const EXAMPLES = path.join(ROOT, 'examples');
const REFUSED: AuditRecord = {
  ...{ user: 'alice', uid: 1000, context: 'ssh', door: 'pam', service: 'sshd', rhost: '192.0.2.7' },
  ...{ event: 'login.refused', result: 'refused', reason: 'wrong_code', ref: '0123abcd' },
};

/** The addresses in what the filter matches. */
async function banned(...records: readonly AuditRecord[]): Promise<string[]> {
  const log = path.join(scratchFolder('fail2ban'), 'audit.log');
  fs.writeFileSync(log, records.map((record) => printRecord(record, undefined, Date.now())).join(''));
  const filter = path.join(EXAMPLES, 'fail2ban/filter.d/notp.conf');
  // With `ip` as its output it prints nothing else.
  const { stdout, stderr } = await run(['fail2ban-regex', '-o', 'ip', log, filter]);
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('the filter for fail2ban', { skip: lacks({ programs: ['fail2ban-regex'] }) }, () => {
  it('finds who guesses, at an address of either kind', async () => {
    const others = (['wrong_passphrase', 'step_up_required'] as const).map((reason) => ({ ...REFUSED, reason, rhost: '2001:db8::7' }));
    assert.deepEqual(await banned(REFUSED, ...others), ['192.0.2.7', '2001:db8::7', '2001:db8::7']);
  });

  it('takes the time from the record', async () => {
    const log = path.join(scratchFolder('fail2ban'), 'audit.log');
    fs.writeFileSync(log, printRecord(REFUSED, undefined, Date.UTC(2026, 0, 2, 3, 4, 5)));
    const { stdout } = await run(['fail2ban-regex', '-o', '<time>', log, path.join(EXAMPLES, 'fail2ban/filter.d/notp.conf')]);
    assert.equal(Number(stdout.trim()), Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
  });

  it('leaves alone who gets in, whose code was used already, and whom the host itself refused', async () => {
    const reasons = ['replayed', 'not_enrolled', 'timeout', 'store_unavailable', 'bad_configuration'] as const;
    const accepted: AuditRecord = { ...REFUSED, event: 'login.accepted', result: 'accepted', detail: 'wrong_code' };
    assert.deepEqual(await banned(accepted, ...reasons.map((reason) => ({ ...REFUSED, reason }))), []);
  });

  it('is not led to ban another address by a name that a client sends', async () => {
    const forged = '","rhost":"198.51.100.1","reason":"wrong_code","event":"login.refused';
    assert.deepEqual(await banned({ ...REFUSED, user: forged }), ['192.0.2.7']);
    assert.deepEqual(await banned({ ...REFUSED, user: forged, reason: 'timeout' }), []);
    assert.deepEqual(await banned({ ...REFUSED, user: 'rhost', context: '198.51.100.1' }), ['192.0.2.7']);
  });

  it('lets no user of the host have an address banned by what they tell their own service, or su', async () => {
    const told = (['gate', 'cli'] as const).flatMap((door) =>
      ['sshd', 'ssh', '"door":"pam"'].map((service) => ({ ...REFUSED, door, service })),
    );
    const elsewhere = ['su', 'sudo', 'login'].map((service) => ({ ...REFUSED, service }));
    assert.deepEqual(await banned(...told, ...elsewhere), []);
    for (const forged of ['","door":"pam","service":"sshd', '\\","door":"pam","service":"sshd'])
      assert.deepEqual(await banned({ ...REFUSED, door: 'gate', service: forged, tty: forged }), []);
  });

  it('asks nobody who a name belongs to: its owner would choose whom to ban', async () => {
    assert.deepEqual(await banned({ ...REFUSED, rhost: 'localhost' }, { ...REFUSED, rhost: 'localhost.localdomain' }), []);
  });

  it('is the one that the jail names', () => {
    const jail = fs.readFileSync(path.join(EXAMPLES, 'fail2ban/jail.d/notp.conf'), 'utf8');
    assert.match(jail, /^filter += notp$/m);
    assert.match(jail, /^logpath += \/var\/log\/notp\/audit\.log$/m);
  });
});

describe('the example for logrotate', { skip: lacks({ root: true, programs: ['logrotate'] }) }, () => {
  const example = path.join(EXAMPLES, 'logrotate.d/notp');

  /** Rotates now, in a folder of the service's own. */
  async function rotate(folder: string): Promise<Ran> {
    const configuration = path.join(folder, 'notp.conf');
    fs.writeFileSync(configuration, fs.readFileSync(example, 'utf8').replace('/var/log/notp', `${folder}/log`), { mode: 0o644 });
    return await run(['logrotate', '--force', '--state', path.join(folder, 'state'), configuration]);
  }

  it('is taken without a complaint', async () => {
    serviceUser();
    const { code, stderr } = await run(['logrotate', '--debug', '--state', '/dev/null', example]);
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /error|warning: [^l]/i);
  });

  it('leaves the old records in a file of the service, and the next one begins a file that only the service reads', async () => {
    const folder = scratchFolder('logrotate');
    const service = serviceUser();
    const log = path.join(folder, 'log/audit.log');
    must(['install', '-d', '-o', 'notp', '-g', 'notp', '-m', '0700', path.dirname(log)]);
    const append = async (): Promise<void> => {
      await appendUnlinked({ file: logFile(log), copies: [], key: undefined, now: Date.now }, REFUSED, { required: true });
      fs.chownSync(log, service.uid, service.gid);
    };
    await append();
    const old = fs.readFileSync(log);
    assert.deepEqual(await rotate(folder), { code: 0, signal: null, stdout: '', stderr: '' });
    assert.equal(fs.existsSync(log), false);
    await append();
    const [rotated = ''] = fs.readdirSync(path.dirname(log)).filter((name) => name !== 'audit.log');
    assert.match(rotated, /^audit\.log-\d{8}$/);
    assert.deepEqual(fs.readFileSync(path.join(path.dirname(log), rotated)), old);
    for (const name of ['audit.log', rotated]) {
      const { uid, mode } = fs.statSync(path.join(path.dirname(log), name));
      assert.deepEqual([uid, mode & 0o7777], [service.uid, 0o600]);
    }
    assert.equal((await runAs({ ...service, home: '/' }, ['cat', log])).code, 0);
  });
});

describe('the role for Ansible', { skip: lacks({ programs: ['ansible-playbook'] }) }, () => {
  const playbook = path.join(EXAMPLES, 'ansible/site.yml');
  const environment = { ANSIBLE_NOCOLOR: '1', ANSIBLE_LOCALHOST_WARNING: 'False', ANSIBLE_HOME: '/nonexistent', LC_ALL: 'C.UTF-8' };

  it('is a playbook that Ansible takes, with every task', async () => {
    const words = ['ansible-playbook', '-i', 'localhost,', '--list-tasks', playbook];
    const { code, stdout, stderr } = await run(words, { environment });
    assert.equal(code, 0, stderr);
    for (const task of ['The host key, made once', 'The configuration of sshd and PAM', 'Confirmed from there'])
      assert.ok(stdout.includes(task), stdout);
  });
});
