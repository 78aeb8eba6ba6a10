/** Many users at once, at length as many as notp.slice is made for: each has a service of their own started cold, and each of these is whole and answers. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { firstQuestion } from '../../doors/serve-world.ts';
import { LONG } from '../../trials/trial.ts';
import { lacks } from '../../support/world.ts';
import { bootService, SERVICE_NEEDS, type ServiceWorld } from './world.ts';

const USERS = LONG ? 500 : 60;
const FIRST_UID = 20_000;
/** Of one answer. */
const DEADLINE_S = 60;

/** Has that many started at a time, for cold starts share the processors. */
const AT_A_TIME = 8;

/** Asks each on a connection that stays open, so that all services run at the end, and prints what came. */
const ASK_ALL = `
import socket, sys, json, threading
first, count, question, deadline, at_a_time = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode() + b'\\n', int(sys.argv[4]), int(sys.argv[5])
held, answers, todo = [], {}, iter(range(first, first + count))
def work():
    for uid in todo:
        s = socket.socket(socket.AF_UNIX); s.settimeout(deadline); s.connect('/run/notp/%d.sock' % uid); held.append(s); s.sendall(question)
        try: answers[uid] = s.makefile().readline()
        except OSError as error: answers[uid] = str(error)
workers = [threading.Thread(target=work) for _ in range(at_a_time)]
for each in workers: each.start()
for each in workers: each.join()
print(json.dumps(list(answers.values())), flush=True)
`;

describe('many users at once', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;

  before(async () => {
    world = await bootService('many', {
      prepare: (root) => {
        const lines = Array.from({ length: USERS }, (_, i) => {
          const uid = String(FIRST_UID + i);
          return `many${String(i)}:x:${uid}:${uid}::/nonexistent:/bin/sh\n`;
        });
        fs.appendFileSync(`${root}/etc/passwd`, lines.join(''));
      },
    });
    const units = Array.from({ length: USERS }, (_, i) => `notp@${String(FIRST_UID + i)}.socket`);
    await world.container.must(['systemctl', 'start', ...units]);
  });

  it('are all answered, by services that systemd calls running', async () => {
    const words = [
      'python3',
      '-c',
      ASK_ALL,
      String(FIRST_UID),
      String(USERS),
      firstQuestion().trim(),
      String(DEADLINE_S),
      String(AT_A_TIME),
    ];
    const answers = JSON.parse(await world.container.must(words)) as string[];
    assert.equal(answers.length, USERS);
    const reasons = answers.map((line) => (JSON.parse(line) as { reason: string }).reason);
    assert.deepEqual([...new Set(reasons)], ['not_enrolled']);
    const tasks = await world.container.must(['systemctl', 'show', '--property=TasksCurrent', '--value', 'notp.slice']);
    assert.ok(Number(tasks) >= USERS, tasks);
    const failed = await world.container.must(['systemctl', 'list-units', '--state=failed', '--no-legend', 'notp@*']);
    assert.equal(failed, '');
  });
});
