/** `notp audit verify`: whether the log, with the files that logrotate(8) has put aside, is what was written. */
import { isatty } from 'node:tty';
import { verifyLog, type Progress, type Report } from '../audit/verify.ts';
import { NotpError } from '../error.ts';
import type { Config } from '../system/config.ts';
import { printResult, say, sayError, sayHint } from '../system/printer.ts';
import { asUser } from '../system/privileges.ts';
import { realUser } from '../system/users.ts';
import { chainKeys, hasEncryptedKey, type State, statePlace, type StatePlace, storeName, withState } from '../verifier/state.ts';

const PROGRESS_MS = 500;

/** The exit code is 0 where the chain is whole, 1 where it is not. */
export async function verifyAudit(config: Config, { json }: { readonly json: boolean }, now: () => number): Promise<number> {
  const place = statePlace(config, realUser());
  if (place.kind === 'service' && hasEncryptedKey(config))
    throw new NotpError(
      'failed',
      'only the service has the key of the chain',
      'decrypt it with systemd-creds for the check, and remove it again',
    );
  const progress = isatty(2) ? progressOnTerminal(now) : undefined;
  const report = await asUser(place.owner, () =>
    withState(place, now, async (state) => {
      if (state !== undefined) return await verified(place, state, progress?.tell);
      throw new NotpError('store_unavailable', `${storeName(place)}: there is no such file`, 'nobody has enrolled yet');
    }),
  ).finally(() => progress?.end());
  tell(report, { json });
  return report.problem === undefined ? 0 : 1;
}

function tell({ problem, records, first, last, cutOff, cutOffAt, unlinked }: Report, { json }: { json: boolean }): void {
  const [from, to] = [first, last?.seq ?? 0];
  if (json)
    printResult(JSON.stringify({ whole: problem === undefined, records, first, last: to, cut_off: cutOff, unlinked, problem }) + '\n');
  else if (problem === undefined) printResult(`The log is whole: records ${String(from)} to ${String(to)}, ${String(records)} in all\n`);
  if (problem !== undefined) sayError(problem, 'up to there the log is what was written; compare it with the journal or another copy');
  else if (!json) sayRemarks({ first, cutOff, cutOffAt, unlinked });
}

/** What is no fault and yet not proven: the chain cannot know who wrote these lines, or took them away. */
function sayRemarks({ first, cutOff, cutOffAt, unlinked }: Pick<Report, 'first' | 'cutOff' | 'cutOffAt' | 'unlinked'>): void {
  if (first > 1) sayHint(`records 1 to ${String(first - 1)} are not here: rotated away and deleted, or taken away`);
  if (cutOff > 0)
    sayHint(
      `cut off by a crash or put in by somebody, and no decision that anybody was told: ${String(cutOff)}, at ${cutOffAt.join(', ')}`,
    );
  if (unlinked > 0) sayHint(`outside the chain, written while there was no state to link to: ${String(unlinked)}`);
}

/** The head is taken first: records that come while the log is read follow it. */
async function verified({ auditFile }: StatePlace, state: State, progress: Progress | undefined): Promise<Report> {
  const { known, former } = await state.store.exclusively(async (transaction) => ({
    known: await transaction.head(),
    former: await transaction.formerChainKeys(),
  }));
  return await verifyLog(auditFile, { known, keys: chainKeys(state, former), progress });
}

/** One line on stderr that is written over, and gone at the end; nothing for what is done at once. */
function progressOnTerminal(now: () => number): { readonly tell: Progress; readonly end: () => void } {
  let nextMs = now() + PROGRESS_MS;
  let width = 0;
  return {
    tell: (bytes, records) => {
      if (now() < nextMs) return;
      nextMs = now() + PROGRESS_MS;
      const text = `${String(records)} records, ${String(Math.floor(bytes / 1e6))} MB`;
      width = Math.max(width, text.length);
      say(`\r${text}`);
    },
    end: () => {
      if (width > 0) say(`\r${' '.repeat(width)}\r`);
    },
  };
}
