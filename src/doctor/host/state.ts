/** Checks of the state: the store opens and can be written, the audit log can be appended to and agrees with it, and the disk has room. */
import { messageOf, NotpError } from '../../error.ts';
import type { Enrolment } from '../../store/store.ts';
import { asUser } from '../../system/privileges.ts';
import { type State, withState } from '../../state/state.ts';
import { storeName, type StatePlace } from '../../state/place.ts';
import { rolledBack } from '../../state/trying.ts';
import { examineLog, type Known } from './audit-log.ts';
import { ok, type Finding } from '../finding.ts';
import { examineSpace } from './space.ts';

export interface StateReport {
  readonly findings: readonly Finding[];
  readonly enrolments: readonly Enrolment[];
  /** How far this host's clock is ahead of the store's; undefined if the store has no clock of its own. */
  readonly skewMs?: number | undefined;
}

interface Contents extends Known {
  readonly enrolments: readonly Enrolment[];
  readonly skewMs: number | undefined;
}

/** Checks as the owner of the state. Nothing is changed: the write is rolled back. */
export async function examineState(place: StatePlace, now: () => number): Promise<StateReport> {
  return await asUser(place.owner, async () => {
    try {
      return await withState(place, now, async (state) => (state === undefined ? noState(place) : await examineOpened(state, place, now)));
    } catch (error) {
      return { findings: [broken(error)], enrolments: [] };
    }
  });
}

/** The first enrolment creates the state. */
function noState(place: StatePlace): StateReport {
  const { kind } = place;
  const title = kind === 'user' ? 'Nobody has enrolled here yet' : 'There is no state yet, so nobody is enrolled';
  return {
    findings: [
      {
        id: 'store',
        severity: 'info',
        title,
        detail: `${storeName(place)} is not there`,
        fix: kind === 'user' ? 'notp enroll' : 'sudo notp-enroll USER',
      },
    ],
    enrolments: [],
  };
}

async function examineOpened(state: State, place: StatePlace, now: () => number): Promise<StateReport> {
  const known = await readAndRollBack(state, now);
  const store = ok('store', 'The state can be opened and written', storeName(place));
  const { enrolments, skewMs } = known;
  return { findings: [store, ...(await examineLog(state, place, known)), ...examineSpace(place)], enrolments, skewMs };
}

/** Reads all enrolments and writes the unchanged head, in a transaction that is then rolled back. */
async function readAndRollBack(state: State, now: () => number): Promise<Contents> {
  return await rolledBack(state.store, async (transaction) => {
    const formerChainKeys = await transaction.formerChainKeys();
    const clockMs = await transaction.clockMs();
    return {
      head: await transaction.head(),
      backlog: await transaction.backlog(),
      enrolments: await transaction.enrolments(),
      formerChainKeys,
      skewMs: clockMs === undefined ? undefined : now() - clockMs,
    };
  });
}

function broken(error: unknown): Finding {
  return {
    id: 'store',
    severity: 'fail',
    title: 'The state cannot be used, so every login is refused',
    detail: messageOf(error),
    fix: (error instanceof NotpError ? error.hint : undefined) ?? 'check the disk, and the owner and mode of the file and its folder',
  };
}
