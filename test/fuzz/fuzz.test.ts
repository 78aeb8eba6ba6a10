/** Whatever a parser is given, it gives a value or says what is wrong; and no parser is left out. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from '../support/process.ts';
import { LONG, report } from '../trials/trial.ts';
import { fuzz } from './fuzzing.ts';
import { PARSERS } from './parsers.ts';

const SEED = Number(process.env['NOTP_SEED'] ?? Date.now() % 2 ** 31);
const INPUTS = LONG ? 20_000 : 1_500;

/** Exported parsers that are fuzzed in another one, or read nothing from outside. */
const WITHIN: readonly string[] = [
  ...['parseJson', 'parseFile', 'parseReadings', 'parsed', 'parseFacts', 'parseSecret', 'canonicalJson'],
  ...['readConfig', 'readTrusted', 'readHostKey', 'readStdin', 'readStdinLine', 'readAt', 'readList'],
];

describe('no input breaks', () => {
  const counts = new Map<string, { times: number; failed: number }>();
  for (const parser of PARSERS)
    it(`the parser of ${parser.name} (NOTP_SEED=${String(SEED)})`, () => {
      const { inputs, broken } = fuzz(parser, SEED, (count) => count >= INPUTS);
      const { times, failed } = counts.get(parser.family) ?? { times: 0, failed: 0 };
      const sum = { times: times + inputs, failed: failed + (broken === undefined ? 0 : 1) };
      counts.set(parser.family, sum);
      report({ part: 'fuzzing', tried: `inputs made of real ones, to the parsers of ${parser.family}`, ...sum });
      if (broken !== undefined) assert.fail(`${broken.why}\ninput: ${JSON.stringify(broken.input.toString('latin1'))}`);
    });
});

it('every parser of src is among those that are fuzzed', () => {
  const listed = fs.readFileSync(path.join(import.meta.dirname, 'parsers.ts'), 'utf8');
  const sources = fs.readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const parsers = sources.flatMap((file) =>
    [...fs.readFileSync(path.join(ROOT, 'src', file), 'utf8').matchAll(/^export (?:async )?function ((?:parse|read)[A-Za-z0-9]*)\(/gm)].map(
      ([, name = '']) => name,
    ),
  );
  assert.ok(parsers.length > 20);
  assert.equal(new Set(parsers).size, parsers.length, 'one of two parsers with one name would hide the other');
  assert.deepEqual(
    parsers.filter((name) => !listed.includes(`${name}(`) && !listed.includes(`(${name})`) && !WITHIN.includes(name)),
    [],
  );
});
