/** Shapes of JSON are read strictly, and the message names what is wrong, never a value. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  boolean,
  listOf,
  literal,
  nil,
  object,
  oneOf,
  optional,
  shaped,
  string,
  text,
  tuple,
  union,
  wholeNumber,
} from '../../src/seal/shape.ts';

const SHAPE = object({
  name: text(/^[a-z]+$/),
  replace: boolean(),
  digits: oneOf([6, 7, 8]),
  count: optional(wholeNumber(1, 9)),
  seal: union(object({ kind: literal('host'), key: string() }), object({ kind: literal('none') })),
  list: listOf(string(), 2),
  pair: tuple([string(), string()]),
});
const GOOD = { name: 'alice', replace: true, digits: 6, count: null, seal: { kind: 'none' }, list: ['a'], pair: ['a', 'b'] };

function refuses(value: unknown, message: string): void {
  assert.throws(() => shaped(SHAPE, value, 'the thing'), { name: 'NotpError', code: 'bad_secret_file', message });
}

describe('a shape', () => {
  it('gives what has it, null as undefined where it is optional', () => {
    assert.deepEqual(shaped(SHAPE, GOOD, 'the thing'), { ...GOOD, count: undefined });
    assert.equal(shaped(SHAPE, { ...GOOD, count: 3 }, 'the thing').count, 3);
  });

  it('names the object that lacks a key, or has one too many', () => {
    const { name: _, ...nameless } = GOOD;
    refuses(nameless, 'the thing lacks "name"');
    refuses({ ...GOOD, seal: { kind: 'host' } }, '"seal" lacks "key"');
    refuses({ ...GOOD, more: 1 }, 'the thing has an unknown key "more"');
    refuses({ ...GOOD, seal: { kind: 'none', 'a\u001b': 1 } }, '"seal" has an unknown key "a\\u001b"');
    refuses(JSON.parse(`{"__proto__":1,${JSON.stringify(GOOD).slice(1)}`), 'the thing has an unknown key "__proto__"');
  });

  it('names the key of a wrong value, and what is right', () => {
    refuses({ ...GOOD, name: 'ALICE' }, '"name" is malformed');
    refuses({ ...GOOD, digits: 9 }, '"digits" must be one of 6, 7, 8');
    refuses({ ...GOOD, count: 10 }, '"count" must be a whole number from 1 to 9');
    refuses({ ...GOOD, seal: { kind: 'tpm' } }, '"kind" must be one of host, none');
    refuses({ ...GOOD, seal: [] }, '"seal" is not a JSON object');
    refuses({ ...GOOD, list: ['a', 1] }, '"list" is not text');
    refuses({ ...GOOD, list: ['a', 'b', 'c'] }, '"list" is a list of more than 2');
    refuses({ ...GOOD, pair: ['a'] }, '"pair" is malformed');
    refuses([], 'the thing is not a JSON object');
    assert.throws(() => shaped(nil(), 1, 'the thing'), { message: 'the thing is not null' });
  });

  it('takes true and false for a flag, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.anything().filter((value) => typeof value !== 'boolean'),
        (replace) => {
          assert.throws(() => shaped(SHAPE, { ...GOOD, replace }, 'the thing'), /"replace"/);
        },
      ),
    );
  });
});
