/** Two hosts, each in a network of its own with its own sshd, and one PostgreSQL that both reach over the network: real logins. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { before, describe, it } from 'node:test';
import { networkHost, type NetworkHost } from '../support/network.ts';
import { lacksPostgres, startPostgres } from '../support/postgres.ts';
import type { Terminal } from '../support/process.ts';
import type { Sshd } from '../support/sshd.ts';
import { addUser, installNotp, lacks, must, SOURCE_NOTP, type TestUser } from '../support/world.ts';
import { LONG, report } from '../trials/trial.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import { codeLine, startPamSshd, succeed, type PamWorld } from './pam-world.ts';

const ROUNDS = LONG ? 200 : 12;
/** Each round has one refusal, which costs a try. */
const MANY_TRIES = '[policy]\nbudget = 100\nrefill = "1s"';
const METHODS = 'publickey,keyboard-interactive:pam';
const ONE_PROMPT = ['-tt', '-o', 'NumberOfPasswordPrompts=1'];
const NEEDS = { root: true, programs: ['sshd', 'ssh', 'oathtool', 'openssl', 'python3', 'ip'] } as const;

interface Host {
  readonly world: PamWorld;
  readonly sshd: Sshd;
}

describe('two hosts with an sshd each', { skip: lacksPostgres() === false ? lacks(NEEDS) : lacksPostgres() }, () => {
  let hosts: readonly [Host, Host];
  let user: TestUser;
  const secret = randomBytes(20).toString('hex');

  before(async () => {
    const networks = [networkHost(71), networkHost(72)] as const;
    const server = await startPostgres(
      'sshd',
      [],
      networks.map(({ gateway }) => gateway),
    );
    server.createDatabase(FLEET_DATABASE);
    const hostKey = randomBytes(32);
    user = addUser();
    const host = async (name: string, network: NetworkHost): Promise<Host> => {
      const world = await fleetHost(server, name, { hostKey, top: 'secrets = "store"', tables: MANY_TRIES, address: network.gateway });
      const checker = `${installNotp(world.folder)} pam --config ${world.config}`;
      return { world, sshd: await startPamSshd(world.folder, [codeLine(checker), 'auth required pam_permit.so'], METHODS, network) };
    };
    hosts = [await host('one', networks[0]), await host('two', networks[1])];
  });

  /** A code that counts, so that each round has one of its own without waiting for the clock. */
  async function importSecret(): Promise<void> {
    const [{ world }] = hosts;
    const users = `${world.folder}/users.oath`;
    fs.writeFileSync(users, `HOTP/E\t${user.name}\t-\t${secret}\t0\n`, { mode: 0o600 });
    await succeed([...SOURCE_NOTP, 'import', '--from', 'pam-oath', '--file', users, '--replace', '--config', world.config]);
  }

  const code = (counter: number): string => must(['oathtool', '--hotp', '-c', String(counter), secret]).trim();
  // Both hosts have one home here, so the keys of both are put into it.
  const atPrompt = async ({ sshd }: Host): Promise<Terminal> => {
    sshd.authorize(user);
    const terminal = sshd.sshInTerminal(user, ['echo', 'in=$((6*7))'], ONE_PROMPT);
    await terminal.expect(/Password: /);
    return terminal;
  };

  it('refuse at once on one whom the other has revoked, at a prompt that was open already', async () => {
    await importSecret();
    const [one, two] = hosts;
    const open = await atPrompt(two);
    await succeed([...SOURCE_NOTP, 'revoke', '--user', user.name, '--yes', '--config', one.world.config]);
    open.send(`${code(0)}\r`);
    assert.notEqual(await open.exited, 0);
    assert.equal(two.world.lastRecord().reason, 'revoked');
  });

  it(`let one code in once, though it is typed on both at the same instant, ${String(ROUNDS)} times`, async () => {
    await importSecret();
    let failed = 0;
    for (let i = 0; i < ROUNDS; i++) {
      const [one, two] = [await atPrompt(hosts[0]), await atPrompt(hosts[1])];
      for (const terminal of [one, two]) terminal.send(`${code(i)}\r`);
      const codes = await Promise.all([one.exited, two.exited]);
      if (codes.filter((each) => each === 0).length !== 1) failed++;
      for (const [k, terminal] of [one, two].entries()) assert.equal(/in=42/.test(terminal.output()), codes[k] === 0, terminal.output());
    }
    report({ part: 'fleet', tried: 'one code typed at two hosts of a fleet at the same instant', times: ROUNDS, failed });
    assert.equal(failed, 0);
    for (const { world } of hosts) await succeed([...SOURCE_NOTP, 'audit', 'verify', '--config', world.config]);
  });
});
