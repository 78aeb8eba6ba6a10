/** JSON that nests deeply is refused before V8 sees it; all other JSON is what JSON.parse makes of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { assert as holds, json, property } from 'fast-check';
import { MAX_NESTING, parseJson } from '../src/json.ts';

describe('JSON from outside', () => {
  it('is what JSON.parse makes of it', () => {
    holds(
      property(json({ maxDepth: MAX_NESTING - 1 }), (text) => {
        assert.deepEqual(parseJson(text), JSON.parse(text));
      }),
    );
  });

  it('nests no deeper than eight, in objects and arrays together', () => {
    assert.deepEqual(parseJson('[{"a":[{"a":[{"a":[[]]}]}]}]'), [{ a: [{ a: [{ a: [[]] }] }] }]);
    for (const text of ['[{"a":[{"a":[{"a":[[[]]]}]}]}]', '{"a":'.repeat(9), '['.repeat(50_000), `${'[]'.repeat(20)}${'['.repeat(9)}`])
      assert.throws(() => parseJson(text), { name: 'SyntaxError', message: 'the JSON nests too deeply' });
  });

  it('may have any brackets in its strings, and any number side by side', () => {
    for (const text of [
      '"[[[[[[[[[[{{{{"',
      String.raw`["\"[[[[[[[[[[","\\",[]]`,
      String.raw`{"\\\"[[[[[[[[[[":1}`,
      `[${'[],'.repeat(50)}{}]`,
    ])
      assert.deepEqual(parseJson(text), JSON.parse(text));
  });

  it('is a SyntaxError where it is none', () => {
    for (const text of ['', '{', ']]]]', '"[', String.raw`"\ `, 'nonsense', '}{', '{"a":1]'])
      assert.throws(() => parseJson(text), { name: 'SyntaxError' });
  });

  // JSON.parse alone ends this process by a signal, most times before half of the texts.
  it('does no harm in 200,000 malformed texts', () => {
    const { status, signal } = spawnSync(process.execPath, [path.join(import.meta.dirname, 'fuzz/malformed-json.ts'), '200000'], {
      stdio: 'inherit',
    });
    assert.deepEqual({ status, signal }, { status: 0, signal: null });
  });
});
