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
  const separator = /^[^\n]*?([,;\t])/.exec(text)?.[1] ?? ',';
  let [fields, line, begun]: [string[], number, number] = [[], 1, 1];
  for (const [, quoted, bare = '', end = ''] of text.matchAll(fieldOf(separator))) {
    fields.push((quoted?.replaceAll('""', '"') ?? bare).trim());
    line += quoted?.split('\n').slice(1).length ?? 0;
    if (end === separator) continue;
    if (fields.some((field) => field !== '')) records.push({ line: begun, fields });
    [fields, line] = [[], line + 1];
    begun = line;
  }
  return records;
}

/** A field and what ends it: the separator, the end of the line or of the text. */
function fieldOf(separator: string): RegExp {
  return new RegExp(String.raw`(?:"((?:[^"]|"")*)"?[^\n${separator}]*|([^\n${separator}]*))(${separator}|\n|$)`, 'g');
}
