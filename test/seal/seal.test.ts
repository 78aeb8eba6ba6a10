/** A sealed file opens with its key as it was written, and in no other way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import * as fc from 'fast-check';
import { NotpError } from '../../src/error.ts';
import { createHash } from 'node:crypto';
import {
  associatedData,
  parseSealedFile,
  printSealedFile,
  registrationOf,
  type SealedFile,
  type SealedHeader,
} from '../../src/seal/file.ts';
import { open } from '../../src/seal/seal.ts';
import { HOST_HEADER, keyOf, PASSPHRASE_HEADER, PAYLOAD, sealed } from './sealed.ts';

/** Whether these bytes open for somebody who has the host key and the passphrase. */
function opens(bytes: Uint8Array): boolean {
  let file: SealedFile;
  try {
    file = parseSealedFile(bytes);
  } catch (error) {
    assert.ok(error instanceof NotpError && error.code === 'bad_secret_file', String(error));
    return false;
  }
  return open(file, keyOf(file)) !== undefined;
}

describe('whatever name a file is sealed for', () => {
  const ODD = fc.constantFrom(
    'a',
    'Z',
    '7',
    '.',
    '/',
    '\\',
    '@',
    ' ',
    '%',
    '$',
    ':',
    '\n',
    '\0',
    '\u0085',
    '\u2028',
    '\ufffd',
    '\ud83d',
    'é',
    '😀',
    '"',
  );
  const name = fc.oneof(
    fc.string({ unit: ODD, maxLength: 20 }),
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({ unit: ODD, minLength: 60, maxLength: 260 }),
  );

  it('is one that the file opens for, or nothing is sealed at all', () => {
    const tally = { opened: 0, refused: 0 };
    fc.assert(
      fc.property(name, name, (user, account) => {
        let bytes: Uint8Array;
        try {
          bytes = printSealedFile(sealed({ ...HOST_HEADER, user }, { ...PAYLOAD, account }));
        } catch (error) {
          assert.ok(error instanceof NotpError && error.code === 'refused', String(error));
          tally.refused++;
          return;
        }
        const file = parseSealedFile(bytes);
        assert.deepEqual([file.user, open(file, keyOf(file))?.account], [user, account]);
        tally.opened++;
      }),
      { numRuns: 1000 },
    );
    assert.ok(tally.opened > 100 && tally.refused > 100, JSON.stringify(tally));
  });

  it('may be any that a directory service has', () => {
    for (const user of ['CORP\\sam', 'jo doe', 'josé', 'adann@corp.example', '20231234', 'x'.repeat(256), '😀'.repeat(64)])
      assert.equal(parseSealedFile(printSealedFile(sealed({ ...HOST_HEADER, user }))).user, user);
  });
});

const KINDS = { 'host-sealed': HOST_HEADER, 'passphrase-sealed': PASSPHRASE_HEADER };

for (const [kind, header] of Object.entries(KINDS)) {
  describe(`a ${kind} file`, () => {
    const bytes = printSealedFile(sealed(header));

    it('opens with its key', () => {
      assert.deepEqual(open(parseSealedFile(bytes), keyOf(header)), PAYLOAD);
    });

    it('does not open with another key', () => {
      assert.equal(open(sealed(header), keyOf(header).fill(0)), undefined);
    });

    it('never opens with any one byte of it changed', () => {
      assert.ok(opens(bytes));
      fc.assert(
        fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
          assert.equal(opens(bytes.with(at, (bytes[at] ?? 0) ^ flip)), false);
        }),
        { numRuns: 500 },
      );
      for (const at of bytes.keys()) assert.equal(opens(bytes.with(at, (bytes[at] ?? 0) ^ 1)), false, `byte ${at}`);
    });

    it('never opens cut off, at whatever length', () => {
      for (const length of bytes.keys()) assert.equal(opens(bytes.subarray(0, length)), false, `${length} bytes`);
    });

    const edits: readonly (readonly [what: string, header: SealedHeader])[] = [
      ['copied to another user', { ...header, user: 'mallory' }],
      ['copied to another context', { ...header, context: 'deploy' }],
      ['given another id', { ...header, id: 'f'.repeat(32) }],
      ['given another date', { ...header, created: '2026-11-23T17:00:01Z' }],
    ];
    for (const [what, other] of edits) {
      it(`does not open ${what}, even with the key of the original`, () => {
        assert.equal(open({ ...sealed(header), ...other }, keyOf(header)), undefined);
        assert.equal(opens(printSealedFile({ ...sealed(header), ...other })), false);
      });
    }

    it('does not open with the ciphertext or the nonce of another file', () => {
      const other = sealed({ ...header, context: 'deploy' });
      assert.equal(open({ ...sealed(header), ciphertext: other.ciphertext }, keyOf(header)), undefined);
      assert.equal(open({ ...sealed(header), nonce: other.nonce.with(0, 0) }, keyOf(header)), undefined);
    });
  });
}

describe('the parameters of a seal', () => {
  const { seal } = PASSPHRASE_HEADER;
  assert.ok(seal.kind === 'passphrase');
  const changes = { m: 16385, t: 3, p: 2, salt: seal.salt.with(0, 0) };
  for (const [key, value] of Object.entries(changes)) {
    it(`are bound into the ciphertext: another ${key} does not open, even with the key of the original`, () => {
      assert.equal(open({ ...sealed(PASSPHRASE_HEADER), seal: { ...seal, [key]: value } }, keyOf(PASSPHRASE_HEADER)), undefined);
    });
  }

  it('are bound too where they name a host key', () => {
    const other = { ...sealed(HOST_HEADER), seal: { kind: 'host', key: 'f'.repeat(16) } } as const;
    assert.equal(open(other, keyOf(HOST_HEADER)), undefined);
  });

  it('bind the kind: a host-sealed file is no passphrase-sealed one with the same key', () => {
    assert.equal(open({ ...sealed(HOST_HEADER), seal }, keyOf(HOST_HEADER)), undefined);
  });
});

interface Texts {
  readonly id: string;
  readonly user: string;
  readonly context: string;
  readonly created: string;
  readonly key: string;
}

function encode({ key, ...fields }: Texts): string {
  return Buffer.from(associatedData({ ...fields, seal: { kind: 'host', key } })).toString('hex');
}

describe('the associated data', () => {
  it('is different for different headers, wherever the border between two fields lies', () => {
    const texts = fc.record({ id: fc.string(), user: fc.string(), context: fc.string(), created: fc.string(), key: fc.string() });
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        assert.equal(encode(one) === encode(other), JSON.stringify(one) === JSON.stringify(other));
      }),
    );
    const base = { id: '', created: '', key: '' };
    assert.notEqual(encode({ ...base, user: 'ab', context: 'c' }), encode({ ...base, user: 'a', context: 'bc' }));
    assert.notEqual(encode({ ...base, user: '', context: 'abc' }), encode({ ...base, user: 'abc', context: '' }));
  });

  it('is the format, then each field with its length in front', () => {
    const header: SealedHeader = { id: '1', user: 'ü', context: '', created: 'x', seal: { kind: 'host', key: 'k' } };
    const hex = ['00000008', Buffer.from('sealed/1').toString('hex'), '00000001', '31', '00000002', 'c3bc', '00000000', '00000001', '78'];
    const seal = ['00000004', Buffer.from('host').toString('hex'), '00000001', '6b'];
    assert.equal(Buffer.from(associatedData(header)).toString('hex'), [...hex, ...seal].join(''));
  });
});

it('content that opens but is none of ours is refused, not used', () => {
  const file = sealed(HOST_HEADER);
  const key = keyOf(HOST_HEADER);
  const ciphertext = xchacha20poly1305(key, file.nonce, associatedData(file)).encrypt(Buffer.from('{"secret":"AAAA"}'));
  assert.throws(() => open({ ...file, ciphertext }, key), { code: 'bad_secret_file', message: /^the sealed content lacks "type"$/ });
});

describe('what a state registers of a file', () => {
  it('is its id and the SHA-256 of its bytes', () => {
    const file = sealed(HOST_HEADER);
    const digest = createHash('sha256').update(printSealedFile(file)).digest('hex');
    assert.deepEqual(registrationOf(file), { id: file.id, digest });
  });
});

describe('a context that is none', () => {
  it('is sealed for nobody', () => {
    assert.throws(() => sealed({ ...HOST_HEADER, context: '../x' }), { code: 'refused' });
  });
});

describe('a sealed file that is written in another way', () => {
  it('is none, though it says the same', () => {
    const same: unknown = JSON.parse(Buffer.from(printSealedFile(sealed(HOST_HEADER))).toString());
    assert.throws(() => parseSealedFile(Buffer.from(JSON.stringify(same))), /is not in the exact form that notp writes/);
  });
});
