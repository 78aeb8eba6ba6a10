/** What `notp-enroll --batch` does not do, and what it looks like on a terminal. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { acrossLines } from '../../support/process.ts';
import { lacks } from '../../support/world.ts';
import { BATCH_NEEDS, bootBatch, type BatchWorld } from './batch-world.ts';
import { frozen, thaw } from './frozen.ts';

describe('notp-enroll --batch', { skip: lacks(BATCH_NEEDS) }, () => {
  let world: BatchWorld;
  let list: string;
  let users: string[];
  before(async () => {
    world = await bootBatch('batch-no', { service: false });
    users = world.addUsers('user', 60);
    list = world.list('users.txt', users);
    await world.container.must([
      'sh',
      '-c',
      'install -d -m 0777 /root/open; install -d -m 1777 /root/sticky; install -d -o user0 /root/theirs',
    ]);
    await world.container.must([
      'sh',
      '-c',
      'install -d -m 0777 /srv/open; install -d -m 0700 /srv/open/in; ln -s /root/in /root/link; touch /root/file',
    ]);
    await world.container.must([
      'sh',
      '-c',
      'mkdir /root/aim; for link in /home/user1/link /var/tmp/link; do ln -s /root/aim $link; chown -h user1 $link; done',
    ]);
  });

  for (const [what, words, code, pattern] of [
    ['a folder that others can write', ['--out', '/root/open'], 2, /\/root\/open can be written by others/],
    [
      'one that others can write, sticky as it is',
      ['--out', '/root/sticky'],
      2,
      /\/root\/sticky can be written by others\nnotp: hint: the hand-outs hold secrets: give --out a folder of root/,
    ],
    ["one that is not root's", ['--out', '/root/theirs'], 2, /\/root\/theirs belongs to somebody else/],
    ['one below a folder that others can write', ['--out', '/srv/open/in'], 2, /\/srv\/open can be written by others/],
    ['a symlink', ['--out', '/root/link'], 2, /\/root\/link/],
    ["one below a user's symlink", ['--out', '/home/user1/link/evil'], 2, /\/home\/user1 belongs to somebody else/],
    [
      "one below a user's symlink in a folder for all",
      ['--out', '/var/tmp/link/evil'],
      2,
      /\/var\/tmp\/link is a symlink of somebody else/,
    ],
    ["a new one in a user's home", ['--out', '/home/user1/new'], 2, /\/home\/user1 belongs to somebody else/],
    ['a file', ['--out', '/root/file'], 2, /\/root\/file/],
    ['one whose parent is missing', ['--out', '/root/no/such'], 2, /\/root\/no: there is no such folder/],
    ['secrets that go nowhere', [], 2, /the batch has no output for the secrets/],
    ['a passphrase', ['--out', '/root/x', '--seal', 'passphrase'], 2, /a batch seals with the key of the host/],
    ['a passphrase file', ['--out', '/root/x', '--passphrase-file', '-'], 2, /--qr-file and --passphrase-file are for one user/],
    ['a replacement that cannot be resumed', ['--json', '--replace'], 2, /--replace in a batch needs --out/],
    ['one account for all', ['--json', '--account', 'all'], 2, /--account would be the same for all users/],
    ['a user besides', ['user3', '--json'], 2, /user3 is a user/],
    ['--user', ['--user', 'user3', '--json'], 2, /the users come from the file/],
    ['a bad context', ['.x', '--json'], 2, /is not a context name/],
    ['hand-outs for invitations', ['--pending', '--out', '/root/x'], 2, /--pending makes no secrets/],
    ['invitations where there is no service', ['--pending'], 3, /the service is not set up/],
    ['another kind of picture', ['--out', '/root/x', '--image', 'gif'], 2, /--image/],
  ] as const) {
    it(`refuses ${what}, and enrols nobody`, async () => {
      const ran = await world.enroll(['--batch', list, ...words]);
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stderr, pattern);
      assert.match(ran.stderr, /^notp: hint: /m);
      assert.equal(world.sealedId('user0'), undefined);
      for (const made of ['/root/x', '/root/aim/evil', '/home/user1/new']) assert.equal(fs.existsSync(world.outside(made)), false, made);
    });
  }

  it('refuses a list that is missing, empty, too long or a folder', async () => {
    fs.writeFileSync(world.outside('/root/long.txt'), `${'#'.repeat(1024 * 1024)}\n`);
    const lists = [
      ['/root/none.txt', /no such file/],
      [world.list('e.txt', ['', '# nobody']), /names no user/],
      ['/root/long.txt', /is over 1048576 bytes/],
      ['/root', /EISDIR/],
    ] as const;
    for (const [file, pattern] of lists) {
      const { code, stderr } = await world.enroll(['--batch', file, '--out', '/root/x']);
      assert.equal(code, 2, stderr);
      assert.match(stderr, pattern);
    }
  });

  it('is for root alone, and its options are for a batch', async () => {
    const ran = await world.container.run(['notp-enroll', '--batch', '/etc/passwd', '--json'], { as: 'user1' });
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /only root can enrol somebody else/);
    for (const words of [['--out', '/root/x'], ['--dry-run'], ['--image', 'png']]) {
      const { code, stderr } = await world.enroll(['user1', '--no-confirm', ...words]);
      assert.equal(code, 2);
      assert.match(stderr, /--out, --image and --dry-run belong to --batch/);
    }
  });

  for (const columns of [80, 40]) {
    it(`shows a bar that fits ${String(columns)} columns, ends at Ctrl-C and goes on when it is run again`, async () => {
      const words = ['--batch', list, '--out', `/root/bar${String(columns)}`];
      const terminal = world.inTerminal([`bar${String(columns)}`, ...words], { columns });
      await terminal.expect(/ [1-9]\d*\/60/);
      terminal.send('\x03');
      await terminal.expect(acrossLines(/interrupted after \d+ of 60 users/));
      assert.equal(await terminal.exited, 1);
      for (const frame of stripVTControlCharacters(terminal.output())
        .split('\r')
        .filter((text) => text.startsWith('[')))
        assert.ok(frame.trimEnd().length < columns, frame);
      const { code, stderr } = await world.enroll([`bar${String(columns)}`, ...words]);
      assert.equal(code, 0, stderr);
      assert.match(stderr, new RegExp(`^Enrolled \\d+ of 60 for bar${String(columns)} and \\d+ by an earlier run`, 'm'));
    });
  }

  it('shows no bar on a dumb terminal and none in a pipe, but the summary', async () => {
    const words = ['--batch', world.list('few.txt', users.slice(0, 5)), '--out', '/root/dumb'];
    const terminal = world.inTerminal(['dumb', ...words], { environment: { TERM: 'dumb' } });
    assert.equal(await terminal.exited, 0);
    assert.match(terminal.output(), /^Enrolled 5 of 5 for dumb, hand-outs in \/root\/dumb\r\n/);
    assert.equal(terminal.output().includes('['), false);
  });

  it('does not run twice at once', async () => {
    const standing = frozen(world.container, 'notp-enroll-batch');
    const terminal = world.inTerminal(['twice', '--batch', list, '--out', '/root/twice']);
    await standing;
    const { code, stderr } = await world.enroll(['twice', '--batch', list, '--out', '/root/twice']);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /another batch is running on this host/);
    await thaw(world.container);
    assert.equal(await terminal.exited, 0);
  });

  it('ends at once, with nobody enrolled whose secret went nowhere, when stdout takes no line', async () => {
    const { code, stderr } = await world.container.run(['sh', '-c', `notp-enroll --batch ${list} --json nowhere >/dev/full`]);
    assert.equal(code, 3, stderr);
    assert.match(stderr, /^Enrolled 0 of 60 for nowhere$/m);
    assert.match(stderr, /the result cannot be written to stdout: no space left on device \(ENOSPC\)/);
    assert.equal(world.sealedId('user0', 'nowhere'), undefined);
  });

  it('tells in its help how it goes on and what a list looks like', async () => {
    const { code, stdout } = await world.enroll(['--help']);
    assert.equal(code, 0);
    for (const words of [
      '--batch <file>',
      '--out <dir>',
      '--image <kind>',
      '--dry-run',
      'the same command continues where it ended',
      'one user name on each line',
    ])
      assert.ok(stdout.replace(/\s+/g, ' ').includes(words), words);
  });
});
