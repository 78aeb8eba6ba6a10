/** One question for each SSH connection: further sessions of it are not asked, other connections are. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, sleep, type Ran } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { atEnd } from '../support/cleanup.ts';
import { auditLines, enrol, gateSshd, NEEDS, newPerson, place, SEND_CODE, type Person, type Place } from './gate-world.ts';

describe('a connection is asked once', { skip: NEEDS }, () => {
  let where: Place;
  let sshd: Sshd;
  /** Where the configuration says to ask each session. */
  let asking: Sshd;
  let person: Person;

  before(async () => {
    where = place('gate-connection');
    sshd = await gateSshd(where);
    fs.writeFileSync(path.join(where.folder, 'notp.toml'), '[gate]\nsame_connection = false\n');
    asking = await gateSshd(where, { words: `--config ${where.folder}/notp.toml` });
    person = await newPerson(where, [sshd, asking]);
  });

  /** Opens a connection without a session (which passes on only the variables that it is told to), and gives what runs a command in a session of it. */
  const openConnection = async (name: string, server = sshd): Promise<(environment?: NodeJS.ProcessEnv) => Promise<Ran>> => {
    const socket = path.join(where.folder, name);
    const master = server.sshInTerminal(person.user, [], ['-M', '-N', '-S', socket, ...SEND_CODE]);
    const check = async (): Promise<number | null> => (await run(server.command(person.user, ['-S', socket, '-O', 'check']))).code;
    for (let i = 0; (await check()) !== 0; i++) {
      assert.ok(i < 100, 'the connection does not open');
      await sleep(50);
    }
    atEnd(async () => {
      await run(server.command(person.user, ['-S', socket, '-O', 'exit']));
      await master.exited;
    });
    return async (environment = {}) =>
      await server.ssh(person.user, ['echo in'], { environment, sshOptions: ['-S', socket, ...SEND_CODE] });
  };
  const decisions = (): (string | undefined)[] =>
    auditLines(person.user)
      .filter(({ event }) => event.startsWith('login.'))
      .map(({ method, reason }) => method ?? reason);

  it('so that three sessions of it cost one code, and a second connection is asked again', async () => {
    const first = await openConnection('first');
    assert.equal((await first()).code, 1);
    assert.equal((await first(person.variable())).stdout, 'in\n');
    assert.equal((await first()).stdout, 'in\n');
    assert.equal((await first()).stdout, 'in\n');
    const second = await openConnection('second');
    assert.equal((await second()).code, 1);
    assert.equal((await second(person.variable())).stdout, 'in\n');
    assert.equal((await first()).stdout, 'in\n');
    assert.deepEqual(decisions(), [
      ...['no_proof', 'recovery', 'same_connection', 'same_connection'],
      ...['no_proof', 'recovery', 'same_connection'],
    ]);
  });

  it('unless the configuration says otherwise', async () => {
    const session = await openConnection('asking', asking);
    assert.equal((await session(person.variable())).stdout, 'in\n');
    assert.equal((await session()).code, 1);
  });

  it('and a new enrolment forgets it', async () => {
    const third = await openConnection('third');
    assert.equal((await third(person.variable())).stdout, 'in\n');
    person = await enrol(where, person.user);
    assert.equal((await third()).code, 1);
    assert.equal(decisions().at(-1), 'no_proof');
  });
});
