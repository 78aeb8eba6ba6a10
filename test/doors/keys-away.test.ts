/** A host that lacks the present key loses nothing of what that key signed, whatever is run or typed there; and all counts again when the key is back. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { lacksPostgres, startPostgres, type Postgres } from '../support/postgres.ts';
import { run, type Ran } from '../support/process.ts';
import { addUser, lacks, SOURCE_NOTP, type Enrolled, type TestUser } from '../support/world.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import { pamWorld, type PamWorld } from './pam-world.ts';

/** The key file of a host gets these keys, the present one first. */
function useKeys({ folder, service }: PamWorld, ...keys: readonly Uint8Array[]): void {
  const file = path.join(folder, 'etc/host.key');
  fs.rmSync(file);
  fs.writeFileSync(file, Buffer.concat(keys), { mode: 0o400 });
  fs.chownSync(file, service.uid, service.gid);
}

const on = ({ config }: PamWorld, ...words: readonly string[]): Promise<Ran> => run([...SOURCE_NOTP, ...words, '--config', config]);

/** Why a login is refused; empty where it is accepted. */
async function login(world: PamWorld, user: TestUser, proof = ''): Promise<string> {
  const { code, stdout } = await world.pam(user.name, proof);
  return code === 0 ? '' : (world.recordIn(stdout).reason ?? stdout);
}

describe('a host of a fleet without the present key', { skip: lacksPostgres() }, () => {
  const [old, fresh] = [randomBytes(32), randomBytes(32)];
  let server: Postgres;
  let here: PamWorld;
  let away: PamWorld;
  let user: TestUser;
  let made: Enrolled;
  beforeEach(async () => {
    server = await startPostgres('keys-away');
    server.createDatabase(FLEET_DATABASE);
    here = await fleetHost(server, 'here', { hostKey: old, top: 'secrets = "store"' });
    away = await fleetHost(server, 'away', { hostKey: old, top: 'secrets = "store"', outage: true });
    user = addUser();
    made = await here.enroll(user);
  });
  const rows = (): string =>
    ['enrolment', 'approved', 'peer', 'connection', 'imported']
      .map((table) => server.sql(`SELECT * FROM notp.${table} ORDER BY 1, 2`, FLEET_DATABASE))
      .join('\n');
  const rotate = async (): Promise<void> => {
    useKeys(here, fresh, old);
    await on(here, 'reseal', '--all');
    useKeys(here, fresh);
  };

  it('changes none of its rows by reseal --all, retire, approve and refresh, and doctor asks for the key', async () => {
    assert.equal((await on(here, 'store', 'approve', '--user', user.name)).code, 0);
    await rotate();
    useKeys(away, old, randomBytes(32));
    const before = rows();
    const doctor = await on(away, 'doctor', '--user', user.name);
    assert.match(doctor.stdout, /sealed by a host key that is not here[^]*bring that key back/);
    assert.doesNotMatch(doctor.stdout, /notp reseal --all/);
    const all = [
      ['reseal', '--all'],
      ['host-key', 'retire', '--yes'],
      ['store', 'refresh'],
      ['store', 'approve', '--user', user.name],
      ['unlock', '--user', user.name],
    ];
    for (const words of all) await on(away, ...words);
    assert.equal(rows(), before);
    assert.equal(await login(here, user, made.recovery[0]), '');
    useKeys(away, fresh, old);
    assert.equal(await login(away, user, made.recovery[1]), '');
  });

  it('keeps what was used in an outage until the key is back, and that code counts nowhere again', async () => {
    assert.equal((await on(away, 'store', 'approve', '--user', user.name)).code, 0);
    assert.equal((await on(away, 'store', 'refresh')).code, 0);
    await server.stop();
    assert.equal(await login(away, user, made.recovery[0]), '', 'in the outage');
    await server.start();
    await rotate();
    const before = rows();
    assert.notEqual(await login(away, user, '000000'), '');
    const refreshed = await on(away, 'store', 'refresh');
    assert.equal(refreshed.code, 1, refreshed.stderr);
    assert.match(refreshed.stderr, /under a host key that is not here/);
    assert.equal(rows(), before);
    useKeys(away, fresh, old);
    assert.equal((await on(away, 'store', 'refresh')).code, 0);
    assert.equal(await login(here, user, made.recovery[0]), 'replayed');
    assert.equal(await login(here, user, made.recovery[1]), '');
  });
});

describe('a host whose key came back from an older backup', { skip: lacks({ root: true }) }, () => {
  it('has all its enrolments again once the present key is found, whatever was repaired meanwhile', async () => {
    const world = await pamWorld('older-key');
    const user = addUser();
    const { recovery } = await world.enroll(user);
    const present = fs.readFileSync(path.join(world.folder, 'etc/host.key'));
    useKeys(world, randomBytes(32), randomBytes(32));
    assert.equal((await on(world, 'audit', 'verify', '--resume')).code, 1);
    assert.equal(await login(world, user, recovery[0]), 'stale_enrolment');
    for (const words of [
      ['reseal', '--all'],
      ['host-key', 'retire', '--yes'],
    ])
      await on(world, ...words);
    useKeys(world, present);
    await on(world, 'audit', 'verify', '--resume');
    assert.equal(await login(world, user, recovery[0]), '');
  });
});
