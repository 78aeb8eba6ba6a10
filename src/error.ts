/**
 * The one error class. An expected outcome (a wrong code) is a value. A NotpError is a failure that a person can
 * mend: its message says what is wrong, its hint what to do.
 */
export type ErrorCode =
  'usage' | 'refused' | 'failed' | 'bad_secret_file' | 'bad_configuration' | 'store_unavailable' | 'audit_unavailable' | 'not_permitted';

export class NotpError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  /** `message` and `hint`: lower case, no full stop, control characters in quoted text already escaped. */
  constructor(code: ErrorCode, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NotpError';
    this.code = code;
    this.hint = hint;
  }
}

/** The message of a thrown value, which may be of any type. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The errno name (`ENOENT`, errno(3)) of a failed system call, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
