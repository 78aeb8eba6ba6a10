/** The example for rsyslog is run: each record reaches a collector unchanged and once, across a rotation. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { NO_HEAD, writeLongLog } from './audit/long-log.ts';
import { atEnd } from './support/cleanup.ts';
import { ROOT, run, sleep } from './support/process.ts';
import { lacks, scratchFolder, SBIN_PATH } from './support/world.ts';

const PATIENCE_MS = 20_000;

describe('examples/logs/rsyslog.conf', { skip: lacks({ root: true, programs: ['rsyslogd', 'logrotate'] }) }, () => {
  it('sends each record once and unchanged, also one of full length, across the rotation of examples/logrotate.d', async () => {
    const folder = scratchFolder('rsyslog');
    const log = path.join(folder, 'audit.log');
    let got = '';
    const collector = createServer((socket) => socket.setEncoding('utf8').on('data', (text: string) => (got += text)));
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    atEnd(() => void collector.close());
    const example = fs.readFileSync(path.join(ROOT, 'examples/logs/rsyslog.conf'), 'utf8');
    const config = path.join(folder, 'rsyslog.conf');
    const here = example
      .replace('/var/log/notp/audit.log', log)
      .replace('logs.example.com', '127.0.0.1')
      .replace('6514', String((collector.address() as AddressInfo).port));
    fs.writeFileSync(config, `global(workDirectory="${folder}")\n${here}`);
    const checked = await run(['rsyslogd', '-N1', '-f', config], { environment: { PATH: SBIN_PATH } });
    assert.equal(checked.code, 0, checked.stderr);

    let written = '';
    let head = NO_HEAD;
    const write = (records: number): void => {
      head = writeLongLog({ file: log, records, startMs: head.seq, everyMs: 1, head });
    };
    const untilGot = async (): Promise<void> => {
      for (const deadline = Date.now() + PATIENCE_MS; got.length < written.length && Date.now() < deadline; await sleep(50));
      assert.equal(got, written);
    };
    write(30);
    const long = `{"time":"2026-01-01T00:00:00.000Z","event":"login.refused","detail":"${'\\u202e'.repeat(1400)}"}\n`;
    fs.appendFileSync(log, long);
    written = fs.readFileSync(log, 'utf8');
    const daemon = spawn('/usr/sbin/rsyslogd', ['-n', '-f', config, '-i', path.join(folder, 'pid')], { stdio: 'ignore' });
    atEnd(async () => {
      const over = new Promise((resolve) => daemon.once('exit', resolve));
      if (daemon.kill()) await over;
    });
    await untilGot();

    write(1);
    written += fs.readFileSync(log, 'utf8').slice(written.length);
    const rotation = path.join(folder, 'logrotate.conf');
    const rules = fs.readFileSync(path.join(ROOT, 'examples/logrotate.d/notp'), 'utf8');
    fs.writeFileSync(rotation, rules.replace('/var/log/notp/audit.log /var/log/notp/audit-outage.log', log).replace('su notp notp', ''), {
      mode: 0o600,
    });
    const rotated = await run(['logrotate', '--force', '--state', `${rotation}.state`, rotation], { environment: { PATH: SBIN_PATH } });
    assert.equal(rotated.code, 0, rotated.stderr);
    write(5);
    written += fs.readFileSync(log, 'utf8');
    await untilGot();
  });
});
