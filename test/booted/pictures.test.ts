/** The pictures of README.md are what a booted host printed; NOTP_SCREENS=write makes them again. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { example } from '../doctor/sshd/sshd-world.ts';
import { addContainerUser, sshInTerminal } from '../support/container-ssh.ts';
import { bootContainer, CONTAINER_NEEDS, installInto, type Container } from '../support/container.ts';
import { ROOT, type Terminal } from '../support/process.ts';
import { terminalPicture } from '../support/terminal-picture.ts';
import { lacks, oathCode, type Enrolled, type TestUser } from '../support/world.ts';

const GATE = 'etc/ssh/sshd_config.d/10-notp-gate.conf';
const COLUMNS = 100;
const TIMER = ['notp-doctor.timer', 'notp-doctor.path'];
const ESCAPE = '\x1b';
/** What is drawn over the line while doctor works. */
const PROGRESS = new RegExp(`\\r[^\\n]*${ESCAPE}\\[J`, 'g');
/** Of ten minutes ago, and so no right one. */
const WRONG_SECONDS = -600;

describe('the pictures of README.md', { skip: lacks({ ...CONTAINER_NEEDS, programs: [...CONTAINER_NEEDS.programs, 'oathtool'] }) }, () => {
  let container: Container;
  let alice: TestUser;
  let secret: string;

  before(async () => {
    container = await bootContainer('pictures', (root) => {
      installInto(root);
      fs.writeFileSync(path.join(root, GATE), example('gate'), { mode: 0o644 });
      const pam = path.join(root, 'etc/pam.d/sshd');
      fs.writeFileSync(pam, fs.readFileSync(pam, 'utf8').replace('user_readenv=1', ''));
    });
    alice = await addContainerUser(container, 'alice');
    await container.must(['notp', 'host-key', 'init']);
    await container.must(['systemctl', '--quiet', 'enable', '--now', ...TIMER]);
    ({ secret } = JSON.parse(await container.must(['notp-enroll', 'alice', '--no-confirm', '--json'])) as Enrolled);
  });

  it('shows a login: a wrong code, a right one, and that one again', async () => {
    const host = (await container.must(['hostname'])).trim();
    const [wrong, right] = [oathCode(secret, { offsetSeconds: WRONG_SECONDS }), oathCode(secret)];
    const first = sshInTerminal(container, alice);
    await answer(first, wrong);
    await answer(first, right);
    await first.expect(/alice@[^$]*\$ /);
    first.send('exit\r');
    await first.exited;
    const second = sshInTerminal(container, alice);
    await answer(second, right);
    await second.expect(/already used[^\n]*\n/);
    second.hangUp();
    const printed = [first, second].map((terminal) => `$ ssh web1\n${terminal.output()}`).join('\n');
    const [shown] = /^[^]*already used[^\n]*/.exec(printed) ?? [''];
    assertKept('login', settled(shown, { [host]: 'web1', [wrong]: '123456', [right]: '492039' }));
  });

  it('shows what doctor finds where a line of the gate is missing, and its fix', async () => {
    fs.writeFileSync(path.join(container.root, GATE), example('gate').replace('DisableForwarding yes\n', ''));
    await container.must(['systemctl', 'reload', 'ssh']);
    const terminal = container.inTerminal(['notp', 'doctor', '--user', 'alice'], {
      columns: COLUMNS,
      environment: { TERM: 'xterm-256color' },
    });
    assert.equal(await terminal.exited, 1);
    assertKept('doctor', settled(`$ sudo notp doctor --user alice\n${terminal.output().replaceAll(PROGRESS, '')}`, {}));
  });
});

async function answer(terminal: Terminal, code: string): Promise<void> {
  await terminal.expect(/One-time code: /);
  terminal.send(`${code}\r`);
}

/** What differs from run to run, the same each time; `names` says what else is put in the place of what. */
function settled(printed: string, names: Readonly<Record<string, string>>): string {
  const renamed = Object.entries(names).reduce((text, [from, to]) => text.replaceAll(from, to), printed);
  return renamed
    .replaceAll('\r', '')
    .replaceAll(/\(ref [0-9a-f]{8}\)/g, '(ref 1871bac5)')
    .replaceAll(/already used(, wait \d+ s for the next one)?/g, 'already used, wait 12 s for the next one')
    .replaceAll(/pid \d+/g, 'pid 812')
    .replaceAll(/since \w{3} \d{4}-\d\d-\d\d \d\d:\d\d/g, 'since Tue 2026-11-24 14:03')
    .replaceAll(/\d+ ms/g, '5 ms');
}

function assertKept(name: string, printed: string): void {
  const file = path.join(ROOT, 'docs', `${name}.svg`);
  const picture = terminalPicture(printed, COLUMNS);
  if (process.env['NOTP_SCREENS'] === 'write') fs.writeFileSync(file, picture);
  assert.equal(picture, fs.readFileSync(file, 'utf8'), `NOTP_SCREENS=write writes ${file} again`);
}
