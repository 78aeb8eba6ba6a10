/** Patterns with `*` and `?`. */
import { it } from 'node:test';
import * as fc from 'fast-check';
import { matchesPattern } from '../../src/verdict/pattern.ts';

const expression = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);

it('a pattern matches as a regular expression with the same meaning does', () => {
  const piece = fc.stringMatching(/^[ab*?]{0,8}$/);
  fc.assert(fc.property(piece, piece, (name, pattern) => matchesPattern(name, pattern) === expression(pattern).test(name)));
});
