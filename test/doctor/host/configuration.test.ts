/** The configuration: root reads a file of any mode, and the doors do not run as root. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { examineConfiguration } from '../../../src/doctor/host/configuration.ts';
import { atEnd } from '../../support/cleanup.ts';
import { lacks, scratchFolder, serviceUser } from '../../support/world.ts';

describe('the configuration', { skip: lacks({ root: true }) }, () => {
  let folder: string;
  let file: string;
  let group: number;
  before(() => {
    group = serviceUser().gid;
    folder = path.join(scratchFolder('configuration'), 'etc');
    fs.mkdirSync(folder);
    file = path.join(folder, 'notp.toml');
    atEnd(() => {
      fs.rmSync(folder, { recursive: true });
    });
  });
  const found = async (mode: number, { gate, gid = 0, folderMode = 0o755 }: { gate: boolean; gid?: number; folderMode?: number }) => {
    fs.writeFileSync(file, 'context = "ssh"\n');
    fs.chownSync(file, 0, gid);
    fs.chmodSync(file, mode);
    fs.chmodSync(folder, folderMode);
    const { severity, detail, fix } = await examineConfiguration({ gate }, file);
    return [severity, detail.split(':')[0], fix];
  };

  it('that only root can read keeps everybody out: doctor read it as root, and found nothing', async () => {
    for (const mode of [0o600, 0o640]) assert.deepEqual(await found(mode, { gate: false }), ['fail', 'as notp', `chmod 644 ${file}`]);
    assert.deepEqual((await found(0o644, { gate: true }))[0], 'ok');
  });

  it('that the service can read and users cannot keeps out at the gate', async () => {
    const options = { gid: group };
    assert.deepEqual(await found(0o640, { ...options, gate: true }), ['fail', 'as nobody', `chmod 644 ${file}`]);
    assert.deepEqual(await found(0o640, { ...options, gate: false }), ['warn', 'as nobody', `chmod 644 ${file}`]);
  });

  it('that a door is started with must be there and be root’s: the door refused everybody, and doctor had read another', async () => {
    fs.chmodSync(folder, 0o755);
    const named = async (reader: string): Promise<string[]> => {
      const { severity, detail, fix } = await examineConfiguration({ gate: true }, file, [reader]);
      return [severity, detail.split(':')[0] ?? '', fix];
    };
    fs.rmSync(file, { force: true });
    assert.deepEqual((await named('root')).slice(0, 2), ['fail', 'as root']);
    fs.writeFileSync(file, '', { mode: 0o600 });
    assert.deepEqual(await named('nobody'), ['fail', 'as nobody', `chmod 644 ${file}`]);
    assert.equal((await named('root'))[0], 'ok');
    fs.chmodSync(file, 0o644);
    fs.chownSync(file, 65534, 65534);
    assert.match((await named('root'))[2] ?? '', /chown -h root/);
    fs.chownSync(file, 0, 0);
    assert.equal((await named('nobody'))[0], 'ok');
  });

  it('in a folder that only root can enter keeps everybody out', async () => {
    const closed = { gate: false, folderMode: 0o700 };
    assert.deepEqual(await found(0o644, closed), ['fail', 'as notp', `chmod 755 ${folder}`]);
    assert.deepEqual(await found(0o600, closed), ['fail', 'as notp', `chmod 755 ${folder} && chmod 644 ${file}`]);
  });
});
