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

/** The message of a thrown value, which may be of any type. Of a failed system call: what it was about, and why in words. */
export function messageOf(thrown: unknown): string {
  const about = isOfSystem(thrown) ? aboutOf(thrown) : '';
  return about === '' ? causeOf(thrown) : `${about}: ${causeOf(thrown)}`;
}

/** The same without the file, program or address, for a caller that names it. */
export function causeOf(thrown: unknown): string {
  // A name with several addresses: none of them answers.
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return causeOf(thrown.errors[0]);
  if (!isOfSystem(thrown)) return thrown instanceof Error ? thrown.message : String(thrown);
  const name = UNNAMED[thrown.errno] ?? thrown.code;
  // The words of a call on a file are in its message: "ENOENT: no such file or directory, open '/x'".
  const words = WORDS[name] ?? /^E[A-Z0-9]+: (.+?), [a-z]/.exec(thrown.message)?.[1];
  return words === undefined ? thrown.message : `${words} (${name})`;
}

/** The errno name (`ENOENT`, errno(3)) of a failed system call, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (isOfSystem(thrown)) return UNNAMED[thrown.errno] ?? thrown.code;
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** The errors of Linux for which Node.js has no name, by their negative numbers. */
const UNNAMED: Readonly<Record<number, string>> = { [-37]: 'ENOLCK', [-116]: 'ESTALE', [-117]: 'EUCLEAN', [-122]: 'EDQUOT' };

/** The words for those, and for programs, sockets and names of hosts, of which Node.js tells none. */
const WORDS: Readonly<Record<string, string>> = {
  ...{ ENOLCK: 'no locks available', ESTALE: 'stale file handle', EUCLEAN: 'the file system is damaged', EDQUOT: 'disk quota exceeded' },
  ...{ ENOENT: 'no such file or directory', EACCES: 'permission denied', EPIPE: 'broken pipe', ETIMEDOUT: 'timed out' },
  ...{ ECONNREFUSED: 'connection refused', ECONNRESET: 'connection reset', ENOTSOCK: 'not a socket' },
  ...{ EHOSTUNREACH: 'no route to the host', ENETUNREACH: 'no route to its network' },
  ...{ ENOTFOUND: 'no such host', EAI_AGAIN: 'no name server answers' },
};

/** A failed system call, or a failed look-up of a host, as Node.js throws it. */
interface SystemFailure extends Error {
  readonly errno: number;
  readonly code: string;
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

function isOfSystem(thrown: unknown): thrown is SystemFailure {
  return thrown instanceof Error && 'syscall' in thrown && 'errno' in thrown && typeof thrown.errno === 'number';
}

/** The address of a socket file is its path. */
function aboutOf({ path, address, port, hostname }: SystemFailure): string {
  return path ?? hostname ?? [address, port].filter((part) => part !== undefined).join(':');
}
