/** Finds what the terminal at stdout can show: its size, whether the cursor moves, colours, and characters beyond ASCII. */

export interface Traits {
  readonly columns: number;
  readonly rows: number;
  /** Whether the terminal understands more than carriage return and newline. */
  readonly cursor: boolean;
  /** Whether colours (SGR, ECMA-48) are understood and wanted. */
  readonly colour: boolean;
  /** Whether the terminal shows UTF-8. */
  readonly utf8: boolean;
}

/** The size of a terminal that does not report one, such as a serial line. */
export const DEFAULT_COLUMNS = 80;
export const DEFAULT_ROWS = 24;

/** The present traits of stdout; the size changes with the window. */
export function outputTraits(): Traits {
  return traitsOf(process.env, process.stdout);
}

/** The locale is read as in locale(7), TERM as in term(7), NO_COLOR as on no-color.org. */
export function traitsOf(environment: NodeJS.ProcessEnv, size: { readonly columns?: number; readonly rows?: number }): Traits {
  const term = environment['TERM'] ?? '';
  const cursor = term !== '' && term !== 'dumb';
  const locale = [environment['LC_ALL'], environment['LC_CTYPE'], environment['LANG']].find(isGiven) ?? 'C';
  return {
    columns: positive(size.columns) ?? DEFAULT_COLUMNS,
    rows: positive(size.rows) ?? DEFAULT_ROWS,
    cursor,
    colour: cursor && !isGiven(environment['NO_COLOR']),
    utf8: cursor && /utf-?8/i.test(locale),
  };
}

function isGiven(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}
