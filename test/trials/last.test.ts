/** TRIALS.md is what this run tried. test/run has this file last, alone: by itself it knows only of the tests that ran since the last whole run began. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, it } from 'node:test';
import { tableOf } from '../support/markdown.ts';
import { lacks } from '../support/world.ts';
import { PAGE } from './page.ts';
import { compared, reported } from './trial.ts';

describe('the tables of trials', { skip: lacks({ root: true }) }, () => {
  const page = fs.readFileSync(PAGE, 'utf8');

  it('name what this run tried, and nothing else (npm run trials writes them)', () => {
    const rows = tableOf(page, 'trials').map(([part, tried]) => `${part ?? ''}: ${tried ?? ''}`);
    assert.deepEqual(
      rows,
      reported().map(({ part, tried }) => `${part}: ${tried}`),
    );
  });

  it('have nothing that failed', () => {
    assert.deepEqual(
      reported().filter(({ failed }) => failed > 0),
      [],
    );
  });

  it('say of notp beside other modules what this run measured', () => {
    assert.deepEqual(
      tableOf(page, 'peers').map(([row, attack, notp]) => [row, attack, notp]),
      compared().map(({ row, attack, notp }) => [row, attack, notp]),
    );
  });
});
