/** What `notp import` refuses, before anything is written: names that are taken, logins, and what is no secret. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, describe, it } from 'node:test';
import { MAX_SOURCE_BYTES } from '../../../src/commands/import/source.ts';
import { lacks } from '../../support/world.ts';
import { assertCodeOf, assertRefused, ownCodes, SECRET, type OwnCodes } from '../codes/own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const OTHER = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

describe('a name that is taken', { skip: lacks({ programs: ['oathtool'] }) }, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('import-taken');
    await own.enrol('ssh');
    await own.enrol('deploy');
    assert.equal((await own.import('github', SECRET)).code, 0);
  });

  it('is not overwritten without --replace, and is with it', async () => {
    const earlier = own.files();
    assertRefused(await own.import('github', OTHER), 1, /github already exists\nnotp: hint: give --replace/);
    assert.deepEqual(own.files(), earlier);
    assert.equal((await own.import('github', OTHER, ['--replace'])).code, 0);
    await assertCodeOf(own, 'github', OTHER);
  });

  it('by something that is no sealed file is not overwritten either', async () => {
    fs.writeFileSync(path.join(own.secrets, 'notes'), 'my notes');
    assertRefused(await own.import('notes', SECRET), 1, /notes already exists/);
    fs.mkdirSync(path.join(own.secrets, 'folder'));
    assertRefused(await own.import('folder', SECRET, ['--replace']), 3, /folder/);
    assert.ok(fs.statSync(path.join(own.secrets, 'folder')).isDirectory());
    fs.rmdirSync(path.join(own.secrets, 'folder'));
    assert.equal((await own.import('notes', SECRET, ['--replace'])).code, 0);
  });

  it('by logins is refused, with --replace too', async () => {
    const earlier = own.snapshot();
    for (const more of [[], ['--replace']]) {
      assertRefused(await own.import('ssh', SECRET, more), 2, /ssh is the context of logins here/);
      assertRefused(await own.import('deploy', SECRET, more), 1, /deploy is a login of this host/);
    }
    assert.deepEqual(own.snapshot(), earlier);
  });

  it('by a login is refused although its file is damaged or gone: what was imported there would never log in', async () => {
    const file = path.join(own.secrets, 'deploy');
    fs.writeFileSync(file, '{"notp":');
    assertRefused(await own.import('deploy', SECRET, ['--replace']), 1, /deploy is a login of this host/);
    fs.rmSync(file);
    assertRefused(await own.import('deploy', SECRET), 1, /deploy is a login of this host/);
    assert.ok(!fs.existsSync(file));
  });

  it('by logins is refused where several accounts would get that name', async () => {
    const uris = `otpauth://totp/a?secret=${SECRET}\notpauth://totp/b?secret=${SECRET}\n`;
    const config = own.put('other.toml', fs.readFileSync(own.config, 'utf8').replace('secrets =', 'context = "x-b"\nsecrets ='));
    fs.chmodSync(config, 0o644);
    const refused = await own.import('x', uris, ['--config', config]);
    assertRefused(refused, 2, /x-b is the context of logins here/);
    assert.ok(!fs.existsSync(path.join(own.secrets, 'x-a')));
  });
});

describe('what is no secret', () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-nothing');
  });

  const nothing: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
    ['nothing', '', /stdin is empty/],
    ['blanks', ' \n\t\r\n', /stdin is empty/],
    ['dashes', '- -\n', /this is not a secret/],
    ['a word', 'hello\n', /this is not a secret/],
    ['base32 of nine bytes', 'GEZDGNBVGY3TQOI', /this is not a secret/],
    ['base32 of 129 bytes', 'A'.repeat(207), /this is not a secret/],
    ['base32 with a foreign letter', 'HSBRGZRKZDRLBV1Y', /this is not a secret/],
    ['a web address', 'https://example.org/?secret=HSBRGZRKZDRLBVEY', /this is not a secret/],
    [
      'a picture',
      Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe]),
      /stdin is a picture, which notp does not read\nnotp: hint: zbarimg -q --raw FILE \| notp import NAME/,
    ],
    [
      'random bytes',
      randomBytes(5000),
      /the password does not open this file of old andOTP\nnotp: hint: .* or is of another program; nothing was imported/,
    ],
    ['bytes that are not random', Buffer.from('ÄÖÜ'.repeat(99), 'latin1'), /stdin is not text/],
    ['more than 256 KiB', 'A'.repeat(MAX_SOURCE_BYTES + 1), /stdin is over 256 KiB/],
  ];
  for (const [name, input, said] of nothing) {
    it(`(${name}) is refused, and not even the folder is made`, async () => {
      const refused = await own.import('nothing', input);
      assertRefused(refused, 1, said);
      assert.doesNotMatch(refused.stderr, /HSBRGZRK/);
      assert.ok(!fs.existsSync(own.secrets));
    });
  }

  it('(a missing file, a folder) is refused with the file named', async () => {
    for (const [file, said] of [
      [path.join(own.folder, 'absent'), /absent: no such file or directory \(ENOENT\)/],
      [own.folder, /EISDIR/],
    ] as const) {
      assertRefused(await own.opening(['import', 'nothing', '--file', file]), 3, said);
    }
  });

  it('(a passphrase file that is a folder, missing or empty) is wrong usage', async () => {
    for (const file of [own.folder, path.join(own.folder, 'absent'), own.put('empty', '\n')]) {
      assertRefused(await own.notp(['import', 'nothing', '--passphrase-file', file], { input: SECRET }), 2, /notp: error: \//);
    }
  });
});

describe('a secret on the command line', () => {
  let own: OwnCodes;
  before(() => {
    own = ownCodes('import-argument');
  });

  for (const words of [
    [SECRET],
    ['github', SECRET],
    ['github', `--secret=${SECRET}`],
    ['github', '--secret', SECRET],
    ['github', `otpauth://totp/a?secret=${SECRET}`],
    [`otpauth://totp/a?secret=${SECRET}`],
    [`OTPAUTH-MIGRATION://offline?data=${SECRET}`],
  ]) {
    it(`is refused as wrong usage and not said again: notp import ${words.join(' ').replaceAll(SECRET, '…')}`, async () => {
      const refused = await own.notp(['import', ...words]);
      assertRefused(refused, 2, /./);
      assert.ok(!refused.stderr.includes(SECRET), 'the secret was printed');
      assert.ok(!fs.existsSync(own.secrets));
    });
  }
});

it(
  'a secret that comes slowly through a pipe is waited for, and a signal ends the waiting',
  { skip: lacks({ programs: ['oathtool'] }) },
  async () => {
    const own = ownCodes('import-slow');
    const words = ['import', 'slow', '--passphrase-file', own.passphraseFile];
    const slow = own.shellInTerminal(`{ sleep 1; printf %s ${SECRET.slice(0, 9)}; sleep 0.5; echo ${SECRET.slice(9)}; } | "$@"`, words);
    assert.equal(await slow.exited, 0, slow.output());
    await assertCodeOf(own, 'slow', SECRET);
    const endless = own.shellInTerminal('{ exec sleep 30; } | timeout -s INT 2 "$@"', [...words, '--replace']);
    await endless.expect(/notp: error: stdin did not end\r\nnotp: hint: nothing was imported/, 15_000);
    endless.hangUp();
    await own.untilGone();
  },
);

it('a passphrase file may be a pipe that gives its line in pieces', { skip: lacks({ programs: ['bash'] }) }, async () => {
  const own = ownCodes('import-pieces');
  const [start, rest] = [PASSPHRASE.slice(0, 3), PASSPHRASE.slice(3)];
  const script = `"$@" --passphrase-file <(printf %s "${start}"; sleep 0.2; printf '%s\\nmore\\n' "${rest}") < ${own.put('secret', SECRET)}`;
  const terminal = own.shellInTerminal(`exec bash -c '${script.replaceAll("'", `'\\''`)}' sh "$@"`, ['import', 'pieces']);
  assert.equal(await terminal.exited, 0, terminal.output());
  await assertCodeOf(own, 'pieces', SECRET);
});
