/** The fields of JSON that another program wrote, each with a value of its type where the file has another or none. Pure. */

export type Fields = Readonly<Record<string, unknown>>;

/** Without fields where `value` is not an object. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** The bytes of hex; empty where it is malformed. */
export function hexOf(value: unknown): Uint8Array {
  const text = textOf(value);
  return /^(?:[0-9a-f]{2})*$/i.test(text) ? new Uint8Array(Buffer.from(text, 'hex')) : new Uint8Array();
}

/** The bytes of base64, as far as it is well-formed. */
export function base64Of(value: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(textOf(value), 'base64'));
}
