/** What a terminal can show is read from the environment, as other programs read it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { traitsOf, type Traits } from '../../src/terminal/traits.ts';

const SIZE = { columns: 100, rows: 30 };

function traits(environment: NodeJS.ProcessEnv): Traits {
  return traitsOf({ TERM: 'xterm', ...environment }, SIZE);
}

describe('the traits of a terminal', () => {
  it('are its size, or 80 by 24 where it tells none', () => {
    assert.deepEqual([traits({}).columns, traits({}).rows], [100, 30]);
    for (const size of [{}, { columns: 0, rows: 0 }]) {
      const { columns, rows } = traitsOf({}, size);
      assert.deepEqual([columns, rows], [80, 24]);
    }
  });

  for (const [utf8, environment] of [
    [true, { LC_ALL: 'C.UTF-8', LC_CTYPE: 'C', LANG: 'C' }],
    [true, { LC_ALL: '', LC_CTYPE: 'de_DE.utf8', LANG: 'C' }],
    [true, { LANG: 'en_GB.UTF-8' }],
    [false, { LC_ALL: 'C', LANG: 'en_GB.UTF-8' }],
    [false, { LC_CTYPE: 'POSIX', LANG: 'en_GB.UTF-8' }],
    [false, { LANG: 'de_DE.ISO-8859-1' }],
    [false, { LANG: '' }],
    [false, {}],
    [false, { LANG: 'C.UTF-8', TERM: 'dumb' }],
  ] as const) {
    it(`${utf8 ? 'have' : 'lack'} UTF-8 with ${JSON.stringify(environment)}`, () => {
      assert.equal(traits(environment).utf8, utf8);
    });
  }

  it('have colours unless NO_COLOR is more than empty', () => {
    assert.equal(traits({}).colour, true);
    assert.equal(traits({ NO_COLOR: '' }).colour, true);
    assert.equal(traits({ NO_COLOR: '0' }).colour, false);
    assert.equal(traits({ NO_COLOR: '1' }).cursor, true);
  });

  for (const TERM of ['dumb', undefined]) {
    it(`are neither cursor nor colours with TERM ${TERM ?? 'unset'}`, () => {
      const { cursor, colour } = traits({ TERM });
      assert.deepEqual({ cursor, colour }, { cursor: false, colour: false });
    });
  }
});
