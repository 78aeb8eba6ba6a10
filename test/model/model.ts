/**
 * What notp should do, told a second time and simply: one account with one device, a window of 1, five tries and one more an
 * hour. Nothing of notp's code is used. Times are whole milliseconds, and so are tries: an hour's worth is one.
 */
import { oracleCode, stepOf } from './oracle.ts';

/** What one more try takes to come, in milliseconds. */
export const TRY_MS = 3_600_000;
const BUDGET = 5;
/** What a refused pair takes where no try is left, and down to where such pairs are judged. */
export const PAIR_MS = TRY_MS / 1e6;
export const LEAST_MS = -TRY_MS;
const CONNECTIONS = 8;

/** A sealed file: where it came from decides whether it logs in. */
export interface File {
  readonly id: string;
  readonly secret: Uint8Array;
}

/** What is to be proved with: codes as typed, or the number of a recovery code (-1: none of them). */
export type Shown = { readonly codes: readonly string[] } | { readonly recovery: number };

/** What the host knows of the account. */
export interface Account {
  id: string;
  pendingId: string;
  revoked: boolean;
  lastStep: number;
  creditMs: number;
  asOfMs: number;
  spent: Set<number>;
  /** The last acceptances, by the connection that they were on: `id connection`. */
  connections: string[];
}

/** An account that was just enrolled, by a file that came into its place. */
export function enrolled(id: string, nowMs: number, earlier?: Account): Account {
  // Time that was counted is never counted again, also where the clock was put back since.
  const asOfMs = Math.max(nowMs, earlier?.asOfMs ?? nowMs);
  const fresh = { id, pendingId: '', revoked: false, lastStep: -1, creditMs: BUDGET * TRY_MS, asOfMs, spent: new Set<number>() };
  return { ...fresh, connections: earlier?.connections ?? [] };
}

/** Why there is nothing to judge; undefined where there is. A file whose arrival the host has missed completes its enrolment. */
export function standing(account: Account | undefined, file: File | undefined, pending: Account | undefined): string | undefined {
  if (account === undefined) return 'not_enrolled';
  const present = file !== undefined && file.id === account.pendingId ? pending : account;
  if (present?.revoked === true) return 'revoked';
  if (account.id === '' && present === account) return 'not_enrolled';
  if (file === undefined) return 'bad_secret_file';
  return file.id === present?.id ? undefined : 'stale_enrolment';
}

/** Judges what is shown, and changes `account` by it. Gives the method or the reason. */
export function judge(account: Account, secret: Uint8Array, shown: Shown, nowMs: number): string {
  account.creditMs = Math.min(BUDGET * TRY_MS, account.creditMs + Math.max(0, nowMs - account.asOfMs));
  account.asOfMs = Math.max(account.asOfMs, nowMs);
  const [needed, price] = ladder(account.creditMs);
  if ('codes' in shown && shown.codes.length < needed) return 'step_up_required';
  const outcome = 'codes' in shown ? judgeCodes(account, secret, shown.codes, nowMs) : judgeRecovery(account, shown.recovery);
  const refused = outcome === 'wrong_code' || outcome === 'replayed';
  if (refused) account.creditMs -= price;
  // What costs less than a try tells no more than that.
  return refused && price < TRY_MS ? 'wrong_code' : outcome;
}

/** How many codes in a row are asked for, and what a refused try costs. */
function ladder(creditMs: number): readonly [needed: number, price: number] {
  if (creditMs >= TRY_MS) return [1, TRY_MS];
  return creditMs - PAIR_MS >= LEAST_MS ? [2, PAIR_MS] : [3, 0];
}

function judgeCodes(account: Account, secret: Uint8Array, codes: readonly string[], nowMs: number): string {
  const now = stepOf(nowMs);
  // One code or the last of three may be of the step before or after; two lie in these three steps.
  const earliest = codes.length === 3 ? now - 3 : now - 1;
  for (let first = now + 2 - codes.length; first >= earliest; first--) {
    if (!codes.every((code, i) => code === oracleCode(secret, first + i))) continue;
    if (first <= account.lastStep) return 'replayed';
    account.lastStep = first + codes.length - 1;
    return codes.length === 1 ? 'totp' : 'step_up';
  }
  return 'wrong_code';
}

function judgeRecovery({ spent }: Account, index: number): string {
  if (index === -1) return 'wrong_code';
  if (spent.has(index)) return 'replayed';
  spent.add(index);
  return 'recovery';
}

/** Remembers that a code was accepted on `connection`. */
export function remember({ id, connections }: Account, connection: number): void {
  connections.push(`${id} ${String(connection)}`);
  if (connections.length > CONNECTIONS) connections.shift();
}
