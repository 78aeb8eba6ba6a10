/** The rules behind the users' services and the judge: each row of the decision table, with the state out of the users' reach. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { lacks, type TestUser } from '../../support/world.ts';
import { ROWS, rulesText } from '../../doors/rule-rows.ts';
import { bootService, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

describe('the rules, behind the service', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let bob: TestUser;
  let host: string;

  before(async () => {
    world = await bootService('rules');
    alice = await world.addUser('alice');
    bob = await world.addUser('bob');
    host = (await world.container.must(['uname', '-n'])).trim();
    await world.enroll(alice);
    await world.container.must(['systemctl', 'enable', '--now', '--quiet', `notp@${String(bob.uid)}.socket`]);
  });

  const judged = async (user: TestUser): Promise<string | undefined> => {
    const key = 'publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2Q=\n';
    const sshd = { PAM_TYPE: 'auth', PAM_SERVICE: 'sshd', PAM_TTY: 'ssh', PAM_RHOST: '127.0.0.1', SSH_AUTH_INFO_0: key };
    await world.container.run(['notp', 'pam'], { environment: { ...sshd, PAM_USER: user.name }, input: '' });
    const { method, reason, door } = (await world.lastLogin()) ?? {};
    assert.equal(door, 'pam');
    return method ?? reason;
  };

  for (const { what, rules, enrolled, stranger } of ROWS)
    it(`decide by ${what}: ${enrolled}, and ${stranger} without an enrolment`, async () => {
      for (const [user, word] of [
        [alice, enrolled],
        [bob, stranger],
      ] as const) {
        await world.configure(rulesText(rules(user.name, host)));
        const { stdout } = await world.login(user, '');
        const { method, reason, door } = (await world.lastLogin()) ?? {};
        assert.deepEqual([door, method ?? reason], ['gate', word]);
        assert.equal(stdout, method === undefined ? '' : `${user.name}\n`);
        assert.equal(await judged(user), word);
      }
    });
});
