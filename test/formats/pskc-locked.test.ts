/** What was changed in a locked PSKC beside the secrets was believed: a counter or an interval with a wrong MAC, and a secret that stood plain. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readPskc } from '../../src/formats/pskc.ts';
import { COUNTED, lacksPskc, pskcOf, TIMED, tokenIn, toldOf } from './token-files.ts';

const PSK = '12345678901234567890123456789012';
const CHANGED = 'its MAC is wrong: it was changed, or the key is another';

/** The serial numbers of the tokens, and for each other one why it cannot be used; undefined where the key does not open the file. */
function told(text: string): string[] | undefined {
  const read = readPskc(text, 0);
  assert.equal(read?.kind, 'locked');
  const file = read.open(PSK);
  return file && [...file.tokens.map(({ serial }) => serial), ...file.mistakes.map(({ serial, why }) => `${serial}: ${why}`)];
}

describe('a locked PSKC', { skip: lacksPskc() }, () => {
  const tokens = [TIMED, COUNTED, { ...TIMED, serial: 'c' }, { ...COUNTED, serial: 'd' }];
  const text = pskcOf(tokens, 'key', PSK, 'aes128-cbc', 'counter', 'time_interval');
  const [a, b] = tokens.map(({ serial }) => serial) as [string, string];
  const plain = (name: string, value: string): string =>
    text.replace(new RegExp(`(<pskc:${name}>)[^]*?(</pskc:${name}>)`), `$1<pskc:PlainValue>${value}</pskc:PlainValue>$2`);

  it('has its counters and intervals encrypted too', () => {
    const read = readPskc(text, 0);
    assert.deepEqual(read?.kind === 'locked' && read.open(PSK)?.tokens.map(tokenIn), tokens.map(toldOf));
  });

  it('of which a bit of any value or MAC was changed gives every token but that one', () => {
    const spots = [...text.matchAll(/<(?:xenc:CipherValue|pskc:ValueMAC)>([^<]+)</g)].slice(1);
    assert.equal(spots.length, 16);
    const serials = tokens.map(({ serial }) => serial);
    for (const [i, { index, 0: whole, 1: value = '' }] of spots.entries()) {
      const bytes = Buffer.from(value, 'base64');
      for (const put of [...bytes.keys(), undefined]) {
        const changed = put === undefined ? '' : Buffer.from(bytes.map((byte, k) => (k === put ? byte ^ 1 : byte))).toString('base64');
        const written = text.slice(0, index) + whole.replace(value, changed) + text.slice(index + whole.length);
        const serial = serials[Math.floor(i / 4)] ?? '';
        assert.deepEqual(told(written), [...serials.filter((each) => each !== serial), `${serial}: ${CHANGED}`]);
      }
    }
  });

  it('took a plain secret of a stranger for the one that was delivered', () => {
    const evil = Buffer.from('attackers-own-seed!!').toString('base64');
    assert.deepEqual(told(plain('Secret', evil)), [b, 'c', 'd', `${a}: its Secret is not encrypted, but the file is`]);
    assert.deepEqual(told(plain('TimeInterval', '30')), [b, 'c', 'd', `${a}: its TimeInterval is not encrypted, but the file is`]);
    const counter = [a, 'c', 'd', `${b}: its Counter is not encrypted, but the file is`];
    assert.deepEqual(told(plain('Counter', '0')), counter);
    assert.deepEqual(told(text.replace(/<pskc:Counter>[^]*?<\/pskc:Counter>/, '')), counter);
  });

  it('of which no secret is encrypted any more asks for its key, and gives nothing', () => {
    const all = text.replaceAll(/<(pskc:(?:Secret|Counter|TimeInterval))>[^]*?<\/\1>/g, '<$1><pskc:PlainValue>MTIz</pskc:PlainValue></$1>');
    const why = 'its Secret is not encrypted, but the file is';
    assert.deepEqual(
      told(all),
      tokens.map(({ serial }) => `${serial}: ${why}`),
    );
  });

  it('has the MAC of every value checked, also of one that is not needed', () => {
    assert.deepEqual(told(text.replace(/<pskc:TimeInterval>/, '<pskc:TimeDrift><pskc:EncryptedValue/></pskc:TimeDrift>$&')), [
      b,
      'c',
      'd',
      `${a}: ${CHANGED}`,
    ]);
  });
});
