/** Digits five lines high, in three widths. Pure. */

/** Each digit is three columns wide, and no column is empty. */
const FONT = [
  '### ##. ### ### #.# ### ### ### ### ###',
  '#.# .#. ..# ..# #.# #.. #.. ..# #.# #.#',
  '#.# .#. ### ### ### ### ### ..# ### ###',
  '#.# .#. #.. ..# ..# ..# #.# ..# #.# ..#',
  '### ### ### ### ..# ### ### ..# ### ###',
].map((line) => line.split(' '));

interface Size {
  /** The drawn width of each column of the font. */
  readonly stretch: readonly [number, number, number];
  readonly gap: number;
  readonly groupGap: number;
}

/** The widest first. */
const SIZES: readonly Size[] = [
  { stretch: [2, 2, 2], gap: 2, groupGap: 4 },
  { stretch: [2, 1, 2], gap: 1, groupGap: 3 },
  { stretch: [1, 1, 1], gap: 1, groupGap: 3 },
];

export const BIG_DIGIT_LINES = FONT.length;

/** A code in the two groups that people read: 3+3, 3+4, 4+4. */
export function groupsOf(code: string): [string, string] {
  const middle = Math.floor(code.length / 2);
  return [code.slice(0, middle), code.slice(middle)];
}

/** `code` in the largest size that fits `columns`, drawn with the character `ink`; undefined if none fits. */
export function bigDigits(code: string, columns: number, ink: string): readonly string[] | undefined {
  const drawings = SIZES.map((size) => FONT.map((line) => drawLine(code, line, size, ink)));
  return drawings.find(([line = '']) => line.length <= columns);
}

function drawLine(code: string, line: readonly string[], { stretch, gap, groupGap }: Size, ink: string): string {
  const digit = (character: string): string =>
    stretch.map((width, x) => (line[Number(character)]?.[x] === '#' ? ink : ' ').repeat(width)).join('');
  const group = (characters: string): string => Array.from(characters, digit).join(' '.repeat(gap));
  return groupsOf(code).map(group).join(' '.repeat(groupGap));
}
