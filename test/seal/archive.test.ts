/** An archive comes back as it was, opens with its passphrase alone and only whole; each rule of the format has a case that breaks it alone. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { toBase32 } from '../../src/otp/code.ts';
import {
  looksLikeArchive,
  MAX_ARCHIVE_BYTES,
  MAX_ARCHIVE_SECRETS,
  openArchive,
  parseArchive,
  printArchive,
  sealArchive,
  type Archive,
  type Archived,
} from '../../src/seal/archive.ts';
import { MAX_KDF_MEMORY_KIB, MIN_KDF_MEMORY_KIB, MIN_KDF_PASSES, NONCE_BYTES, type PassphraseSeal } from '../../src/seal/file.ts';
import { passphraseKey } from '../../src/seal/keys.ts';
import { encrypt } from '../../src/seal/xchacha.ts';

const PASSPHRASE = 'correct horse';
const SEAL: PassphraseSeal = { kind: 'passphrase', m: MIN_KDF_MEMORY_KIB, t: MIN_KDF_PASSES, p: 1, salt: new Uint8Array(16).fill(4) };
const HEADER = { created: '2026-11-30T20:00:00Z', seal: SEAL };
const KEY = passphraseKey(PASSPHRASE, SEAL);
const NONCE = new Uint8Array(NONCE_BYTES).fill(5);
const SECRET = new Uint8Array(20).fill(1);
const GITHUB: Archived = {
  context: 'github',
  credential: { type: 'totp', secret: SECRET, algorithm: 'SHA1', digits: 6, periodSeconds: 30, issuer: 'GitHub', account: 'alice' },
};
const BANK: Archived = {
  context: 'bank',
  credential: { type: 'hotp', secret: SECRET, algorithm: 'SHA512', digits: 8, issuer: '', account: '', counter: 7 },
};

function archiveOf(...all: readonly Archived[]): Archive {
  return sealArchive(HEADER, all, KEY, NONCE);
}

function edited(change: (object: Record<string, unknown>) => unknown): Buffer {
  const object = JSON.parse(Buffer.from(printArchive(archiveOf(GITHUB))).toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify(change(object), null, 2) + '\n');
}

describe('an archive', () => {
  it('comes back as it was, counters too, with the passphrase alone', () => {
    const archive = parseArchive(printArchive(archiveOf(GITHUB, BANK)));
    assert.deepEqual(openArchive(archive, PASSPHRASE), [GITHUB, BANK]);
    assert.equal(openArchive(archive, `${PASSPHRASE} `), undefined);
    assert.ok(!Buffer.from(printArchive(archive)).toString().includes(toBase32(SECRET)));
  });

  it('does not open when anything of it was changed', () => {
    const archive = archiveOf(GITHUB);
    for (const changed of [
      { ...archive, created: '2026-11-30T20:00:01Z' },
      { ...archive, seal: { ...SEAL, t: MIN_KDF_PASSES + 1 } },
      { ...archive, seal: { ...SEAL, salt: new Uint8Array(16) } },
      { ...archive, nonce: new Uint8Array(NONCE_BYTES) },
      { ...archive, ciphertext: archive.ciphertext.subarray(1) },
    ])
      assert.equal(openArchive(changed, PASSPHRASE), undefined);
    fc.assert(
      fc.property(fc.nat(archive.ciphertext.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const ciphertext = archive.ciphertext.slice();
        ciphertext[at] = (ciphertext[at] ?? 0) ^ by;
        assert.equal(openArchive({ ...archive, ciphertext }, PASSPHRASE), undefined);
      }),
      { numRuns: 10 },
    );
  });

  it('is known by its beginning, whole or not, and nothing else is', () => {
    const bytes = printArchive(archiveOf(GITHUB));
    assert.ok(looksLikeArchive(bytes) && looksLikeArchive(bytes.subarray(0, 40)));
    for (const other of ['', '{}', '{\n  "notp": "sealed/1"', '{"notp":"archive/1"}']) assert.ok(!looksLikeArchive(Buffer.from(other)));
  });

  it('was frozen once and opens for ever', () => {
    const archive = parseArchive(fs.readFileSync(path.join(import.meta.dirname, '../vectors/archive.json')));
    assert.deepEqual(
      openArchive(archive, PASSPHRASE)?.map(({ context, credential }) => [context, credential.type, toBase32(credential.secret)]),
      [
        ['github', 'totp', toBase32(SECRET)],
        ['bank', 'hotp', toBase32(SECRET)],
      ],
    );
  });
});

describe('reading is strict', () => {
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['a file one byte too long', Buffer.alloc(MAX_ARCHIVE_BYTES + 1, ' '), /over 4096 KiB/],
    ['no JSON', Buffer.from('{'), /the archive is not JSON/],
    ['another format', edited((all) => ({ ...all, notp: 'archive/2' })), /"notp" must be one of archive\/1/],
    ['a key too many', edited((all) => ({ ...all, more: 1 })), /unknown key "more"/],
    ['a key too few', edited((all) => Object.fromEntries(Object.entries(all).filter(([key]) => key !== 'nonce'))), /lacks "nonce"/],
    [
      'a cost under the floor',
      edited((all) => ({ ...all, seal: { ...(all['seal'] as object), m: MIN_KDF_MEMORY_KIB - 1 } })),
      /"m" must be/,
    ],
    ['passes under the floor', edited((all) => ({ ...all, seal: { ...(all['seal'] as object), t: 1 } })), /"t" must be/],
    ['a cost over the cap', edited((all) => ({ ...all, seal: { ...(all['seal'] as object), m: MAX_KDF_MEMORY_KIB + 1 } })), /"m" must be/],
    ['a seal of a host', edited((all) => ({ ...all, seal: { kind: 'host', key: '0'.repeat(16) } })), /seal|kind|lacks|unknown/],
    ['a short nonce', edited((all) => ({ ...all, nonce: 'AAAA' })), /"nonce" has the wrong length/],
    ['a time of another form', edited((all) => ({ ...all, created: 'yesterday' })), /"created" is malformed/],
  ];
  for (const [what, bytes, why] of cases)
    it(`of ${what}`, () => {
      assert.throws(() => parseArchive(bytes), { name: 'NotpError', code: 'bad_secret_file', message: why });
    });

  const contents: readonly (readonly [string, unknown, RegExp])[] = [
    ['a name that is no name', [{ ...secret(), context: '../ssh' }], /"context" is not a context name/],
    ['a secret that is too short', [{ ...secret(), secret: 'AAAA' }], /"secret" has the wrong length/],
    ['a period out of bounds', [{ ...secret(), period: 5 }], /"period" must be/],
    ['two of one name', [secret(), secret()], /two secrets of one name/],
    ['too many', Array.from({ length: MAX_ARCHIVE_SECRETS + 1 }, (_, i) => ({ ...secret(), context: `s${String(i)}` })), /more than 2000/],
    ['no list', {}, /is not a list/],
  ];
  for (const [what, content, why] of contents)
    it(`of a content with ${what}`, () => {
      assert.throws(() => openArchive(archiveWith(content), PASSPHRASE), { name: 'NotpError', code: 'bad_secret_file', message: why });
    });

  it('of what would be too large to be read back: it is not written', () => {
    const many = Array.from({ length: MAX_ARCHIVE_SECRETS + 1 }, (_, i) => ({ ...GITHUB, context: `s${String(i)}` }));
    assert.throws(() => archiveOf(...many), { code: 'refused', message: /too many secrets/ });
    const long = many
      .slice(1)
      .map((each) => ({ ...each, credential: { ...each.credential, issuer: '東'.repeat(256), account: '京'.repeat(256) } }));
    const large = long.slice(0, MAX_ARCHIVE_SECRETS);
    assert.throws(() => archiveOf(...large), { code: 'refused', message: /too many secrets/ });
    assert.equal(openArchive(parseArchive(printArchive(archiveOf(...many.slice(1)))), PASSPHRASE)?.length, MAX_ARCHIVE_SECRETS);
  });
});

function secret(): Record<string, unknown> {
  return { context: 'a', type: 'totp', secret: toBase32(SECRET), algorithm: 'SHA1', digits: 6, issuer: '', account: '', period: 30 };
}

/** Sealed as an archive is, whatever its content. */
function archiveWith(content: unknown): Archive {
  const { associated } = bindingOf(archiveOf(GITHUB));
  return { ...HEADER, nonce: NONCE, ciphertext: encrypt(Buffer.from(JSON.stringify(content)), { key: KEY, nonce: NONCE, associated }) };
}

/** The associated data, made by the documentation of the format. */
function bindingOf({ created, seal: { m, t, p, salt } }: Archive): { readonly associated: Uint8Array } {
  const fields = ['archive/1', created, 'passphrase', 'argon2id', String(m), String(t), String(p), Buffer.from(salt).toString('base64')];
  return {
    associated: Buffer.concat(
      fields.flatMap((field) => {
        const length = Buffer.alloc(4);
        length.writeUInt32BE(Buffer.byteLength(field));
        return [length, Buffer.from(field)];
      }),
    ),
  };
}
