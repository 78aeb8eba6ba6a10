/** What doctor says of accounts that are not enrolled, beside what happens when they log in. */
import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { lacks } from '../../support/world.ts';
import { assertDone, bootHost, loginOnceUp, type Host } from '../setup/world.ts';

const RULES = '/etc/notp/notp.toml';
const ENROL_BY = '[[rule]]\nask = "code"\nenrol_by = 2100-01-15\n';
const NOTHING = '[[rule]]\nask = "nothing"\nusers = ["bob"]\nreason = "x"\n';

describe('an account that is not enrolled', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs] }) }, () => {
  let host: Host;
  before(async () => {
    host = await bootHost('doctor-let-in');
    await host.enrol(host.alice);
  });
  afterEach(async () => {
    await host.clear();
    await host.container.run(['rm', '-f', RULES]);
    await host.container.must(['systemctl', 'reload', 'ssh']);
  });

  const socket = async (word: 'enable' | 'disable'): Promise<void> => {
    await host.container.must(['systemctl', word, '--now', '--quiet', `notp@${String(host.bob.uid)}.socket`]);
  };
  /** The finding that names bob, and whether he gets in with the key alone. */
  const seen = async (): Promise<[string | undefined, boolean]> => {
    const { stdout } = await host.container.run(['notp', 'doctor', '--json']);
    const line = stdout.split('\n').find((each) => /^\{"id":"(let-in|not-enrolled)".*: .*bob/.test(each));
    return [/"id":"([\w-]+)"/.exec(line ?? '')?.[1], (await loginOnceUp(host, host.bob, ['true'])).code === 0];
  };

  for (const door of ['gate', 'pam'] as const)
    it(`is said at the ${door} to be refused only where it is: doctor said so of those whom a rule lets in`, async () => {
      if (door === 'gate') await socket('enable');
      assertDone(await host.setup(door, '--apply', '--force', '--confirm-within', 'never'));
      assert.deepEqual(await seen(), ['not-enrolled', false]);
      for (const rules of [ENROL_BY, NOTHING, NOTHING.replace('users', 'from = ["127.0.0.0/8"]\nusers')]) {
        host.write(RULES, rules);
        assert.deepEqual(await seen(), ['let-in', true], rules);
      }
      host.write(RULES, NOTHING.replace('bob', 'alice'));
      assert.deepEqual(await seen(), ['not-enrolled', false]);
      if (door === 'pam') return;
      host.write(RULES, NOTHING);
      await socket('disable');
      assert.deepEqual(await seen(), ['not-enrolled', false]);
    });
});
