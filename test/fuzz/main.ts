/**
 * `npm run fuzz`: the parsers, for as long as you like. What breaks one goes into its corpus, where `npm test` finds it.
 * usage: main.ts [--minutes 10] [--parser NAME] [--seed N]
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { fuzz } from './fuzzing.ts';
import { PARSERS } from './parsers.ts';

const ROUND_MS = 2_000;
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    parser: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const parsers = PARSERS.filter(({ name }) => values.parser === undefined || values.parser === name);
if (parsers.length === 0) throw new Error(`there is no ${String(values.parser)}: ${PARSERS.map(({ name }) => name).join(', ')}`);
const endMs = Date.now() + Number(values.minutes) * 60_000;
const broken = new Set<string>();
const counts = new Map<string, number>();
for (let seed = Number(values.seed); Date.now() < endMs; seed++) {
  for (const parser of parsers.filter(({ name }) => !broken.has(name))) {
    const roundEndMs = Math.min(endMs, Date.now() + ROUND_MS);
    const { inputs, broken: found } = fuzz(parser, seed, () => Date.now() >= roundEndMs);
    counts.set(parser.name, (counts.get(parser.name) ?? 0) + inputs);
    process.stderr.write(`${parser.name}: ${String(counts.get(parser.name))} inputs, seed ${String(seed)}\n`);
    if (found === undefined) continue;
    broken.add(parser.name);
    const file = path.join(
      import.meta.dirname,
      'corpora',
      parser.name,
      `broke-${createHash('sha256').update(found.input).digest('hex').slice(0, 12)}`,
    );
    fs.writeFileSync(file, found.input);
    process.stdout.write(`${parser.name} is broken by ${path.relative(process.cwd(), file)}: ${found.why}\n`);
  }
}
process.stdout.write(
  `${String([...counts.values()].reduce((sum, count) => sum + count, 0))} inputs, ${String(broken.size)} of ${String(parsers.length)} parsers broken\n`,
);
process.exitCode = broken.size === 0 ? 0 : 1;
