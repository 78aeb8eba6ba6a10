/** `notp-enroll --batch` as an administrator meets it: lists, folders, options, results and refusals, on a host with the service. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { lacks, oathCode, type Enrolled } from '../../support/world.ts';
import { BATCH_NEEDS, bootBatch, readHandout, type BatchWorld } from './batch-world.ts';

describe('notp-enroll --batch', { skip: lacks(BATCH_NEEDS) }, () => {
  let world: BatchWorld;
  before(async () => {
    world = await bootBatch('batch-options');
  });

  it('enrols whom it can, names the others with file and line, and ends with 1', async () => {
    const [first = '', second = '', homeless = ''] = world.addUsers('some', 3);
    fs.rmdirSync(world.outside(`/home/${homeless}`));
    const lines = ['\uFEFF# staff', `${first}\r`, '', `${second} # new`, first, 'nobody-here', 'two words', '\u001b[31m', homeless];
    const { code, stdout, stderr } = await world.enroll(['--batch', world.list('some.txt', lines), '--out', '/root/some']);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^Enrolled 2 of 6 for ssh, hand-outs in \/root\/some\nFailed: 4\n/m);
    assert.match(stderr, /^ {2}\/root\/some\.txt:6: there is no user "nobody-here"$/m);
    assert.match(stderr, /^ {2}\/root\/some\.txt:7: there is no user "two words": write one name on each line$/m);
    assert.match(stderr, /^ {2}\/root\/some\.txt:8: "\\u001b\[31m" is not a user name/m);
    assert.match(stderr, /^ {2}\/root\/some\.txt:9: some2: there is no folder \/home\/some2$/m);
    assert.deepEqual(fs.readdirSync(world.outside('/root/some')).toSorted(), ['some0.png', 'some0.txt', 'some1.png', 'some1.txt']);
  });

  it('makes the sockets of all whom it enrols listen, and those that an earlier run did not come to', async () => {
    const users = world.addUsers('socket', 3);
    const words = ['--batch', world.list('socket.txt', users), '--out', '/root/socket'];
    assert.equal((await world.enroll(words)).code, 0);
    const units = await Promise.all(users.map(async (user) => `notp@${(await world.container.must(['id', '-u', user])).trim()}.socket`));
    await world.container.must(['systemctl', 'is-active', ...units]);
    await world.container.must(['systemctl', 'disable', '--now', units[1] ?? '']);
    assert.equal((await world.enroll(words)).code, 0);
    await world.container.must(['systemctl', 'is-active', ...units]);
    await world.container.must(['systemctl', 'is-enabled', ...units]);
  });

  it('prints a JSON line for each with --json, and leaves them alone when it is run again', async () => {
    const users = world.addUsers('json', 2);
    const words = ['--batch', '-', '--json', '--recovery', '1'];
    const { code, stdout, stderr } = await world.enroll(words, { input: users.join('\n') });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Enrolled 2 of 2 for ssh$/m);
    const all = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Enrolled & { user: string });
    assert.deepEqual(
      all.map(({ user, id }) => [user, id]),
      users.map((user) => [user, world.sealedId(user)]),
    );
    const input = `${oathCode(all[1]?.secret ?? '')}\n`;
    assert.equal((await world.container.run(['notp', 'verify', '--user', 'json1', '--code-stdin'], { input })).code, 0);
    const again = await world.enroll(words, { input: users.join('\n') });
    assert.deepEqual([again.code, again.stdout], [0, '']);
    assert.match(again.stderr, /^Already enrolled, unchanged: 2 \(json0, json1\)$/m);
  });

  it('takes the options of an enrolment, and %u in the account', async () => {
    const [user = ''] = world.addUsers('option', 1);
    const options =
      '--digits 8 --period 60 --algorithm SHA256 --recovery 3 --issuer Example --account %u@example.org --qr ascii --image svg';
    const { code, stderr } = await world.enroll([
      'second',
      '--batch',
      world.list('o.txt', [user]),
      '--out',
      '/root/o',
      ...options.split(' '),
    ]);
    assert.equal(code, 0, stderr);
    const { uri, id, recovery } = readHandout(world.outside(`/root/o/${user}.txt`));
    assert.match(uri, /^otpauth:\/\/totp\/Example:option0%40example\.org\?.*algorithm=SHA256&digits=8&period=60$/);
    assert.equal(recovery.length, 3);
    assert.equal(id, world.sealedId(user, 'second'));
    const text = fs.readFileSync(world.outside(`/root/o/${user}.txt`), 'utf8');
    assert.match(text, /^ {8}##############/m);
    assert.ok(!text.includes('\u001b'));
    assert.match(fs.readFileSync(world.outside(`/root/o/${user}.svg`), 'utf8'), /<svg/);
  });

  it('says with --dry-run what it would do, and changes nothing', async () => {
    const users = world.addUsers('dry', 2);
    assert.equal((await world.enroll(['dry0', '--json', '--no-confirm'])).code, 0);
    const words = ['--batch', world.list('dry.txt', users), '--out', '/root/dry', '--dry-run'];
    const records = await world.container.must(['notp', 'audit', '--lines', '1']);
    const { code, stdout, stderr } = await world.enroll(words);
    assert.deepEqual([code, stdout], [0, 'dry0: leave\ndry1: enrol\n']);
    assert.match(stderr, /^Would enrol 1 of 2 for ssh/m);
    const replacing = await world.enroll([...words, '--replace', '--json']);
    assert.deepEqual(
      replacing.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
      [
        { user: 'dry0', context: 'ssh', would: 'replace' },
        { user: 'dry1', context: 'ssh', would: 'enrol' },
      ],
    );
    assert.equal(fs.existsSync(world.outside('/root/dry')), false);
    assert.equal(world.sealedId('dry1'), undefined);
    assert.equal(await world.container.must(['notp', 'audit', '--lines', '1']), records);
  });

  it('replaces with --replace those whom somebody else enrolled, once', async () => {
    const users = world.addUsers('again', 2);
    const { stdout } = await world.enroll(['again0', '--json', '--no-confirm']);
    const words = ['--batch', world.list('again.txt', users), '--out', '/root/again'];
    const left = await world.enroll(words);
    assert.match(left.stderr, /^Enrolled 1 of 2 .*\nAlready enrolled, unchanged: 1 \(again0\)$/m);
    const { id, secret } = JSON.parse(stdout) as Enrolled;
    assert.equal(world.sealedId('again0'), id);
    assert.match((await world.enroll([...words, '--replace'])).stderr, /^Enrolled 1 of 2 for ssh and 1 by an earlier run/m);
    const handout = readHandout(world.outside('/root/again/again0.txt'));
    assert.notEqual(handout.id, id);
    assert.equal(handout.id, world.sealedId('again0'));
    const old = await world.container.run(['notp', 'verify', '--user', 'again0', '--code-stdin'], { input: `${oathCode(secret)}\n` });
    assert.equal(old.code, 1);
    assert.match((await world.enroll([...words, '--replace'])).stderr, /^Enrolled 0 of 2 for ssh and 2 by an earlier run/m);
  });

  it('leaves a revoked user out, and says so', async () => {
    const users = world.addUsers('revoked', 1);
    await world.container.must(['notp-enroll', 'revoked0', '--json', '--no-confirm']);
    await world.container.must(['notp', 'revoke', '--user', 'revoked0', '--yes']);
    const { code, stderr } = await world.enroll(['--batch', world.list('r.txt', users), '--out', '/root/r']);
    assert.equal(code, 1);
    assert.match(stderr, /^Skipped: 1\n {2}\/root\/r\.txt:1: revoked0: is enrolled, but .*revoked.*--replace/m);
  });

  it('overwrites no file that is not a remnant of its own work', async () => {
    const users = world.addUsers('mine', 2);
    fs.mkdirSync(world.outside('/root/mine'), { mode: 0o700 });
    fs.writeFileSync(world.outside('/root/mine/mine0.txt'), 'shopping list\n');
    fs.writeFileSync(world.outside('/root/mine/mine1.png'), 'holiday\n');
    const { code, stderr } = await world.enroll(['--batch', world.list('mine.txt', users), '--out', '/root/mine']);
    assert.equal(code, 1);
    assert.match(stderr, /mine0: \/root\/mine\/mine0\.txt already exists/);
    assert.match(stderr, /mine1: \/root\/mine\/mine1\.png already exists/);
    assert.equal(fs.readFileSync(world.outside('/root/mine/mine0.txt'), 'utf8'), 'shopping list\n');
    assert.equal(world.sealedId('mine0'), undefined);
  });

  it('invites with --pending those who may enrol themselves, and not twice', async () => {
    const users = world.addUsers('guest', 2);
    const words = ['--pending', '--batch', world.list('guests.txt', users)];
    const { code, stderr } = await world.enroll(words);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Invited 2 of 2 for ssh\nnotp: hint: each may enrol once, with notp enroll\n$/);
    assert.equal(world.enrolments().get('guest1')?.status, 'invited');
    assert.match((await world.enroll(words)).stderr, /^Invited 0 of 2 for ssh and 2 by an earlier run$/m);
    assert.match(await world.container.must(['systemctl', 'list-units', 'notp@*.socket']), /listening/);
  });
});
