/** What a person sees of a screen, as a picture (PNG, by rsvg-convert), in the colours of a theme; and what a scanner reads in it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Screen } from './tmux.ts';
import { must } from './world.ts';

interface Theme {
  readonly text: string;
  readonly background: string;
}

export const THEMES = {
  dark: { text: '#d0d0d0', background: '#000000' },
  light: { text: '#000000', background: '#ffffff' },
  'solarized dark': { text: '#839496', background: '#002b36' },
  'solarized light': { text: '#657b83', background: '#fdf6e3' },
} as const satisfies Record<string, Theme>;

const WIDTH = 10;
const HEIGHT = 20;
/** A change of colours, or a character. */
const SGR_OR_CHARACTER = new RegExp(String.raw`${'\x1b'}\[([\d;]*)m|(.)`, 'gu');
/** The colours of the table of 256 that notp writes, which no theme changes. */
const FIXED: Readonly<Record<string, string>> = { '16': '#000000', '231': '#ffffff' };

/** Reads the QR code on `screen` of `columns`, by way of files in `folder`. Throws if zbarimg finds none. */
export function scan(folder: string, screen: Pick<Screen, 'painted'>, columns: number, theme: Theme): string {
  const [svg, png] = [path.join(folder, 'screen.svg'), path.join(folder, 'screen.png')];
  fs.writeFileSync(svg, picture(screen.painted(), columns, theme));
  must(['rsvg-convert', '--output', png, svg]);
  return must(['zbarimg', '--raw', '-q', png]).trimEnd();
}

/** The screen as SVG. Colours hold on from line to line. */
function picture(painted: readonly string[], columns: number, theme: Theme): string {
  const cells: string[] = [];
  let colours: Theme = theme;
  for (const [y, line] of painted.entries()) {
    let x = 0;
    for (const [, codes, character = ''] of line.matchAll(SGR_OR_CHARACTER)) {
      if (codes === undefined) cells.push(...cell(character, { x: WIDTH * x++, y: HEIGHT * y }, colours));
      else colours = changed(colours, codes, theme);
    }
  }
  const size = `width="${String(columns * WIDTH)}" height="${String(painted.length * HEIGHT)}"`;
  const style = `shape-rendering="crispEdges" font-family="monospace" font-size="${String(HEIGHT * 0.8)}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}><rect ${size} fill="${theme.background}"/>${cells.join('')}</svg>`;
}

function changed(colours: Theme, codes: string, theme: Theme): Theme {
  const place = /^(38|48);5;(\d+)$/.exec(codes);
  const colour = FIXED[place?.[2] ?? ''];
  if (colour !== undefined) return { ...colours, [place?.[1] === '38' ? 'text' : 'background']: colour };
  if (codes === '39') return { ...colours, text: theme.text };
  if (codes === '49') return { ...colours, background: theme.background };
  return /^0?$/.test(codes) ? theme : colours;
}

function cell(character: string, at: { x: number; y: number }, { text, background }: Theme): string[] {
  const box = (height: number, down: number, fill: string): string =>
    `<rect x="${String(at.x)}" y="${String(at.y + down)}" width="${String(WIDTH)}" height="${String(height)}" fill="${fill}"/>`;
  const behind = box(HEIGHT, 0, background);
  if (character === '█') return [box(HEIGHT, 0, text)];
  if (character === '▀') return [behind, box(HEIGHT / 2, 0, text)];
  if (character === '▄') return [behind, box(HEIGHT / 2, HEIGHT / 2, text)];
  if (character === ' ') return [behind];
  const letter = character.replace('&', '&amp;').replace('<', '&lt;');
  return [behind, `<text x="${String(at.x)}" y="${String(at.y + HEIGHT * 0.75)}" fill="${text}">${letter}</text>`];
}
