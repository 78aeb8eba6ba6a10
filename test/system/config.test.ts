/** The configuration: every key has its default, and every mistake is told with file, line and fix. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NotpError } from '../../src/error.ts';
import { credentialNames, defaultConfig, expand, isMember, parseConfig } from '../../src/system/config.ts';

/** The error for `source`: its message without the file's name, and its hint. */
function refusal(source: string): { message: string; hint: string } {
  try {
    parseConfig(source, '/x/notp.toml');
  } catch (error) {
    assert.ok(error instanceof NotpError && error.code === 'bad_configuration' && error.hint !== undefined, String(error));
    assert.ok(error.message.startsWith('/x/notp.toml:'), error.message);
    return { message: error.message.slice('/x/notp.toml:'.length), hint: error.hint };
  }
  return assert.fail(`accepted: ${source}`);
}

const NO_OUTAGE = { outage: 'deny', outageFile: '/var/lib/notp/outage.db' } as const;

describe('the defaults', () => {
  it('are the ones that are documented', () => {
    assert.deepEqual(defaultConfig(), {
      secrets: '%h/.notp',
      secretsInStore: false,
      contexts: ['ssh'],
      context: 'ssh',
      unenrolled: 'deny',
      rules: [],
      rulesInStore: false,
      ruleGroups: undefined,
      socket: '/run/notp/%U.sock',
      judge: '/run/notp/judge.sock',
      hostKeys: ['/etc/notp/host.key'],
      hostKey: '/etc/notp/host.key',
      notices: true,
      code: { issuer: '', digits: 6, periodSeconds: 30, algorithm: 'SHA1' },
      policy: { window: 1, budget: 5, refillMs: 3_600_000 },
      maxGrantMs: 86_400_000,
      gate: {
        tries: 3,
        timeoutMs: 60_000,
        prompt: 'One-time code: ',
        sameConnection: true,
        exposeAuthInfo: true,
        authorizedKeys: ['.ssh/authorized_keys', '.ssh/authorized_keys2'],
        trustedUserCaKeys: undefined,
        authorizedPrincipals: undefined,
      },
      store: { kind: 'sqlite', path: '/var/lib/notp/state.db' },
      fleet: { passwordFile: '/etc/notp/store.password', authoritiesFile: undefined, tls: true, host: '', ...NO_OUTAGE },
      judges: { servers: [], certificate: '/etc/notp/tls.crt', key: '/etc/notp/tls.key', authority: '/etc/notp/tls-ca.crt' },
      audit: { file: '/var/log/notp/audit.log', journal: true },
    });
  });

  it('are what an empty file and one of comments mean', () => {
    for (const source of ['', '\n', '# context = "x"\n[policy]\n']) assert.deepEqual(parseConfig(source, 'f'), defaultConfig());
  });

  it('can be written out: the documented file means the same', () => {
    const source = `
      secrets      = "%h/.notp"      # %h home, %u user
      context      = "ssh"
      unenrolled   = "deny"
      socket       = "/run/notp/%U.sock"
      judge        = "/run/notp/judge.sock"
      host_key     = "/etc/notp/host.key"
      [code]
      issuer = ""
      digits = 6
      period = 30
      algorithm = "SHA1"
      [policy]
      window = 1
      budget = 5
      refill = "1h"
      max_grant = "24h"
      [gate]
      tries = 3
      timeout = "60s"
      prompt = "One-time code: "
      same_connection = true
      expose_auth_info = true
      authorized_keys = [".ssh/authorized_keys", ".ssh/authorized_keys2"]
      trusted_user_ca_keys = ""
      authorized_principals = ""
      [store]
      url = "sqlite:/var/lib/notp/state.db"
      [fleet]
      judges = []
      [audit]
      file = "/var/log/notp/audit.log"
      journal = true`;
    assert.deepEqual(parseConfig(source, 'f'), defaultConfig());
  });
});

describe('the database of a fleet', () => {
  const standard = { passwordFile: '/etc/notp/store.password', authoritiesFile: undefined, tls: true, host: '', ...NO_OUTAGE };

  it('is named as libpq names it, but for the password', () => {
    const named: readonly (readonly [string, object])[] = [
      ['postgres://db.example.org/notp', { servers: [{ host: 'db.example.org', port: 5432 }], database: 'notp', user: 'notp' }],
      ['postgresql://me@10.0.0.1:6000/n', { servers: [{ host: '10.0.0.1', port: 6000 }], database: 'n', user: 'me' }],
      [
        'postgres://notp@one,two:5433,[fd00::1]:5434/notp',
        {
          servers: [
            { host: 'one', port: 5432 },
            { host: 'two', port: 5433 },
            { host: 'fd00::1', port: 5434 },
          ],
          database: 'notp',
          user: 'notp',
        },
      ],
      ['postgres:///notp?host=/run/postgresql', { servers: [{ host: '/run/postgresql', port: 5432 }], database: 'notp', user: 'notp' }],
      ['postgres://me@:5433/n?host=/run/pg', { servers: [{ host: '/run/pg', port: 5433 }], database: 'n', user: 'me' }],
    ];
    for (const [url, expected] of named) assert.deepEqual(storeOf(`url = "${url}"`), { kind: 'postgres', ...expected, ...standard }, url);
  });

  it('has its password and authorities in files, and a name for this host', () => {
    const lines = 'url = "postgres://db/n"\npassword_file = "/p"\nca_file = "/c.pem"\ntls = false\nhost = "web-1"';
    const found = storeOf(lines) as object;
    const expected = { passwordFile: '/p', authoritiesFile: '/c.pem', tls: false, host: 'web-1' };
    assert.deepEqual(found, { ...found, ...expected });
  });

  it('may be left out for a while by whom a copy of this host knows; no other store can', () => {
    const lines = 'outage = "local"\noutage_file = "/o.db"';
    const found = storeOf(`url = "postgres://db/n"\n${lines}`) as object;
    assert.deepEqual(found, { ...found, outage: 'local', outageFile: '/o.db' });
    for (const url of ['', 'url = "user"\n'])
      assert.throws(() => storeOf(`${url}${lines}`), /^NotpError: f:\d: store\.outage = "local" is for the database of a fleet/);
  });
});

function storeOf(lines: string): unknown {
  return parseConfig(`[store]\n${lines}\n`, 'f').store;
}

/** All contexts, and the one that commands are about. */
const listed = (value: string): readonly [readonly string[], string] => {
  const { contexts, context } = parseConfig(`context = ${value}`, 'f');
  return [contexts, context];
};

describe('a value', () => {
  it('of each key comes through', () => {
    const source = `
      secrets = "/srv/%u"
      context = "login"
      unenrolled = "enroll"
      socket = "/tmp/s"
      judge = "/tmp/j"
      host_key = "/k"
      notices = false
      code = { issuer = "Bücher", digits = 8, period = 60, algorithm = "SHA512" }
      policy.window = 0
      policy.budget = 100
      policy.refill = "90s"
      policy.max_grant = "30d"
      [gate]
      tries = 1
      timeout = "5m"
      prompt = "Verification code: "
      same_connection = false
      expose_auth_info = false
      authorized_keys = ["/etc/ssh/keys/%u", "50%%"]
      trusted_user_ca_keys = "/etc/ssh/ca.pub"
      authorized_principals = ".ssh/principals"
      [store]
      url = "user"
      [fleet]
      certificate = "/c"
      key = "/d"
      ca_file = "/e"
      [audit]
      file = "/a"
      journal = false`;
    assert.deepEqual(parseConfig(source, 'f'), {
      ...{
        secrets: '/srv/%u',
        contexts: ['login'],
        context: 'login',
        notices: false,
        unenrolled: 'enroll',
        rules: [],
        socket: '/tmp/s',
        judge: '/tmp/j',
        hostKeys: ['/k'],
        hostKey: '/k',
      },
      secretsInStore: false,
      rulesInStore: false,
      ruleGroups: undefined,
      code: { issuer: 'Bücher', digits: 8, periodSeconds: 60, algorithm: 'SHA512' },
      policy: { window: 0, budget: 100, refillMs: 90_000 },
      maxGrantMs: 2_592_000_000,
      gate: {
        tries: 1,
        timeoutMs: 300_000,
        prompt: 'Verification code: ',
        sameConnection: false,
        exposeAuthInfo: false,
        authorizedKeys: ['/etc/ssh/keys/%u', '50%%'],
        trustedUserCaKeys: '/etc/ssh/ca.pub',
        authorizedPrincipals: '.ssh/principals',
      },
      store: { kind: 'user' },
      fleet: { passwordFile: '/etc/notp/store.password', authoritiesFile: undefined, tls: true, host: '', ...NO_OUTAGE },
      judges: { servers: [], certificate: '/c', key: '/d', authority: '/e' },
      audit: { file: '/a', journal: false },
    });
  });

  it('of the context may be a list of the devices of one account, the first of which commands are about', () => {
    assert.deepEqual(listed('["ssh", "ssh-backup"]'), [['ssh', 'ssh-backup'], 'ssh']);
    assert.deepEqual(listed('["b", "a", "d", "c"]'), [['b', 'a', 'd', 'c'], 'b']);
    assert.deepEqual(listed('["only"]'), [['only'], 'only']);
    assert.deepEqual(listed('"only"'), listed('["only"]'));
  });

  it('of time has a unit', () => {
    const texts = ['1s', '90s', '5m', '1h', '2d', '365d'];
    const found = texts.map((text) => parseConfig(`[policy]\nrefill = "${text}"`, 'f').policy.refillMs);
    assert.deepEqual(found, [1_000, 90_000, 300_000, 3_600_000, 172_800_000, 31_536_000_000]);
  });

  it('of a path may hold the user: %h, %u, %U and %%', () => {
    const user = { name: 'alice', uid: 1000, gid: 100, home: '/home/alice', shell: '/bin/sh' };
    assert.equal(expand('%h/x/%u/%U/%%u/%z%', user), '/home/alice/x/alice/1000/%u/%z%');
    assert.equal(expand('%h', { ...user, home: '/home/%u' }), '/home/%u');
    assert.equal(expand('/srv/%u/notp', { ...user, name: '../root' }), '/srv/%2E.%2Froot/notp');
    assert.equal(expand('/srv/%u/notp', { ...user, name: 'CORP\\jo doe' }), '/srv/CORP\\jo doe/notp');
  });
});

const PATHS = ['""', '"x"', '"./x"', '"~/x"', '"/a/../b"', '"%u/x"', '"/a\\u0000b"', '"/"', '1', 'true', '["/a"]'];
const KEY_FILES = [...PATHS.slice(0, -1), '[]', '["/a/k", "/b/k"]', '["/a", "/b", "/c", "/d", "/e"]', '["/a", "b"]', '["/a", 1]'];
const TIMES = ['"0s"', '""', '"1"', '"1w"', '"-1s"', '"1.5h"', '" 1h"', '"1h "', '"1h\\n"', '3600', 'true', '"366d"'];
const NAMES = ['""', '".."', '"a/b"', '".x"', '"a b"', '1', `"${'x'.repeat(65)}"`];
const LISTS = ['[]', '["a", "a"]', '["a", "b", "c", "d", "e"]', '[["a"]]', '{ a = "b" }', 'true', '[{}]'];
const WHOLE = ['1.5', '"1"', 'true', '-1', 'inf', 'nan', '[1]', '1979-05-27'];

const BAD: readonly (readonly [table: string, key: string, values: readonly string[], fix: RegExp])[] = [
  ['', 'secrets', PATHS, /must be an absolute path without "\.\.", or "store"/],
  [
    '',
    'context',
    [...NAMES, ...NAMES.map((name) => `["ssh", ${name}]`), ...LISTS],
    /must be a context name, or a list of at most 4 different ones$/,
  ],
  ['', 'unenrolled', ['"Deny"', '""', 'true', '0'], /must be one of "deny", "enroll"$/],
  ['', 'rules', ['"Store"', '""', 'true', '[]'], /must be one of "file", "store"$/],
  ['', 'rule_groups', ['"@ops"', '""', '[1]', 'true'], /must be a list of at most 256 names of groups, without "@"$/],
  ['', 'socket', PATHS, /must be an absolute path/],
  ['', 'judge', PATHS, /must be an absolute path/],
  ['', 'notices', ['1', '"true"', '"yes"'], /must be true or false$/],
  ['', 'host_key', KEY_FILES, /must be an absolute path without "\.\.", or a list of at most 4/],
  ['code', 'issuer', ['1', '"a\\nb"', `"${'x'.repeat(65)}"`], /must be at most 64 printable characters$/],
  ['code', 'digits', [...WHOLE, '5', '9'], /must be one of 6, 7, 8$/],
  ['code', 'period', [...WHOLE, '14', '301'], /must be a whole number from 15 to 300$/],
  ['code', 'algorithm', ['"sha1"', '"MD5"', '1'], /must be one of "SHA1", "SHA256", "SHA512"$/],
  ['policy', 'window', [...WHOLE, '11'], /must be a whole number from 0 to 10$/],
  ['policy', 'budget', [...WHOLE, '0', '101'], /must be a whole number from 1 to 100$/],
  ['policy', 'refill', TIMES, /must be a time such as "60s", "5m" or "1h", from "1s" to "365d"$/],
  ['gate', 'tries', [...WHOLE, '0', '11'], /must be a whole number from 1 to 10$/],
  ['gate', 'timeout', [...TIMES, '"30d"'], /must be a time such as "60s", "5m" or "1h", from "1s" to "1d"$/],
  [
    'gate',
    'prompt',
    ['1', 'true', '""', '"  "', '"a\\nb"', '"\\u001b[2J"', `"${'x'.repeat(65)}"`],
    /must be at most 64 printable characters, and one at least$/,
  ],
  ['gate', 'same_connection', ['1', '"true"', '"yes"'], /must be true or false$/],
  ['gate', 'expose_auth_info', ['1', '"true"', '"yes"'], /must be true or false$/],
  [
    'gate',
    'authorized_keys',
    ['{}', '".ssh/authorized_keys"', '[""]', '["a", 1]', '["../a"]', '["%k"]', '["%"]', '["a\\nb"]', `[${'"a", '.repeat(9)}]`],
    /must be a list of at most 8 paths without "\.\.", as AuthorizedKeysFile of sshd has them/,
  ],
  ['gate', 'trusted_user_ca_keys', ['1', '"ca.pub"', '"/a/../b"'], /must be an absolute path/],
  ['gate', 'authorized_principals', ['1', '"%k"', '"../a"', '[]'], /must be a path without "\.\.", as AuthorizedPrincipalsFile/],
  ['store', 'url', ['""', '"sqlite:"', '"sqlite:x"', '"sqlite:/a/../b"', '"sqlite:/a\\u0000b"', '"mysql://x"', '1'], /must be "sqlite:/],
  [
    'store',
    'url',
    [
      '"postgres:"',
      '"postgres://db"',
      '"postgres:///"',
      '"postgres://db/a/b"',
      '"postgres://db:x/n"',
      '"postgres://a,,b/n"',
      '"postgres://db/n?sslmode=disable"',
    ],
    /must be "postgres:\/\/user@server\/database"/,
  ],
  [
    'store',
    'url',
    ['"postgres://u:secret@db/n"'],
    /must be an address without a password: that is kept in the file that password_file names$/,
  ],
  ['store', 'password_file', PATHS, /must be an absolute path/],
  ['store', 'tls', ['0', '"no"'], /must be true or false$/],
  ['store', 'host', ['1', '"a b"', '"a/b"'], /must be at most 64 letters/],
  [
    'fleet',
    'judges',
    ['"judge1"', '[1]', '["/run/judge"]', '["a b"]', JSON.stringify(Array(9).fill('a'))],
    /must be a list of at most 8 names/,
  ],
  ...['certificate', 'key', 'ca_file'].map((key): (typeof BAD)[number] => ['fleet', key, PATHS, /must be an absolute path/]),
  ['audit', 'file', PATHS, /must be an absolute path/],
  ['audit', 'journal', ['0', '"no"'], /must be true or false$/],
];

it('a budget below the number of contexts was taken, and four secrets were guessed at for the price of one', () => {
  const contexts = 'context = ["a", "b", "c", "d"]\n[policy]\n';
  const { message, hint } = refusal(`${contexts}budget = 3\n`);
  assert.match(message, /^3: policy\.budget = 3 is less than the 4 contexts of a login/);
  assert.match(hint, /^set budget to 4 or more/);
  assert.equal(parseConfig(`${contexts}budget = 4\n`, 'f').policy.budget, 4);
  assert.equal(parseConfig('[policy]\nbudget = 1\n', 'f').policy.budget, 1);
});

it('a host is a member where it names judges, who have the sealed files in their store', () => {
  const lines = '[fleet]\njudges = ["judge1.example.org", "[2001:db8::1]:9000"]\n';
  const config = parseConfig(`secrets = "store"\n${lines}`, 'f');
  assert.deepEqual(config.judges.servers, [
    { host: 'judge1.example.org', port: 8443 },
    { host: '2001:db8::1', port: 9000 },
  ]);
  assert.deepEqual([isMember(config), isMember(parseConfig('', 'f'))], [true, false]);
  const { message, hint } = refusal(lines);
  assert.match(message, /^2: fleet\.judges names judges, who have the sealed files in their store$/);
  assert.match(hint, /^secrets = "store" at the top/);
});

it('rules are in the file or in the store, and not in both', () => {
  for (const [source, wrong] of [
    ['rules = "store"\n[[rule]]\nask = "code"\n', /^2: with rules = "store", rules of this file would not count$/],
    ['# here\nrule_groups = ["ops"]\n', /^2: rule_groups is for rules in the store$/],
    ['rules = "store"\n[store]\nurl = "user"\n', /^1: rules = "store" needs a store of the host or of a fleet/],
  ] as const)
    assert.match(refusal(source).message, wrong, source);
  const { rules, rulesInStore, ruleGroups } = parseConfig('rules = "store"\nrule_groups = ["ops"]\n', 'f');
  assert.deepEqual({ rules, rulesInStore, ruleGroups }, { rules: [], rulesInStore: true, ruleGroups: ['ops'] });
  const groups = Array.from({ length: 257 }, (_, i) => `g${String(i)}`);
  assert.match(
    refusal(`rules = "store"\nrule_groups = ${JSON.stringify(groups)}\n`).message,
    /^2: rule_groups must be a list of at most 256/,
  );
});

it('files in the store need a store of the host, and a list of keys has the one that seals first', () => {
  const { message } = refusal('secrets = "store"\n[store]\nurl = "user"\n');
  assert.match(message, /^1: secrets = "store" needs a store of the host or of a fleet/);
  const { secretsInStore, secrets, hostKey, hostKeys } = parseConfig('secrets = "store"\nhost_key = ["/a/new", "/a/old"]', 'f');
  assert.deepEqual({ secretsInStore, secrets, hostKey }, { secretsInStore: true, secrets: '%h/.notp', hostKey: '/a/new' });
  assert.deepEqual(credentialNames({ hostKeys }), ['new', 'old']);
  assert.deepEqual(credentialNames({ hostKeys: ['/a/any'] }), ['host.key']);
});

describe('a bad value', () => {
  for (const [table, key, values, fix] of BAD) {
    const name = table === '' ? key : `${table}.${key}`;
    it(`of ${name} is told with its line, what it should be, and the default`, () => {
      for (const value of values) {
        const header = table === '' ? '' : `[${table}]`;
        const { message, hint } = refusal(`# a comment\n${header}\n  ${key} = ${value}\n`);
        assert.ok(message.startsWith(`3: ${name} must be `), `${value}: ${message}`);
        assert.match(message, fix);
        assert.ok(hint.startsWith(`the default is ${key} = `), hint);
      }
    });
  }
});
