/** Tables in Markdown pages that are made from data, between two comments that mark their place. */

/** `rows` under `head`, padded as prettier does it. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(3, ...all.map((row) => row[i]?.length ?? 0)));
  const [first, ...others] = all.map((row) => `| ${widths.map((width, i) => (row[i] ?? '').padEnd(width)).join(' | ')} |\n`);
  return [first, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |\n`, ...others].join('');
}

/** `page` with `table` between the comments `name: begin` and `name: end`. Throws where they are missing. */
export function withTable(page: string, name: string, table: string): string {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`there is no place for the table: ${begin} and ${end}`);
  return `${before}${begin}\n\n${table}\n${end}${after}`;
}

/** The cells of the rows of the table called `name` in `page`, without its head. */
export function tableOf(page: string, name: string): string[][] {
  const inside = page.split(`<!-- ${name}: begin -->`)[1]?.split(`<!-- ${name}: end -->`)[0] ?? '';
  const lines = inside.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}
