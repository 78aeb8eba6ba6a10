/** What is wrong with the host ends in refusals that say why, keeps systemd from starting over and over, and is over when it is mended. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { ROOT, sleep } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

const KEY = '/etc/notp/host.key';
const DROP_INS = '/etc/systemd/system/notp@.service.d';
const PLENTY = '[policy]\nbudget = 50\n';
/** Questions of the gate, which the service may answer whatever is wrong, each on a connection of its own; prints one key of the last answer. */
const questions = (key: 'reason' | 'ref', times = 1): string => `import json, socket, sys
for _ in range(${String(times)}):
  s = socket.socket(socket.AF_UNIX); s.connect("/run/notp/%s.sock" % sys.argv[1]); f = s.makefile("rw")
  f.write(json.dumps({"notp": "question/6", "ask": "before", "account": None, "door": "gate", "service": "ssh", "rhost": "", "tty": "",
    "files": [{"context": "ssh", "sealed": "", "wrong": ""}], "connection": None, "keyDigest": "", "groups": [], "otherGroups": [], "keyType": None, "firstFactor": False, "readings": [], "timedOut": False}, separators=(",", ":")) + "\\n"); f.flush()
  answer = json.loads(f.readline())
print(answer["${key}"])`;

describe('a host on which something is wrong', { skip: lacks(SERVICE_NEEDS) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;
  let service: string;

  before(async () => {
    world = await bootService('broken', { toml: PLENTY });
    alice = await world.addUser('alice');
    phone = await world.enroll(alice, ['--recovery', '32']);
    service = `notp@${String(alice.uid)}.service`;
  });

  const inside = (script: string): Promise<string> => world.container.must(['sh', '-c', script]);
  const logsIn = async (): Promise<boolean> => (await world.login(alice, phone.recoveryCode())).stdout === 'alice\n';
  const starts = async (): Promise<number> => {
    const lines = await world.container.must(['journalctl', '--no-pager', '--output=cat', `--unit=${service}`]);
    return lines.split('\n').filter((line) => line.startsWith('Starting ')).length;
  };

  it('accepts nothing without a record where /var is full: the journal stands in for the log', async () => {
    await inside(`for folder in /var/lib/notp /var/log/notp; do
        mkdir /keep; cp -a $folder/. /keep; mount -t tmpfs -o size=512k,mode=0700,uid=notp,gid=notp none $folder; cp -a /keep/. $folder; rm -r /keep
        # To the end of its last block, which is its own however full the disk is.
        [ $folder = /var/lib/notp ] || head -c $((4096 - $(stat -c %s $folder/audit.log) % 4096)) /dev/zero | tr '\\0' '\\n' >>$folder/audit.log
        dd if=/dev/zero of=$folder/filler bs=4k status=none || true; ! echo more >$folder/filler2
      done; systemctl stop ${service}`);
    const recovery = phone.recoveryCode();
    assert.equal((await world.login(alice, recovery)).stdout, 'alice\n');
    await world.container.must(['journalctl', '--sync']);
    const journal = await world.container.must(['journalctl', '--no-pager', '--output=cat', `--unit=${service}`]);
    const last = journal.split('\n').findLast((line) => line.includes('"login.accepted"'));
    assert.match(last ?? '', /"method":"recovery"/);
    // It is spent, on a full disk too.
    const again = await world.login(alice, recovery);
    assert.deepEqual([again.stdout, /code already used/.test(again.stderr)], ['', true]);
  });

  it('keeps the record in the state where the log has no space, and writes it when there is some again', async () => {
    await world.configure(`${PLENTY}[audit]\njournal = false\n`);
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
    const earlier = (await world.records()).length;
    await inside('rm /var/lib/notp/filler* /var/log/notp/filler*');
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
    assert.ok((await world.records()).length >= earlier + 4, 'each login with a recovery code has two');
    await world.configure(PLENTY);
  });

  it('refuses with a broken configuration, at the gate and by the service, until it is mended', async () => {
    await world.configure('window = maybe\n');
    const earlier = await starts();
    const ran = await world.login(alice, phone.recoveryCode());
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, /the configuration cannot be used: \/etc\/notp\/notp\.toml:1/);
    const ask = ['python3', '-c', questions('reason'), String(alice.uid)];
    for (let i = 0; i < 3; i++) assert.equal(await world.container.must(ask, { as: 'alice' }), 'bad_configuration\n');
    assert.equal((await starts()) - earlier, 1);
    await world.configure(PLENTY);
    assert.equal(await logsIn(), true);
  });

  it('refuses without a host key, without starting over, until it is put back', async () => {
    await inside(`mv ${KEY} /root/kept; systemctl stop ${service}`);
    const earlier = await starts();
    for (let i = 0; i < 3; i++) {
      const ran = await world.login(alice, phone.recoveryCode());
      assert.deepEqual([ran.code, ran.stdout], [1, '']);
      assert.match(ran.stderr, /the login state cannot be reached/);
    }
    assert.equal((await starts()) - earlier, 1);
    // A new key in its place would hide that the old one is lost.
    assert.equal(fs.existsSync(world.outside(KEY)), false);
    await inside(`mv /root/kept ${KEY}; systemctl stop ${service}`);
    assert.equal(await logsIn(), true);
  });

  it('refuses a host key of another host, whose seals are not ours', async () => {
    await inside(`mv ${KEY} /root/kept; head -c 32 /dev/urandom >${KEY}; chown notp ${KEY}; chmod 600 ${KEY}; systemctl stop ${service}`);
    const ran = await world.login(alice, phone.recoveryCode());
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    await inside(`mv /root/kept ${KEY}; systemctl stop ${service}`);
    assert.equal(await logsIn(), true);
  });

  it('refuses where the encrypted key is missing or damaged, starts about once a second at most, and its socket does not fail', async () => {
    fs.mkdirSync(world.outside(DROP_INS));
    const dropIn = path.join(world.outside(DROP_INS), 'encrypted-host-key.conf');
    for (const damage of ['rm -f', 'echo damaged >']) {
      fs.copyFileSync(path.join(ROOT, 'systemd/encrypted-host-key.conf'), dropIn);
      await inside(`${damage} ${KEY}.cred; systemctl daemon-reload; systemctl stop ${service}`);
      const [earlier, since] = [await starts(), Date.now()];
      const login = world.login(alice, '000000');
      await sleep(8_000);
      const [count, seconds] = [(await starts()) - earlier, (Date.now() - since) / 1000];
      assert.ok(count <= seconds * 1.5 + 2, `${damage}: ${String(count)} starts in ${String(seconds)} s`);
      fs.rmSync(dropIn);
      await inside('systemctl daemon-reload');
      const { code, stdout } = await login;
      assert.deepEqual([code, stdout], [1, '']);
      await inside(`systemctl stop ${service}; rm -f ${KEY}.cred`);
      assert.equal(await world.container.must(['systemctl', 'is-active', service.replace('.service', '.socket')]), 'active\n');
      assert.equal(await logsIn(), true);
    }
  });

  it('records by name whom it refuses while the configuration cannot be used: nobody had a name, and all users shared one tally', async () => {
    const bob = await world.addUser('bob');
    await world.enroll(bob);
    const earlier = (await world.records()).length;
    await inside("chmod 600 /etc/notp/notp.toml; systemctl stop 'notp@*.service'");
    const ask = async ({ name, uid }: TestUser, times: number): Promise<string> =>
      (await world.container.must(['python3', '-c', questions('ref', times), String(uid)], { as: name })).trim();
    await ask(alice, 130);
    const ref = await ask(bob, 1);
    await inside("systemctl stop 'notp@*.service'; chmod 644 /etc/notp/notp.toml");
    const records = (await world.records()).slice(earlier).filter(({ reason }) => reason === 'bad_configuration');
    assert.deepEqual([...new Set(records.map(({ user }) => user))].toSorted(), ['alice', 'bob']);
    const [his, ...more] = records.filter(({ user }) => user === 'bob');
    assert.deepEqual([his?.ref, his?.uid, more.length], [ref, bob.uid, 0]);
    const hers = records.filter(({ user }) => user === 'alice');
    assert.equal(
      hers.reduce((sum, { count = 1 }) => sum + count, 0),
      130,
      'what was only counted is told when the service leaves',
    );
    assert.ok(hers.length < 110);
  });
});
