/** What sshd has read: a link or a folder on the way of an Include that leads elsewhere since is named, until sshd is asked to read again. */
import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { runningServers } from '../../../src/doctor/sshd/servers.ts';
import { examineServer } from '../../../src/doctor/sshd/sshd.ts';
import { userByUid } from '../../../src/system/users.ts';
import { atEnd } from '../../support/cleanup.ts';
import { sleep } from '../../support/process.ts';
import { must, scratchFolder } from '../../support/world.ts';
import { NEEDS } from './sshd-world.ts';

/** Longer than the kernel's clock for files stands still. */
const TICK_MS = 50;

describe('what sshd has read', { skip: NEEDS }, () => {
  let folder: string;
  let config: string;
  const at = (name: string): string => path.join(folder, name);
  const found = async (): Promise<Finding | undefined> => {
    const server = runningServers().find((each) => each.config === config);
    assert.ok(server);
    const { findings } = await examineServer(server, [{ user: userByUid(0), enrolments: [] }], {
      expect: () => undefined,
      progress: () => undefined,
    });
    return findings.find(({ id }) => id === 'sshd-reload');
  };
  const pid = (): number => Number(fs.readFileSync(at('pid'), 'utf8'));
  /** Has sshd read it again, which it tells by its pid file. */
  const reload = async (): Promise<void> => {
    await sleep(TICK_MS);
    const { mtimeMs } = fs.statSync(at('pid'));
    process.kill(pid(), 'SIGHUP');
    for (let i = 0; i < 200 && (fs.statSync(at('pid'), { throwIfNoEntry: false })?.mtimeMs ?? mtimeMs) === mtimeMs; i++)
      await sleep(TICK_MS);
    await sleep(TICK_MS);
  };

  before(async () => {
    folder = scratchFolder('reload');
    for (const set of ['sets/a', 'sets/b', 'way/a/deep', 'way/b/deep', 'whole', 'other']) {
      fs.mkdirSync(at(set), { recursive: true });
      fs.writeFileSync(at(`${set}/10-x.conf`), set.includes('b') ? 'MaxAuthTries 5\n' : 'MaxAuthTries 4\n');
    }
    fs.symlinkSync('sets/b', at('drop-ins'));
    fs.symlinkSync('b', at('way/current'));
    fs.symlinkSync(at('way/current'), at('again'));
    const includes = ['drop-ins/*.conf', 'again/deep/10-x.conf', 'whole/10-x.conf'].map((name) => `Include ${at(name)}`);
    await sleep(TICK_MS);
    config = at('sshd_config');
    must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', at('host')]);
    fs.mkdirSync('/run/sshd', { recursive: true });
    const lines = ['ListenAddress 127.0.0.1', 'Port 47026', `HostKey ${at('host')}`, `PidFile ${at('pid')}`, ...includes];
    fs.writeFileSync(config, `${lines.join('\n')}\n`);
    await sleep(TICK_MS);
    const server = spawn('/usr/sbin/sshd', ['-D', '-f', config], { stdio: 'ignore' });
    atEnd(() => void server.kill());
    for (let i = 0; i < 200 && !fs.existsSync(at('pid')); i++) await sleep(TICK_MS);
    await reload();
  });

  for (const [what, change, undo, named] of [
    ['the folder of the drop-ins', () => turn(at('drop-ins'), 'sets/a'), () => turn(at('drop-ins'), 'sets/b'), 'drop-ins'],
    [
      'a link in the middle that another one leads to',
      () => turn(at('way/current'), 'a'),
      () => turn(at('way/current'), 'b'),
      'way/current',
    ],
    [
      'a folder that another one was put in the place of',
      () => {
        fs.renameSync(at('whole'), at('whole.away'));
        fs.renameSync(at('other'), at('whole'));
      },
      () => undefined,
      'whole',
    ],
  ] as const)
    it(`is not what is there any more where ${what} was turned, until it is read again`, async () => {
      assert.equal((await found())?.severity, 'ok');
      await sleep(TICK_MS);
      change();
      const changed = await found();
      assert.equal(changed?.severity, 'fail');
      assert.ok(changed.detail.includes(`${at(named)} (`), changed.detail);
      await reload();
      const again = await found();
      assert.equal(again?.severity, 'ok', String(again?.detail));
      undo();
      await reload();
    });

  it('is what is there where something else came into a folder on the way', async () => {
    fs.writeFileSync(at('way/another'), '');
    assert.equal((await found())?.severity, 'ok');
  });
});

/** Makes `link` a symlink to `to`, whatever it was. */
function turn(link: string, to: string): void {
  fs.symlinkSync(to, `${link}.new`);
  fs.renameSync(`${link}.new`, link);
}
