/** Opening the files of several devices at once: with every reading, with host keys old and new, and with one of them broken. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readings } from '../../src/otp/proof.ts';
import type { SealedFile } from '../../src/seal/file.ts';
import { hostKeyId, hostSealKey, passphraseKey } from '../../src/seal/keys.ts';
import { seal, type Payload } from '../../src/seal/seal.ts';
import type { Presented } from '../../src/verdict/decide.ts';
import { openReading, wipe } from '../../src/login/opening.ts';
import type { HostKey } from '../../src/state/host-keys.ts';
import { HOST_HEADER, PASSPHRASE_HEADER, PAYLOAD } from '../seal/sealed.ts';

const NONCE = new Uint8Array(24);
const keyOf = (byte: number): Omit<HostKey, 'former'> => {
  const key = new Uint8Array(32).fill(byte);
  return { key, id: hostKeyId(key) };
};
const HOST: HostKey = { ...keyOf(1), former: [keyOf(2), keyOf(3)] };

function named(name: string): Payload {
  // Opening wipes secrets, so each has its own bytes.
  return { ...PAYLOAD, secret: new Uint8Array(20).fill(5), account: name };
}

function byPassphrase(passphrase: string, name = passphrase, payload = named(name)): SealedFile {
  const { seal: sealing } = PASSPHRASE_HEADER;
  assert.equal(sealing.kind, 'passphrase');
  return seal(PASSPHRASE_HEADER, payload, passphraseKey(passphrase, sealing), NONCE);
}

function byHost({ key, id }: Omit<HostKey, 'former'> = HOST, name = 'host'): SealedFile {
  return seal({ ...HOST_HEADER, seal: { kind: 'host', key: id } }, named(name), hostSealKey(key, HOST_HEADER.id), NONCE);
}

/** With one bit of the ciphertext changed. */
function broken(file: SealedFile): SealedFile {
  return { ...file, ciphertext: file.ciphertext.with(0, (file.ciphertext[0] ?? 0) ^ 1) };
}

const open = (
  files: readonly (SealedFile | undefined)[],
  line: string,
  kind: 'passphrase' | 'host' | 'either' = 'passphrase',
): Presented | undefined => openReading(files, readings(line, kind), HOST);
const names = (presented: Presented | undefined): (string | undefined)[] | undefined => presented?.opened.map((each) => each?.account);

describe('the files of several devices', () => {
  it('are opened by the passphrase of each, and by one that they share', () => {
    const files = [byPassphrase('one'), byPassphrase('two'), undefined];
    assert.deepEqual(names(open(files, 'one 123456')), ['one', undefined, undefined]);
    assert.deepEqual(names(open(files, 'two 123456')), [undefined, 'two', undefined]);
    assert.deepEqual(names(open(files, 'three 123456')), [undefined, undefined, undefined]);
    assert.deepEqual(names(open([byPassphrase('same', 'a'), byPassphrase('same', 'b')], 'same 123456')), ['a', 'b']);
  });

  it('are opened with each reading of a line: the one that opens any is taken', () => {
    const files = [byPassphrase('pw'), byPassphrase('pw 111111')];
    for (const [line, expected, kind] of [
      ['pw 111111 222222', [undefined, 'pw 111111'], 'code'],
      ['pw 333333 222222', ['pw', undefined], 'codes'],
    ] as const) {
      const presented = open(files, line);
      assert.deepEqual([names(presented), presented?.proof.kind, presented?.longest], [expected, kind, 2]);
    }
  });

  it('sealed by the host are opened whatever was typed, so the reading that opens more is meant', () => {
    const files = [byHost(), byPassphrase('horse')];
    assert.deepEqual(names(open(files, '123456', 'either')), ['host', undefined]);
    assert.deepEqual(names(open(files, 'other 123456', 'either')), ['host', undefined]);
    const two = open(files, 'horse 123456 654321', 'either');
    assert.deepEqual([names(two), two?.proof], [['host', 'horse'], { kind: 'codes', codes: ['123456', '654321'] }]);
    const numbered = open([byHost(), byPassphrase('123456')], '123456 654321', 'either');
    assert.deepEqual([names(numbered), numbered?.proof.kind], [['host', '123456'], 'code']);
    assert.equal(open(files, '123456 654321', 'either')?.proof.kind, 'codes');
  });

  it('sealed by a passphrase that is empty are not opened by none', () => {
    assert.deepEqual(names(open([byPassphrase('one')], '123456', 'either')), [undefined]);
  });

  it('are wiped when done, those of every device', () => {
    const presented = open([byHost(), byHost(HOST, 'b')], '123456', 'host');
    assert.ok(presented !== undefined);
    const secrets = presented.opened.map((each) => each?.secret);
    assert.deepEqual(
      secrets.map((each) => each?.[0]),
      [5, 5],
    );
    wipe(presented);
    for (const secret of secrets) assert.deepEqual(secret, new Uint8Array(20));
  });
});

describe('a broken file', () => {
  it('beside a good one stays closed, and tells nothing of any passphrase', () => {
    const passphrases = ['one', 'two', 'none'];
    // The last one opens, to what nobody can use.
    const useless = byPassphrase('two', 'two', { ...PAYLOAD, secret: new Uint8Array(5) });
    assert.throws(() => open([useless], 'two 123456'), { code: 'bad_secret_file' });
    for (const other of [broken(byHost()), broken(byPassphrase('two')), byHost(keyOf(9)), useless]) {
      const found = passphrases.map((typed) => names(open([other, byPassphrase('one')], `${typed} 123456`, 'either')));
      assert.deepEqual(found, [
        [undefined, 'one'],
        [undefined, undefined],
        [undefined, undefined],
      ]);
    }
  });

  it('that is the only one, or beside none that is better, is told', () => {
    const refused = { code: 'bad_secret_file', message: /was changed/ };
    assert.throws(() => open([broken(byHost())], '123456', 'host'), refused);
    assert.throws(() => open([undefined, broken(byHost())], '123456', 'host'), refused);
    assert.throws(() => open([broken(byHost()), byHost(keyOf(9))], '123456', 'host'), refused);
    assert.throws(() => open([byHost(keyOf(9)), broken(byHost())], '123456', 'host'), {
      code: 'bad_secret_file',
      message: new RegExp(`sealed by host key ${keyOf(9).id}, but this host has ${HOST.id}`),
    });
  });

  it('sealed by a host whose key cannot be read does not stand in the way of one with a passphrase', () => {
    const typed = readings('one 123456', 'either');
    assert.deepEqual(names(openReading([byHost(), byPassphrase('one')], typed, undefined)), [undefined, 'one']);
    assert.throws(() => openReading([byHost()], typed, undefined), { code: 'store_unavailable' });
  });
});

describe('a host key that was replaced', () => {
  it('still opens what was sealed with it, as each before it does', () => {
    for (const key of [HOST, ...HOST.former]) assert.deepEqual(names(open([byHost(key)], '123456', 'host')), ['host']);
    assert.deepEqual(names(open([byHost(keyOf(3), 'old'), byHost(HOST, 'new')], '123456', 'host')), ['old', 'new']);
  });

  it('does not open what names another one', () => {
    const renamed: SealedFile = { ...byHost(keyOf(2)), seal: { kind: 'host', key: HOST.id } };
    assert.throws(() => open([renamed], '123456', 'host'), { code: 'bad_secret_file', message: /was changed/ });
  });
});

it('a counted secret is opened as any other', () => {
  const { periodSeconds, ...rest } = PAYLOAD;
  assert.equal(periodSeconds, 30);
  const { seal: sealing } = PASSPHRASE_HEADER;
  assert.equal(sealing.kind, 'passphrase');
  const file = seal(PASSPHRASE_HEADER, { ...rest, type: 'hotp' }, passphraseKey('pw', sealing), NONCE);
  assert.equal(open([file], 'pw 123456')?.opened[0]?.type, 'hotp');
  assert.equal(open([file], 'other 123456')?.opened[0], undefined);
});
