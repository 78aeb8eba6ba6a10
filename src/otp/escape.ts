/** How a name from outside is shown: as data, never as terminal control. */

// C0, DEL, C1, line separators, and the invisible and bidirectional marks that can disguise a name.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** `text` with every control, format and surrogate character as `\uXXXX`, so that it is safe on a terminal and inside a JSON string. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) =>
    Array.from({ length: character.length }, (_, i) => '\\u' + character.charCodeAt(i).toString(16).padStart(4, '0')).join(''),
  );
}

/** `text` as one word of a command that a person copies into a shell. */
export function shellWord(text: string): string {
  return /^[\w.@%+:,/][\w.@%+:,/-]*$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** `text` quoted for a message: controls escaped, cut at 64 characters. */
export function quoted(text: string): string {
  const escaped = escapeControls(text);
  const characters = Array.from(escaped);
  return `"${characters.length > 64 ? characters.slice(0, 63).join('') + '…' : escaped}"`;
}
