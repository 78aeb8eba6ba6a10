/**
 * The store: the changing state of each enrolment and the head of the audit chain, behind one asynchronous interface. Only its
 * implementations know the database.
 */
import { NotpError } from '../error.ts';
import type { Bucket } from '../verdict/budget.ts';
import type { LoginState } from '../verdict/decide.ts';
import type { Grant } from '../verdict/grants.ts';
import type { Doubt, RowSeal } from './row-seal.ts';

export type Status = 'active' | 'revoked' | 'invited';

export interface Enrolment {
  readonly user: string;
  readonly context: string;
  /** The id of the sealed file that logs in; empty before the first enrolment is complete. */
  readonly id: string;
  /** SHA-256 of that file, hex; empty where `id` is. */
  readonly digest: string;
  /** The id of a sealed file that is about to replace it. When a login finds that file, the replacement has happened. */
  readonly pendingId: string;
  /** SHA-256 of the pending file, hex; empty where `pendingId` is. */
  readonly pendingDigest: string;
  /** `invited`: the user may enrol themselves, once. */
  readonly status: Status;
  readonly state: LoginState;
  /**
   * The state that `pendingId` starts with. Missing fields keep their values: a new secret has a whole state, a re-sealed one may
   * have none.
   */
  readonly pendingState: PendingState;
  /** Unix time in milliseconds; 0 for never. */
  readonly lastAcceptedMs: number;
  /** The uid of the enrolled account, also after it is renamed; NO_UID where that is unknown. */
  readonly uid: number;
  /** What was refused since the last accepted code, for the owner; undefined: nothing. */
  readonly tries?: RefusedTries | undefined;
  /** Why the enrolment counts for nothing. A forged one is only ever revoked or replaced. */
  readonly doubt?: Doubt;
}

/** Codes that were refused since the last accepted one. */
export interface RefusedTries {
  readonly count: number;
  /** When the first was refused: Unix time in milliseconds. */
  readonly sinceMs: number;
  /** The address of the last one; empty where it has none. */
  readonly from: string;
}

/** `goesOn`: the new secret may be the same as the present one, so codes that are used until then stay used. */
export type PendingState = Partial<LoginState> & { readonly goesOn?: true };

export const NO_UID = -1;

/** The last record of the audit log: its number and its hash (hex); see audit/chain.ts. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

/** The head of the chain is not genuine, so the store cannot be used. `notp audit verify --resume` repairs it. */
export class ChangedHead extends NotpError {}

/** The head of a log without any record. */
export const NO_RECORD: ChainHead = { seq: 0, hash: '0'.repeat(64) };

/** The head of a log of one host among those that share a store. */
export interface HostHead {
  /** A name of the host, with control characters escaped: the administrator of the database may have written anything. */
  readonly host: string;
  /** The id of the log. */
  readonly log: string;
  /** Undefined where the row is malformed: it must not hide the rows of other hosts. */
  readonly head: ChainHead | undefined;
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

/** The source of a login, for `remember` of a rule: a digest of source address, key and rule, and when a code was accepted from there. */
export interface Peer {
  /** SHA-256, hex. */
  readonly digest: string;
  /** Unix time in milliseconds. */
  readonly acceptedMs: number;
}

/** A source that an accepted code was remembered for. */
export interface Source {
  readonly user: string;
  readonly context: string;
  /** The id of the enrolment whose code it was. */
  readonly id: string;
  /** Unix time in milliseconds. */
  readonly acceptedMs: number;
}

/** The kinds of records that the audit log sums up during a flood: refusals, and acceptances that an earlier code stood for; see audit/floods.ts. */
export const FLOODS = ['refusals', 'acceptances'] as const;
export type Flood = (typeof FLOODS)[number];

/** The flood of one user: some events get a record each, and the others are counted. */
export interface Tally {
  /** Empty for all names without an enrolment. */
  readonly user: string;
  /** How many more events may have a record of their own. */
  readonly records: Bucket;
  /** How many events were counted and are in no record yet, since when and until when (Unix time in milliseconds). */
  readonly count: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The reference that those events were answered with, 8 hex digits; empty before the first. */
  readonly ref: string;
  /** The fields that these events have in common, as text for which space is reserved. */
  readonly shared: string;
  /** Set where the store's row was changed outside notp: its counts are lost, and none of it is believed. */
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

/** Values in the order of the columns; see contents.ts. */
export type TableRow = readonly (string | number)[];
export type Tables = Readonly<Record<string, readonly TableRow[]>>;

/** What the store kept of a record when that was written. */
export interface Mark {
  readonly hash: string;
  /** The MAC, made with the key of the chain where notp wrote the mark, and the bytes that it covers. */
  readonly mac: string;
  readonly signed: Uint8Array;
}

/** Marks by the number of their record. */
export type Marks = ReadonlyMap<number, Mark>;

/** All data of a store about this host and its users. */
export interface Contents {
  readonly tables: Tables;
  readonly head: ChainHead;
  /** The records that the log file lacks. */
  readonly backlog: readonly KeptLine[];
}

/** A user whom hosts may let in while the server cannot be reached. */
export interface Approved {
  readonly user: string;
  /** Unix time in milliseconds: in the store of a fleet the time of the approval, in the copy of a host the time of the copy. */
  readonly asOfMs: number;
}

/** An audit record of an outage. */
export interface OutageRecord {
  /** Its hash in the chain of its host, which is unique. */
  readonly id: string;
  /** Its number there. In the store of a fleet: the number of the record that it was reported as, in the chain of the same host. */
  readonly seq: number;
  /** JSON, see outage/outage.ts. In the store of a fleet: the hash of the record that it was reported as. */
  readonly text: string;
}

export interface OutageTables {
  /** The approvals whose rows are not forged. */
  approved(): Promise<readonly Approved[]>;
  /** Whether there is an approval of `user`, also one that counts for nothing here. */
  hasApproval(user: string): Promise<boolean>;
  approve(approved: Approved): Promise<void>;
  disapprove(user: string): Promise<void>;
  /** On a host: the unreported records, at most `limit`, in their order. */
  outageRecords(limit: number): Promise<readonly OutageRecord[]>;
  /**
   * Keeps a record: on a host until it is reported, and in the store of a fleet for ever, with the record that it was reported as.
   * Gives false where it exists already.
   */
  keepOutageRecord(record: OutageRecord): Promise<boolean>;
  /**
   * In the store of a fleet: the record of this host's chain that it was reported as; `forged` where this host did not write that
   * row; undefined where there is none.
   */
  reportedAs(id: string): Promise<ChainHead | 'forged' | undefined>;
  dropOutageRecord(id: string): Promise<void>;
  /** The users with counted events that are in no record yet. */
  counted(): Promise<readonly string[]>;
  /** Deletes all data of a user except the outage records. */
  forget(user: string): Promise<void>;
}

/** A grant as the store has it. */
export interface KeptGrant extends Grant {
  /** Why it counts for nothing. */
  readonly doubt?: Doubt;
}

export interface GrantTables {
  /** The grants of `user`, by their ends. They are not deleted when they are over. */
  grantsOf(user: string): Promise<readonly KeptGrant[]>;
  /** The grants of all users, by user and end. */
  grants(): Promise<readonly KeptGrant[]>;
  /** Keeps a new grant. Throws where it cannot be signed here. */
  keepGrant(grant: Grant): Promise<void>;
  dropGrant(id: string): Promise<void>;
  /** Drops all grants of `user` at once, however many somebody has put there. */
  dropGrantsOf(user: string): Promise<void>;
}

/** An imported secret of an account, and which of its codes were used; see imported.ts. */
export interface Imported {
  readonly uid: number;
  /** 16 hex digits, with which the ids of its sealed files begin; see seal/id.ts. */
  readonly mark: string;
  /** The id of the host key that the mark was made with; empty in a user's own state. */
  readonly key: string;
  /** As LoginState.lastStep. */
  readonly lastStep: number;
  /** The digits of the recovery codes that `spent` is about; empty where none were ever in place. */
  readonly codes: string;
  /** As LoginState.spent. */
  readonly spent: string;
  /** Why the row counts for nothing. */
  readonly doubt?: Doubt;
}

/** A member of a fleet, as its judges know it. Times are Unix time in milliseconds; 0: never. */
export interface Member {
  /** The name in its certificate. */
  readonly host: string;
  /** The end of the certificate that it last connected with, and when that was. */
  readonly untilMs: number;
  readonly seenMs: number;
  /** No certificate counts that was made until then. */
  readonly revokedMs: number;
}

export interface MemberTables {
  /** All members, by name. */
  members(): Promise<readonly Member[]>;
  noteMember(member: Omit<Member, 'revokedMs'>): Promise<void>;
  revokeMember(host: string, revokedMs: number): Promise<void>;
}

/** The rules of a fleet, as somebody has put them. */
export interface KeptRules {
  /** TOML with [[rule]] tables. */
  readonly text: string;
  /** When they were put, Unix time in milliseconds. */
  readonly asOfMs: number;
  /** Why they count for nothing. */
  readonly doubt?: Doubt;
}

export interface RuleTables {
  /** Undefined where nobody has put any. */
  keptRules(): Promise<KeptRules | undefined>;
  /** Puts them in the place of earlier ones. Throws where they cannot be signed here. */
  putRules(rules: Omit<KeptRules, 'doubt'>): Promise<void>;
  dropRules(): Promise<void>;
}

/** The operations inside one exclusive transaction. */
export interface Transaction extends OutageTables, GrantTables, MemberTables, RuleTables {
  /** Unix time in milliseconds by the store's own clock, where several hosts share it; undefined where the host's clock is the only one. */
  clockMs(): Promise<number | undefined>;
  /** As every enrolment that is read, with the codes that are known as used of an imported secret; see imported.ts. */
  enrolment(user: string, context: string): Promise<Enrolment | undefined>;
  /** All enrolments of `user`, by context. */
  enrolmentsOf(user: string): Promise<readonly Enrolment[]>;
  /** All enrolments of the account `uid`, whatever their names are: only to read, not to save. */
  enrolmentsOfUid(uid: number): Promise<readonly Enrolment[]>;
  /** All enrolments of all users, by user and context. */
  enrolments(): Promise<readonly Enrolment[]>;
  /** The tally of `user`; the shared one of all unknown names where `user` has no enrolment. */
  tally(flood: Flood, user: string): Promise<Tally>;
  /** Updates the tally in place. */
  saveTally(flood: Flood, tally: Tally): Promise<void>;
  /** Writes a new enrolment, and reserves the space that its logins will need. Throws as save() does. */
  insert(enrolment: Enrolment): Promise<void>;
  /**
   * Updates in place an enrolment that this transaction has read or made. Throws `store_unavailable` for another one, and where it
   * cannot be signed here; `refused` for a forged one, unless it is revoked. A revoked enrolment without a pending file needs no
   * signature.
   */
  save(enrolment: Enrolment): Promise<void>;
  /**
   * Signs with the present key the valid rows of `users` that an earlier key signed, and the head of the chain. Throws where they
   * cannot be signed here.
   */
  renewRows(users: readonly string[]): Promise<void>;
  /** The head of the chain. Throws ChangedHead where it was changed outside notp, or where the store does not know the log of this host. */
  head(): Promise<ChainHead>;
  /** Writes a new head. `lacking`: how many of the last records the log file lacks; keepLine() was given each of them. */
  moveHead(head: ChainHead, lacking?: number): Promise<void>;
  /**
   * Keeps the present name of the host for its log, where several hosts share the store. Gives the names that the log had before,
   * if the present one is new; else none.
   */
  nameLog(): Promise<readonly string[]>;
  /**
   * Keeps the id of the log beside the log file, where several hosts share the store and it is not there yet. Must come before the
   * first record in the file. Throws if it cannot.
   */
  keepLogId(): Promise<void>;
  /** Gives the log of this host a new id, for which the store knows nothing yet, where several hosts share the store. Throws as keepLogId(). */
  renewLog(): Promise<void>;
  /** The lines of the last records that the file of `log` (undefined: this host's) lacks, oldest first. */
  backlog(log?: string): Promise<readonly KeptLine[]>;
  /**
   * Keeps the line of the next record for the log file. Gives false where there is no room for it. `keptFree`: slots that are left
   * for others.
   */
  keepLine(line: KeptLine, keptFree?: number): Promise<boolean>;
  /**
   * The heads of the logs of all hosts that share the store, by name, and of each name the newest log last. None where the store
   * belongs to one host.
   */
  heads(): Promise<readonly HostHead[]>;
  /** The marks of `log` (undefined: this host's), by the number of the record; none where the store belongs to one host. */
  marks(log?: string): Promise<Marks>;
  /** Whether a code was accepted on this connection for this enrolment id. */
  remembers(enrolment: Enrolment, connection: Connection): Promise<boolean>;
  remember(enrolment: Enrolment, connection: Connection): Promise<void>;
  /** When a code of this enrolment id was last accepted from `digest`: Unix time in milliseconds, or undefined. */
  lastAccepted(enrolment: Enrolment, digest: string): Promise<number | undefined>;
  rememberPeer(enrolment: Enrolment, peer: Peer): Promise<void>;
  /** The sources of `user`, or of everybody, that a code was accepted from after `sinceMs`. */
  sources(sinceMs: number, user?: string): Promise<readonly Source[]>;
  /** Forgets all connections and sources of `user`, and keeps their space. Gives whether there were any. */
  forgetSources(user: string): Promise<boolean>;
  /** The next counter of the HOTP secret in the sealed file `id`; undefined where none was set. */
  counter(id: string): Promise<number | undefined>;
  setCounter(id: string, next: number): Promise<void>;
  dropCounter(id: string): Promise<void>;
  /** The text of the sealed file of this login, where the store keeps the files (`secrets = "store"`); undefined where there is none. */
  sealed(user: string, context: string): Promise<string | undefined>;
  putSealed(user: string, context: string, text: string): Promise<void>;
  dropSealed(user: string, context: string): Promise<void>;
  /** The earlier keys of the audit chain that notp has signed: raw bytes. */
  formerChainKeys(): Promise<readonly Uint8Array[]>;
  /** Keeps an earlier key, with the MAC of the present host key. Throws where it cannot be signed here. */
  keepChainKey(key: Uint8Array): Promise<void>;
  /**
   * The secrets that were ever imported for the account, and those with one of `marks`, or one beside it (seal/id.ts), for any account:
   * this one may have had another uid. Nobody else changes them until the transaction ends.
   */
  imports(uid: number, marks?: readonly string[]): Promise<readonly Imported[]>;
  keepImport(imported: Imported): Promise<void>;
  contents(): Promise<Contents>;
  /** Adds the contents of another store. `onProgress`: called with the number of rows written so far. An existing row must not differ. */
  add(contents: Contents, onProgress: (rows: number) => void): Promise<void>;
}

/** How a store is opened. */
export interface StoreOptions {
  /** Whether to make a file where there is none. */
  readonly create: boolean;
  /** The seal of its rows; undefined: nothing proves them. */
  readonly rows?: RowSeal;
  /** When opening must end, by uptimeMs(). */
  readonly untilMs?: number | undefined;
}

export interface Store {
  /**
   * Runs `work` alone: no other transaction of any process reads or changes anything meanwhile. Its changes are on the disk when
   * the promise resolves. When it rejects (`store_unavailable`, or the error of `work`), nothing was changed.
   * It waits for no lock longer than 20 seconds, nor beyond `untilMs` of uptimeMs().
   */
  exclusively<T>(work: (transaction: Transaction) => Promise<T>, untilMs?: number): Promise<T>;
  /** The sealed files of `user`, or of all users, as they are now. This takes no lock and waits for none. */
  sealedFiles(user?: string, untilMs?: number): Promise<readonly KeptFile[]>;
  close(): void;
}
