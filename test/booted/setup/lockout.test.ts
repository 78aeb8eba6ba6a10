/** `notp setup` judges the next login of the administrator as the door will: by the rules from where they come, and by their socket. */
import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import type { Ran } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { assertDone, bootHost, freshCode, type Host } from './world.ts';

const RULES = '/etc/notp/notp.toml';
const HERE = '127.0.0.0/8';
const rule = (lines: string): string => `[[rule]]\n${lines}\n`;
const REFUSED_HERE = rule(`from = ["${HERE}"]\nask = "refuse"`);
const CODE_HERE = rule(`from = ["${HERE}"]\nask = "code"`) + rule('ask = "refuse"');

describe('notp setup, called by alice below sudo', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs] }) }, () => {
  let host: Host;
  let socket: string;
  before(async () => {
    host = await bootHost('setup-lockout');
    await host.enrol(host.alice);
    socket = `notp@${String(host.alice.uid)}.socket`;
  });
  afterEach(async () => {
    await host.clear();
    await host.container.run(['rm', '-f', RULES]);
    await host.container.must(['systemctl', 'reload', 'ssh']);
  });

  const systemctl = async (...words: readonly string[]): Promise<unknown> => await host.container.must(['systemctl', '--quiet', ...words]);
  /** As in a session of alice: sudo leaves none of sshd's variables, and her shell is above it. */
  const fromSession = async (door: string): Promise<Ran> =>
    await host.login(host.alice, ['sh', '-c', `"sudo notp setup ${door} --apply --confirm-within never; exit \\$?"`]);
  const isRefused = async (door: string, why: RegExp): Promise<void> => {
    const { code, stderr } = await fromSession(door);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^notp: error: this would lock you out: alice: /m);
    assert.match(stderr, why);
  };

  it("is refused at the gate where her socket is stopped, masked, gone or another's: she was locked out", async () => {
    for (const [spoil, mend, why] of [
      ['systemctl disable --now -q $S', 'systemctl enable --now -q $S', /\.sock is not there: .*systemctl enable notp@\d+\.socket/],
      [
        'systemctl disable --now -q $S; systemctl mask -q $S',
        'systemctl unmask -q $S; systemctl enable --now -q $S',
        /systemd says that it is masked.*systemctl unmask notp@/,
      ],
      ['rm $F', 'systemctl restart $S', /is not there/],
      ['chown root $F', 'systemctl restart $S', /belongs to uid 0/],
    ] as const) {
      const run = `F=$(systemctl show -P Listen ${socket} | cut -d' ' -f1); S=${socket}; `;
      await host.container.must(['sh', '-c', run + spoil]);
      await isRefused('gate', why);
      await host.container.must(['sh', '-c', run.replace(/^F=[^;]*;/, '') + mend]);
    }
    assertDone(await fromSession('gate'));
    await systemctl('reload', 'ssh');
    assertDone(await host.login(host.alice, ['true'], await freshCode(host, host.alice)));
  });

  for (const door of ['gate', 'pam'])
    it(`is refused at the ${door} where a rule refuses from where she comes, though not from everywhere: she was locked out`, async () => {
      host.write(RULES, REFUSED_HERE);
      await isRefused(door, /the rule in line 1 of notp\.toml refuses/);
      host.write(RULES, REFUSED_HERE.replace(HERE, '192.0.2.0/24'));
      assertDone(await fromSession(door));
    });

  it('is applied where a rule asks for a code from where she comes, and refuses the rest: it was refused', async () => {
    host.write(RULES, CODE_HERE);
    assertDone(await fromSession('gate'));
    assertDone(await host.login(host.alice, ['true'], await freshCode(host, host.alice)));
    await host.clear();
    // From where nobody knows.
    const unknown = await host.container.run(['notp', 'setup', 'gate', '--apply'], { environment: { SUDO_USER: 'alice' } });
    assert.match(unknown.stderr, /lock you out: alice: the rule in line 4 of notp\.toml refuses/);
  });
});
