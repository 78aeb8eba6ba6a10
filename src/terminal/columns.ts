/** Computes how many columns a text takes, and cuts or wraps it to fit. Pure. */
import { escapeControls } from '../otp/escape.ts';

/** From this code point on nearly all characters are wide (CJK, symbols, emoji). Text with the narrow ones is only cut too early. */
const MOSTLY_WIDE_FROM = 0x2e80;
/** Hangul letters, and the emoji among older symbols. */
const ALSO_WIDE = /[\u1100-\u115f]|\p{Emoji_Presentation}/u;
const NOT_ASCII = /[^\x20-\x7e]/gu;

/** The columns of `text`, which has no control characters; rather too many than too few. */
export function columnsOf(text: string): number {
  return Array.from(text, widthOf).reduce((sum, width) => sum + width, 0);
}

/** `text` where it fits `columns`, else its beginning with an ellipsis. Without `utf8` each character beyond ASCII becomes `?`. */
export function cutToColumns(text: string, columns: number, utf8: boolean): string {
  const showable = utf8 ? text : text.replace(NOT_ASCII, '?');
  if (columnsOf(showable) <= columns) return showable;
  const ellipsis = (utf8 ? '…' : '...').slice(0, Math.max(0, columns));
  let kept = '';
  for (const character of showable) {
    if (columnsOf(kept + character) > columns - ellipsis.length) break;
    kept += character;
  }
  return kept + ellipsis;
}

/**
 * Breaks `text` at blanks, so that no line is wider. `indent` precedes all lines but the first, which already has as much. A word
 * that is too long stays whole, so that it can be copied.
 */
export function wrapped(text: string, columns: number, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of escapeControls(text).split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && columnsOf(longer) > columns - columnsOf(indent)) {
      lines.push(line.trimEnd());
      line = word;
    } else line = longer;
  }
  return [...lines, line].join(`\n${indent}`);
}

function widthOf(character: string): number {
  return (character.codePointAt(0) ?? 0) >= MOSTLY_WIDE_FROM || ALSO_WIDE.test(character) ? 2 : 1;
}
