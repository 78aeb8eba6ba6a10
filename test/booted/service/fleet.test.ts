/** The service of a booted host whose store is a PostgreSQL server: on a socket as it is, and over the network with what is installed for it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacksPostgres, PASSWORD, ROLE } from '../../support/postgres.ts';
import { ROOT } from '../../support/process.ts';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, SERVICE_NEEDS, type Phone, type ServiceWorld } from './world.ts';

const PORT = 5999;
const SOCKET = '/run/pg';
const DROP_IN = 'fleet-store.conf';

describe('the service with the store of a fleet', { skip: lacksPostgres() === false ? lacks(SERVICE_NEEDS) : lacksPostgres() }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('fleet');
    await startServer(world);
    alice = await world.addUser('alice');
    await configure(`url = "postgres://${ROLE}@:${String(PORT)}/notp?host=${SOCKET}"`);
    await world.container.must(['notp', 'store', 'migrate']);
    phone = await world.enroll(alice, ['--recovery', '16']);
  });

  async function configure(store: string): Promise<void> {
    const file = world.outside('/etc/notp/store.password');
    if (!fs.existsSync(file)) {
      fs.writeFileSync(file, `${PASSWORD}\n`, { mode: 0o400 });
      await world.container.must(['chown', 'notp:', '/etc/notp/store.password']);
    }
    await world.configure(`[store]\n${store}\n`);
  }
  const asServer = (...words: readonly string[]): Promise<string> =>
    world.container.must(['sh', '-c', words.join(' ')], { as: 'postgres', cwd: '/' });

  it('decides at a socket: a code once, and a record each', async () => {
    const code = await phone.code();
    assert.equal((await world.login(alice, code)).stdout, 'alice\n');
    const again = await world.login(alice, code);
    assert.match(again.stderr, /already used/);
    assert.equal((await world.recordOf(again))?.reason, 'replayed');
    await world.container.must(['notp', 'audit', 'verify']);
  });

  it('refuses in bounded time where the server is killed, and decides again when it is back, without anybody touching the service', async () => {
    await asServer(`kill -9 $(head -1 /var/lib/pg/postmaster.pid)`);
    const refused = await world.login(alice, phone.recoveryCode());
    assert.equal(refused.code, 1, refused.stdout);
    assert.match((await world.recordOf(refused))?.detail ?? '', /^postgres:\/\//);
    await restart();
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
    await world.container.must(['notp', 'audit', 'verify']);
  });

  it('reaches a server over the network only with what is installed for it', async () => {
    await configure(`url = "postgres://${ROLE}@127.0.0.1:${String(PORT)}/notp"\nca_file = "/etc/notp/store.pem"`);
    fs.writeFileSync(world.outside('/etc/notp/store.pem'), fs.readFileSync(world.outside('/var/lib/pg/server.crt')), { mode: 0o644 });
    const refused = await world.login(alice, phone.recoveryCode());
    assert.match((await world.recordOf(refused))?.detail ?? '', /127\.0\.0\.1/);
    const folder = world.outside('/etc/systemd/system/notp@.service.d');
    fs.mkdirSync(folder);
    fs.copyFileSync(path.join(ROOT, 'systemd', DROP_IN), path.join(folder, DROP_IN));
    await world.container.must(['systemctl', 'daemon-reload']);
    await world.container.must(['systemctl', 'stop', 'notp@*.service']);
    assert.equal((await world.login(alice, phone.recoveryCode())).stdout, 'alice\n');
  });

  it('lets in who is approved while the server is away, on the copy that the timer brings up to date, and reports it by itself', async () => {
    const [url, ca] = [`url = "postgres://${ROLE}@127.0.0.1:${String(PORT)}/notp"`, 'ca_file = "/etc/notp/store.pem"'];
    await configure([url, ca, 'outage = "local"'].join('\n'));
    await world.container.must(['notp', 'store', 'approve', '--user', 'alice']);
    await world.container.must(['systemctl', 'enable', '--now', 'notp-store-refresh.timer']);
    await world.container.must(['systemctl', 'start', 'notp-store-refresh.service']);
    await asServer(`kill -9 $(head -1 /var/lib/pg/postmaster.pid)`);
    const alone = await world.login(alice, await phone.code());
    assert.match(alone.stderr, /two/);
    const used = phone.recoveryCode();
    assert.equal((await world.login(alice, used)).stdout, 'alice\n');
    assert.match((await world.login(alice, used)).stderr, /already used/);
    await restart();
    await world.container.must(['systemctl', 'start', 'notp-store-refresh.service']);
    const again = await world.login(alice, used);
    assert.match(again.stderr, /already used/);
    const ref = /\(ref ([0-9a-f]{8})\)/.exec(again.stderr)?.[1] ?? '';
    // Wherever it was decided: the service goes on with the copy for a while.
    assert.match(await world.container.must(['notp', 'audit', '--ref', ref]), /"reason":"replayed"/);
    for (const more of [[], ['--outage']]) await world.container.must(['notp', 'audit', 'verify', ...more]);
    const told = await world.container.must(['notp', 'audit', '--user', 'alice', '--event', 'login.accepted', '-n', '1', '--json']);
    assert.match(told, /"method":"recovery".*"outage":"20/);
  });

  async function restart(): Promise<void> {
    await asServer(`rm -f /var/lib/pg/postmaster.pid && ${BIN}/pg_ctl -D /var/lib/pg -w -l /var/lib/pg/log start`);
  }

  async function startServer({ container }: ServiceWorld): Promise<void> {
    await container.must(['install', '-d', '-o', 'postgres', '/var/lib/pg', SOCKET]);
    await asServer(
      `${BIN}/initdb -D /var/lib/pg --auth-local=scram-sha-256 --auth-host=scram-sha-256 --no-sync --pwfile=/dev/stdin -E UTF8 --locale=C`,
      '<<END\nsecret\nEND',
    );
    await asServer(
      'openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1',
      '-keyout /var/lib/pg/server.key -out /var/lib/pg/server.crt 2>/dev/null',
    );
    const lines = [`port = ${String(PORT)}`, `unix_socket_directories = '${SOCKET}'`, 'ssl = on', 'fsync = off'];
    fs.appendFileSync(world.outside('/var/lib/pg/postgresql.conf'), `${lines.join('\n')}\n`);
    await restart();
    const sql = `CREATE ROLE ${ROLE} LOGIN PASSWORD '${PASSWORD.replaceAll("'", "''")}'`;
    const psql = ['psql', '-h', SOCKET, '-p', String(PORT), '-U', 'postgres', '-d', 'postgres', '-qX', '-v', 'ON_ERROR_STOP=1'];
    const options = { environment: { PGPASSWORD: 'secret' } };
    await container.must([...psql, '-c', sql], options);
    await container.must([...psql, '-c', `CREATE DATABASE notp OWNER ${ROLE}`], options);
  }
});

/** Where Debian has the programs of the server. */
const BIN = '$(ls -d /usr/lib/postgresql/*/bin | tail -1)';
