/** A host with 10,000 accounts and 300 Match blocks: doctor asks sshd a few times, and needs less than 4 KiB for one account more. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { bootContainer, CONTAINER_NEEDS, installInto, type Container } from '../../support/container.ts';
import { addContainerUser } from '../../support/container-ssh.ts';
import { lacks } from '../../support/world.ts';

const FIRST_UID = 3_000_000;
const FIRST_GID = 3_100_000;
const BLOCKS = 100;
/** Runs a command, and prints the largest size of a process of it in KiB after its output. */
const WITH_PEAK = `import resource, subprocess, sys
subprocess.run(sys.argv[1:])
sys.stdout.flush()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)`;
const LIMIT_MS = 300_000;

const user = (i: number): string[] => [`Match User crowd${String(i * 7)}`, '  X11Forwarding no'];
const group = (i: number): string[] => [`Match Group group${String(i)}`, '  AllowTcpForwarding no'];
const network = (i: number): string[] => [`Match Address 10.${String(i)}.0.0/16`, `  ${i === 70 ? 'ForceCommand none' : 'MaxSessions 3'}`];
const all = (make: (i: number) => string[]): string[][] => Array.from({ length: BLOCKS }, (_, i) => make(i));

describe('doctor among 10,000 accounts', { skip: lacks(CONTAINER_NEEDS) }, () => {
  let container: Container;
  let accounts: Readonly<Record<'passwd' | 'group', string>>;
  const inside = (file: string): string => path.join(container.root, file);

  before(async () => {
    container = await bootContainer('crowd', installInto);
    await container.must(['notp', 'host-key', 'init']);
    await addContainerUser(container, 'alice');
    await container.must(['notp-enroll', 'alice', '--no-confirm', '--json']);
    accounts = { passwd: fs.readFileSync(inside('etc/passwd'), 'utf8'), group: fs.readFileSync(inside('etc/group'), 'utf8') };
    // Counts how often it is asked.
    await container.must(['mv', '/usr/sbin/sshd', '/usr/sbin/sshd.real']);
    fs.writeFileSync(inside('usr/sbin/sshd'), '#!/bin/sh\necho >>/root/asked\nexec /usr/sbin/sshd.real "$@"\n', { mode: 0o755 });
  });

  /** Each is in some three of a hundred groups, and there are as many combinations as users. */
  const populate = (count: number): void => {
    const names = Array.from({ length: count }, (_, i) => `crowd${String(i)}`);
    const entries = names.map((name, i) => `${name}:x:${String(FIRST_UID + i)}:${String(FIRST_UID)}::/nonexistent:/bin/sh\n`);
    const groups = Array.from({ length: BLOCKS }, (_, at) => {
      const members = names.filter((_name, i) => i % BLOCKS === at || (i * 31 + at * 17) % 53 === 0);
      return `group${String(at)}:x:${String(FIRST_GID + at)}:${members.join()}\n`;
    });
    fs.writeFileSync(inside('etc/passwd'), accounts.passwd + entries.join(''));
    fs.writeFileSync(inside('etc/group'), `${accounts.group}crowd:x:${String(FIRST_UID)}:\n${groups.join('')}`);
  };
  const configure = (blocks: readonly (readonly string[])[]): void => {
    const lines = [
      'Include /etc/ssh/sshd_config.d/*.conf',
      'ForceCommand /usr/bin/notp gate',
      'ExposeAuthInfo yes',
      'DisableForwarding yes',
    ];
    fs.writeFileSync(inside('etc/ssh/crowd'), [...lines, ...blocks.flat(), ''].join('\n'));
  };
  const doctor = async (): Promise<{ asked: number; peakKib: number; ms: number; findings: readonly Finding[] }> => {
    fs.writeFileSync(inside('root/asked'), '');
    const begun = Date.now();
    const words = ['notp', 'doctor', '--json', '--sshd-config', '/etc/ssh/crowd'];
    const stdout = await container.must(['python3', '-c', WITH_PEAK, ...words], { timeoutMs: LIMIT_MS });
    const lines = stdout.trim().split('\n');
    const peakKib = Number(lines.pop());
    const asked = fs.readFileSync(inside('root/asked'), 'utf8').length;
    return { asked, peakKib, ms: Date.now() - begun, findings: lines.map((line) => JSON.parse(line) as Finding) };
  };

  it('asks sshd a few times about 300 Match blocks of all kinds: it would have asked a million', async (test) => {
    configure(all((i) => [...user(i), ...group(i), ...network(i)]));
    populate(1_000);
    const few = await doctor();
    populate(10_000);
    const many = await doctor();
    test.diagnostic(JSON.stringify([few, many].map(({ asked, peakKib, ms }) => ({ asked, peakKib, ms }))));
    for (const { asked, findings } of [few, many]) {
      assert.ok(asked < 100, String(asked));
      assert.ok(
        findings.some(({ id, detail }) => id === 'FC14' && detail.includes('10.70.0.0')),
        JSON.stringify(findings),
      );
    }
    const begun = Date.now();
    const terminal = container.inTerminal(['notp', 'doctor', '--sshd-config', '/etc/ssh/crowd'], { timeoutMs: LIMIT_MS });
    await terminal.exited;
    test.diagnostic(`${String(Date.now() - begun)} ms on a terminal`);
    assert.match(terminal.output(), /\[ +\] 0\/(\d+) .*Asking sshd.*\[[#█]+\] \1\/\1 .*Asking sshd/s);
    assert.ok(many.peakKib < few.peakKib + 36 * 1024, `${String(few.peakKib)} and ${String(many.peakKib)} KiB`);
  });
});
