/** `notp audit --follow`: what is there, then what comes, until Ctrl-C or until nobody reads any more. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { SOURCE_NOTP } from '../../support/world.ts';
import { auditWorld, login, UTC } from './log.ts';

describe('notp audit --follow', () => {
  it('shows the last ones and then each as it comes, across a rotation, and ends well on Ctrl-C', async () => {
    const world = auditWorld('audit-follow-terminal');
    const terminal = world.terminal(['--follow', '-n', '1'], 80, { NO_COLOR: '1' });
    await terminal.expect(/^2026-03-03\r\n12:00:00 00000008 [^\n]*\n$/);
    world.write(world.log, [login('2026-03-03T13:00:00', '00000009', 'carol', 'timeout')]);
    await terminal.expect(/^13:00:00 00000009 carol +refused: timeout +gate 192\.0\.2\.7\r\n$/);
    fs.renameSync(`${world.log}.1`, `${world.log}.3`);
    fs.renameSync(world.log, `${world.log}.1`);
    world.write(world.log, [login('2026-03-04T13:00:00', '0000000a', 'carol', undefined)]);
    await terminal.expect(/^2026-03-04\r\n13:00:00 0000000a carol +accepted by a code/);
    terminal.send('\x03');
    assert.equal(await terminal.exited, 0);
  });

  it('follows with a filter, as JSON lines', async () => {
    const world = auditWorld('audit-follow-filter');
    const terminal = world.terminal(['-f', '--user', 'bob', '--json'], 400);
    await terminal.expect(/"ref":"00000003"[^\n]*\n[^\n]*"ref":"00000004"[^\n]*\n$/);
    world.write(world.log, [
      login('2026-03-03T13:00:00', '00000009', 'alice', 'timeout'),
      login('2026-03-03T13:00:01', '0000000a', 'bob', undefined),
    ]);
    await terminal.expect(/^[^\n]*"ref":"0000000a"[^\n]*\n$/);
    terminal.send('\x03');
    assert.equal(await terminal.exited, 0);
  });

  it('waits for a log that is not there yet', async () => {
    const world = auditWorld('audit-follow-nothing');
    for (const file of [world.log, `${world.log}.1`, `${world.log}.2.gz`]) fs.rmSync(file);
    const terminal = world.terminal(['--follow', '--json'], 400);
    world.write(world.log, [login('2026-03-03T13:00:00', '00000009', 'alice', 'timeout')]);
    await terminal.expect(/"ref":"00000009"[^\n]*\n$/);
    terminal.send('\x03');
    assert.equal(await terminal.exited, 0);
  });

  it('ends without a complaint where nobody reads any more', async () => {
    const world = auditWorld('audit-follow-pipe');
    const [program, ...words] = [...SOURCE_NOTP, 'audit', '--config', world.own.config, '--follow', '-n1'];
    const child = spawn(program, words, { env: { ...process.env, ...UTC } });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    const [first] = (await once(createInterface(child.stdout), 'line')) as [string];
    assert.match(first, /"ref":"00000008"/);
    child.stdout.destroy();
    world.write(world.log, [login('2026-03-03T13:00:00', '00000009', 'alice', 'timeout')]);
    const [code] = (await once(child, 'close')) as [number];
    assert.deepEqual([code, stderr], [0, '']);
  });
});
