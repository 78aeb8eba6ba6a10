/** kill -9 at any moment of new recovery codes on a host with the service: the old or the new state, whole. What root changes is killed in test/faults. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Ran } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, SERVICE_NEEDS, type ServiceWorld } from '../service/world.ts';

const KILLS = 12;

describe('kill -9 at any moment of new recovery codes', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  /** The recovery codes that were given out, by the id of the sealed file. */
  const known = new Map<string, string[]>();

  before(async () => {
    world = await bootService('killed');
    alice = await world.addUser('alice');
    const { id, recovery } = await world.enroll(alice, ['--recovery', '32']);
    known.set(id, [...recovery]);
  });

  const idInPlace = async (): Promise<string> =>
    (JSON.parse(await world.container.must(['cat', '/home/alice/.notp/ssh'])) as { id: string }).id;
  const codeInPlace = async (): Promise<string> => {
    const code = known.get(await idInPlace())?.pop();
    assert.ok(code !== undefined, 'a file is in place whose codes were never given out');
    return code;
  };
  const verified = async (): Promise<void> => {
    const { code, stderr } = await world.container.run(['notp', 'verify', '--user', 'alice', '--code-stdin'], {
      input: `${await codeInPlace()}\n`,
    });
    assert.equal(code, 0, stderr);
  };

  it('through the service leaves the old codes or new ones that were given out', async () => {
    const ends = await killed(
      async (prefix) =>
        await world.container.run([...prefix, 'notp', 'recovery', '--recovery', '32', '--json'], {
          as: 'alice',
          input: `${await codeInPlace()}\n`,
        }),
      async ({ stdout }) => {
        if (stdout.endsWith('}\n')) {
          const { id, recovery } = JSON.parse(stdout) as { id: string; recovery: string[] };
          known.set(id, recovery);
        }
        await verified();
        // Each list costs a try.
        await world.container.must(['notp', 'unlock', '--user', 'alice']);
      },
    );
    assert.ok(ends.has('killed'));
  });
});

/** Runs a command whole, and then again and again, each killed a little later; `after` looks at what is left. Gives how each ended. */
async function killed(run: (prefix: readonly string[]) => Promise<Ran>, after: (ran: Ran) => Promise<void>): Promise<Set<string>> {
  const started = Date.now();
  const whole = await run([]);
  const ms = Date.now() - started;
  assert.equal(whole.code, 0, whole.stderr);
  await after(whole);
  const ends = new Set<string>();
  for (let i = 0; i < KILLS; i++) {
    const seconds = ((ms * (0.2 + i / KILLS)) / 1000).toFixed(3);
    const ran = await run(['timeout', '--signal=KILL', seconds]);
    ends.add(endOf(ran));
    await after(ran);
  }
  return ends;
}

/** Whoever starts the command inside may tell of the signal as a shell does. A command that failed by itself is neither. */
function endOf({ code, signal, stderr }: Ran): 'whole' | 'killed' {
  if (code === 0) return 'whole';
  assert.ok(code === 137 || signal === 'SIGKILL', `${String(code)} ${String(signal)}: ${stderr}`);
  return 'killed';
}
