/** Draws a QR code (ISO/IEC 18004): black on white, whatever the terminal's colours, with a quiet zone around it. */
import type { WriteStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';
import { generate } from 'lean-qr';
import { toPngBuffer } from 'lean-qr/extras/node_export';
import { toSvgSource } from 'lean-qr/extras/svg';
import { otpauthUri, shortUri, type Credential } from '../otp/uri.ts';
import type { QrStyle } from './choices.ts';
import { sayHint } from './printer.ts';
import { DEFAULT_COLUMNS, traitsOf, type Traits } from './traits.ts';

/** In files and pipes: what the standard asks for. */
const QUIET_ZONE = 4;
/** On a terminal, where a row counts more. Scanners need no more. */
const SCREEN_QUIET_ZONE = 2;
const PNG_SCALE = 8;
/** SGR (ECMA-48): black on white. Themes do not change the colours 16 and 231 of the 256-colour table. */
const BLACK_ON_WHITE = '\x1b[38;5;16;48;5;231m';
const ON_BLACK = '\x1b[48;5;16m';
const ON_WHITE = '\x1b[48;5;231m';
const RESET = '\x1b[0m';
/** Two modules in one character: above and below, each dark or not. */
const HALF_BLOCKS = [' ', '▄', '▀', '█'];

/**
 * The drawing, with a newline after each line. `unicode`: two rows a line; `ansi`: two coloured blanks a module; `ascii`: `##` a
 * module, no colour. `quietZone`: the light modules on each side.
 */
export function drawQr(text: string, style: QrStyle, quietZone = QUIET_ZONE): string {
  const code = generate(text);
  const size = code.size + 2 * quietZone;
  const dark = (x: number, y: number): boolean => code.get(x - quietZone, y - quietZone);
  const row = (module: (x: number) => string): string => Array.from({ length: size }, (_, x) => module(x)).join('');
  switch (style) {
    case 'unicode':
      return rows(Math.ceil(size / 2), (y) => {
        const half = (x: number): string => HALF_BLOCKS[(dark(x, 2 * y) ? 2 : 0) + (dark(x, 2 * y + 1) ? 1 : 0)] ?? ' ';
        return BLACK_ON_WHITE + row(half) + RESET;
      });
    case 'ansi': {
      const change = (x: number, y: number): string => (x > 0 && dark(x, y) === dark(x - 1, y) ? '' : dark(x, y) ? ON_BLACK : ON_WHITE);
      return rows(size, (y) => row((x) => `${change(x, y)}  `) + RESET);
    }
    case 'ascii':
      return rows(size, (y) => row((x) => (dark(x, y) ? '##' : '  ')));
    case 'none':
      return '';
  }
}

/** The style that a terminal can show: half blocks, else colours, which scan better than `##`. */
export function usualStyle({ utf8, cursor }: Traits): QrStyle {
  return utf8 ? 'unicode' : cursor ? 'ansi' : 'ascii';
}

/**
 * The drawing for `stream`, as small as scanners read it where that is a terminal. Where the terminal has too few columns, its lines would
 * wrap and be unreadable: then there is no drawing, and a hint with the remedy `otherwise`.
 */
export function drawFittingQr(credential: Credential, style: QrStyle, stream: WriteStream, otherwise: string): string {
  if (!stream.isTTY) return drawQr(otpauthUri(credential), style);
  const drawing = drawQr(shortUri(credential), style, SCREEN_QUIET_ZONE);
  const needed = columnsOfQr(drawing);
  if (needed <= traitsOf(process.env, stream).columns) return drawing;
  sayHint(`the QR code needs ${String(needed)} columns, and this terminal ${hasOf(stream.columns, DEFAULT_COLUMNS)}: widen it${otherwise}`);
  return '';
}

/** "has 40", or what is assumed of a terminal that tells no size. */
export function hasOf(size: number, assumed: number): string {
  return size > 0 ? `has ${String(size)}` : `tells no size, so ${String(assumed)} are assumed`;
}

/** The columns that a drawing takes. */
export function columnsOfQr(drawing: string): number {
  return stripVTControlCharacters(drawing.slice(0, drawing.indexOf('\n'))).length;
}

/** The image for a file whose name ends in `.png` or `.svg`. */
export function qrImage(text: string, kind: 'png' | 'svg'): Uint8Array {
  const code = generate(text);
  const colours = { on: 'black', off: 'white', padX: QUIET_ZONE, padY: QUIET_ZONE };
  if (kind === 'svg') return Buffer.from(toSvgSource(code, { ...colours, width: 400, height: 400, xmlDeclaration: true }));
  return toPngBuffer(code, { on: [0, 0, 0], off: [255, 255, 255], pad: QUIET_ZONE, scale: PNG_SCALE });
}

function rows(count: number, line: (y: number) => string): string {
  return Array.from({ length: count }, (_, y) => line(y) + '\n').join('');
}
