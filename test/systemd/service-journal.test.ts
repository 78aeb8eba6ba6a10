/** The service's records in the journal carry its unit, which nobody else can write there. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { lacks, type TestUser } from '../support/world.ts';
import { bootService, type Phone, type ServiceWorld, SERVICE_NEEDS } from './service-world.ts';

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
    const refused = await world.login(alice, '000000');
    const unit = `notp@${String(alice.uid)}.service`;
    const records = await world.records();
    for (const { ref } of [await world.lastLogin(), await world.recordOf(refused)].map((record) => record ?? { ref: 'none' })) {
      const [entry, ...more] = (await entries(`_SYSTEMD_UNIT=${unit}`)).filter(({ MESSAGE }) => (MESSAGE ?? '').includes(`"ref":"${ref}"`));
      assert.deepEqual(more, []);
      assert.deepEqual([entry?.['SYSLOG_IDENTIFIER'], entry?.['PRIORITY']], ['notp', '6']);
      assert.deepEqual(
        JSON.parse(entry?.['MESSAGE'] ?? ''),
        records.find((record) => record.ref === ref),
      );
      const service = (await world.container.must(['id', '-u', 'notp'])).trim();
      assert.deepEqual([entry?.['_UID'], entry?.['_TRANSPORT']], [service, 'stdout']);
    }
  });

  it('tells a forged line apart: it has the uid and the unit of who wrote it, and notp audit does not show it', async () => {
    const [real] = (await world.records()).filter(({ event }) => event === 'login.accepted');
    for (const [i, write] of ['logger -t notp', 'systemd-cat -t notp', 'logger -t notp --journald'].entries()) {
      const ref = `f0f0f0f${String(i)}`;
      const forged = JSON.stringify({ ...real, ref });
      const input = write.endsWith('--journald')
        ? `MESSAGE=${forged}\nSYSLOG_IDENTIFIER=notp\n_SYSTEMD_UNIT=notp@${String(alice.uid)}.service\n`
        : `${forged}\n`;
      const command = write === 'logger -t notp --journald' ? 'logger --journald' : write;
      assert.equal((await world.login(alice, phone.recoveryCode(), { words: [command], input })).code, 0);
      const found = (await entries()).filter(({ MESSAGE }) => (MESSAGE ?? '').includes(ref));
      assert.equal(found.length, 1, write);
      assert.deepEqual([found[0]?.['_UID'], found[0]?.['SYSLOG_IDENTIFIER']], [String(alice.uid), 'notp'], write);
      assert.doesNotMatch(found[0]?.['_SYSTEMD_UNIT'] ?? '', /^notp@/, write);
      assert.deepEqual(
        (await world.records()).filter((record) => record.ref === ref),
        [],
      );
    }
  });

  it('holds no code, no secret and no recovery code', async () => {
    const [code, recovery] = [await phone.code(), phone.recoveryCode()];
    for (const proof of [code, recovery]) assert.equal((await world.login(alice, proof)).code, 0);
    const all = (await entries()).map(({ MESSAGE }) => MESSAGE ?? '').join('\n') + JSON.stringify(await world.records());
    for (const secret of [phone.secret, recovery, recovery.replaceAll('-', '')]) assert.equal(all.includes(secret), false);
    assert.doesNotMatch(all, new RegExp(`"[^"]*":"?${code}"`));
  });
});
