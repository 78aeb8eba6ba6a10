/** Inputs made of real ones: bytes flipped, cut, repeated and spliced, with what parsers stumble over put in. Everything comes from a seed. */

export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
}

/** The same numbers for the same seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return {
    below,
    pick: (from) => {
      const picked = from[below(from.length)];
      if (picked === undefined) throw new Error('there is nothing to pick from');
      return picked;
    },
  };
}

/** What parsers stumble over. */
const TOKENS: readonly Buffer[] = [
  ...[
    '',
    ' ',
    '\t',
    '\n',
    '\r\n',
    '\0',
    '\x7f',
    '\x1b[31m',
    '"',
    "'",
    '\\',
    '\\"',
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    ':',
    '=',
    ',',
    '%',
    '#',
    '/',
  ],
  ...['../', '//', '%00', '%2f', '%', '%zz', '%h', '%u', '%U', '$HOME', '`id`', '${x}', '*', '?', '**', '(a+)+', '@include', '__proto__'],
  ...['constructor', 'null', 'true', 'NaN', 'Infinity', '-1', '0', '1e309', '9007199254740993', '4294967296', '2147483648', '1e-9', '0x10'],
  ...[
    '\ufeff',
    '\u202e',
    '\u200b',
    'e\u0301',
    '\u00e9',
    '\u0660',
    '\uff11',
    '\u2028',
    '\u{1f511}',
    'I\u0307',
    'secret=',
    'otpauth://totp/',
  ],
].map((text) => Buffer.from(text));
const NOT_UTF8: readonly Buffer[] = ['c328', 'eda080', 'f09f92', 'ff', 'c0af', 'e280'].map((hex) => Buffer.from(hex, 'hex'));
/** Longer than anything that a parser takes; quadratic work on it does not come to an end. */
const MAX_BYTES = 128 * 1024;

type Mutation = (input: Buffer, random: Random, samples: readonly Buffer[]) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  (input, random) => {
    const flipped = Buffer.from(input);
    if (flipped.length > 0) flipped[random.below(flipped.length)] = random.below(256);
    return flipped;
  },
  (input, random) => {
    const flipped = Buffer.from(input);
    const at = random.below(Math.max(1, flipped.length));
    if (flipped.length > 0) flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
    return flipped;
  },
  (input, random) => splice(input, random, random.pick(TOKENS)),
  (input, random) => splice(input, random, random.pick(TOKENS)),
  (input, random) => splice(input, random, random.pick(NOT_UTF8)),
  (input, random) => input.subarray(0, random.below(input.length + 1)),
  (input, random) => {
    const [from, to] = range(input, random);
    return Buffer.concat([input.subarray(0, from), input.subarray(to)]);
  },
  (input, random) => {
    const [from, to] = range(input, random);
    return Buffer.concat([input.subarray(0, to), input.subarray(from)]);
  },
  (input, random, samples) => {
    const other = random.pick(samples);
    return Buffer.concat([input.subarray(0, random.below(input.length + 1)), other.subarray(random.below(other.length + 1))]);
  },
  (input, random) => {
    const lines = input.toString('latin1').split('\n');
    const [from, to] = [random.below(lines.length), random.below(lines.length)];
    const moved = lines.toSpliced(from, 1).toSpliced(to, 0, lines[from] ?? '');
    return Buffer.from(moved.join('\n'), 'latin1');
  },
];

/** A few mutations of one of `samples`; one input in 64 has a part of it repeated up to a size that no parser takes. */
export function mutated(samples: readonly Buffer[], random: Random): Buffer {
  let input = random.pick(samples);
  for (let left = random.below(5); left >= 0; left--) input = random.pick(MUTATIONS)(input, random, samples);
  return (random.below(64) === 0 ? swollen(input, random) : input).subarray(0, MAX_BYTES);
}

function swollen(input: Buffer, random: Random): Buffer {
  const part = random.below(2) === 0 ? random.pick(TOKENS) : input.subarray(...range(input, random));
  if (part.length === 0) return input;
  const at = random.below(input.length + 1);
  const repeated = Buffer.alloc(Math.min(MAX_BYTES, part.length * 2 ** (4 + random.below(13))), part);
  return Buffer.concat([input.subarray(0, at), repeated, input.subarray(at)]);
}

function splice(input: Buffer, random: Random, token: Buffer): Buffer {
  const at = random.below(input.length + 1);
  return Buffer.concat([input.subarray(0, at), token, input.subarray(at + random.below(2) * token.length)]);
}

function range(input: Buffer, random: Random): [number, number] {
  const from = random.below(input.length + 1);
  return [from, Math.min(input.length, from + 1 + random.below(32))];
}
