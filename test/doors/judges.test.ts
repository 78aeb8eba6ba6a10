/** Two judges and two members: the members hold nothing, and their doors let in whom the judges accept. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { lacksPostgres, startPostgres } from '../support/postgres.ts';
import { run, sleep, type Ran } from '../support/process.ts';
import {
  addUser,
  builtNotp,
  lacks,
  must,
  oathCode,
  runAs,
  SOURCE_NOTP,
  untilFreshStep,
  type Enrolled,
  type TestUser,
} from '../support/world.ts';
import { FLEET_DATABASE, fleetHost } from './fleet-world.ts';
import {
  authority,
  certify,
  fleetJudge,
  fleetLines,
  fleetMember,
  install,
  linesOf,
  overLongAgo,
  type FleetJudge,
  type Member,
} from './judges-world.ts';
import type { PamWorld } from './pam-world.ts';

/** The program where every user can run it. */
function builtAt({ folder }: Member): string {
  return path.join(folder, 'bin/notp');
}

const needs = lacks({ root: true, programs: ['oathtool', 'openssl', 'python3', 'setpriv', 'unshare'] });
/** Far more than a silent judge may cost, and far less than the deadline of an answer. */
const SOON_MS = 5_000;

describe('members of a fleet with two judges', { skip: lacksPostgres() === false ? needs : lacksPostgres() }, () => {
  let ca: string;
  let hosts: readonly [PamWorld, PamWorld];
  let judges: readonly [FleetJudge, FleetJudge];
  let web1: Member;
  let web2: Member;
  let user: TestUser;
  let phone: Enrolled;
  const recovery = (): string => {
    const [first = '', ...rest] = phone.recovery;
    phone = { ...phone, recovery: rest };
    return first;
  };

  const member = async (name: string): Promise<Member> => {
    const made = fleetMember(
      name,
      judges.map(({ port }) => port),
    );
    certify(ca, name, made.folder);
    await made.startJudge();
    return made;
  };

  before(async () => {
    ca = authority('judges');
    const server = await startPostgres('judges');
    server.createDatabase(FLEET_DATABASE);
    const hostKey = randomBytes(32);
    const top = 'secrets = "store"\n';
    const rule = '[[rule]]\nhosts = ["web2"]\nservices = ["su"]\nask = "refuse"\n';
    const made: PamWorld[] = [];
    for (const name of ['judge1', 'judge2']) {
      const folder = path.join(server.folder, `${name}-tls`);
      must(['mkdir', '-m', '755', folder]);
      certify(ca, 'localhost', folder, ['--judge']);
      made.push(await fleetHost(server, name, { hostKey, top, tables: `${fleetLines(folder)}${rule}` }));
    }
    const [one, two] = made;
    assert.ok(one !== undefined && two !== undefined);
    hosts = [one, two];
    judges = [await fleetJudge(one.config), await fleetJudge(two.config)];
    for (const each of judges) await each.start();
    web1 = await member('web1');
    web2 = await member('web2');
    user = addUser();
    phone = await one.enroll(user);
    await web2.startFor(user);
  });

  const recorded = (): Record<string, unknown>[] => hosts.flatMap(({ folder }) => linesOf(`${folder}/log/audit.log`));
  const recordOf = (ran: Ran): Record<string, unknown> => {
    const ref = /\(ref ([0-9a-f]{8})\)/.exec(ran.stdout + ran.stderr)?.[1];
    const found = recorded().find((each) => each['ref'] === ref);
    assert.ok(found !== undefined, ran.stdout + ran.stderr);
    return found;
  };

  it('let in at both doors, and take a code once on all of them', async () => {
    await untilFreshStep(10);
    const code = oathCode(phone.secret);
    const first = await web1.pam(user, code);
    assert.equal(first.code, 0, first.stdout + first.stderr + judges[0].stderr());
    const again = await web2.pam(user, code);
    assert.equal(again.code, 1);
    const record = recordOf(again);
    assert.deepEqual([record['reason'], record['host'], record['door']], ['replayed', 'web2', 'pam']);
    const atGate = await web2.gate(user, recovery());
    assert.deepEqual([atGate.code, atGate.stdout], [0, 'in\n'], atGate.stderr);
    const accepted = recorded().filter(({ event }) => event === 'login.accepted');
    assert.deepEqual(
      accepted.map(({ host, door }) => [host, door]),
      [
        ['web1', 'pam'],
        ['web2', 'gate'],
      ],
    );
    assert.deepEqual([...web1.records(), ...web2.records()], [], 'members keep no log of what judges decide');
  });

  it('are hosts of the rules by the names in their certificates', async () => {
    const environment = { PAM_SERVICE: 'su' };
    const refused = await web2.pam(user, recovery(), environment);
    assert.equal(refused.code, 1);
    assert.equal(recordOf(refused)['reason'], 'not_permitted');
    assert.equal((await web1.pam(user, recovery(), environment)).code, 0);
  });

  const metrics = async (): Promise<{ readonly code: number | null; readonly up: readonly string[] }> => {
    // Nothing of it comes into this machine's own /var/lib.
    const script = 'mount -t tmpfs none /var/lib && exec "$@"';
    const { code, stdout } = await run([
      'unshare',
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      ...SOURCE_NOTP,
      'metrics',
      '--config',
      web1.config,
    ]);
    return { code, up: stdout.split('\n').filter((line) => line.startsWith('notp_up')) };
  };

  it('have metrics of the parts that they have, and no store or key that could not be read', async () => {
    const up = ['log', 'judges', 'doctor'].map((part) => `notp_up{part="${part}"} 1`);
    assert.deepEqual(await metrics(), { code: 0, up });
  });

  it('enrol, revoke and list nobody: that is done on a judge', async () => {
    for (const words of [
      ['enroll', '--user', user.name, '--no-confirm', '--replace'],
      ['revoke', '--user', user.name, '--yes'],
      ['fleet'],
      ['audit', 'verify'],
    ]) {
      const ran = await run([builtNotp(), ...words, '--config', web1.config]);
      assert.notEqual(ran.code, 0, words.join(' '));
      assert.match(
        ran.stderr,
        /this host is a member of a fleet, and holds nothing: its judges do\n.*an administrator does this on localhost/,
        words.join(' '),
      );
    }
    const own = await runAs(user, [builtAt(web2), 'status', '--config', web2.config]);
    assert.match(own.stderr, /its judges do\n.*an administrator does this on localhost/);
    const setup = await run([builtNotp(), 'setup', 'sudo', '--config', web1.config]);
    assert.match(setup.stderr, /only its judges know who would be locked out/);
    assert.equal((await web1.pam(user, recovery())).code, 0);
  });

  const quickly = async (at: Member): Promise<void> => {
    const startMs = Date.now();
    const ran = await at.pam(user, recovery());
    assert.equal(ran.code, 0, ran.stdout);
    assert.ok(Date.now() - startMs < SOON_MS, `it took ${String(Date.now() - startMs)} ms`);
  };

  it('go on with the other judge at once where one is killed, hangs or is back', async () => {
    const [one, two] = judges;
    one.child().kill('SIGKILL');
    await quickly(web1);
    await one.start();
    two.child().kill('SIGSTOP');
    await quickly(web1);
    two.child().kill('SIGCONT');
  });

  it('refuse where no judge answers, with a line in their own log', async () => {
    for (const each of judges) each.child().kill('SIGKILL');
    const { code, up } = await metrics();
    assert.deepEqual([code, up.filter((line) => line.endsWith(' 0'))], [3, ['notp_up{part="judges"} 0']]);
    const refused = await web1.pam(user, recovery());
    assert.equal(refused.code, 1);
    const [line] = web1.records();
    assert.deepEqual([line?.['event'], line?.['reason'], line?.['user']], ['login.refused', 'store_unavailable', user.name]);
    assert.match(String(line?.['detail']), /^no judge answers: localhost:\d+: .*ECONNREFUSED/);
    assert.match(refused.stdout, new RegExp(String(line?.['ref'])));
    for (const each of judges) await each.start();
    assert.equal((await web1.pam(user, recovery())).code, 0);
  });

  it('are not answered with a certificate that is over, of another authority, or revoked', async () => {
    phone = await hosts[0].enroll(user);
    const web3 = await member('web3');
    const isIn = async (at: Member): Promise<boolean> => (await at.pam(user, recovery())).code === 0;
    assert.ok(await isIn(web3));
    const fleet = (words: readonly string[]): string => must([builtNotp(), 'fleet', ...words, '--config', hosts[1].config]);
    assert.match(fleet(['--json']), /"host":"web3","certificate_until":"20/);
    fleet(['revoke', 'WEB3']);
    await sleep(1_100);
    assert.equal(await isIn(web3), false);
    assert.match(fleet([]), /^web3 +certificate ends in 2 months, last seen just now, certificates from before .* revoked$/m);
    assert.ok(await isIn(web1), 'the others go on');
    certify(ca, 'web3', web3.folder);
    assert.ok(await isIn(web3), 'a certificate that was made afterwards counts');

    const old = fleetMember(
      'web4',
      judges.map(({ port }) => port),
    );
    await old.startJudge();
    overLongAgo(ca, 'web4');
    install(ca, 'web4', old.folder);
    assert.equal(await isIn(old), false);
    const other = authority('others');
    certify(other, 'web4', old.folder);
    assert.equal(await isIn(old), false, 'it does not trust the judges either');
    must(['cp', path.join(ca, 'ca.crt'), path.join(old.folder, 'tls-ca.crt')]);
    assert.equal(await isIn(old), false);
    certify(ca, 'web4', old.folder);
    assert.ok(await isIn(old));
    for (const { config } of hosts) must([builtNotp(), 'audit', 'verify', '--config', config]);
  });
});
