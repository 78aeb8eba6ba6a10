/**
 * The store of a fleet, on PostgreSQL (any server that speaks its protocol).
 * A transaction is alone on its host, by the row lock on the head of that host's chain. Row locks keep other hosts from the
 * enrolments that it reads. The head is always locked first, so that there is no deadlock. Whatever the server does, each
 * transaction ends within a deadline.
 */
import { NotpError } from '../../error.ts';
import { migrate } from './schema.ts';
import { named, Session, type PostgresPlace } from './session.ts';
import { UNKEYED, type RowSeal } from '../row-seal.ts';
import type { KeptFile, Store, StoreOptions, Transaction } from '../store.ts';
import { unreached } from '../unreached.ts';
import { keptFile } from '../rows.ts';
import { filesOf, SEALED_FILES, transactionOn } from '../tables.ts';

/** Errors after which a retry may succeed: serialization failure and deadlock. */
const AGAIN = new Set(['40001', '40P01']);
/** The row exists already: perhaps another host has just made it. */
const UNIQUE_VIOLATION = '23505';
const PAUSE_MS = 20;
/**
 * How often a decision is retried that the server undid after it was written. Each time its lines go to the log and the journal
 * before its answer is given.
 */
const WRITTEN_TRIES = 3;

/** Connects at the first use, and again after a lost connection. Its promises reject with `store_unavailable`. */
export function openPostgresStore(place: PostgresPlace, { rows = UNKEYED }: Pick<StoreOptions, 'rows'> = {}): Store {
  const session = new Session(place);
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
  return {
    exclusively: (work, untilMs) => inTurn(() => withinDeadline(session, rows, work, untilMs)),
    sealedFiles: (user, untilMs) => inTurn(() => sealedFiles(session, user, untilMs)),
    close: () => {
      session.drop();
    },
  };
}

/** Upgrades the tables; see migrate(). Throws `store_unavailable`, or `refused` where they are of a newer release. */
export async function migratePostgresStore(place: PostgresPlace): Promise<{ readonly from: number; readonly to: number }> {
  const session = new Session(place);
  const end = session.startClock();
  try {
    const client = await session.client({ checked: false });
    return await named(place, () => migrate(client));
  } finally {
    end();
    session.drop();
  }
}

/** Reads the sealed files, again on a new connection where the present one turned out to be lost. */
async function sealedFiles(session: Session, user: string | undefined, untilMs?: number): Promise<readonly KeptFile[]> {
  const end = session.startClock(untilMs);
  try {
    const isReused = session.isConnected;
    try {
      return (await session.rows(SEALED_FILES, filesOf(user))).map(keptFile);
    } catch (error) {
      session.drop();
      if (!isReused) throw error;
      return (await session.rows(SEALED_FILES, filesOf(user))).map(keptFile);
    }
  } finally {
    end();
  }
}

/**
 * Runs `work`, and repeats it after a conflict with another host: until the deadline, or a few times where it has written
 * something. Repeats it once where the reused connection was lost.
 */
async function withinDeadline<T>(
  session: Session,
  rows: RowSeal,
  work: (transaction: Transaction) => Promise<T>,
  untilMs?: number,
): Promise<T> {
  const end = session.startClock(untilMs);
  try {
    let written = 0;
    for (let tries = 1; ; tries++) {
      const isReused = session.isConnected;
      const transaction = await session.begin();
      try {
        const result = await work(transactionOn({ ...transaction.statements, seal: rows }));
        await transaction.commit();
        return result;
      } catch (error) {
        if (!(await transaction.rollBack())) session.drop();
        const state = sqlState(error);
        const isLost = isReused && !transaction.hasBegun;
        if (transaction.hasWritten) written++;
        const mayGoWell = AGAIN.has(state) ? written < WRITTEN_TRIES : state === UNIQUE_VIOLATION && tries === 1;
        if (isLost && !session.isOver) session.drop();
        else if (!mayGoWell || session.isOver) throw transaction.isReached ? error : unreached(error);
        else await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * (1 + Math.random())));
      }
    }
  } finally {
    end();
  }
}

/** The code (PostgreSQL manual, appendix A) of the server error that caused `error`; empty where none did. */
function sqlState(error: unknown): string {
  const cause = error instanceof NotpError ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
}
