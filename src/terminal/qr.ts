/** Draws a QR code (ISO/IEC 18004): black on white with a quiet zone of four modules, whatever the terminal's colours. */
import type { WriteStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';
import { generate } from 'lean-qr';
import { toPngBuffer } from 'lean-qr/extras/node_export';
import { toSvgSource } from 'lean-qr/extras/svg';
import type { QrStyle } from './choices.ts';
import { sayHint } from './printer.ts';

const QUIET_ZONE = 4;
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
 * module, no colour.
 */
export function drawQr(text: string, style: QrStyle): string {
  const code = generate(text);
  const size = code.size + 2 * QUIET_ZONE;
  const dark = (x: number, y: number): boolean => code.get(x - QUIET_ZONE, y - QUIET_ZONE);
  const row = (module: (x: number) => string): string => Array.from({ length: size }, (_, x) => module(x)).join('');
  switch (style) {
    case 'unicode':
      return rows(Math.ceil(size / 2), (y) => {
        const half = (x: number): string => HALF_BLOCKS[(dark(x, 2 * y) ? 2 : 0) + (dark(x, 2 * y + 1) ? 1 : 0)] ?? ' ';
        return BLACK_ON_WHITE + row(half) + RESET;
      });
    case 'ansi':
      return rows(size, (y) => row((x) => `${dark(x, y) ? ON_BLACK : ON_WHITE}  `) + RESET);
    case 'ascii':
      return rows(size, (y) => row((x) => (dark(x, y) ? '##' : '  ')));
    case 'none':
      return '';
  }
}

/** The drawing for `stream`. Where that has too few columns, says so in a hint with the remedy `otherwise`, and gives no drawing. */
export function drawFittingQr(text: string, style: QrStyle, stream: WriteStream, otherwise: string): string {
  const drawing = drawQr(text, style);
  const columns = stream.isTTY ? stream.columns : Infinity;
  const needed = qrColumns(drawing);
  if (needed <= columns) return drawing;
  sayHint(`the QR code needs ${String(needed)} columns, and this terminal has ${String(columns)}: ${otherwise}`);
  return '';
}

/** The columns that a drawing takes. On a narrower terminal its lines would wrap and be unreadable. */
function qrColumns(drawing: string): number {
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
