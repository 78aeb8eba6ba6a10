/** CSV (RFC 4180) with a header, separated by commas, semicolons or tabs. Pure. */

export interface CsvRow {
  /** The line of the file that it begins on, from 1. */
  readonly line: number;
  /** By the names in the header, in lower case. */
  readonly row: Readonly<Record<string, string>>;
}

/** The rows after the header, without empty ones. */
export function rowsOf(text: string): readonly CsvRow[] {
  const [header, ...rest] = recordsOf(text);
  const names = (header?.fields ?? []).map((name) => name.toLowerCase());
  return rest.map(({ line, fields }) => ({ line, row: Object.fromEntries(names.map((name, i) => [name, fields[i] ?? ''])) }));
}

interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** All records with their fields, trimmed. A quote that does not end takes the rest of the text into its field. */
export function recordsOf(text: string): readonly CsvRecord[] {
  const records: CsvRecord[] = [];
  const separator = /^[^\n]*?([,;\t])/.exec(text.trimStart())?.[1] ?? ',';
  const ends = new RegExp(`[\n${separator}]`, 'g');
  let [fields, line, begun, at]: [string[], number, number, number] = [[], 1, 1, 0];
  while (at <= text.length) {
    const quoted = text[at] === '"' ? quotedFrom(text, at + 1) : undefined;
    ends.lastIndex = quoted?.next ?? at;
    const end = ends.exec(text)?.index ?? text.length;
    fields.push((quoted?.field ?? text.slice(at, end)).trim());
    line += (quoted?.field.split('\n').length ?? 1) - 1;
    at = end + 1;
    if (text[end] === separator) continue;
    if (fields.some((field) => field !== '')) records.push({ line: begun, fields });
    [fields, line] = [[], line + 1];
    begun = line;
  }
  return records;
}

/**
 * What stands from `begin` up to a quote that is not doubled, and where the text goes on. No regular expression: with many of them, doubled
 * quotes exhaust its stack.
 */
function quotedFrom(text: string, begin: number): { readonly field: string; readonly next: number } {
  let end = text.indexOf('"', begin);
  while (end !== -1 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
  const field = text.slice(begin, end === -1 ? text.length : end).replaceAll('""', '"');
  return { field, next: end === -1 ? text.length : end + 1 };
}
