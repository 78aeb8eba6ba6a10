/** What every reader of another program's file takes and gives. Pure. */
import { parseJson } from '../json.ts';
import type { Credential } from '../otp/uri.ts';

/** A file as it came, read in the ways that formats differ in. */
export interface Input {
  readonly bytes: Uint8Array;
  /** Empty where it is not UTF-8. */
  readonly text: string;
  /** Undefined where it is not JSON. */
  readonly json: unknown;
}

/** One secret of a file, or why notp cannot hold it. */
export type Entry = Named & ({ readonly credential: Credential } | Why);

/** An entry that notp cannot hold. */
export type Skipped = Named & Why;

/** `place`: where it is in the file. `name`: its issuer and account as the file has them, so escape them. */
interface Named {
  readonly place: string;
  readonly name: string;
}

/** Never with a secret. */
interface Why {
  readonly why: string;
}

export type Read =
  | { readonly kind: 'entries'; readonly entries: readonly Entry[] }
  /** Undefined from `open` where the password is wrong, or the file was changed. */
  | { readonly kind: 'locked'; readonly open: (password: string) => readonly Entry[] | undefined }
  /** The format is known, but notp does not read it. `hint`: how to export it readably. */
  | { readonly kind: 'unreadable'; readonly hint: string };

export interface Format {
  /** The name of the program, for messages. */
  readonly name: string;
  /** Undefined if the file is not of this format. Throws nothing. */
  readonly read: (input: Input) => Read | undefined;
}

export function inputOf(bytes: Uint8Array): Input {
  const text = textIn(bytes);
  return { bytes, text, json: /^\s*[[{]/.test(text) ? jsonIn(text) : undefined };
}

/** The JSON in `text`, or undefined. */
export function jsonIn(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** The UTF-8 in `bytes` without a byte order mark, or an empty text. */
export function textIn(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return '';
  }
}

/** Entries that were read, where there are any. */
export function entriesRead(entries: readonly Entry[]): Read | undefined {
  return entries.length === 0 ? undefined : { kind: 'entries', entries };
}
