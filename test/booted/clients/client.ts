/** What a client of the table is: how it is called at each door, with a code and without. */

export type Door = 'pam' | 'google' | 'gate';

/** A login to be tried. */
export interface At {
  readonly door: Door;
  readonly user: string;
  /** For whatever runs OpenSSH's client: user@host, where the host is named by its door in ~/.ssh/config. */
  readonly to: string;
  /** For others it is 127.0.0.1 and this. */
  readonly port: number;
  /** A code that was not used before; empty where the client goes without. */
  readonly code: string;
  /** Another one. */
  readonly another: () => string;
  /** What the client makes in the home of the user, and a name that nothing else has. */
  readonly name: string;
}

/** A command, run in a terminal where there is a list of what is typed: each answer at its question. */
export interface Call {
  readonly words: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly typed?: readonly (readonly [question: RegExp, answer: string])[];
}

export interface Way {
  /** What to type or set, for the table. */
  readonly how: string;
  readonly call: (at: At) => Call;
}

/** Why a client cannot give a code: then a rule has to let it in, or it does not work there at all. */
export type Lacks = 'a rule' | 'no';

export interface Client {
  readonly name: string;
  /** The package of Debian whose version the table shows. */
  readonly from: string;
  readonly ways: Readonly<Record<Door, Way | Lacks>>;
  /** Goes without a code, and without a terminal. */
  readonly bare: (at: At) => Call;
  /** The same where a rule asks for nothing, if that takes another call. */
  readonly ruled?: (at: At) => Call;
  /** What is said then at the gate, for the table, and as it looks. */
  readonly told: readonly [what: string, pattern: RegExp];
  /** What must be in the home afterwards; at.name unless told. */
  readonly leaves?: (name: string) => string;
}

/** The file that is sent. */
export const FILE = '/root/a file';
export const KEY = '/root/.ssh/id_ed25519';

/** pam_google_authenticator's question is the second one. */
export const QUESTION = /(Password|Verification code): /;
export const GATE_QUESTION = /One-time code: /;

/** The reason and the hint for whatever has no terminal. */
export const TOLD_ALL = ['reason and hint', /no one-time code was given \(ref [0-9a-f]{8}\)[^]*LC_NOTP/] as const;
/** Clients with words of their own for the status that a request of SFTP gets. */
export const TOLD_DENIED = ['"permission denied"', /permission denied/i] as const;

export const sh = (script: string): string[] => ['sh', '-c', script];
