/** `notp audit --file`: copies of the logs of several hosts, as one. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { auditWorld, login, type AuditWorld } from './log.ts';

describe('the logs of several hosts', () => {
  let world: AuditWorld;
  let words: readonly string[];

  before(() => {
    world = auditWorld('audit-several');
    const folder = path.join(path.dirname(world.own.secrets), 'collected');
    fs.mkdirSync(folder);
    const [one, two] = [path.join(folder, 'web1.log'), path.join(folder, 'web2.log')];
    for (const rest of ['', '.1', '.2.gz']) fs.copyFileSync(`${world.log}${rest}`, `${one}${rest}`);
    world.write(`${two}.1`, [login('2026-03-01T09:30:00', '0000000a', 'alice', undefined)]);
    world.write(two, [
      login('2026-03-03T08:30:00', '0000000b', 'alice', 'replayed'),
      login('2026-03-03T09:15:20', '0000000c', 'carol', undefined),
      login('2026-03-04T08:00:00', '0000000d', 'alice', undefined),
    ]);
    fs.appendFileSync(two, 'no record\n');
    for (const file of [two, `${two}.1`]) {
      const text = fs.readFileSync(file, 'utf8').replaceAll(/"host":"[^"]*"/g, '"host":"web2"');
      fs.writeFileSync(file, text);
    }
    words = ['--file', one, '--file', two];
  });
  const refs = (...more: readonly string[]): Promise<string> =>
    world.refs([...words, ...more]).then((all) => all.map((ref) => ref.slice(-1)).join(''));

  it('are one in the order of time, filtered or not', async () => {
    assert.equal(await refs('--event', 'login'), 'a2345b6c78d');
    assert.equal(await refs('--user', 'alice', '-n', '3'), '78d');
    const { stdout } = await world.audit([...words, '-n', '3']);
    assert.match(stdout, /^\{.*"ref":"00000008".*\}\n\{.*"ref":"0000000d".*\}\nno record\n$/);
  });

  it('say in the table which host it was', async () => {
    const { stdout } = await world.audit([...words, '--user', 'carol', '--table']);
    assert.equal(stdout, '2026-03-03\n09:15:20 0000000c carol        accepted by a code          gate web2: 192.0.2.7\n');
  });

  it('tell one story, and are counted together', async () => {
    const story = JSON.parse((await world.audit([...words, '--ref', '0000000b'])).stdout) as Record<string, readonly { ref: string }[]>;
    assert.deepEqual(
      story['around']?.map(({ ref }) => ref),
      ['00000005', '00000006', '00000007'],
    );
    assert.equal((story['got_in'] as unknown as { ref: string }).ref, '00000007');
    const report = await world.audit(['report', ...words, '--since', '2026-03-01', '--user', 'alice', '--json']);
    assert.equal((JSON.parse(report.stdout) as { refused: number }).refused, 4);
  });

  it('are not followed, and all must be there', async () => {
    const followed = await world.audit([...words, '--follow']);
    assert.deepEqual([followed.code, followed.stdout], [2, '']);
    const absent = await world.audit(['--file', `${world.log}.none`]);
    assert.equal(absent.code, 3);
    assert.match(absent.stderr, /\.none/);
  });
});
