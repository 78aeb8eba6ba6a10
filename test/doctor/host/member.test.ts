/** Doctor says of a member of a fleet that its judges decide, and warns before its certificate ends. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, it } from 'node:test';
import { examineMember } from '../../../src/doctor/host/member.ts';
import { makeCertificate } from '../../../src/system/openssl.ts';
import { defaultConfig, type Config } from '../../../src/system/config.ts';
import { realUser } from '../../../src/system/users.ts';
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
    fs.chmodSync(key, 0o644);
    assert.equal(await severity(0), 'fail');
  });

  it('was told of a broken authority in the words of a library of OpenSSL', () => {
    const folder = scratchFolder('doctor-authority');
    const [certificate, key] = [`${folder}/ca.crt`, `${folder}/ca.key`];
    for (const file of [certificate, key]) fs.writeFileSync(file, 'hello\n');
    const wanted = { certificate: `${folder}/a.crt`, key: `${folder}/a.key`, name: 'a', days: 1, extensions: [] };
    const message = /made no certificate: Could not (read|find) [^:]* from [^:]*$/;
    assert.throws(() => makeCertificate({ ...wanted, authority: { certificate, key } }), { code: 'failed', message });
  });
});
