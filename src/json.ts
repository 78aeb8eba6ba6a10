/**
 * JSON (RFC 8259) from outside. JSON.parse of Node.js 26 corrupts memory on malformed text that nests some tens of objects deep
 * (valgrind finds it in V8's ReportUnexpectedToken), so deeply nested text never reaches it.
 */

/** notp itself writes JSON at most half as deep. */
export const MAX_NESTING = 8;

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
/** "[" and "{", "]" and "}" differ in one bit. */
const [OPENING, CLOSING, EITHER] = [0x7b, 0x7d, 0x20];

/**
 * The value of the JSON in `text`. Throws a SyntaxError if it is malformed, or nests objects and arrays deeper than
 * MAX_NESTING.
 */
export function parseJson(text: string): unknown {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) quoted = !quoted;
    else if (quoted) at += code === BACKSLASH ? 1 : 0;
    else if ((code | EITHER) === OPENING) {
      if (++depth > MAX_NESTING) throw new SyntaxError('the JSON nests too deeply');
    } else if ((code | EITHER) === CLOSING) depth--;
  }
  try {
    return JSON.parse(text);
  } catch {
    // The words of JSON.parse repeat a piece of the text, which may be a secret.
    throw new SyntaxError('malformed JSON');
  }
}
