/** `notp host-key`, and enrolment by root for somebody else, sealed by that key. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../../support/process.ts';
import {
  addUser,
  installNotp,
  lacks,
  must,
  oathCode,
  runAs,
  scratchFolder,
  serviceUser,
  SOURCE_NOTP,
  writeConfig,
  type Enrolled,
  type TestUser,
} from '../../support/world.ts';
import { recordsOf, rowsOf } from '../own-state.ts';

describe('the host key', { skip: lacks({ root: true, programs: ['useradd', 'setpriv', 'oathtool', 'unshare'] }) }, () => {
  let folder: string;
  let config: string;
  let key: string;
  let user: TestUser;
  const notp = (words: readonly string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', config]);
  const login = (): Promise<Ran> =>
    run([...SOURCE_NOTP, 'verify', '--config', config, '--user', user.name, '--code-stdin', '--json'], { input: '123456\n' });

  before(() => {
    serviceUser();
    folder = scratchFolder('host-key');
    config = writeConfig(folder);
    key = path.join(folder, 'etc/host.key');
    user = addUser();
  });

  it('is missed by host-key id and by enroll, which say how to make it and change nothing', async () => {
    const id = await notp(['host-key', 'id']);
    assert.equal(id.code, 3);
    assert.match(id.stderr, /there is no host key at .*\nnotp: hint: run notp host-key init/);
    fs.mkdirSync(path.join(folder, 'var'), { mode: 0o700 });
    must(['chown', 'notp:', path.join(folder, 'var')]);
    const enrolled = await notp(['enroll', '--user', user.name, '--no-confirm']);
    assert.equal(enrolled.code, 3);
    assert.match(enrolled.stderr, /there is no host key at .*\nnotp: hint: run notp host-key init once on this host/);
    assert.equal(enrolled.stdout, '');
    assert.ok(!fs.existsSync(`${user.home}/.notp`));
  });

  it("is made once, by root, 32 bytes that only the service's user can read, with folders for state and log", async () => {
    const { code, stdout, stderr } = await notp(['host-key', 'init']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^[0-9a-f]{16}\n$/);
    assert.match(stderr, /^notp: hint: keep a copy of /);
    assert.equal(must(['stat', '-c', '%U %a %s', key]), 'notp 600 32\n');
    for (const name of ['var', 'log']) assert.equal(must(['stat', '-c', '%U %a', path.join(folder, name)]), 'notp 700\n');
    assert.equal(must(['stat', '-c', '%U %a', path.join(folder, 'var/state.db')]), 'notp 600\n');
    assert.deepEqual(fs.readdirSync(path.dirname(key)), ['host.key'], 'a temporary file was left');
    assert.equal(recordsOf(path.join(folder, 'log/audit.log'))[0]?.['event'], 'host_key.created');
  });

  it('had two names for ever, and another key beside it, where it was killed while it made it', async () => {
    const folderOfKey = path.dirname(key);
    fs.linkSync(key, path.join(folderOfKey, `.host.key.${'0'.repeat(16)}.tmp`));
    fs.writeFileSync(path.join(folderOfKey, `.host.key.${'1'.repeat(16)}.tmp`), Buffer.alloc(32, 7), { mode: 0o600 });
    assert.match((await notp(['host-key', 'id'])).stderr, /more than one name/);
    const { code, stderr } = await notp(['host-key', 'init']);
    assert.equal(code, 0, stderr);
    assert.deepEqual(fs.readdirSync(folderOfKey), ['host.key']);
  });

  it('stays as it is when init is run again, and has the same id always', async () => {
    const made = fs.readFileSync(key);
    const again = await notp(['host-key', 'init']);
    assert.equal(again.code, 0);
    assert.match(again.stderr, /already exists and stays unchanged/);
    assert.deepEqual(fs.readFileSync(key), made);
    const id = await notp(['host-key', 'id']);
    assert.equal(id.stdout, again.stdout);
    assert.ok(!made.toString('hex').includes(id.stdout.trim()), 'the id tells a part of the key');
  });

  it('seals the secret that root makes for a user, who alone owns the file', async () => {
    const made = await notp(['enroll', '--user', user.name, '--no-confirm', '--json']);
    assert.equal(made.code, 0, made.stderr);
    const { secret, file, id } = JSON.parse(made.stdout) as Enrolled;
    assert.equal(file, `${user.home}/.notp/ssh`);
    assert.equal(must(['stat', '-c', '%U %a', file, path.dirname(file)]), `${user.name} 600\n${user.name} 700\n`);
    assert.equal((JSON.parse(fs.readFileSync(file, 'utf8')) as { seal: { kind: string } }).seal.kind, 'host');
    assert.deepEqual(fs.readdirSync(path.dirname(file)), ['ssh']);
    assert.equal(rowsOf(path.join(folder, 'var/state.db'))[0]?.['id'], id);
    const verified = await run([...SOURCE_NOTP, 'verify', '--config', config, '--user', user.name, '--code-stdin'], {
      input: `${oathCode(secret)}\n`,
    });
    assert.equal(verified.code, 0, verified.stderr);
  });

  it('is not made with --if-new where the state is in use, or where it is not the default one', async () => {
    const other = scratchFolder('host-key-if-new');
    const toml = path.join(other, 'notp.toml');
    // The default place of the key, in a mount namespace whose /etc takes changes of its own.
    fs.mkdirSync(path.join(other, 'etc'));
    const ifNew = async (text: string): Promise<Ran> => {
      fs.writeFileSync(toml, `${text}\n[audit]\nfile = "${other}/log/audit.log"\njournal = false\n`, { mode: 0o644 });
      const script = `mount -t tmpfs none ${other}/etc && mkdir ${other}/etc/new ${other}/etc/work &&
        mount -t overlay -o lowerdir=/etc,upperdir=${other}/etc/new,workdir=${other}/etc/work none /etc &&
        rm -rf /etc/notp && mkdir /etc/notp && "$@" && ls /etc/notp`;
      return await run([
        ...['unshare', '--mount', 'sh', '-c', script, 'sh'],
        ...[...SOURCE_NOTP, 'host-key', 'init', '--if-new', '--config', toml],
      ]);
    };
    for (const [text, why] of [
      [`[store]\nurl = "sqlite:${folder}/var/state.db"`, 'state.db is signed with a key that was lost'],
      [`host_key = ["/etc/notp/fleet.key"]\n[store]\nurl = "sqlite:${other}/var/state.db"`, 'host_key names /etc/notp/fleet.key'],
      [`[store]\nurl = "postgres://notp@127.0.0.1:1/notp"`, 'its state is not in a file of this host'],
      [`[store]\nurl = "user"`, 'its state is not in a file of this host'],
    ] as const) {
      const { code, stdout, stderr } = await ifNew(text);
      assert.deepEqual([code, stdout], [0, ''], stderr);
      assert.ok(stderr.includes(`hint: no host key is made at boot: `) && stderr.includes(why), stderr);
    }
    assert.equal(fs.existsSync(path.join(other, 'var')), false);
    const { code, stdout, stderr } = await ifNew(`[store]\nurl = "sqlite:${other}/var/state.db"`);
    assert.deepEqual([code, /^[0-9a-f]{16}\nhost\.key\n$/.test(stdout)], [0, true], stdout + stderr);
  });

  it('of another host does not open it, and the record says that another key is here', async () => {
    const away = `${key}.away`;
    fs.renameSync(key, away);
    assert.match(
      (await notp(['host-key', 'init'])).stderr,
      /of a host key that is not here, or the store is newer than the log\nnotp: hint: .*notp audit verify --resume/,
    );
    assert.match((await login()).stdout, /"store_unavailable"/);
    await notp(['audit', 'verify', '--resume']);
    const { code, stdout } = await login();
    fs.renameSync(away, key);
    assert.equal(code, 1);
    assert.match(stdout, /"stale_enrolment"/);
    assert.match(
      String(recordsOf(path.join(folder, 'log/audit.log')).at(-1)?.['detail']),
      /was changed outside notp, or under a host key that is not here: bring a missing host key back, or notp-enroll --replace /,
    );
    await notp(['audit', 'verify', '--resume']);
  });

  for (const [what, damage] of [
    ['others can read', (file: string) => fs.chmodSync(file, 0o644)],
    ['is a byte short', (file: string) => fs.truncateSync(file, 31)],
    ['is a symlink', (file: string) => (fs.renameSync(file, `${file}.real`), fs.symlinkSync(`${file}.real`, file))],
  ] as const) {
    it(`that ${what} is refused and not replaced`, async () => {
      const backup = fs.readFileSync(key);
      damage(key);
      const present = fs.readFileSync(key);
      for (const command of ['id', 'init']) {
        const { code, stdout, stderr } = await notp(['host-key', command]);
        assert.equal(code, 3);
        assert.equal(stdout, '');
        assert.match(stderr, new RegExp(`^notp: error: ${key}`));
      }
      assert.deepEqual(fs.readFileSync(key), present);
      fs.rmSync(key);
      fs.rmSync(`${key}.real`, { force: true });
      fs.writeFileSync(key, backup, { mode: 0o600 });
      must(['chown', 'notp:', key]);
    });
  }

  it('is not made where the state has a folder that its user cannot enter, and the hint is the command that mends it', async () => {
    const other = scratchFolder('host-key-closed');
    fs.mkdirSync(path.join(other, 'var'), { mode: 0o700 });
    const words = [...SOURCE_NOTP, 'host-key', 'init', '--config', writeConfig(other)];
    const { code, stderr } = await run(words);
    assert.equal(code, 3);
    assert.match(stderr, /^notp: error: notp cannot look at \S+state\.db: permission denied \(EACCES\)\n/);
    const [, mend = ''] = /hint: as root: (chown -h notp: \S+\/var)\n/.exec(stderr) ?? [];
    assert.deepEqual(fs.readdirSync(path.join(other, 'etc')), []);
    must(mend.split(' '));
    assert.equal((await run(words)).code, 0);
  });

  it('is for root alone', async () => {
    const installed = installNotp(folder);
    for (const command of ['init', 'id']) {
      const { code, stdout, stderr } = await runAs(user, [installed, 'host-key', command]);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /only root can use the host key\nnotp: hint: run this with sudo/);
    }
  });

  it('is not made where the system user is missing, and the hint is the command that makes it', async () => {
    const passwd = path.join(folder, 'passwd');
    fs.writeFileSync(passwd, 'root:x:0:0::/root:/bin/sh\n');
    // A mount namespace of its own, in which the passwd file is another one.
    const script = 'mount --bind "$0" /etc/passwd && exec "$@"';
    const { code, stderr } = await run([
      ...['unshare', '--mount', 'sh', '-c', script, passwd],
      ...[...SOURCE_NOTP, 'host-key', 'init', '--config', config],
    ]);
    assert.equal(code, 3);
    assert.match(stderr, /there is no system user notp\nnotp: hint: useradd --system --user-group .* notp\n$/);
  });

  it('does not go with state that users keep themselves', async () => {
    const own = path.join(folder, 'own.toml');
    fs.writeFileSync(own, '[store]\nurl = "user"\n');
    const { code, stderr } = await run([...SOURCE_NOTP, 'host-key', 'init', '--config', own]);
    assert.equal(code, 3);
    assert.match(stderr, /store\.url = "user" has no host key/);
  });
});
