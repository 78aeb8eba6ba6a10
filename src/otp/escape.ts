/** Shows names from outside as data, never as control sequences of the terminal. */

// C0, DEL, C1, line separators, and the invisible and bidirectional marks that can disguise a name.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Unicode's Cc: C0, DEL and C1. Written as `\p{Cc}` it would have the tables of Unicode loaded, at each login. */
// oxlint-disable-next-line no-control-regex -- it searches for control characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** What most texts are, so that nothing in them has to be looked up in those tables. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Whether a control character is in `text`. */
export function hasControls(text: string): boolean {
  return CONTROL.test(text);
}

/**
 * `text` with every control, format and surrogate character as `\uXXXX`, so that it is safe on a terminal and inside a
 * JSON string.
 */
export function escapeControls(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(UNSAFE, (character) =>
    Array.from({ length: character.length }, (_, i) => '\\u' + character.charCodeAt(i).toString(16).padStart(4, '0')).join(''),
  );
}

/**
 * A command that a person copies into a shell, alone or in a sentence. Each of `words` is quoted, so that the shell reads it as
 * one word. A word that starts with "-" (an option to a program) or that holds characters unsafe on a terminal is replaced by
 * `NAME`.
 */
export function shellCommand(parts: TemplateStringsArray, ...words: readonly string[]): string {
  return String.raw({ raw: parts }, ...words.map(shellWord));
}

function shellWord(text: string): string {
  if (text.startsWith('-') || escapeControls(text) !== text) return 'NAME';
  return /^[\w.@%+:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** `text` quoted for a message: controls escaped, cut at 64 characters. */
export function quoted(text: string): string {
  const escaped = escapeControls(text);
  const characters = Array.from(escaped);
  return `"${characters.length > 64 ? characters.slice(0, 63).join('') + '…' : escaped}"`;
}
