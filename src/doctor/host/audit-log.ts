/** Checks of the audit log: it can be appended to, and no record that the store knows was changed. Nothing is written. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { verifyLog, type Report, type VerifyOptions } from '../../audit/verify.ts';
import { isLost, lostHead } from '../../audit/resume.ts';
import { errnoOf, messageOf } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { SLOTS, slotsOf } from '../../store/backlog.ts';
import type { ChainHead, KeptLine } from '../../store/store.ts';
import { ifThere } from '../../system/if-there.ts';
import type { User } from '../../system/users.ts';
import { chainKeys, type State } from '../../state/state.ts';
import { logIdFile } from '../../state/log-id.ts';
import type { StatePlace } from '../../state/place.ts';
import { tryAppend } from '../../state/trying.ts';
import { changing, ok, type Finding } from '../finding.ts';
import { mountOf } from './mounts.ts';
import { permissionFix, WRITE_OF_ALL } from './trust.ts';

/** Only this much of the end of a longer log is verified, which takes a few seconds. `notp audit verify` checks all of it. */
const WALKED_BYTES = 64 * 1024 * 1024;
/** The owner's write and search bits, which are needed to create a file in a folder. */
const OWNER_CREATES = 0o300;

/** What the store knows about the log. */
export interface Known {
  readonly head: ChainHead;
  /** The last records, if they could not be written to the file yet. */
  readonly backlog: readonly KeptLine[];
  readonly formerChainKeys: readonly Uint8Array[];
}

/** The caller acts as the owner of the log. */
export async function examineLog(state: State, place: StatePlace, known: Known): Promise<Finding[]> {
  const file = place.auditFile;
  const folder = path.dirname(file);
  let [of, mode] = [file, '600'];
  try {
    // logrotate(8) moves it away at any time.
    const exists = ifThere(() => {
      tryAppend(file);
      return true;
    });
    [of, mode] = [folder, '700'];
    if (exists !== true || lacksId(place)) checkCanCreate(folder, place.owner);
  } catch (error) {
    return [
      {
        id: 'audit-log',
        severity: 'fail',
        title: 'The audit log cannot be appended to',
        detail: messageOf(error),
        fix: fixFor(error, of) ?? permissionFix(of, place.owner, { mode, shared: WRITE_OF_ALL }),
      },
    ];
  }
  const waiting = known.backlog.length;
  const taken = known.backlog.reduce((sum, { line }) => sum + slotsOf(line), 0);
  const appended: Finding =
    waiting === 0
      ? ok('audit-log', 'The audit log can be appended to', file)
      : {
          ...{
            id: 'audit-log',
            severity: taken > SLOTS / 2 ? 'fail' : 'warn',
            title: 'Records could not be written to the audit log and wait in the state',
          },
          detail: `${file} lacks the last ${changing(waiting)} records; they fill ${changing(taken)} of ${String(SLOTS)} places, and once all are full every login is refused`,
          fix: 'check for a full disk, a quota or a read-only file system; notp then writes them with its next record',
        };
  return [appended, await examineChain(state, place, known)];
}

/** Where the mode is not what is wrong. */
function fixFor(error: unknown, file: string): string | undefined {
  switch (errnoOf(error)) {
    case 'EROFS':
      return shellCommand`mount -o remount,rw ${mountOf(file).mount}, and systemctl stop 'notp@*.service'`;
    case 'ENOSPC':
    case 'EDQUOT':
      return shellCommand`make room: df -h ${path.dirname(file)}`;
    default:
      return undefined;
  }
}

/** Throws if `owner` cannot create files in `folder`. access(2) would not do: it checks the real user, which is root. */
function checkCanCreate(folder: string, { name, uid }: User): void {
  const stats = fs.statSync(folder);
  if (stats.uid !== uid || (stats.mode & OWNER_CREATES) !== OWNER_CREATES) throw new Error(`${name} cannot create files in ${folder}`);
}

/** Whether the log has no id yet, which must be beside it before the first record. */
function lacksId({ store, auditFile }: StatePlace): boolean {
  return store.kind === 'postgres' && !fs.existsSync(logIdFile(auditFile));
}

/** Verifies the chain of the log, before and after the last record that the store knows. */
async function examineChain(
  state: State,
  { auditFile, hostKeyFiles }: StatePlace,
  { head, backlog, formerChainKeys }: Known,
): Promise<Finding> {
  const id = 'audit-chain';
  const keys = chainKeys(state, formerChainKeys);
  if (head.seq === 0 && !isLost(auditFile, head)) return ok(id, 'The audit log has no record yet', auditFile);
  if (hostKeyFiles.length > 0 && state.log.key === undefined)
    return { id, severity: 'info', title: 'The audit log cannot be verified without the host key', detail: auditFile, fix: '' };
  if (isLost(auditFile, head)) {
    const { message: detail, hint: fix = '' } = lostHead(auditFile);
    return { id, severity: 'fail', title: 'The store has no record of this audit log, so every login is refused', detail, fix };
  }
  const headNow = (): Promise<ChainHead> => state.store.exclusively((transaction) => transaction.head());
  const report = await verifyEnd(auditFile, { known: head, headNow, backlog, keys, lastBytes: WALKED_BYTES });
  const { problems, first, last } = report;
  const title = 'The audit log was changed';
  const fix = 'notp audit verify checks the whole log; find out who changed it';
  const [problem, ...more] = problems;
  if (problem !== undefined)
    return { id, severity: 'fail', title, detail: problem + (more.length > 0 ? ` (and ${String(more.length)} more)` : ''), fix };
  const older = first > 1 ? '; earlier ones were not checked' : '';
  return ok(id, 'The audit log is unchanged', `${auditFile}: records ${String(first)} to ${String(last?.seq ?? 0)}${older}`);
}

/** A log that cannot be opened counts as changed. */
async function verifyEnd(auditFile: string, options: VerifyOptions): Promise<Pick<Report, 'problems' | 'first' | 'last'>> {
  try {
    return await verifyLog(auditFile, options);
  } catch (error) {
    return { problems: [messageOf(error)], first: 0, last: undefined };
  }
}
