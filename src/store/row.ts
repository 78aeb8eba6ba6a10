/** A row as a database gives it, and the values that a statement is run with. */

export type Row = Readonly<Record<string, unknown>>;
/** The values by name: `$name` in a statement stands for one. */
export type Values = Readonly<Record<string, string | number>>;
