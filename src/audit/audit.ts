/** No decision without a record: what appends records, inside the transaction of the decision that they tell. */
import { randomBytes } from 'node:crypto';
import { messageOf, NotpError } from '../error.ts';
import type { Transaction } from '../store/store.ts';
import { headAfter, nextLink } from './chain.ts';
import { printRecord, type AuditRecord } from './record.ts';
import type { Sink } from './sinks.ts';

export interface AuditLog {
  readonly sinks: readonly Sink[];
  /** The chain's key; undefined where there is no host key. */
  readonly key: Uint8Array | undefined;
  readonly now: () => number;
}

/** 8 hex digits that name one decision to the person and in the log. */
export function newRef(): string {
  return randomBytes(4).toString('hex');
}

/** Writes `record` as the next of the chain and moves the head. Throws `audit_unavailable` where no sink takes it. */
export async function append(log: AuditLog, transaction: Transaction, record: AuditRecord): Promise<void> {
  const link = nextLink(await transaction.head());
  const line = printRecord(record, link, log.now());
  await writeToAny(log.sinks, line);
  await transaction.moveHead(headAfter(link, line, log.key));
}

/**
 * Writes a record that no store can link. Where it is `required` (an acceptance) it throws as `append` does; a
 * refusal stands whether or not its record succeeds.
 */
export async function appendUnlinked(log: AuditLog, record: AuditRecord, { required }: { required: boolean }): Promise<void> {
  try {
    await writeToAny(log.sinks, printRecord(record, undefined, log.now()));
  } catch (error) {
    if (required) throw error;
  }
}

async function writeToAny(sinks: readonly Sink[], line: string): Promise<void> {
  const failures: string[] = [];
  for (const sink of sinks) {
    try {
      await sink.write(line);
    } catch (error) {
      failures.push(`${sink.name}: ${messageOf(error)}`);
    }
  }
  if (failures.length < sinks.length) return;
  const why = failures.length === 0 ? 'no audit log is configured and there is no journal' : failures.join('; ');
  throw new NotpError('audit_unavailable', `no audit record could be written: ${why}`, 'free some space, or mend the audit log');
}
