/** Giving a parser many inputs, and making one that breaks it small. */
import { mutated, randomFrom } from './mutate.ts';
import { samplesOf, type Parser } from './parsers.ts';

export interface Broken {
  readonly input: Buffer;
  readonly why: string;
}

/** Gives `parser` its corpus, and then inputs made of it until `enough` of them says so. Ends at the first that breaks it. */
export function fuzz(
  parser: Parser,
  seed: number,
  enough: (inputs: number) => boolean,
): { readonly inputs: number; readonly broken: Broken | undefined } {
  const samples = samplesOf(parser);
  const random = randomFrom(seed);
  let inputs = 0;
  for (const sample of samples) {
    inputs++;
    const why = whatBreaks(parser, sample);
    if (why !== undefined) return { inputs, broken: { input: sample, why } };
  }
  while (!enough(inputs)) {
    inputs++;
    const input = mutated(samples, random);
    const why = whatBreaks(parser, input);
    if (why !== undefined) return { inputs, broken: smallest(parser, { input, why }) };
  }
  return { inputs, broken: undefined };
}

function whatBreaks({ check }: Parser, input: Buffer): string | undefined {
  try {
    check(input);
    return undefined;
  } catch (error) {
    return error instanceof Error
      ? `${error.name}: ${error.message}\n${error.stack?.split('\n').slice(1, 4).join('\n') ?? ''}`
      : String(error);
  }
}

/** How often a smaller input is tried, at most. */
const MAX_TRIES = 2_000;

/** Takes away what it breaks without, larger parts first. */
function smallest(parser: Parser, broken: Broken): Broken {
  let least = broken;
  let tries = 0;
  for (let length = Math.ceil(least.input.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let at = 0; at < least.input.length && tries < MAX_TRIES; tries++) {
      const input = Buffer.concat([least.input.subarray(0, at), least.input.subarray(at + length)]);
      const why = whatBreaks(parser, input);
      if (why === undefined) at += length;
      else least = { input, why };
    }
  }
  return least;
}
