/** What `notp setup` shows: in wide and narrow terminals, in a pipe, as JSON, without root, and on wrong usage. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { CONTAINER_NEEDS } from '../../support/container.ts';
import { acrossLines } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { answer, assertDone, bootHost, freshCode, snapshot, type Host } from './world.ts';

const JSON_DIFF = /^--- \/etc\/pam\.d\/sudo\n\+\+\+ \/etc\/pam\.d\/sudo\n@@ /;

describe('notp setup', { skip: lacks({ root: true, programs: [...CONTAINER_NEEDS.programs, 'oathtool', 'patch'] }) }, () => {
  let host: Host;
  before(async () => {
    host = await bootHost('setup-screens');
    await host.container.must(['groupadd', 'people']);
    await host.enrol(host.alice);
  });

  for (const columns of [80, 40]) {
    it(`shows the difference whole on ${String(columns)} columns, and what is next`, async () => {
      const terminal = host.container.inTerminal(['notp', 'setup', 'pam', '--group', 'people'], { columns });
      await terminal.expect(/^\+Match Group people\r$/m);
      await terminal.expect(
        /^\+ {2}AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam,keyboard-interactive:pam\r$/m,
      );
      await terminal.expect(acrossLines(/^notp: hint: nothing was written; this is for the groups people\r$/m));
      await terminal.expect(acrossLines(/^notp: hint: notp setup pam --apply makes a backup/m));
      assert.equal(await terminal.exited, 0);
    });
  }

  it('shows nothing but a patch on stdout, which patch(1) takes and which makes what --apply makes', async () => {
    const { stdout } = await host.setup('sudo');
    const patched = await host.container.must(['patch', '--output=-', '--quiet', '/etc/pam.d/sudo'], {
      input: stdout.slice(0, stdout.indexOf('--- /etc/pam.d/sudo-i')),
    });
    assertDone(await host.setup('sudo', '--apply', '--confirm-within', 'never'));
    assert.equal(host.read('/etc/pam.d/sudo'), patched);
    assertDone(await host.setup('undo'));
  });

  it('prints one JSON object for each file, and with --apply one for the setup', async () => {
    const shown = await host.setup('sudo', '--json');
    const files = shown.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    assert.deepEqual(
      files.map(({ file, action }) => [file, action]),
      [
        ['/etc/pam.d/sudo', 'change'],
        ['/etc/pam.d/sudo-i', 'change'],
      ],
    );
    assert.match(files[0]?.['diff'] ?? '', JSON_DIFF);
    const applied = await host.setup('sudo', '--json', '--apply', '--confirm-within', '1h');
    const last = JSON.parse(applied.stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    assert.deepEqual({ ...last, id: '' }, { id: '', door: 'sudo', reloaded: null, confirm_within_seconds: 3600 });
    const confirm = ['sudo', '-n', 'notp', 'setup', 'confirm', '--json'];
    const early = await host.login(host.alice, confirm);
    assert.deepEqual([early.code, early.stdout], [1, '']);
    assert.match(
      early.stderr,
      /accepted no code at sudo since the setup \(for everybody\), .*\nnotp: hint: call sudo -k id as one of them, with a code/,
    );
    await giveCodeAtSudo();
    const confirmed = await host.login(host.alice, confirm);
    assert.deepEqual(JSON.parse(confirmed.stdout), { id: last['id'], door: 'sudo', confirmed: true });
    const undone = await host.setup('undo', '--json');
    const wanted = { id: last['id'], door: 'sudo', undone: true, files: ['/etc/pam.d/sudo', '/etc/pam.d/sudo-i'], changed: [] };
    assert.deepEqual(JSON.parse(undone.stdout), wanted);
  });

  const giveCodeAtSudo = async (): Promise<void> => {
    const free = host.read('/etc/sudoers.d/alice');
    host.write('/etc/sudoers.d/alice', 'Defaults lecture=never\nalice ALL=(ALL) ALL\n', 0o440);
    await host.container.must(['chpasswd'], { input: 'alice:login secret\n' });
    const code = await freshCode(host, host.alice);
    const terminal = host.container.inTerminal(['sudo', '-k', 'id', '-u'], { as: 'alice' });
    await answer(terminal, /password for alice: /, 'login secret');
    await answer(terminal, /One-time code: /, code);
    await terminal.expect(/^0\r$/m);
    host.write('/etc/sudoers.d/alice', free, 0o440);
  };

  it('gives the difference as JSON of UTF-8 where a file is of another encoding, and leaves its bytes alone', async () => {
    const sudo = host.read('/etc/pam.d/sudo');
    await host.container.must(['sh', '-c', String.raw`printf '# gr\374n \303\274\n' >> /etc/pam.d/sudo`]);
    const files = snapshot(host);
    assert.match((JSON.parse((await host.setup('sudo', '--json')).stdout.split('\n')[0] ?? '') as { diff: string }).diff, JSON_DIFF);
    assertDone(await host.setup('sudo', '--apply', '--confirm-within', 'never'));
    assert.match(host.read('/etc/pam.d/sudo'), /# gr\u00fcn \u00c3\u00bc\n$/);
    assertDone(await host.setup('undo'));
    assert.deepEqual(snapshot(host)['etc/pam.d/sudo'], files['etc/pam.d/sudo']);
    host.write('/etc/pam.d/sudo', sudo);
  });

  it('shows the difference to everybody, and writes for root alone', async () => {
    const shown = await host.container.run(['notp', 'setup', 'gate'], { as: 'alice' });
    assertDone(shown);
    assert.match(shown.stdout, /^\+ForceCommand/m);
    for (const [what, words] of [
      ['set up', ['gate', '--apply']],
      ['confirm a setup', ['confirm']],
      ['undo a setup', ['undo']],
    ] as const) {
      const refused = await host.container.run(['notp', 'setup', ...words], { as: 'alice' });
      assert.deepEqual([refused.code, refused.stdout], [1, '']);
      assert.match(refused.stderr, new RegExp(`only root can ${what}\\nnotp: hint: sudo notp setup `));
    }
  });

  it('names what is wrong with an option', async () => {
    for (const [words, said] of [
      [['gate', '--group', 'a b'], /there is no group "a b"\nnotp: hint: list the groups: getent group/],
      [['gate', '--group', 'PEOPLE'], /there is no group "PEOPLE"/],
      [['gate', '--group', '0'], /there is no group "0"/],
      [['gate', '--user', 'a,b'], /there is no user "a,b"\nnotp: hint: list the users: getent passwd/],
      [['gate', '--user', '*'], /there is no user "\*"/],
      [['gate', '--confirm-within', '5'], /It must be "never" or a time such as/],
      [['gate', '--confirm-within', '0s'], /It must be "never"/],
      [['gate', '--confirm-within', '25h'], /It must be "never"/],
      [['door'], /unknown command|too many arguments/],
    ] as const) {
      const { code, stderr } = await host.setup(...words);
      assert.equal(code, 2, stderr);
      assert.match(stderr, said);
    }
  });

  it('has nothing to confirm and nothing to undo where nothing was set up', async () => {
    for (const word of ['confirm', 'undo']) {
      const { code, stderr } = await host.setup(word);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`there is no setup to ${word}`));
    }
  });

  it('needs notp where sshd and PAM will call it, and set up', async () => {
    await host.container.must(['mv', '/usr/bin/notp', '/usr/bin/notp-away']);
    const missing = await host.container.run(['notp-away', 'setup', 'gate', '--apply']);
    await host.container.must(['mv', '/usr/bin/notp-away', '/usr/bin/notp']);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /there is no \/usr\/bin\/notp\n/);
    await host.container.must(['mv', '/etc/notp', '/etc/notp-away']);
    const bare = await host.setup('pam', '--apply');
    await host.container.must(['mv', '/etc/notp-away', '/etc/notp']);
    assert.equal(bare.code, 1);
    assert.match(bare.stderr, /there is no \/etc\/notp\nnotp: hint: set notp up on this host first: notp host-key init/);
  });
});
