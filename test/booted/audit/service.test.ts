/** The log of a host, whose folder only the service may enter: what the person was told, and what root then reads. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { ROOT } from '../../support/process.ts';
import { lacks, oathCode, untilFreshStep, type Enrolled } from '../../support/world.ts';
import { answer, bootHost, type Host } from '../setup/world.ts';

describe(
  'the log of a host',
  { skip: lacks({ ...CONTAINER_NEEDS, programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'logrotate'] }) },
  () => {
    let host: Host;
    let enrolled: Enrolled;
    before(async () => {
      host = await bootHost('audit');
      enrolled = await host.enrol(host.alice);
      host.write('/etc/ssh/sshd_config.d/notp.conf', 'ForceCommand /usr/bin/notp gate\nExposeAuthInfo yes\n');
      await host.container.must(['systemctl', 'reload', 'ssh']);
    });

    it('tells the person the seconds to wait for the next code and a reference, by which root reads the whole story', async () => {
      await untilFreshStep();
      const code = oathCode(enrolled.secret);
      assert.equal((await host.login(host.alice, ['true'], code)).code, 0);
      const used = await host.login(host.alice, ['true'], code);
      assert.equal(used.code, 1);
      const [, seconds = '', ref = ''] =
        /notp: error: code already used, wait (\d+) s for the next one \(ref ([0-9a-f]{8})\)/.exec(used.stderr) ?? assert.fail(used.stderr);
      assert.ok(Number(seconds) >= 1 && Number(seconds) <= 30, seconds);
      const terminal = host.container.inTerminal(['notp', 'audit', '--ref', ref], { columns: 80 });
      assert.equal(await terminal.exited, 0);
      const shown = terminal.output().replaceAll('\r', '');
      assert.match(
        shown,
        new RegExp(
          `^ref {5}${ref}\\nwhen [^\\n]*seconds? ago\\nwho {5}alice \\(uid \\d+\\), secret ssh\\ndoor {4}gate \\(ssh\\), from \\S+`,
        ),
      );
      assert.match(shown, /\nwhat {4}refused: replayed\nwhy {5}code already used\n[^]*accepted by a code/);
      const other = await host.container.run(['notp', 'audit', '--ref', ref], { as: 'bob' });
      assert.notEqual(other.code, 0);
      assert.equal(other.stdout, '');
    });

    it('says the same at a terminal, and when one verifies on the command line', async () => {
      await untilFreshStep();
      const code = oathCode(enrolled.secret, { offsetSeconds: 30 });
      const verify = async (): Promise<string> =>
        (await host.container.run(['notp', 'verify', '--user', 'alice', '--code-stdin'], { input: `${code}\n` })).stderr;
      assert.equal(await verify(), '');
      assert.match(await verify(), /code already used, wait (\d+) s for the next one \(ref [0-9a-f]{8}\)/);
      const terminal = host.terminal(host.alice);
      await answer(terminal, /One-time code: /, code);
      await terminal.expect(/code already used, wait \d+ s for the next one \(ref [0-9a-f]{8}\)/);
      terminal.send('\x03');
      await terminal.exited;
    });

    it('is followed by root across a rotation by the rule that notp comes with, and is whole after it', async () => {
      const { container } = host;
      host.write('/etc/logrotate.d/notp', fs.readFileSync(path.join(ROOT, 'examples/logrotate.d/notp'), 'utf8'));
      const terminal = container.inTerminal(['notp', 'audit', '--follow', '-n', '1'], { columns: 80, environment: { NO_COLOR: '1' } });
      await terminal.expect(/ refused: /);
      const refuse = async (): Promise<void> => {
        await container.run(['notp', 'verify', '--user', 'alice', '--code-stdin'], { input: 'nothing\n' });
        await terminal.expect(/\d\d:\d\d:\d\d [0-9a-f]{8} alice +refused: no_proof/);
      };
      await refuse();
      await container.must(['logrotate', '--force', '--state', '/var/lib/logrotate.status', '/etc/logrotate.d/notp']);
      await refuse();
      await refuse();
      terminal.send('\x03');
      assert.equal(await terminal.exited, 0);
      assert.match((await container.must(['ls', '/var/log/notp'])).replaceAll('\n', ' '), /^audit\.log audit\.log-\d{8} $/);
      assert.match(await container.must(['notp', 'audit', 'verify']), /^The log is whole: records 1 to (\d+), \1 in all\n$/);
      assert.match(await container.must(['notp', 'audit', 'report', '--user', 'alice']), /^alice: 2 in, \d refused\n/);
    });
  },
);
