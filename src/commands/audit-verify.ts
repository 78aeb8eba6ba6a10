/** `notp audit verify`: whether the log, with the files that logrotate(8) has put aside, is what was written. */
import { filesOf, linesOf } from '../audit/reading.ts';
import { START, step, type Walk } from '../audit/walk.ts';
import { NotpError } from '../error.ts';
import type { ChainHead } from '../store/store.ts';
import type { Config } from '../system/config.ts';
import { printResult, sayError } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { realUser } from '../system/users.ts';
import { hasEncryptedKey, statePlace, withState, type State, type StatePlace } from '../verifier/state.ts';

interface Report extends Walk {
  /** What is wrong, and where; undefined where nothing is. */
  readonly problem: string | undefined;
}

/** The exit code is 0 where the chain is whole, 1 where it is not. */
export async function verifyAudit(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const place = statePlace(config, realUser());
  if (place.kind === 'service' && hasEncryptedKey(config))
    throw new NotpError(
      'failed',
      'only the service has the key of the chain',
      'decrypt it with systemd-creds for the check, and remove it again',
    );
  const report = await asUser(place.owner, () =>
    withState(place, now, async (state) => {
      if (state !== undefined) return await verified(place, state);
      throw new NotpError('store_unavailable', `${place.database}: there is no such file`, 'nobody has enrolled yet');
    }),
  );
  const { problem, records, first, head, cutOff, unlinked } = report;
  const last = head?.seq ?? 0;
  if (json) printResult(JSON.stringify({ whole: problem === undefined, records, first, last, cut_off: cutOff, unlinked, problem }) + '\n');
  else if (problem === undefined) printResult(`The log is whole: records ${String(first)} to ${String(last)}, ${String(records)} in all\n`);
  if (problem !== undefined) sayError(problem, 'up to there the log is what was written; compare it with the journal or another copy');
  return problem === undefined ? 0 : 1;
}

/** The head is taken first: records that come while the log is read follow it. */
async function verified({ auditFile }: StatePlace, { store, log }: State): Promise<Report> {
  const known = await store.exclusively((transaction) => transaction.head());
  let walk: Walk = START;
  let reached = known.seq === 0;
  for (const file of filesOf(auditFile)) {
    let number = 0;
    for await (const line of linesOf(file)) {
      number++;
      const next = step(walk, line, log.key);
      if (typeof next === 'string') return { ...walk, problem: `${file}:${String(number)}: ${next}` };
      walk = next;
      if (isHead(walk.head, known)) reached = true;
    }
  }
  return { ...walk, problem: reached ? undefined : missing(auditFile, walk.head?.seq ?? 0, known.seq) };
}

function isHead(head: ChainHead | undefined, known: ChainHead): boolean {
  return head !== undefined && head.seq === known.seq && head.hash === known.hash;
}

function missing(file: string, last: number, known: number): string {
  if (last >= known) return `${file}: record ${String(known)}, the last that was written, was changed`;
  return `${file}: the last ${String(known - last)} records are missing, or the record before them was changed`;
}
