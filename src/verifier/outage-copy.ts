/** This host's copy of what the store of a fleet says of a few users, and telling the store what was decided on it. */
import { existsSync } from 'node:fs';
import { append } from '../audit/audit.ts';
import { entryOf, type Entry } from '../audit/entry.ts';
import { linesOf, presentFilesOf } from '../audit/reading.ts';
import type { AuditRecord } from '../audit/record.ts';
import { linkOf } from '../audit/walk.ts';
import type { Enrolment, Store, Transaction } from '../store/store.ts';
import type { LoginState } from '../verdict/decide.ts';
import { withNewState, withState, type State, type StatePlace } from './state.ts';

/** The names under which the copy keeps two numbers, beside the counters of sealed files. */
const TOLD = 'records that the store was told';
const refreshedName = (user: string): string => `when ${user} was refreshed`;

/** Keeps what `state` says of `user` in the copy. What was accepted on the copy stays used. Throws `store_unavailable`. */
export async function keepCopy(copy: StatePlace, state: State, user: string, now: () => number): Promise<void> {
  const nowMs = now();
  const [enrolments, files] = [
    await state.store.exclusively((transaction) => transaction.enrolmentsOf(user)),
    await state.store.sealedFiles(user),
  ];
  await withNewState(copy, now, ({ store }) =>
    store.exclusively(async (transaction) => {
      const known = await transaction.enrolmentsOf(user);
      for (const enrolment of enrolments) await keep(transaction, known, enrolment, nowMs);
      for (const gone of known.filter(({ context }) => !enrolments.some((each) => each.context === context)))
        await transaction.save({ ...gone, status: 'revoked', pendingId: '' });
      for (const { context, text } of files) await transaction.putSealed(user, context, text);
      await transaction.setCounter(refreshedName(user), nowMs);
    }),
  );
}

async function keep(transaction: Transaction, known: readonly Enrolment[], enrolment: Enrolment, nowMs: number): Promise<void> {
  const present = known.find(({ context }) => context === enrolment.context);
  const same = present?.id === enrolment.id ? joined(enrolment.state, present.state) : enrolment.state;
  const copied = { ...enrolment, state: { ...same, bucket: { tokens: 0, asOfMs: nowMs } } };
  await (present === undefined ? transaction.insert(copied) : transaction.save(copied));
}

/** When the copy last heard of `user`: Unix time in milliseconds, 0 for never. */
export async function refreshedMs(copy: Store, user: string): Promise<number> {
  return (await copy.exclusively((transaction) => transaction.counter(refreshedName(user)))) ?? 0;
}

/** How many records of the copy's log the store was not told. The caller acts as the owner. */
export async function untold(copy: StatePlace, now: () => number): Promise<number> {
  if (copy.store.kind !== 'sqlite' || !existsSync(copy.store.path)) return 0;
  return await withState(copy, now, async (local) => {
    if (local === undefined) return 0;
    return await local.store.exclusively(async (transaction) => (await transaction.head()).seq - ((await transaction.counter(TOLD)) ?? 0));
  });
}

/**
 * Tells the store what was decided without it: each record once more in the chain of this host, and what was used. A crash in between
 * has it told again, under the same references. Throws as the store does, or where the log cannot be read.
 */
export async function tellStore(copy: StatePlace, state: State, now: () => number): Promise<void> {
  if ((await untold(copy, now)) === 0) return;
  await withState(copy, now, async (local) => {
    if (local === undefined) return;
    const { head, told, enrolments } = await local.store.exclusively(async (transaction) => ({
      head: await transaction.head(),
      told: (await transaction.counter(TOLD)) ?? 0,
      enrolments: await transaction.enrolments(),
    }));
    const entries = await entriesAfter(copy.auditFile, told);
    await state.store.exclusively(async (transaction) => {
      const overtaken = await merge(transaction, enrolments);
      for (const entry of entries) await append(state.log, transaction, recordOf(entry, overtaken));
    });
    await local.store.exclusively((transaction) => transaction.setCounter(TOLD, head.seq));
  });
}

/** What was used on the copy is used. Gives whose codes the store had seen later ones of: theirs may have been accepted twice. */
async function merge(transaction: Transaction, enrolments: readonly Enrolment[]): Promise<ReadonlySet<string>> {
  const overtaken = new Set<string>();
  for (const local of enrolments) {
    const known = await transaction.enrolment(local.user, local.context);
    if (known?.id !== local.id) continue;
    if (known.state.lastStep >= local.state.lastStep) overtaken.add(nameOf(local));
    const lastAcceptedMs = Math.max(known.lastAcceptedMs, local.lastAcceptedMs);
    await transaction.save({ ...known, state: joined(known.state, local.state), lastAcceptedMs });
  }
  return overtaken;
}

/** The first one with all that either has used. */
function joined(state: LoginState, other: LoginState): LoginState {
  const spent = Array.from(state.spent, (digit, i) => (other.spent[i] === '1' ? '1' : digit)).join('');
  return { ...state, lastStep: Math.max(state.lastStep, other.lastStep), spent };
}

async function entriesAfter(file: string, seq: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const each of presentFilesOf(file))
    for await (const line of linesOf(each)) {
      const link = linkOf(line);
      const entry = typeof link === 'object' && link.seq > seq ? entryOf(line) : undefined;
      if (entry !== undefined) entries.push(entry);
    }
  return entries;
}

function recordOf(entry: Entry, overtaken: ReadonlySet<string>): AuditRecord {
  const { timeMs, event, result, user, uid, context, door, service, rhost, tty, reason, method, detail, ref, count } = entry;
  const twice =
    result === 'accepted' && overtaken.has(nameOf(entry))
      ? '; the store has seen a later code, so it may have been accepted elsewhere too'
      : '';
  const said = `without the store, at ${new Date(timeMs).toISOString()}${detail === undefined ? '' : `: ${detail}`}${twice}`;
  const optional = { uid, service, rhost, tty, reason, method };
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  const flood = count > 1 ? { count } : {};
  return { user, context, door, event, result, ref, detail: said, ...present, ...flood } as AuditRecord;
}

function nameOf({ user, context }: Pick<Enrolment, 'user' | 'context'>): string {
  return `${user} ${context}`;
}
