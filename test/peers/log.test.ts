/** What the log says of a decision, at notp and at the PAM modules beside it. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { run } from '../support/process.ts';
import { compare } from '../trials/trial.ts';
import { atEach, NEEDS, peersWorld, stack, type Asked, type PeersWorld } from './peers-world.ts';
import { startSyslog, type Syslog } from './syslog.ts';

const RHOST = '192.0.2.7';
/** pam_warn(8) in front, whose line shows that what the module writes would be seen. */
const WARN = 'auth optional pam_warn.so';

describe('the log, of notp and of the modules beside it', { skip: NEEDS }, () => {
  let world: PeersWorld;
  let syslog: Syslog;
  before(async () => {
    world = await peersWorld('peers-log');
    syslog = await startSyslog();
  });

  /** What is written of a login with `answer`. */
  const written = async (asked: Asked, service: string, answer: string): Promise<string[]> => {
    const recorded = world.pam.records().length;
    const { environment } = world;
    await run(syslog.around(world.login(service, { rhost: RHOST })), { environment, input: `${answer}\n` });
    const lines = await syslog.lines(/pam_warn\(.*\n/);
    assert.ok(
      lines.some((line) => line.includes('pam_warn')),
      'the log was not seen',
    );
    const own =
      asked === 'notp'
        ? world.pam
            .records()
            .slice(recorded)
            .map((record) => JSON.stringify(record))
        : lines;
    return own.filter((line) => !line.includes('pam_warn'));
  };

  it('has a line for each refusal that says why, from where, and by which reference', async () => {
    const cells = await atEach(async (asked) => {
      const service = stack(`${WARN}\n${world.lines[asked]}`);
      assert.equal(await world.lets(service, world.code()), true);
      const refusals = [await written(asked, service, world.wrongCode()), await written(asked, service, world.code())];
      if (asked === 'notp')
        assert.deepEqual(
          refusals.map((lines) => lines.length),
          [1, 1],
        );
      return told(refusals);
    });
    compare({ row: '10', attack: 'a wrong code and a used one: what the log says of the refusals', ...cells });
    assert.equal(cells.notp, 'reason, address, reference');
  });
});

function told([wrong = [], used = []]: readonly string[][]): string {
  if (wrong.length === 0 || used.length === 0) return 'no line';
  const has = (pattern: RegExp): boolean => [wrong, used].every((lines) => lines.some((line) => pattern.test(line)));
  const facts = [
    ...(has(/wrong_code|replayed|reuse|already used/i) || wrong.join('') !== used.join('') ? ['reason'] : []),
    ...(has(/192\.0\.2\.7/) ? ['address'] : []),
    ...(has(/"ref":"[0-9a-f]{8}"/) ? ['reference'] : []),
  ];
  return facts.length === 0 ? 'a line with the name only' : facts.join(', ');
}
