/** The rules at the gate, with a real sshd: each row of the decision table, what is recorded, and what is never let in. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { addUser, type TestUser } from '../support/world.ts';
import {
  auditLines,
  type AuditLine,
  authorizeAll,
  gateSshd,
  NEEDS,
  newPerson,
  place,
  SEND_CODE,
  type Person,
  type Place,
} from './gate-world.ts';
import { ROWS, rulesText } from './rule-rows.ts';

describe('the rules at the gate', { skip: NEEDS }, () => {
  let where: Place;
  let sshd: Sshd;
  let person: Person;
  let stranger: TestUser;

  before(async () => {
    where = place('gate-rules');
    sshd = await gateSshd(where, { words: `--config ${where.folder}/notp.toml` });
    configure([]);
    person = await newPerson(where, [sshd]);
    stranger = addUser();
    authorizeAll(stranger, [sshd]);
  });

  const configure = (rules: readonly string[]): void => {
    const own = '[store]\nurl = "user"\n[audit]\njournal = false\n';
    fs.writeFileSync(path.join(where.folder, 'notp.toml'), own + rulesText(rules));
  };
  const enter = async (user: TestUser, environment: NodeJS.ProcessEnv = {}): Promise<Ran> =>
    await sshd.ssh(user, ['echo in'], { environment, sshOptions: SEND_CODE });

  for (const { what, rules, enrolled, stranger: other } of ROWS)
    it(`decide by ${what}: ${enrolled}, and ${other} without an enrolment`, async () => {
      for (const [user, word] of [
        [person.user, enrolled],
        [stranger, other],
      ] as const) {
        configure(rules(user.name));
        const { stdout, stderr } = await enter(user);
        const { method, reason, detail = '' } = decided(user);
        assert.equal(method ?? reason, word);
        assert.equal(stdout, method === undefined ? '' : 'in\n');
        if (method !== undefined) assert.equal(stderr, '');
        if (method === 'rule') assert.match(detail, /^the rule in line \d+ of notp\.toml \(ticket OPS-12\)$/);
        if (reason === 'not_permitted') assert.match(detail, /^the rule in line \d+ of notp\.toml$/);
      }
    });

  it('refuse a right code where they refuse, and do not use it up', async () => {
    configure(['ask = "refuse"']);
    const code = person.variable();
    const { code: exit, stderr } = await enter(person.user, code);
    assert.equal(exit, 1);
    assert.match(stderr, /^notp: error: not permitted \(ref [0-9a-f]{8}\)\nnotp: hint: ask an administrator/);
    configure([]);
    assert.equal((await enter(person.user, code)).stdout, 'in\n');
  });

  it('refuse with a record where no program tells the groups: it ended in an internal error', async () => {
    configure(['users = ["@daemon"]\nask = "refuse"', 'ask = "nothing"\nreason = "test"']);
    fs.appendFileSync(path.join(where.folder, 'notp.toml'), '\n[gate]\nexpose_auth_info = false\n');
    const gate = [where.notp, 'gate', '--config', path.join(where.folder, 'notp.toml')];
    const { uid, gid } = person.user;
    const words = [`--reuid=${String(uid)}`, `--regid=${String(gid)}`, '--init-groups', ...gate];
    const hidden = 'for i in id getent; do mount --bind /dev/null "$(command -v $i)" || exit 9; done; exec setpriv "$@"';
    const environment = { SSH_CONNECTION: '192.0.2.7 50000 192.0.2.1 22', SSH_ORIGINAL_COMMAND: 'echo in' };
    const { code, stdout, stderr } = await run(['unshare', '--mount', 'sh', '-c', hidden, 'sh', ...words], { environment });
    assert.deepEqual([code, stdout], [1, '']);
    const ref = /^notp: [^\n]*\(ref ([0-9a-f]{8})\)/.exec(stderr)?.[1];
    assert.deepEqual([decided(person.user).ref, decided(person.user).result], [ref, 'refused'], stderr);
  });

  it('say until when users got in who were not enrolled', async () => {
    configure(['ask = "code"\nenrol_by = 2020-01-01T00:00:00Z']);
    const { stderr } = await enter(stranger);
    assert.match(stderr, /not enrolled for one-time codes.*\nnotp: hint: ask an administrator to run notp-enroll/);
    assert.match(decided(stranger).detail ?? '', /let in without an enrolment until 2020-01-01T00:00:00\.000Z$/);
  });

  it('remember a code for the key and the address, under the same rule alone', async () => {
    const word = async (environment?: NodeJS.ProcessEnv): Promise<string | undefined> => {
      await enter(person.user, environment);
      const { method, reason } = decided(person.user);
      return method ?? reason;
    };
    configure(['users = ["@users", "nobody"]\nask = "refuse"', 'services = ["sshd"]\nask = "code"\nremember = "1h"']);
    assert.equal(await word(), 'no_proof');
    assert.equal(await word(person.variable()), 'recovery');
    assert.equal(await word(), 'remembered');
    // Wherever it stands, and with another reason.
    configure(['services = ["sshd"]\nask = "code"\nremember = "2h"\nreason = "x"']);
    assert.equal(await word(), 'remembered');
    configure(['from = ["127.0.0.1"]\nask = "code"\nremember = "1h"']);
    assert.equal(await word(), 'no_proof');
    configure(['services = ["sshd"]\nask = "code"']);
    assert.equal(await word(), 'no_proof');
  });
});

function decided(user: TestUser): Partial<AuditLine> {
  return auditLines(user).findLast(({ event }) => event.startsWith('login.')) ?? {};
}
