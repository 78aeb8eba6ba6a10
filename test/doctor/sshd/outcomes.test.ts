/** Of hundreds of Match blocks sshd is asked only what can have different answers, and what is not asked has the answer that was given. */
import * as assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { readSshdFiles, patternsOf } from '../../../src/doctor/sshd/files.ts';
import { outcomes } from '../../../src/doctor/sshd/outcomes.ts';
import { askServer } from '../../../src/doctor/sshd/run.ts';
import { installedServer } from '../../../src/doctor/sshd/servers.ts';
import { vantages } from '../../../src/doctor/sshd/vantage.ts';
import { groupsByName } from '../../../src/system/users.ts';
import { addUser, must } from '../../support/world.ts';
import { NEEDS, sshdWorld, wrong, type SshdWorld } from './sshd-world.ts';

const NAMES = ['root', 'daemon', 'games', 'nobody', 'notp-doctor-nobody'];
/** Each has a Match block of their own, but they say the same. */
const SYSTEM = ['daemon', 'games', 'nobody', 'bin', 'sys', 'man'];
const PATTERNS = {
  User: ['root', 'daemon', '!root,*', 'd*,!games', 'games,nobody'],
  Group: ['games', 'root,daemon', '!games,*', 'no*'],
  Address: ['10.0.0.0/8', '10.1.0.0/16,!10.1.2.0/24', '192.168.7.*', '*,!10.0.0.0/8', '2001:db8:77::/48', '10.*.7?8'],
  Host: ['*.example', '!a.example,*.example'],
  LocalPort: ['22', '2222'],
};
const LINES = [
  ...['ForceCommand none', 'ForceCommand /usr/bin/notp gate', 'AuthenticationMethods publickey', 'PasswordAuthentication no'],
  ...['PasswordAuthentication yes', 'KbdInteractiveAuthentication no', 'AllowTcpForwarding no', 'DisableForwarding yes', 'Banner none'],
  ...['AcceptEnv LANG', 'AcceptEnv FOO', 'SetEnv A=b', 'AllowUsers root', 'AllowGroups games', 'PermitRootLogin no', 'LogLevel DEBUG'],
  ...['X11Forwarding yes', 'PermitOpen any', 'MaxAuthTries 3', 'AuthorizedKeysFile none', 'UnusedConnectionTimeout none'],
];

const criterion = fc
  .constantFrom(...Object.entries(PATTERNS))
  .chain(([name, patterns]) => fc.constantFrom(...patterns).map((pattern) => `${name} ${pattern}`));
const block = fc
  .tuple(
    fc.oneof(
      { weight: 8, arbitrary: fc.uniqueArray(criterion, { minLength: 1, maxLength: 2, selector: (each) => each.split(' ')[0] }) },
      fc.constant(['all']),
    ),
    fc.array(fc.constantFrom(...LINES), { minLength: 1, maxLength: 3 }),
  )
  .map(([criteria, lines]) => [`>Match ${criteria.join(' ')}`, ...lines.map((line) => `>  ${line}`)]);

describe('questions that sshd answers alike', { skip: NEEDS }, () => {
  let world: SshdWorld;
  before(() => {
    world = sshdWorld();
  });

  it('are found by the lines of Match blocks, and sshd says the same to each of them', async () => {
    let saved = 0;
    const property = fc.asyncProperty(
      fc.array(fc.constantFrom(...LINES), { maxLength: 2 }),
      fc.array(block, { minLength: 1, maxLength: 6 }),
      async (lines, blocks) => {
        const file = world.write([...lines, ...blocks.flat()]);
        const { criteria, blocks: read } = readSshdFiles(file);
        const server = installedServer(file);
        assert.ok(read !== undefined && server !== undefined);
        const from = vantages(criteria, { ports: [22], own: [] });
        const groups = groupsByName(NAMES);
        const numbers = outcomes(
          read,
          NAMES.map((name) => ({ name, groups: groups.get(name) ?? [] })),
          from,
        ).flat();
        const questions = NAMES.flatMap((user) => from.map((vantage) => ({ user, vantage })));
        const answers = await askServer(server, { version: undefined, keyOptions: [] }, questions, () => undefined);
        if ('refused' in answers) assert.fail(answers.refused);
        const told = new Map<number, unknown>();
        for (const [i, number] of numbers.entries()) {
          // Equal answers are one object.
          assert.equal(told.get(number) ?? answers[i], answers[i], JSON.stringify(questions[i]));
          told.set(number, answers[i]);
        }
        saved += questions.length - told.size;
      },
    );
    await fc.assert(property, { numRuns: 10 });
    assert.ok(saved > 0);
  });

  it('are asked once: 100 users, 100 groups and 100 networks were tens of thousands of questions', async () => {
    const [user, other] = [addUser(), addUser()];
    must(['usermod', '--append', '--groups', 'games', other.name]);
    const hundred = Array.from({ length: 100 }, (_, i) => String(i));
    const lines = [
      ...hundred.flatMap((i) => [`>Match User ${SYSTEM[Number(i)] ?? `notp-test-none${i}`}`, '>  X11Forwarding no']),
      ...hundred.flatMap((i) => [`>Match Group ${i === '50' ? 'games' : `notp-test-none${i}`}`, '>  PasswordAuthentication no']),
      ...hundred.flatMap((i) => [`>Match Address 10.${i}.0.0/16`, `>  ${i === '70' ? 'ForceCommand none' : 'PasswordAuthentication no'}`]),
    ];
    const file = world.write(lines, 'gate');
    const { asked, findings } = await world.examine(file, { names: [user.name, other.name, ...SYSTEM] });
    const from = vantages(readSshdFiles(file).criteria, { ports: [22], own: [] });
    assert.ok(from.length > 100 && patternsOf(readSshdFiles(file).criteria, 'group').length === 100);
    assert.ok(asked < 12, String(asked));
    assert.deepEqual(wrong(findings).filter((each) => each.startsWith('FC14')).length, SYSTEM.length + 2);
  });
});
