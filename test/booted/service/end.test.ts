/** The service leaves and comes back; killed, stopped or hung while somebody is at the prompt it lets nobody in, and works again afterwards. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { acrossLines, sleep, type Terminal } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

interface Person {
  readonly user: TestUser;
  readonly phone: Phone;
  readonly service: string;
  readonly socket: string;
}

const PEOPLE = ['idle', 'killed', 'stopped', 'unplugged', 'hung'] as const;

// Each has a user and so a service of its own, and they wait at the same time.
describe('the end of the service', { skip: lacks(SERVICE_NEEDS), concurrency: true }, () => {
  let world: ServiceWorld;
  const people = new Map<string, Person>();

  before(async () => {
    world = await bootService('end');
    for (const name of PEOPLE) {
      const user = await world.addUser(name);
      const phone = await world.enroll(user);
      people.set(name, { user, phone, service: `notp@${String(user.uid)}.service`, socket: `notp@${String(user.uid)}.socket` });
    }
  });

  function personOf(name: (typeof PEOPLE)[number]): Person {
    const person = people.get(name);
    assert.ok(person);
    return person;
  }

  const systemctl = (...words: string[]): Promise<string> => world.container.must(['systemctl', ...words]);
  const signal = async (name: string, { user }: Person): Promise<string> =>
    await world.container.must(['kill', `-${name}`, String(await world.servicePid(user))]);

  /**
   * At the prompt, with the service there and all that was asked of it answered: the question is on the terminal while the service still
   * starts, and a stop of that moment is undone by its socket.
   */
  async function atPrompt({ user, service }: Person): Promise<Terminal> {
    const terminal = await world.atPrompt(user);
    await world.container.untilUnit(service, 'active');
    // Of the sockets with that path, all but the one that listens (St 01) are conversations; see proc_pid_net(5).
    const conversation = new RegExp(` (?!01 )\\d\\d +\\d+ /run/notp/${String(user.uid)}\\.sock$`, 'm');
    for (const deadline = Date.now() + 30_000; conversation.test(await world.container.must(['cat', '/proc/net/unix'])); await sleep(50))
      assert.ok(Date.now() < deadline, `${service} still answers`);
    return terminal;
  }

  async function logsIn({ user, phone }: Person): Promise<void> {
    assert.equal((await world.login(user, phone.recoveryCode())).stdout, `${user.name}\n`);
  }

  it('is quiet: it is gone when nobody has asked for a while, and comes back with the next login', async () => {
    const person = personOf('idle');
    await logsIn(person);
    assert.notEqual(await world.servicePid(person.user), 0);
    await world.container.untilUnit(person.service, 'inactive');
    assert.equal(await world.servicePid(person.user), 0);
    assert.equal(await systemctl('is-active', person.socket), 'active\n');
    await logsIn(person);
    assert.notEqual(await world.servicePid(person.user), 0);
  });

  it('by SIGKILL while a question waits for it hurts nobody: the next service answers, and takes the code once', async () => {
    const person = personOf('killed');
    const terminal = await atPrompt(person);
    await signal('STOP', person);
    const code = await person.phone.code();
    terminal.send(`${code}\r`);
    await sleep(500);
    await signal('KILL', person);
    await terminal.expect(/killed@\S+\$ /);
    const again = await world.login(person.user, code);
    assert.deepEqual([again.stdout, (await world.recordOf(again))?.reason], ['', 'replayed']);
    assert.equal(await systemctl('is-active', person.socket), 'active\n');
  });

  it('by systemctl stop during a prompt hurts nobody: the answer starts the next one', async () => {
    const person = personOf('stopped');
    const terminal = await atPrompt(person);
    await systemctl('stop', person.service);
    terminal.send(`${person.phone.recoveryCode()}\r`);
    await terminal.expect(/stopped@\S+\$ /);
    await logsIn(person);
  });

  it('together with its socket during a prompt is a refusal that names the socket, until it is started again', async () => {
    const person = personOf('unplugged');
    const terminal = await atPrompt(person);
    await systemctl('stop', person.socket, person.service);
    terminal.send(`${person.phone.recoveryCode()}\r`);
    await terminal.expect(/login state cannot be reached/);
    assert.notEqual(await terminal.exited, 0);
    const ran = await world.login(person.user, person.phone.recoveryCode());
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, new RegExp(`there is no /run/notp/${String(person.user.uid)}\\.sock`));
    await systemctl('start', person.socket);
    await logsIn(person);
  });

  it('does not come where it hangs, and the gate refuses in bounded time', async () => {
    const person = personOf('hung');
    const terminal = await atPrompt(person);
    await signal('STOP', person);
    terminal.send(`${await person.phone.code()}\r`);
    await terminal.expect(acrossLines(/login state cannot be reached[^]*did not answer within 30 seconds/), 45_000);
    assert.notEqual(await terminal.exited, 0);
    await signal('CONT', person);
    await logsIn(person);
  });
});
