/** A row as a database gives it, and the values that a statement is run with. */

export type Row = Readonly<Record<string, unknown>>;
/** By name, as `$name` stands for them. */
export type Values = Readonly<Record<string, string | number>>;
