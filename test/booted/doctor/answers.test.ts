/** Hosts that are broken in ordinary ways: doctor, which is root and in no sandbox, found all in order, and nobody got in. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/doctor.ts';
import { bootContainer, CONTAINER_NEEDS, installInto, type Container } from '../../support/container.ts';
import { addContainerUser } from '../../support/container-ssh.ts';
import { sleep, type Ran } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';

const DROP_INS = '/etc/systemd/system/notp@.service.d';

const dropIn = (text: string): readonly [string, string] => [
  `mkdir -p ${DROP_INS}; printf '[Service]\\n${text}\\n' > ${DROP_INS}/x.conf`,
  `rm -r ${DROP_INS}`,
];
const elsewhere = (what: string, setting: string): readonly [string, string] => [
  `cp -a ${what} /srv/notp; printf '${setting}\\n' > /etc/notp/notp.toml`,
  'rm -r /srv/notp /etc/notp/notp.toml',
];

const silent = (socket: string): string => `/run/notp/${socket}.sock: it did not answer within 30 seconds`;
const ended = (unit: string): string =>
  `notp@${unit}.service ended the connection: it is of an earlier release and still runs, or it is flooded`;

describe('a service that cannot decide', { skip: lacks(CONTAINER_NEEDS) }, () => {
  let container: Container;
  let uid: number;

  before(async () => {
    container = await bootContainer('answers', installInto);
    await container.must(['notp', 'host-key', 'init']);
    ({ uid } = await addContainerUser(container, 'alice'));
    await addContainerUser(container, 'bob');
    for (const user of ['alice', 'bob']) await container.must(['notp-enroll', user, '--no-confirm', '--json']);
    await container.must(['notp', 'setup', 'gate', '--user', 'alice', '--apply', '--confirm-within', 'never']);
    await container.must(['notp', 'setup', 'pam', '--user', 'bob', '--apply', '--confirm-within', 'never']);
  });

  const answers = async (): Promise<Finding[]> => {
    const { stdout } = await container.run(['notp', 'doctor', '--json']);
    const findings = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Finding);
    return findings.filter(({ id }) => id === 'service-answers');
  };
  const told = async (): Promise<string[]> =>
    (await answers()).map(({ severity, user = 'judge', detail }) => `${severity} ${user} ${detail.split(': ').slice(0, 2).join(': ')}`);
  const inside = async (script: string): Promise<void> => {
    await container.must(['sh', '-c', `cd /; ${script}; systemctl daemon-reload; systemctl stop 'notp@*.service' 2>&1; true`]);
  };
  const asksWell = ['ok judge 2 asked'];
  for (const [what, reason, [change, undo]] of [
    [
      'whose state is outside its StateDirectory',
      'store_unavailable',
      elsewhere('/var/lib/notp', '[store]\\nurl = "sqlite:/srv/notp/state.db"'),
    ],
    ['whose log is outside its LogsDirectory', 'audit_unavailable', elsewhere('/var/log/notp', '[audit]\\nfile = "/srv/notp/audit.log"')],
    ['whose log is read-only in its sandbox', 'audit_unavailable', dropIn('ReadOnlyPaths=/var/log/notp')],
    ['to which a drop-in hands no host key', 'store_unavailable', dropIn('LoadCredential=')],
    ['that cannot read the accounts', 'store_unavailable', ['chmod 600 /etc/passwd', 'chmod 644 /etc/passwd']],
    ['that cannot read the configuration', 'bad_configuration', ['umask 077; echo > /etc/notp/notp.toml', 'rm /etc/notp/notp.toml']],
  ] as const)
    it(`is named: one ${what}`, async () => {
      await inside(change);
      const found = await told();
      await inside(undo);
      assert.deepEqual(found, [`fail judge notp@judge.service: ${reason}`, `fail alice notp@${String(uid)}.service: ${reason}`]);
      assert.deepEqual(await told(), asksWell);
    });

  it('is named where it has too little of anything to answer at all', async () => {
    await inside(dropIn('LimitNOFILE=20')[0]);
    const found = await told();
    await inside(dropIn('')[1]);
    assert.deepEqual(found, [`fail judge ${silent('judge')}`, `fail alice ${silent(String(uid))}`]);
  });

  it('is named where the user cannot reach the socket', async () => {
    await inside('chmod 700 /run/notp');
    const found = await told();
    await inside('chmod 755 /run/notp');
    assert.deepEqual(found, [`fail alice /run/notp/${String(uid)}.sock: permission denied (EACCES)`]);
  });

  it('is told where it is of an earlier release, and hangs up on what it does not know', async () => {
    const old = `import socket
s = socket.socket(fileno=3)
while True:
  c, _ = s.accept()
  c.recv(99)
  c.close()
`;
    fs.writeFileSync(path.join(container.root, 'srv/old.py'), old);
    await inside(dropIn('Type=exec\\nExecStart=\\nExecStart=/usr/bin/python3 /srv/old.py')[0]);
    const found = await told();
    await inside(`rm /srv/old.py; ${dropIn('')[1]}`);
    assert.deepEqual(found, [`warn judge ${ended('judge')}`, `warn alice ${ended(String(uid))}`]);
    assert.deepEqual(await told(), asksWell);
  });

  it('is told where its user floods it, and is set up all the same: a user could keep root from that', async () => {
    const flood = `import socket, time
held = []
while True:
  try:
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    s.connect('/run/notp/${String(uid)}.sock')
    s.send(b'{"notp":"question/6",')
    held.append(s)
  except OSError:
    held = held[-400:]
    time.sleep(0.001)
`;
    fs.writeFileSync(path.join(container.root, 'srv/flood.py'), flood);
    const five = 'for i in 1 2 3 4 5; do python3 /srv/flood.py & done; wait';
    await inside(`systemd-run --quiet --unit=flood --property=User=alice --property=LimitNOFILE=4096 sh -c '${five}'`);
    await container.untilUnit('flood.service', 'active');
    await sleep(2000);
    const undone = await container.run(['notp', 'setup', 'undo']);
    const setup = async (...words: string[]): Promise<Ran> =>
      await container.run(['notp', 'setup', 'gate', '--apply', '--confirm-within', 'never', ...words]);
    const both = await setup('--user', 'alice', '--user', 'bob');
    await inside('systemctl stop flood.service');
    for (const { code, stderr } of [undone, both]) assert.equal(code, 0, stderr);
  });

  it('is told where it does not answer while those of others do', async () => {
    const service = `notp@${String(uid)}.service`;
    assert.equal((await answers()).filter(({ severity }) => severity === 'ok').length, 1);
    await container.must(['systemctl', 'kill', '--signal=STOP', service]);
    const found = await answers();
    await container.must(['systemctl', 'kill', '--signal=KILL', service]);
    assert.deepEqual(
      found.map(({ severity, user, title }) => [severity, user, title]),
      [['warn', 'alice', "The user's service does not answer, while others do"]],
    );
  });

  it('is not set up: everybody would be kept out', async () => {
    await container.must(['notp', 'setup', 'undo']);
    await inside(dropIn('LoadCredential=')[0]);
    for (const [door, who] of [
      ['pam', 'The judge of the PAM door cannot decide'],
      ['gate', "alice: The user's service cannot decide"],
    ] as const) {
      const { code, stderr } = await container.run(['notp', 'setup', door, '--apply', '--confirm-within', 'never']);
      assert.equal(code, 1, stderr);
      assert.ok(stderr.includes(who), stderr);
      assert.match(stderr, /nothing was changed/);
    }
    await inside(dropIn('')[1]);
  });
});
