/** The answer to a ping: whether a service can decide, tried without changing anything. */
import { causeOf, messageOf, NotpError } from '../error.ts';
import { reasonOf } from '../login/record.ts';
import { hostKeysOf } from '../state/host-keys.ts';
import { storeName, type StatePlace } from '../state/place.ts';
import { openState } from '../state/state.ts';
import { rolledBack, tryLog } from '../state/trying.ts';
import { sayError } from '../terminal/printer.ts';
import type { Health } from '../wire/ping.ts';
import { WIRE } from '../wire/question.ts';

interface Means {
  readonly place: StatePlace;
  readonly now: () => number;
}

/**
 * Reads configuration and account (`make`), key and state, writes to the state in a transaction that is rolled back, and opens the log.
 * `untilMs`: when it must end, by uptimeMs(). Never throws.
 */
export async function healthOf(make: () => Means, { untilMs }: { readonly untilMs: number }): Promise<Health> {
  let key = '';
  try {
    const { place, now } = make();
    key = hostKeysOf(place)?.id ?? '';
    if (key === '') throw new NotpError('store_unavailable', 'the service has no host key');
    const state = openState(place, now, { create: false, untilMs });
    if (state === undefined) throw new NotpError('store_unavailable', `${storeName(place)}: there is no such file`);
    try {
      await rolledBack(state.store, () => Promise.resolve(), untilMs);
    } finally {
      state.store.close();
    }
    tryToLog(place);
    return { reason: undefined, detail: '', key, wire: WIRE };
  } catch (error) {
    const detail = messageOf(error);
    const reason = reasonOf(error);
    sayFault(detail, reason === 'audit_unavailable' ? 'records wait in the state; once that is full every login is refused' : undefined);
    return { reason, detail, key, wire: WIRE };
  }
}

function tryToLog({ auditFile }: StatePlace): void {
  try {
    tryLog(auditFile);
  } catch (error) {
    throw new NotpError('audit_unavailable', `the audit log cannot be appended to: ${causeOf(error)}`);
  }
}

/** Says in the journal of a judge that a member is of another release. */
export function sayOtherRelease(host: string): void {
  sayFault(`${host} is of another release, and is not answered: this judge speaks ${WIRE}`, 'upgrade the earlier one');
}

const said = new Set<string>();

/** Says each fault once in the life of the process, so that questions cannot fill the journal. */
export function sayFault(detail: string, hint = 'every question is refused until this is fixed'): void {
  if (!said.has(detail)) sayError(detail, hint);
  said.add(detail);
}
