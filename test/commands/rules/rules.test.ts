/** `notp rules`, `notp rules explain` and `notp config check`: what they say about rules, right and wrong ones. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { run, type Ran } from '../../support/process.ts';
import { lacks, scratchFolder, SOURCE_NOTP } from '../../support/world.ts';

const RULES = `[[rule]]
users = ["root"]
from = ["10.0.0.0/8"]
ask = "code"
remember = "12h"

[[rule]]
services = ["sudo"]
ask = "nothing"
reason = "ticket OPS-12"

[[rule]]
users = ["@root"]
keys = ["ssh-rsa"]
ask = "refuse"
`;

describe('the commands about rules', { skip: lacks({ root: true, programs: ['getent', 'id'] }) }, () => {
  let file: string;
  before(() => {
    file = path.join(scratchFolder('rules'), 'notp.toml');
  });
  const notp = async (text: string, ...words: string[]): Promise<Ran> => {
    fs.writeFileSync(file, text, { mode: 0o644 });
    return await run([...SOURCE_NOTP, ...words, '--config', file]);
  };

  const explain = async (...words: string[]): Promise<string[]> =>
    (await notp(RULES, 'rules', 'explain', 'root', ...words)).stdout.trimEnd().split('\n');

  it('list them in words, and say which refuse what sudo does not tell', async () => {
    const { stdout, stderr } = await notp(RULES, 'rules');
    assert.deepEqual(stdout.split('\n'), [
      'line 1: root from 10.0.0.0/8: a code, which counts for 12h with the same key and address',
      'line 7: everybody at sudo: no code (ticket OPS-12)',
      'line 12: @root with a key of type ssh-rsa: refused',
      'otherwise: a code',
      '',
    ]);
    assert.match(stderr, /hint: "refused" also holds where the address or key is unknown, as at sudo/);
    assert.equal((await notp('', 'rules')).stdout, 'everybody: a code\n');
  });

  it('list them as JSON', async () => {
    const { stdout } = await notp(RULES, 'rules', '--json');
    const [first, second] = stdout.split('\n').map((line) => (line === '' ? undefined : (JSON.parse(line) as unknown)));
    assert.deepEqual(first, { line: 1, ask: 'code', users: ['root'], from: ['10.0.0.0/8'], remember_seconds: 43_200 });
    assert.deepEqual(second, { line: 7, ask: 'nothing', services: ['sudo'], reason: 'ticket OPS-12' });
  });

  it('explain which decides, and why each earlier one does not fit', async () => {
    assert.deepEqual(await explain('--from', '::ffff:10.1.2.3'), [
      'line 1: decides: fits root from 10.0.0.0/8',
      'root at sshd: a code, which counts for 12h with the same key and address',
    ]);
    assert.deepEqual(await explain('--from', '192.0.2.7', '--service', 'sudo'), [
      'line 1: does not fit: 192.0.2.7 is not in 10.0.0.0/8',
      'line 7: decides: fits everybody at sudo',
      'root at sudo: no code (ticket OPS-12)',
    ]);
    assert.deepEqual(await explain('--service', 'sudo'), [
      'line 1: decides: perhaps fits, so it asks for a code, and adds nothing to it: the address is unknown',
      'line 7: fits everybody at sudo',
      'root at sudo: a code',
    ]);
    assert.deepEqual(await explain('--from', '192.0.2.7', '--key', 'none'), [
      'line 1: does not fit: 192.0.2.7 is not in 10.0.0.0/8',
      'line 7: does not fit: sshd is not in sudo',
      'line 12: does not fit: no key is not in ssh-rsa',
      'root at sshd: a code, since no rule fits',
    ]);
    assert.deepEqual((await explain('--from', '192.0.2.7')).slice(2), [
      'line 12: decides: perhaps fits, so it refuses all the same: the type of the key is unknown',
      'root at sshd: refused',
    ]);
  });

  it('explain as JSON', async () => {
    const { stdout } = await notp(RULES, 'rules', 'explain', 'root', '--json', '--from', '192.0.2.7', '--key', 'ssh-rsa');
    const { ask, line, user, rules } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([ask, line, user], ['refuse', 12, 'root']);
    assert.deepEqual(rules, [
      { line: 1, ask: 'code', fits: 'no', because: { from: 'no' } },
      { line: 7, ask: 'nothing', fits: 'no', because: { services: 'no' } },
      { line: 12, ask: 'refuse', fits: 'yes', because: {} },
    ]);
  });

  it('explain nothing about nobody, or from no address', async () => {
    assert.equal((await notp(RULES, 'rules', 'explain', 'no-such-user')).code, 2);
    assert.equal((await notp(RULES, 'rules', 'explain', 'root', '--from', 'web1')).code, 2);
  });

  it('check the configuration before a login does', async () => {
    assert.deepEqual(await notp(RULES, 'config', 'check'), {
      code: 0,
      signal: null,
      stdout: `${file}: no mistake found; rules: 3\n`,
      stderr: '',
    });
    const strangers = await notp('[[rule]]\nusers = ["no-such-user", "@no-such-group", "root"]\nask = "code"\n', 'config', 'check');
    assert.equal(strangers.code, 0);
    assert.match(strangers.stderr, /hint: \S+:1: there is no user "no-such-user" here.*\n.*there is no group "no-such-group" here/);
    const wrong = await notp('[[rule]]\nask = "nothing"\n', 'config', 'check');
    assert.equal(wrong.code, 3);
    assert.match(wrong.stderr, /^notp: error: \S+notp\.toml:2: a rule with ask = "nothing" must say why\nnotp: hint: reason = /);
  });
});
