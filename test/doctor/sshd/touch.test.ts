/** A rule that asks for no code because of the touch of a device is only as good as sshd's demand for that touch. */
import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import type { Finding } from '../../../src/doctor/finding.ts';
import { letInByTouch } from '../../../src/doctor/let-in.ts';
import { installedServer } from '../../../src/doctor/sshd/servers.ts';
import { examineServer } from '../../../src/doctor/sshd/sshd.ts';
import { examineTouch } from '../../../src/doctor/sshd/touch.ts';
import { defaultConfig } from '../../../src/system/config.ts';
import { userByName, type User } from '../../../src/system/users.ts';
import type { Rule } from '../../../src/verdict/rules.ts';
import { addUser, must } from '../../support/world.ts';
import { NEEDS, sshdWorld, type SshdWorld } from './sshd-world.ts';

const RULE: Rule = { ask: 'nothing', keys: ['sk-*'], reason: 'test', line: 1 };

const KEY = keyLine(3, 'sk-ssh-ed25519@openssh.com');

function keyLine(byte: number, type = 'ssh-ed25519'): string {
  const parts = [Buffer.from(type), Buffer.alloc(32, byte)].flatMap((part) => [Buffer.of(0, 0, 0, part.length), part]);
  return `${type} ${Buffer.concat(parts).toString('base64')}`;
}

describe('the touch of a device', { skip: NEEDS }, () => {
  let world: SshdWorld;
  let user: User;
  before(() => {
    world = sshdWorld();
    const found = userByName(addUser().name);
    assert.ok(found);
    user = found;
    must(['install', '-d', '-o', user.name, path.join(user.home, '.ssh')]);
  });

  const authorize = (...lines: readonly string[]): void => {
    fs.writeFileSync(path.join(user.home, '.ssh/authorized_keys'), lines.map((line) => `${line}\n`).join(''));
  };
  /** Findings for the user, who is enrolled or not. */
  const found = async (lines: readonly string[], { rules = [RULE], isEnrolled = true } = {}): Promise<Finding[]> => {
    const server = installedServer(world.write(lines, 'gate'));
    assert.ok(server);
    const byTouch = letInByTouch({ ...defaultConfig(), rules, store: { kind: 'user' } });
    const hear = { expect: () => undefined, progress: () => undefined };
    const people = [{ user, enrolments: [] }];
    const { findings, perUser } = await examineServer(server, isEnrolled ? people : [], hear, {
      ...{ people: isEnrolled ? [] : people, areRefused: true, covered: new Set<number>(), nowMs: Date.now(), letInByTouch: byTouch },
    });
    const about = { letInByTouch: byTouch, isAsked: () => true };
    return [...findings, ...(await examineTouch(isEnrolled ? people : [], perUser, about))].filter(({ id }) => id === 'touch');
  };
  const told = async (...about: Parameters<typeof found>): Promise<string[]> => (await found(...about)).map(({ severity }) => severity);

  it('is looked at only where a rule goes by it', async () => {
    authorize(`no-touch-required ${KEY}`);
    assert.deepEqual(await told([], { rules: [] }), []);
    assert.deepEqual(await told([], { rules: [{ ...RULE, keys: ['*'] }] }), []);
  });

  it('is in order where sshd requires it, or the PIN of the device, whatever the line of a key says', async () => {
    authorize(`no-touch-required ${KEY}`);
    for (const line of ['touch-required', 'verify-required', 'touch-required verify-required'])
      assert.deepEqual(await told([`PubkeyAuthOptions ${line}`]), ['ok']);
  });

  it('fails where the line of a key or of an authority does without it, and names the line', async () => {
    const file = path.join(user.home, '.ssh/authorized_keys');
    authorize(
      KEY,
      `restrict,no-touch-required ${KEY}`,
      `cert-authority,no-touch-required ${keyLine(4)}`,
      `no-touch-required ${keyLine(5)}`,
    );
    const [finding, ...more] = await found(['PubkeyAuthOptions none']);
    assert.deepEqual(more, []);
    assert.deepEqual([finding?.severity, finding?.fix, finding?.user], ['fail', 'PubkeyAuthOptions touch-required', user.name]);
    assert.equal(finding?.detail, `no-touch-required: ${file}:2, ${file}:3`);
  });

  it('is warned of where no line does without it yet, where the file cannot be read, and of accounts without an enrolment', async () => {
    authorize(KEY, `no-touch-required ${keyLine(5)}`);
    assert.deepEqual(await told([]), ['warn']);
    assert.deepEqual(await told([], { isEnrolled: false }), ['warn']);
    assert.match((await found([], { isEnrolled: false }))[0]?.detail ?? '', new RegExp(`: 1 account without an enrolment: ${user.name}$`));
    assert.deepEqual(await told(['PubkeyAuthOptions touch-required'], { isEnrolled: false }), []);
    fs.chmodSync(path.join(user.home, '.ssh/authorized_keys'), 0);
    assert.deepEqual(await told([]), ['warn']);
    fs.chmodSync(path.join(user.home, '.ssh/authorized_keys'), 0o644);
  });

  it('is judged on each kind of connection, but on none that takes no keys', async () => {
    const inside = ['PubkeyAuthOptions touch-required', '>Match all'];
    assert.deepEqual(await told(['Match Address 10.0.0.0/8', 'PubkeyAuthOptions none', 'Match all', ...inside]), ['warn']);
    const [{ detail } = { detail: '' }] = await found(['Match Address 10.0.0.0/8', 'PubkeyAuthOptions none', 'Match all', ...inside]);
    assert.match(detail, /, from 10\.0\.0\.0$/);
    assert.deepEqual(await told(['PubkeyAuthentication no']), ['ok']);
  });
});
