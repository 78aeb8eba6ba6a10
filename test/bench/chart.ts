/** A bar chart as SVG, which is readable on a light and on a dark page. */
import type { Bar } from './measure.ts';

const [WIDTH, LEFT, RIGHT, TOP, ROW] = [860, 270, 110, 62, 30];
const COLOURS = ['#7a9cc6', '#d9822b'];

/** `legend` names the parts of a bar. */
export function barChart(title: string, legend: readonly string[], bars: readonly Bar[]): string {
  const scale = (WIDTH - LEFT - RIGHT) / Math.max(...bars.flatMap(({ parts, whole }) => [sum(parts), whole]));
  const height = TOP + ROW * bars.length + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(height)}" font-family="sans-serif" font-size="14">`,
    `<rect width="${String(WIDTH)}" height="${String(height)}" fill="#ffffff"/>`,
    text(12, 24, title, 'font-weight="bold"'),
    ...legend.flatMap((name, i) => [rect(LEFT + i * 210, 36, 12, 12, i), text(LEFT + 18 + i * 210, 47, name)]),
    ...bars.flatMap(({ name, parts, whole }, row) => {
      const y = TOP + row * ROW;
      const pieces = parts.map((part, i) => rect(LEFT + sum(parts.slice(0, i)) * scale, y, part * scale, ROW - 10, i));
      const end = LEFT + sum(parts) * scale + 8;
      return [text(LEFT - 10, y + 15, name, 'text-anchor="end"'), ...pieces, text(end, y + 15, `${whole.toFixed(0)} ms`)];
    }),
    '</svg>\n',
  ].join('\n');
}

function rect(x: number, y: number, width: number, height: number, colour: number): string {
  const [left, wide] = [x, width].map((each) => each.toFixed(1));
  return `<rect x="${left ?? ''}" y="${String(y)}" width="${wide ?? ''}" height="${String(height)}" fill="${COLOURS[colour] ?? ''}"/>`;
}

function text(x: number, y: number, words: string, more = ''): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${String(y)}" fill="#222222" ${more}>${escaped}</text>`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}
