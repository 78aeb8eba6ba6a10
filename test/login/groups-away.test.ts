/** What rules know of groups where a directory is away, slow or lossy, where an account has several names, and of groups called by a number. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { MAX_NAMES } from '../../src/system/accounts/memberships.ts';
import { MAX_NAMES_BYTES } from '../../src/system/accounts/passwd-file.ts';
import type { Rule } from '../../src/verdict/rules.ts';
import { run } from '../support/process.ts';
import { lacks, must, scratchFolder } from '../support/world.ts';
import type { Host, Told } from './groups-asked.ts';

const NEEDS = { root: true, programs: ['unshare', 'mount', 'ldconfig', 'gcc', 'id', 'getent'] };
const MODULE = path.join(import.meta.dirname, '../support/nss_directory.c');
const PROGRAM = path.join(import.meta.dirname, 'groups-asked.ts');
const HOST = `mount -t tmpfs none "$0/etc"; cp -a /etc/. "$0/etc/" || test -s "$0/etc/passwd"; mount --bind "$0/etc" /etc; mkdir -p /etc/directory
echo "$0" > /etc/ld.so.conf.d/directory.conf; ldconfig -X; sed -i '/^\\(passwd\\|group\\|initgroups\\):/d' /etc/nsswitch.conf`;
const REST: Rule = { ask: 'nothing', line: 2 };
const REFUSED = 'refuse code';
const IN = 'nothing nothing';

describe('the groups of a rule', { skip: lacks(NEEDS) }, () => {
  let folder: string;
  /** What doctor found last, for the rule that refuses and for that which asks for a code. */
  let doctor: string[];
  before(() => {
    folder = scratchFolder('groups');
    must(['mkdir', path.join(folder, 'etc')]);
    must(['gcc', '-shared', '-fPIC', '-o', path.join(folder, 'libnss_directory.so.2'), MODULE]);
  });

  interface Made {
    readonly passwd?: string;
    readonly group?: string;
    readonly nsswitch?: string;
    readonly directory?: Readonly<Record<string, string>>;
    readonly of?: string;
    readonly first?: string;
    readonly times?: number;
  }

  /** What is asked of each of `users` where a rule refuses the group and all others get in, and where it asks for a code. */
  const ask = async (users: readonly string[], made: Made = {}): Promise<string[]> => {
    const { passwd = '', group = '', nsswitch = 'passwd: files\ngroup: files directory\n', directory = {}, of = 'ops', times = 1 } = made;
    const files = {
      '/etc/passwd': `alice:x:31000:31000::/:/bin/sh\nbob:x:31001:31001::/:/bin/sh\n${passwd}`,
      '/etc/group': `alice:x:31000:\nbob:x:31001:\n${group}`,
      '/etc/nsswitch.conf': nsswitch,
      ...{ '/etc/directory/group': 'ops:50001:alice\n' },
      ...Object.fromEntries(Object.entries(directory).map(([name, text]) => [`/etc/directory/${name}`, text])),
    };
    const asked = users.flatMap((user) =>
      (['refuse', 'code'] as const).map((word) => ({ user, rules: [{ ask: word, users: [`@${of}`], line: 1 }, REST], times })),
    );
    const words = ['unshare', '--mount', 'sh', '-ec', `${HOST}\n${made.first ?? ''}\nexec "$@"`, folder, process.execPath, PROGRAM];
    const { code, stdout, stderr } = await run(words, { input: JSON.stringify({ files, asked } satisfies Host), timeoutMs: 120_000 });
    assert.equal(code, 0, stderr);
    const { answers, findings } = JSON.parse(stdout) as Told;
    doctor = findings.slice(0, 2).map((each) => each.join());
    return users.map((_, i) =>
      answers
        .slice(2 * i, 2 * i + 2)
        .map((each) => each.toSorted().join('|'))
        .join(' '),
    );
  };

  it('are known where the directory answers, also that a user has none of it', async () => {
    assert.deepEqual(await ask(['alice', 'bob']), [REFUSED, IN]);
    assert.deepEqual(doctor, ['info', 'info']);
    assert.deepEqual(await ask(['alice', 'bob'], { of: 'bob' }), [IN, REFUSED]);
  });

  for (const [what, made] of [
    ['does not answer', { directory: { down: '' } }],
    ['knows the group, and does not say who is in it', { directory: { noinit: '' } }],
    ['does not answer, and the group is in /etc/group too', { directory: { down: '' }, group: 'ops:x:50001:\n' }],
    ['does not answer, and the group is in /etc/group alone', { directory: { down: '', group: 'none:1:\n' }, group: 'ops:x:50001:\n' }],
    ['is not installed', { nsswitch: 'passwd: files\ngroup: files elsewhere\n', group: 'ops:x:50001:\n' }],
    ['does not answer, and comes first', { nsswitch: 'passwd: files\ngroup: directory files\n', directory: { noinit: '' } }],
    [
      'does not answer, and ends the search',
      { nsswitch: 'passwd: files\ngroup: directory [UNAVAIL=return] files\n', directory: { noinit: '' } },
    ],
    [
      'is one for memberships alone',
      { nsswitch: 'passwd: files\ngroup: files\ninitgroups: files directory\n', group: 'ops:x:50001:\n', directory: { down: '' } },
    ],
    ['is that of a line of "compat"', { nsswitch: 'passwd: files\ngroup: compat\n', group: 'ops:x:50001:\n+:::\n' }],
    ['cannot be known', { nsswitch: 'passwd: files\n', group: 'ops:x:50001:\n' }],
  ] as const satisfies readonly (readonly [string, Made])[]) {
    it(`are unknown where the directory ${what}: members were let in without a code`, async () => {
      assert.deepEqual(await ask(['alice', 'bob'], made), [REFUSED, REFUSED]);
      assert.match(doctor.join(' '), /^(fail,)?fail warn$/);
    });
  }

  it('are unknown, or known, where each answer of the directory is lost as often as not: no member is let in', async () => {
    const [alice = '', bob = ''] = await ask(['alice', 'bob'], { directory: { flap: '' }, times: 60 });
    assert.equal(alice, REFUSED);
    assert.match(bob, /nothing.* .*nothing/, 'the directory may prove that bob is no member');
  });

  it('are all known where a directory takes its time over the names of 250 groups: the first 10 seconds of them counted as all', async () => {
    const others = Array.from({ length: 250 }, (_, i) => `a-group-with-a-longer-name-${String(i)}:${String(60_000 + i)}:alice\n`).join('');
    const directory = { slow: '60', group: `${others}last:60999:alice\n` };
    assert.deepEqual(await ask(['alice', 'bob'], { directory, of: 'last' }), [REFUSED, IN]);
  });

  it('are those of files alone where nothing else is asked, and where memberships come from files', async () => {
    const made = { group: 'ops:x:50001:alice\n', directory: { down: '' } };
    for (const sources of ['group: files systemd', 'group: compat', 'group: files directory\ninitgroups: files'])
      assert.deepEqual(await ask(['alice', 'bob'], { ...made, nsswitch: `passwd: files\n${sources}\n` }), [REFUSED, IN], sources);
    assert.deepEqual(doctor, ['', '']);
  });

  it('may be in a directory under a name that the host has too', async () => {
    assert.deepEqual(await ask(['alice', 'bob'], { group: 'ops:x:50009:\n' }), [REFUSED, IN]);
  });

  it('are unknown where id(1) or getent(1) cannot be started', async () => {
    for (const program of ['id', 'getent'])
      assert.deepEqual(await ask(['alice'], { first: `mount --bind /dev/null /usr/bin/${program}` }), [REFUSED], program);
  });

  const ALIAS = 'alice2:x:31000:31000::/:/bin/sh\n';
  const ALIAS_IN = { group: 'ops:x:50001:alice2\n', directory: { group: 'none:1:\n' } };
  for (const sources of ['files', 'directory files systemd', 'files [NOTFOUND=continue] directory', 'compat', 'db files'])
    it(`are those of all names of an account, where nsswitch.conf(5) says passwd: ${sources}`, async () => {
      const made = { ...ALIAS_IN, nsswitch: `passwd: ${sources}\ngroup: files\n` };
      assert.deepEqual(await ask(['alice', 'bob'], { ...made, passwd: ALIAS }), [REFUSED, IN]);
    });

  for (const [what, passwd] of [
    ['begins with a blank', ` ${ALIAS}`],
    ['has a zero before the uid', ALIAS.replace('31000', '031000')],
    ['has no shell', 'alice2:x:31000:31000\n'],
    ['has one field more', ALIAS.replace('\n', ':more\n')],
    ['comes after a megabyte', `${'user:x:40000:100:User,,,:/home/user:/bin/bash\n'.repeat(25_000)}${ALIAS}`],
  ] as const)
    it(`are those of all names of an account, also where the second line ${what}`, async () => {
      const made = { ...ALIAS_IN, passwd, nsswitch: 'passwd: files\ngroup: files\n' };
      assert.deepEqual(await ask(['alice', 'bob'], made), [REFUSED, IN]);
    });

  it('are unknown where the passwd file is too long to find all names of an account, or has too many', async () => {
    const made = { nsswitch: 'passwd: files\ngroup: files\n', group: 'ops:x:50001:\n' };
    const first = `truncate -s ${String(MAX_NAMES_BYTES - 1_000)} /etc/passwd; echo >> /etc/passwd`;
    assert.deepEqual(await ask(['bob'], { ...made, first }), [IN]);
    assert.deepEqual(await ask(['bob'], { ...made, first, passwd: '#'.repeat(1_000) }), [REFUSED]);
    const also = Array.from({ length: MAX_NAMES }, (_, i) => ALIAS.replace('alice2', `also${String(i)}`));
    assert.deepEqual(await ask(['alice'], { ...made, passwd: also.slice(1).join('') }), [IN]);
    assert.deepEqual(await ask(['alice'], { ...made, passwd: also.join('') }), [REFUSED]);
  });

  it('may be called by a number: it refused everybody', async () => {
    const nsswitch = 'passwd: files\ngroup: files directory\n';
    assert.deepEqual(await ask(['alice', 'bob'], { nsswitch, of: '2024', group: '2024:x:50024:alice\n' }), [REFUSED, IN]);
    assert.deepEqual(await ask(['bob'], { nsswitch, of: '50024', group: '2024:x:50024:alice\n' }), [REFUSED], 'no group is called 50024');
  });
});
