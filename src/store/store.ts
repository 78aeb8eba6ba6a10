/**
 * The store: the changing state of each enrolment and the head of the audit chain, behind one asynchronous
 * interface. Nothing but an implementation of it knows the database.
 */
import { NotpError } from '../error.ts';
import type { Bucket } from '../verdict/budget.ts';
import type { LoginState } from '../verdict/decide.ts';
import type { Doubt, RowSeal } from './row-seal.ts';

export type Status = 'active' | 'revoked' | 'invited';

export interface Enrolment {
  readonly user: string;
  readonly context: string;
  /** The id of the sealed file that logs in; empty before the first enrolment is complete. */
  readonly id: string;
  /** SHA-256 of that file, hex; empty where `id` is. */
  readonly digest: string;
  /** The id of a sealed file that is about to take its place: that file proves that it did. */
  readonly pendingId: string;
  /** SHA-256 of the pending file, hex; empty where `pendingId` is. */
  readonly pendingDigest: string;
  /** `invited`: the user may enrol themselves, once. */
  readonly status: Status;
  readonly state: LoginState;
  /** What `pendingId` starts with. What is not here goes on as it is: a whole state is that of a new secret, none of it the same secret sealed anew. */
  readonly pendingState: PendingState;
  /** Unix time in milliseconds; 0 for never. */
  readonly lastAcceptedMs: number;
  /** Of the account that was enrolled, whatever it is called since; NO_UID where that is not known. */
  readonly uid: number;
  /** Why it counts for nothing. It goes on through every change: what is made of such an enrolment is saved without a MAC. */
  readonly doubt?: Doubt;
}

/** `goesOn`: of a secret that may be the one whose place it takes, so what that accepts until then is used for it too. */
export type PendingState = Partial<LoginState> & { readonly goesOn?: true };

export const NO_UID = -1;

/** The last record of the audit log: its number and its hash (hex); see audit/chain.ts. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

/** Why nothing is done with a store whose head of the chain does not count: `notp audit verify --resume` mends it. */
export class ChangedHead extends NotpError {}

/** The head of the chain of one host among those that share a store. */
export interface HostHead {
  /** Controls are escaped: whoever administers the database may have written anything. */
  readonly host: string;
  /** Undefined where it is what notp never writes: one host's row hides nothing of the others. */
  readonly head: ChainHead | undefined;
  /** Whether notp signed it for that host, by a key that is here, and the file of that log lacks none of its records. */
  readonly isWhole: boolean;
}

/** A line of the audit log, with its newline, and the number of its record. */
export interface KeptLine {
  readonly seq: number;
  readonly line: string;
}

/** One SSH connection: the sshd process that serves it, by pid, start time (clock ticks since boot, proc(5)) and boot. */
export interface Connection {
  readonly pid: number;
  readonly startTicks: number;
  readonly bootId: string;
}

/** Where a person came from, for `gate.trust`: a digest of source address and key, and when a code was accepted from there. */
export interface Peer {
  /** SHA-256, hex. */
  readonly digest: string;
  /** Unix time in milliseconds. */
  readonly acceptedMs: number;
}

/** What the audit log tells in sums where it comes as a flood: refusals, and acceptances that took no code; see audit/floods.ts. */
export const FLOODS = ['refusals', 'acceptances'] as const;
export type Flood = (typeof FLOODS)[number];

/** Those of one user: some are a record each, and the others are counted. */
export interface Tally {
  /** Empty for all names that have no enrolment. */
  readonly user: string;
  /** How many more may have a record of their own. */
  readonly records: Bucket;
  /** How many were counted and stand in no record yet, since when and until when (Unix time in milliseconds). */
  readonly count: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The reference that those were told, 8 hex digits; empty where none was told yet. */
  readonly ref: string;
  /** What they have in common: text for which there is room from the beginning. */
  readonly shared: string;
  /** Set where the store's row was changed outside notp: what it counted is lost, and nothing of it is believed. */
  readonly isChanged?: true;
}

/** The longest `shared` in bytes. */
export const SHARED_BYTES = 320;

/** A sealed file that the store keeps. */
export interface KeptFile {
  readonly user: string;
  readonly context: string;
  readonly text: string;
}

/** Values in the order of the columns, see contents.ts. */
export type TableRow = readonly (string | number)[];
export type Tables = Readonly<Record<string, readonly TableRow[]>>;

/** What the store kept of a record when it came by. */
export interface Mark {
  readonly hash: string;
  /** By the key of the chain, where notp has made it, and of what. */
  readonly mac: string;
  readonly signed: Uint8Array;
}

/** By the number of their record. */
export type Marks = ReadonlyMap<number, Mark>;

/** All that a store holds of this host and of its users. */
export interface Contents {
  readonly tables: Tables;
  readonly head: ChainHead;
  /** What the file of the log lacks of it. */
  readonly backlog: readonly KeptLine[];
}

/** A user whom hosts may let in while the server cannot be reached. */
export interface Approved {
  readonly user: string;
  /** Unix time in milliseconds: in the store of a fleet since when, in the copy of a host as of when that is. */
  readonly asOfMs: number;
}

/** An audit record of an outage. */
export interface OutageRecord {
  /** Its hash in the chain of its host, which no other record has. */
  readonly id: string;
  /** Its number there; in the store of a fleet that of the record that it was told as, in the chain of the same host there. */
  readonly seq: number;
  /** JSON, see outage/outage.ts; in the store of a fleet the hash of that record. */
  readonly text: string;
}

export interface OutageTables {
  /** Those whose row was not forged. */
  approved(): Promise<readonly Approved[]>;
  approve(approved: Approved): Promise<void>;
  disapprove(user: string): Promise<void>;
  /** On a host: what was not reported yet, at most `limit` of it, in its order. */
  outageRecords(limit: number): Promise<readonly OutageRecord[]>;
  /** On a host until it is reported, in the store of a fleet for good, as what it was told as. Gives false where it was there already. */
  keepOutageRecord(record: OutageRecord): Promise<boolean>;
  /** In the store of a fleet: the record of the chain of this host that it was told as, or that somebody says so who is not this host; undefined where nobody does. */
  reportedAs(id: string): Promise<ChainHead | 'forged' | undefined>;
  dropOutageRecord(id: string): Promise<void>;
  /** Users of whom something was counted that stands in no record yet. */
  counted(): Promise<readonly string[]>;
  /** Removes all that is known of a user, but for the outage records. */
  forget(user: string): Promise<void>;
}

/** What can be done inside one exclusive transaction. */
export interface Transaction extends OutageTables {
  /** Unix time in milliseconds by the store's own clock, where several hosts share it; undefined where the host's clock is the only one. */
  clockMs(): Promise<number | undefined>;
  enrolment(user: string, context: string): Promise<Enrolment | undefined>;
  /** All of `user`, by context. */
  enrolmentsOf(user: string): Promise<readonly Enrolment[]>;
  /** All of the account `uid`, whatever their names are: to look at, and not to save. */
  enrolmentsOfUid(uid: number): Promise<readonly Enrolment[]>;
  /** All of all users, by user and context. */
  enrolments(): Promise<readonly Enrolment[]>;
  /** Those of `user`; of all names without an enrolment where it is one of them. */
  tally(flood: Flood, user: string): Promise<Tally>;
  /** Updates it in place. */
  saveTally(flood: Flood, tally: Tally): Promise<void>;
  /** Writes a new enrolment, with the space that its logins will need. Throws as save() does. */
  insert(enrolment: Enrolment): Promise<void>;
  /**
   * Updates in place an enrolment that this transaction has asked for or made. Throws `store_unavailable` for another one, and where it cannot be
   * signed here; one that is revoked and has nothing pending needs no signature.
   */
  save(enrolment: Enrolment): Promise<void>;
  /** Signs with the present key what counts of `users` by an earlier one, and the head of the chain. Throws where it cannot be signed here. */
  renewRows(users: readonly string[]): Promise<void>;
  /** Throws `store_unavailable` where it was changed outside notp. */
  head(): Promise<ChainHead>;
  /** `lacking`: how many of the last records the file of the log lacks; keepLine() was given each of them. */
  moveHead(head: ChainHead, lacking?: number): Promise<void>;
  /** Keeps a mark of the record that the chain of this host has come to; does nothing where the store is that of one host. */
  mark(at: ChainHead): Promise<void>;
  /** The lines of the last records that the file of the log of `host` (undefined: this one) lacks, oldest first. */
  backlog(host?: string): Promise<readonly KeptLine[]>;
  /** Keeps the line of the next record for the file of the log. Gives false where there is no room for it; `keptFree` slots of it are left to others. */
  keepLine(line: KeptLine, keptFree?: number): Promise<boolean>;
  /** Those of all hosts that share the store, by name; none where it is the store of one. */
  heads(): Promise<readonly HostHead[]>;
  /** Some records of the chain of `host` (undefined: this one) by number, as they were when it came by; none where the store is that of one host. */
  marks(host: string | undefined): Promise<Marks>;
  /** Whether a code was accepted on this connection for this enrolment id. */
  remembers(enrolment: Enrolment, connection: Connection): Promise<boolean>;
  remember(enrolment: Enrolment, connection: Connection): Promise<void>;
  /** When a code of this enrolment id was last accepted from `digest`: Unix time in milliseconds, or undefined. */
  lastAccepted(enrolment: Enrolment, digest: string): Promise<number | undefined>;
  rememberPeer(enrolment: Enrolment, peer: Peer): Promise<void>;
  /** The next counter of the HOTP secret in the sealed file `id`; undefined where none was set. */
  counter(id: string): Promise<number | undefined>;
  setCounter(id: string, next: number): Promise<void>;
  dropCounter(id: string): Promise<void>;
  /** The text of the sealed file of this login, where the store keeps those (`secrets = "store"`); undefined where it has none. */
  sealed(user: string, context: string): Promise<string | undefined>;
  putSealed(user: string, context: string, text: string): Promise<void>;
  dropSealed(user: string, context: string): Promise<void>;
  /** The keys of the audit chain before the present one that notp has signed: raw bytes. */
  formerChainKeys(): Promise<readonly Uint8Array[]>;
  /** Keeps it with the MAC of the present host key. Throws where it cannot be signed here. */
  keepChainKey(key: Uint8Array): Promise<void>;
  contents(): Promise<Contents>;
  /** Adds what another store held. `told`: called with how many rows are in. What is there must not be there otherwise. */
  add(contents: Contents, told: (rows: number) => void): Promise<void>;
}

/** How a store is opened. */
export interface StoreOptions {
  /** Whether to make a file where there is none. */
  readonly create: boolean;
  /** What proves its rows; undefined: nothing does. */
  readonly rows?: RowSeal;
  /** Until when it may take to open, by performance.now(). */
  readonly untilMs?: number | undefined;
}

export interface Store {
  /**
   * Runs `work` alone: no other transaction of any process sees or changes anything meanwhile. What it did is on
   * the disk when the promise resolves; when it rejects (`store_unavailable`, or what `work` threw) nothing happened.
   * It waits for nobody beyond 20 seconds, nor beyond `untilMs` of performance.now().
   */
  exclusively<T>(work: (transaction: Transaction) => Promise<T>, untilMs?: number): Promise<T>;
  /** The sealed files that the store keeps of `user`, or of everybody, as they are now: nobody waits for it, and it waits for nobody. */
  sealedFiles(user?: string, untilMs?: number): Promise<readonly KeptFile[]>;
  close(): void;
}

/** How many milliseconds are left until `untilMs` of performance.now(), `mostMs` at the most. Throws `store_unavailable` where there are none. */
export function timeLeft(untilMs: number, mostMs: number): number {
  const leftMs = Math.min(mostMs, Math.ceil(untilMs - performance.now()));
  if (leftMs > 0) return leftMs;
  throw new NotpError('store_unavailable', 'the decision took too long before the store was asked', 'try it again');
}
