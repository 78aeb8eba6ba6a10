/** Doctor says of a member of a fleet that its judges decide, and warns before its certificate ends. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { examineMember } from '../../../src/doctor/host/member.ts';
import { makeCertificate } from '../../../src/system/openssl.ts';
import { defaultConfig, type Config } from '../../../src/system/config.ts';
import { realUser } from '../../../src/system/users.ts';
import { SmallDisk } from '../../support/small-disk.ts';
import { lacks, scratchFolder } from '../../support/world.ts';

const DAY_MS = 86_400_000;

describe('doctor on a member', { skip: lacks({ programs: ['openssl'] }) }, () => {
  it('reads the certificate as the service does, and says when it ends', async () => {
    const folder = scratchFolder('doctor-member');
    const [certificate, key] = [`${folder}/tls.crt`, `${folder}/tls.key`];
    const judges = { servers: [{ host: 'judge1', port: 8443 }], certificate, key, authority: certificate };
    const config: Config = { ...defaultConfig(), judges };
    const severity = async (laterMs: number, of = config): Promise<string | undefined> =>
      (await examineMember(of, realUser(), Date.now() + laterMs))[0]?.severity;
    assert.equal(await severity(0, defaultConfig()), undefined);
    assert.equal(await severity(0), 'fail');
    makeCertificate({ certificate, key, name: 'web1', days: 90, extensions: ['subjectAltName = DNS:web1'] });
    assert.equal(await severity(0), 'info');
    assert.equal(await severity(80 * DAY_MS), 'warn');
    assert.equal(await severity(91 * DAY_MS), 'fail');
    // A judge answers with it: it has no judges of its own.
    const judge = { ...config, judges: { ...judges, servers: [] } };
    assert.deepEqual(await Promise.all([0, 80, 91].map(async (days) => await severity(days * DAY_MS, judge))), ['info', 'warn', 'fail']);
    fs.chmodSync(key, 0o644);
    assert.equal(await severity(0), 'fail');
    assert.equal(await severity(0, judge), 'fail');
    for (const [file, name] of [
      [key, 'key'],
      [certificate, 'certificate'],
    ] as const) {
      fs.chmodSync(key, 0o600);
      fs.writeFileSync(file, fs.readFileSync(file).subarray(0, 100));
      assert.equal((await examineMember(config, realUser(), Date.now()))[0]?.detail, `${file} has no whole ${name} in it`);
    }
  });

  it('was told of a broken authority in the words of a library of OpenSSL', () => {
    const folder = scratchFolder('doctor-authority');
    const [certificate, key] = [`${folder}/ca.crt`, `${folder}/ca.key`];
    for (const file of [certificate, key]) fs.writeFileSync(file, 'hello\n');
    const wanted = { certificate: `${folder}/a.crt`, key: `${folder}/a.key`, name: 'a', days: 1, extensions: [] };
    const message = /made no certificate: Could not (read|find) [^:]* from [^:]*$/;
    assert.throws(() => makeCertificate({ ...wanted, authority: { certificate, key } }), { code: 'failed', message });
  });

  it(
    'was told of a full disk, where openssl says nothing, as of a defect of notp',
    { skip: lacks({ root: true, programs: ['mount', 'umount'] }) },
    () => {
      const folder = scratchFolder('doctor-full');
      const disk = new SmallDisk(path.join(folder, 'disk'));
      disk.fill(0);
      const [certificate, key] = [`${disk.folder}/a.crt`, `${folder}/a.key`];
      assert.throws(() => makeCertificate({ certificate, key, name: 'a', days: 1, extensions: [] }), {
        code: 'failed',
        message: `${certificate} was not written whole`,
      });
      disk.free();
    },
  );
});
