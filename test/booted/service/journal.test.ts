/** The service's records in the journal carry its unit, which nobody else can write there. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { lacks, type TestUser } from '../../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './world.ts';

/** One entry of `journalctl --output=json`. */
type Entry = Readonly<Record<string, string>>;

describe('the journal', { skip: lacks({ ...SERVICE_NEEDS, programs: [...SERVICE_NEEDS.programs, 'logger'] }) }, () => {
  let world: ServiceWorld;
  let alice: TestUser;
  let phone: Phone;

  before(async () => {
    world = await bootService('journal');
    alice = await world.addUser('alice');
    phone = await world.enroll(alice);
  });

  async function entries(...matches: string[]): Promise<readonly Entry[]> {
    await world.container.must(['journalctl', '--sync']);
    const lines = await world.container.must(['journalctl', '--no-pager', '--output=json', ...matches]);
    return lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Entry]));
  }

  it("holds each record of the service, with the unit of that user's instance", async () => {
    assert.equal((await world.login(alice, phone.recoveryCode())).code, 0);
    const accepted = await world.lastLogin();
    const refused = await world.login(alice, '000000');
    const unit = `notp@${String(alice.uid)}.service`;
    const records = await world.records();
    for (const [login, priority] of [
      [accepted, '6'],
      [await world.recordOf(refused), '5'],
    ] as const) {
      const ref = login?.ref ?? 'none';
      const [entry, ...more] = (await entries(`_SYSTEMD_UNIT=${unit}`)).filter(
        ({ MESSAGE = '' }) => MESSAGE.includes(`"ref":"${ref}"`) && MESSAGE.includes('"event":"login.'),
      );
      assert.deepEqual(more, []);
      assert.deepEqual([entry?.['SYSLOG_IDENTIFIER'], entry?.['PRIORITY']], ['notp', priority]);
      assert.deepEqual(
        JSON.parse(entry?.['MESSAGE'] ?? ''),
        records.find((record) => record.ref === ref),
      );
      const service = (await world.container.must(['id', '-u', 'notp'])).trim();
      assert.deepEqual([entry?.['_UID'], entry?.['_TRANSPORT']], [service, 'stdout']);
    }
  });

  it('finds what commands have done by the user', async () => {
    await world.container.must(['notp', 'unlock', '--user', 'alice']);
    const [entry] = await entries('NOTP_USER=alice', 'NOTP_EVENT=unlock', '_UID=0');
    assert.equal((JSON.parse(entry?.['MESSAGE'] ?? '{}') as { user?: string }).user, 'alice');
  });

  it('shows the true record and no forged one with the command that notp audit gives where it has none of that reference', async () => {
    const refused = await world.login(alice, '000000');
    const real = await world.recordOf(refused);
    assert.ok(real !== undefined, refused.stderr);
    const { ref } = real;
    const forged = (i: number): string => JSON.stringify({ ...real, event: 'login.accepted', user: `forged${String(i)}` });
    const field = `SYSLOG_IDENTIFIER=notp\n_UID=0\n_SYSTEMD_UNIT=notp@${String(alice.uid)}.service\n`;
    const ways: readonly (readonly [command: string, input: string])[] = [
      ['logger -t notp', `${forged(0)}\n`],
      ['systemd-cat -t notp', `${forged(1)}\n`],
      ['logger --journald', `MESSAGE=${forged(2)}\n${field}`],
    ];
    for (const [i, [command, input]] of ways.entries()) {
      assert.equal((await world.login(alice, phone.recoveryCode(), { words: [command], input })).code, 0);
      const found = await entries('-t', 'notp', '-g', `forged${String(i)}`);
      assert.deepEqual(
        found.map(({ _UID, _SYSTEMD_UNIT = '' }) => [_UID, _SYSTEMD_UNIT.startsWith('notp@')]),
        [[String(alice.uid), false]],
        command,
      );
    }
    // Where the file has lost it, only the journal is left to ask.
    const log = '/var/log/notp/audit.log';
    await world.container.must(['sh', '-c', `cp ${log} /root/kept && : >${log}`]);
    const { code, stderr } = await world.container.run(['notp', 'audit', '--ref', ref]);
    await world.container.must(['sh', '-c', `cat /root/kept >${log}`]);
    assert.equal(code, 1, stderr);
    const [, hint = 'false'] = /search the journal: journalctl (.*)$/m.exec(stderr) ?? [];
    const messages = (await entries(...hint.split(' '))).map(({ MESSAGE }) => JSON.parse(MESSAGE ?? '') as unknown);
    assert.deepEqual(messages, [real]);
  });

  it('holds no code, no secret and no recovery code', async () => {
    const [code, recovery] = [await phone.code(), phone.recoveryCode()];
    for (const proof of [code, recovery]) assert.equal((await world.login(alice, proof)).code, 0);
    const all = (await entries()).map(({ MESSAGE }) => MESSAGE ?? '').join('\n') + JSON.stringify(await world.records());
    for (const secret of [phone.secret, recovery, recovery.replaceAll('-', '')]) assert.equal(all.includes(secret), false);
    assert.doesNotMatch(all, new RegExp(`"[^"]*":"?${code}"`));
  });
});
