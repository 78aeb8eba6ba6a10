/** A source that needs no code for a while, at notp and at pam_google_authenticator, when the clock was wrong. pam_oath trusts none. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { startService } from '../doors/serve-world.ts';
import { startSshd, type Sshd } from '../support/sshd.ts';
import { compare } from '../trials/trial.ts';
import { NEEDS, peersWorld, stack, type PeersWorld } from './peers-world.ts';

const TEN_HOURS = 36_000;
const RHOST = '192.0.2.7';

describe('an address that was trusted for an hour while the clock was ten hours ahead', { skip: NEEDS }, () => {
  let world: PeersWorld;
  let sshd: Sshd;
  before(async () => {
    world = await peersWorld('peers-trust');
    sshd = await trustingSshd(world);
  });

  /** A login by ssh with `code`, and one without any. */
  const gate = async (code: string): Promise<boolean> => {
    const { stdout } = await sshd.ssh(world.user, ['echo', 'in'], {
      environment: { LC_NOTP: code },
      sshOptions: ['-o', 'SendEnv=LC_NOTP'],
    });
    return stdout === 'in\n';
  };

  it('is asked for a code once the clock is right', async () => {
    const grace = stack(`${world.lines.google} grace_period=3600`);
    const google = async (code: string): Promise<boolean> => await world.lets(grace, code, { rhost: RHOST });
    world.wait(TEN_HOURS);
    for (const lets of [gate, google]) {
      assert.equal(await lets(''), false, 'before any code');
      assert.equal(await lets(world.code()), true);
      assert.equal(await lets(''), true, 'in that hour');
    }
    world.wait(-TEN_HOURS);
    const [notp, peer] = [await gate(''), await google('')].map((trusted) => (trusted ? 'not asked' : 'asked for a code'));
    const cells = { notp: notp ?? '', google: peer ?? '', oath: 'trusts none' };
    compare({ row: '5', attack: 'trust for an hour, given while the clock was ten hours ahead: a login once it is right', ...cells });
    assert.equal(cells.notp, 'asked for a code');
  });
});

/** sshd that forces the gate, and the service with the clock of the world. */
async function trustingSshd({ pam, command, user, environment }: PeersWorld): Promise<Sshd> {
  const [config, run] = ['gate.toml', 'run'].map((name) => path.join(pam.folder, name)) as [string, string];
  fs.writeFileSync(
    config,
    `socket = "${run}/%U.sock"\n${fs.readFileSync(pam.config, 'utf8')}[gate]\nsame_connection = false\n[[rule]]\nask = "code"\nremember = "1h"\n`,
  );
  fs.mkdirSync(run, { mode: 0o755 });
  // It stays, and so looks at the clock each time.
  const clocked = ['/usr/bin/env', 'FAKETIME_NO_CACHE=1', ...Object.entries(environment).map(([key, value]) => `${key}=${value}`)];
  const words = [...clocked, ...command, 'serve', String(user.uid), '--config', config];
  await startService({ service: pam.service, uid: user.uid, socket: path.join(run, `${String(user.uid)}.sock`), words });
  const gate = `ForceCommand ${command.join(' ')} gate --config ${config}`;
  const sshd = await startSshd(pam.folder, [gate, 'AcceptEnv LC_*', 'ExposeAuthInfo yes', 'UsePAM no']);
  sshd.authorize(user);
  return sshd;
}
