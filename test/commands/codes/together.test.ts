/** Secrets of one passphrase open together: one salt for all, chosen by nobody without the passphrase, and nothing changes unasked. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { before, beforeEach, describe, it } from 'node:test';
import { printSealedFile, type PassphraseSeal } from '../../../src/seal/file.ts';
import { passphraseKey } from '../../../src/seal/keys.ts';
import { seal, type TotpPayload } from '../../../src/seal/seal.ts';
import { SmallDisk } from '../../support/small-disk.ts';
import { lacks, scratchFolder } from '../../support/world.ts';
import { answer, assertCodeOf, assertRefused, ownCodes, SECRET, type OwnCodes } from './own-codes.ts';
import { PASSPHRASE } from '../own-state.ts';

const NEW = 'battery staple';
const NEEDS = { skip: lacks({ programs: ['oathtool', 'python3', 'setsid'] }) };

interface Sealed {
  readonly id: string;
  readonly user: string;
  readonly created: string;
  readonly seal: { readonly kind: string; readonly m: number; readonly t: number; readonly p: number; readonly salt: string };
}

function sealedIn(own: OwnCodes, name: string): Sealed {
  return JSON.parse(fs.readFileSync(path.join(own.secrets, name), 'utf8')) as Sealed;
}

function saltsIn(own: OwnCodes): Record<string, string> {
  const names = fs.readdirSync(own.secrets).filter((name) => !name.startsWith('.'));
  return Object.fromEntries(names.map((name) => [name, sealedIn(own, name).seal.salt]));
}

function distinct(salts: Record<string, string>): number {
  return new Set(Object.values(salts)).size;
}

/** A secret as earlier versions sealed it, with a salt of its own. */
function putAlone(
  own: OwnCodes,
  context: string,
  { passphrase = PASSPHRASE, byte = 1, ...more }: Partial<PassphraseSeal> & { passphrase?: string; byte?: number } = {},
): void {
  const its: PassphraseSeal = { kind: 'passphrase', m: 65_536, t: 3, p: 1, salt: new Uint8Array(16).fill(byte), ...more };
  const { user } = sealedIn(own, 'first');
  const header = { id: Buffer.alloc(16, byte).toString('hex'), user, context, created: '2026-01-01T00:00:00Z', seal: its };
  const payload: TotpPayload = {
    ...{ type: 'totp', secret: new Uint8Array(20).fill(byte), algorithm: 'SHA1', digits: 6, periodSeconds: 30 },
    ...{ issuer: context, account: '', recovery: { salt: new Uint8Array(16), hashes: [] } },
  };
  const file = seal(header, payload, passphraseKey(passphrase, its), new Uint8Array(24).fill(byte));
  fs.writeFileSync(path.join(own.secrets, context), printSealedFile(file), { mode: 0o600 });
}

describe('a new secret', NEEDS, () => {
  let own: OwnCodes;
  before(async () => {
    own = ownCodes('together');
    assert.equal((await own.import('first', SECRET)).code, 0);
  });

  it('shares salt and cost of those that its passphrase opens, in one import and in the next', async () => {
    const uris = Array.from({ length: 12 }, (_, i) => `otpauth://totp/Shop${String(i)}:me?secret=${SECRET}&issuer=Shop${String(i)}`);
    assert.equal((await own.import('many', uris.join('\n'))).code, 0);
    assert.equal(distinct(saltsIn(own)), 1);
    assert.equal(Object.keys(saltsIn(own)).length, 13);
    const { code, stdout } = await own.opening(['list', '--json']);
    assert.equal(code, 0);
    assert.equal(stdout.match(/"issuer":"Shop/g)?.length, 12);
  });

  it('with another passphrase has a salt of its own, and the next one with that passphrase shares it', async () => {
    const other = own.put('other', `${NEW}\n`);
    for (const name of ['work', 'play'])
      assert.equal((await own.notp(['import', name, '--passphrase-file', other], { input: SECRET })).code, 0);
    const salts = saltsIn(own);
    assert.equal(salts['work'], salts['play']);
    assert.notEqual(salts['work'], salts['first']);
  });

  it('gets the salt of nobody who does not know the passphrase, and of no lower cost', async () => {
    // More of them than of any other.
    for (let i = 0; i < 20; i++) putAlone(own, `planted${String(i)}`, { passphrase: 'somebody else’s', byte: 66, t: 3 });
    for (let i = 0; i < 20; i++) putAlone(own, `cheap${String(i)}`, { byte: 67, m: 16_384, t: 2 });
    assert.equal((await own.import('later', SECRET)).code, 0);
    assert.equal(saltsIn(own)['later'], saltsIn(own)['first']);
    assert.deepEqual({ ...sealedIn(own, 'later').seal, salt: '' }, { kind: 'passphrase', kdf: 'argon2id', m: 65536, t: 3, p: 1, salt: '' });
  });

  it('shares nothing with a login, and leaves every file as it was', async () => {
    const alone = ownCodes('together-login');
    await alone.enrol();
    const earlier = alone.files();
    assert.equal((await alone.import('first', SECRET)).code, 0);
    const salts = saltsIn(alone);
    assert.notEqual(salts['first'], salts['ssh']);
    assert.equal(alone.files()['ssh'], earlier['ssh']);
  });

  it('is found by two imports at once, and both open', async () => {
    const both = await Promise.all(['one', 'two'].map((name) => own.import(name, SECRET)));
    assert.deepEqual(
      both.map(({ code }) => code),
      [0, 0],
    );
    for (const name of ['one', 'two']) await assertCodeOf(own, name, SECRET);
  });
});

describe('all secrets of a passphrase', NEEDS, () => {
  let own: OwnCodes;
  let newFile: string;
  let template: OwnCodes;
  before(async () => {
    template = ownCodes('together-template');
    assert.equal((await template.import('first', SECRET)).code, 0);
    for (const [i, name] of ['a', 'b', 'c'].entries()) putAlone(template, name, { byte: i + 2 });
    putAlone(template, 'theirs', { passphrase: 'yet another one', byte: 9 });
  });
  beforeEach(() => {
    own = ownCodes('together-all');
    newFile = own.put('new', `${NEW}\n`);
    fs.cpSync(template.secrets, own.secrets, { recursive: true });
  });
  const toSame = (): string[] => [
    'passphrase',
    '--all',
    '--passphrase-file',
    own.passphraseFile,
    '--new-passphrase-file',
    own.passphraseFile,
  ];
  const toNew = (): string[] => ['passphrase', '--all', '--passphrase-file', own.passphraseFile, '--new-passphrase-file', newFile];

  it('are sealed together by passphrase --all, which leaves out what it does not open', async () => {
    const earlier = own.files();
    const { code, stdout, stderr } = await own.notp(toSame());
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
    assert.equal(
      stderr,
      'Sealed 3 secrets together. Copies of the old files still open with the old passphrase.\n' +
        'notp: hint: not opened by this passphrase, and not changed: theirs\n',
    );
    const { theirs, ...others } = saltsIn(own);
    assert.equal(distinct(others), 1);
    assert.notEqual(theirs, others['a']);
    const same = Object.entries(own.files()).filter(([name, content]) => content === earlier[name]);
    // One of them had that key already.
    assert.deepEqual(
      same.map(([name]) => name).filter((name) => !name.startsWith('.')),
      ['a', 'theirs'],
    );
    assert.equal(sealedIn(own, 'a').created, '2026-01-01T00:00:00Z');
    assert.match((await own.notp(toSame())).stderr, /^Nothing to change: one key opens 4 secrets already\n/);
  });

  it('get another passphrase by it, and the old one opens none of them then', async () => {
    const { code, stdout } = await own.notp([...toNew(), '--json']);
    assert.equal(code, 0);
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { context: string }).context),
      ['a', 'b', 'c', 'first'],
    );
    assertRefused(await own.opening(['code', 'a']), 1, /wrong passphrase for a/);
    const exported = await own.notp(['export', 'first', '--to', 'base32', '--passphrase-file', newFile]);
    assert.equal(exported.stdout, `${SECRET}\n`);
  });

  it('are asked for in a terminal, where list says what would make them quicker', async () => {
    const listing = own.inTerminal(['list', '--passphrase-file', own.passphraseFile], 200);
    await listing.expect(/hint: these were sealed one by one, which makes them slow to open: notp passphrase --all seals them together/);
    assert.equal(await listing.exited, 0);
    const terminal = own.inTerminal(['passphrase', '--all'], 200);
    await answer(terminal, [/Passphrase of the secrets: /, PASSPHRASE], [/New passphrase: /, NEW], [/The same again: /, NEW]);
    await terminal.expect(/Sealed 4 secrets together/);
    assert.equal(await terminal.exited, 0);
    for (const hidden of [PASSPHRASE, NEW]) assert.ok(!terminal.output().includes(hidden));
  });

  it('do not change for a wrong passphrase, a missing new one, a name beside --all, or where there are none', async () => {
    const earlier = own.files();
    assertRefused(await own.notp(['passphrase', '--all', '--passphrase-file', newFile]), 1, /this passphrase opens none of them/);
    const none = await own.alone(['passphrase', '--all', '--passphrase-file', own.passphraseFile], { input: '' });
    assertRefused({ ...none, stderr: none.stderr.replace('New passphrase: ', '') }, 1, /no passphrase was given/);
    assertRefused(await own.opening(['passphrase', 'a', '--all']), 2, /--all changes every secret/);
    assert.deepEqual(own.files(), earlier);
    assertRefused(await ownCodes('together-none').opening(['passphrase', '--all']), 1, /there are no secrets of your own/);
  });

  it('do not include a login, whatever it is called', async () => {
    await own.enrol();
    await own.enrol('deploy');
    const earlier = own.files();
    assert.equal((await own.notp(toNew())).code, 0);
    assert.deepEqual([own.files()['ssh'], own.files()['deploy']], [earlier['ssh'], earlier['deploy']]);
  });

  it('that an interrupted run has left half done are all open, and a second run does the rest', async () => {
    const earlier = new Map(['b', 'c'].map((name) => [name, fs.readFileSync(path.join(own.secrets, name))]));
    assert.equal((await own.notp(toNew())).code, 0);
    // As if the power had failed after the first of them.
    for (const [name, bytes] of earlier) fs.writeFileSync(path.join(own.secrets, name), bytes);
    assert.equal((await own.opening(['code', 'b'])).code, 0);
    assert.equal((await own.notp(['code', 'a', '--passphrase-file', newFile])).code, 0);
    assert.match((await own.notp(toNew())).stderr, /Sealed 2 secrets together[^]*not changed: a, first, theirs/);
    const { theirs: _, ...others } = saltsIn(own);
    assert.equal(distinct(others), 1);
  });
});

it('a full disk changes none of them', { skip: lacks({ root: true, programs: ['mount', 'umount'] }) }, async () => {
  const disk = new SmallDisk(path.join(scratchFolder('together-disk'), 'disk'));
  const own = ownCodes('together-full', { parent: disk.folder });
  const newFile = own.put('new', `${NEW}\n`);
  assert.equal((await own.import('first', SECRET)).code, 0);
  for (let i = 0; i < 20; i++) putAlone(own, `s${String(i)}`, { byte: 7 });
  const earlier = own.files();
  disk.fill(2);
  const ran = await own.notp(['passphrase', '--all', '--passphrase-file', own.passphraseFile, '--new-passphrase-file', newFile]);
  disk.free();
  assertRefused(ran, 3, /ENOSPC/);
  assert.deepEqual(own.files(), earlier);
});
