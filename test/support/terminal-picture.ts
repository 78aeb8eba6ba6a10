/** What a terminal printed, as a picture for the documentation (SVG): text stays text, in the colours that it had. */
const WIDTH = 8.4;
const HEIGHT = 19;
const MARGIN = 14;
const TEXT = '#d8dee9';
const BACKGROUND = '#1f2430';
/** SGR (ECMA-48 8.3.117), as far as notp writes it. */
const COLOURS: Readonly<Record<string, string>> = { '31': '#ff6e6e', '32': '#9ece6a', '33': '#e0af68', '36': '#7dcfff', '39': TEXT };
const ESCAPE = '\x1b';
const SGR = new RegExp(`${ESCAPE}\\[([\\d;]*)m`);
/** Any other control sequence: where the cursor is, modes of the terminal. */
const OTHER = new RegExp(`${ESCAPE}\\[[?\\d;]*[A-Za-ln-z]|${ESCAPE}\\][^\\x07]*\\x07|\\r`, 'g');

interface Style {
  readonly colour: string;
  readonly bold: boolean;
}

/** `printed`: whole lines, with SGR and no other sequence that moves the cursor back. Gives the SVG of a terminal of `most` columns. */
export function terminalPicture(printed: string, most: number): string {
  const lines = printed
    .replaceAll(OTHER, '')
    .trimEnd()
    .split('\n')
    .flatMap((line) => (SGR.test(line) ? [line] : broken(line, most)));
  let style: Style = { colour: TEXT, bold: false };
  const texts: string[] = [];
  let columns = 0;
  for (const [row, line] of lines.entries()) {
    let column = 0;
    for (const [at, part] of line.split(SGR).entries()) {
      if (at % 2 === 1) style = changed(style, part);
      else {
        if (part.trim() !== '') texts.push(textAt(column, row, part, style));
        column += part.length;
      }
    }
    columns = Math.max(columns, column);
  }
  const [width, height] = [rounded(columns * WIDTH + 2 * MARGIN), lines.length * HEIGHT + 2 * MARGIN];
  const size = `width="${width}" height="${String(height)}"`;
  const font = 'font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14"';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${width} ${String(height)}" ${font} xml:space="preserve">`,
    `<rect ${size} rx="8" fill="${BACKGROUND}"/>`,
    ...texts,
    '</svg>\n',
  ].join('\n');
}

/** A line without colours, as a terminal shows it that is too narrow. */
function broken(line: string, most: number): string[] {
  return line.length <= most ? [line] : [line.slice(0, most), ...broken(line.slice(most), most)];
}

function changed(style: Style, codes: string): Style {
  return codes.split(';').reduce<Style>((now, code) => {
    if (code === '' || code === '0') return { colour: TEXT, bold: false };
    if (code === '1' || code === '22') return { ...now, bold: code === '1' };
    return { ...now, colour: COLOURS[code] ?? now.colour };
  }, style);
}

function textAt(column: number, row: number, text: string, { colour, bold }: Style): string {
  const [x, y] = [rounded(MARGIN + column * WIDTH), String(MARGIN + row * HEIGHT + HEIGHT * 0.75)];
  const length = rounded(text.length * WIDTH);
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" textLength="${length}" fill="${colour}"${bold ? ' font-weight="bold"' : ''}>${escaped}</text>`;
}

function rounded(pixels: number): string {
  return String(Math.round(pixels * 10) / 10);
}
