/** The family of the audit log: it can be appended to, and it is the one that was written, up to the line that the store knows. Nothing is written. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { verifyLog, type Report, type VerifyOptions } from '../../audit/verify.ts';
import { headOf } from '../../audit/host-name.ts';
import { isLost, lostHead } from '../../audit/resume.ts';
import { messageOf } from '../../error.ts';
import { SLOTS, slotsOf } from '../../store/backlog.ts';
import type { ChainHead, KeptLine } from '../../store/store.ts';
import type { User } from '../../system/users.ts';
import { chainKeys, type State } from '../../state/state.ts';
import type { StatePlace } from '../../state/place.ts';
import { ok, type Finding } from '../finding.ts';
import { permissionFix, WRITE_OF_ALL } from './trust.ts';

/** Of a longer log its end is walked, in a few seconds: `notp audit verify` is for all of it. */
const WALKED_BYTES = 64 * 1024 * 1024;
/** Write and search bits of an owner. */
const OWNER_MAKES = 0o300;

/** What the store holds of the log. */
export interface Known {
  readonly head: ChainHead;
  /** Its last lines that the file did not take yet. */
  readonly backlog: readonly KeptLine[];
  readonly formerChainKeys: readonly Uint8Array[];
}

/** The caller acts as the owner of the log. */
export async function examineLog(state: State, place: StatePlace, known: Known): Promise<Finding[]> {
  const file = place.auditFile;
  const folder = path.dirname(file);
  const there = fs.existsSync(file);
  try {
    if (there) appendable(file);
    else makable(folder, place.owner);
  } catch (error) {
    return [
      {
        id: 'audit-log',
        severity: 'fail',
        title: 'The audit log cannot be appended to',
        detail: messageOf(error),
        fix: permissionFix(there ? file : folder, place.owner, { mode: there ? '600' : '700', shared: WRITE_OF_ALL }),
      },
    ];
  }
  const waiting = known.backlog.length;
  const taken = known.backlog.reduce((sum, { line }) => sum + slotsOf(line), 0);
  const appended: Finding =
    waiting === 0
      ? ok('audit-log', 'The audit log can be appended to', file)
      : {
          ...{ id: 'audit-log', severity: taken > SLOTS / 2 ? 'fail' : 'warn', title: 'Records wait in the state for the audit log' },
          detail: `${file} took none of the last ${String(waiting)} records; they take ${String(taken)} of ${String(SLOTS)} places, and without one nobody gets in`,
          fix: 'look for a full disk, a quota or a read-only file system; whoever can write it next writes them',
        };
  return [appended, await examineChain(state, place, known)];
}

/** Throws where `owner` makes no file in `folder`. Not access(2), which asks for who we really are: root. */
function makable(folder: string, { name, uid }: User): void {
  const stats = fs.statSync(folder);
  if (stats.uid !== uid || (stats.mode & OWNER_MAKES) !== OWNER_MAKES) throw new Error(`${name} can make no file in ${folder}`);
}

function appendable(file: string): void {
  const { O_WRONLY, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const fd = fs.openSync(file, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!fs.fstatSync(fd).isFile()) throw new Error(`${file} is no regular file`);
  } finally {
    fs.closeSync(fd);
  }
}

/** Whether the log is what was written, up to the last line that the store knows and after it. */
async function examineChain(
  state: State,
  { auditFile, hostKeyFiles }: StatePlace,
  { head, backlog, formerChainKeys }: Known,
): Promise<Finding> {
  const id = 'audit-chain';
  const keys = chainKeys(state, formerChainKeys);
  if (head.seq === 0 && !isLost(auditFile, head)) return ok(id, 'The audit log has no line yet', auditFile);
  if (hostKeyFiles.length > 0 && state.log.key === undefined)
    return { id, severity: 'info', title: 'The audit log cannot be proven without the host key', detail: auditFile, fix: '' };
  if (isLost(auditFile, head)) {
    const { message: detail, hint: fix = '' } = lostHead(auditFile);
    return { id, severity: 'fail', title: 'The store does not know the audit log, so every login is refused', detail, fix };
  }
  const headNow = (): Promise<ChainHead> =>
    state.store.exclusively(async (transaction) => (await headOf(auditFile, transaction, keys)).head);
  const report = await walked(auditFile, { known: head, headNow, backlog, keys, lastBytes: WALKED_BYTES });
  const { problems, first, last } = report;
  const title = 'The audit log is not what was written';
  const fix = 'notp audit verify goes through all of it; find out who changed the log';
  const [problem, ...more] = problems;
  if (problem !== undefined)
    return { id, severity: 'fail', title, detail: problem + (more.length > 0 ? ` (and ${String(more.length)} more)` : ''), fix };
  const older = first > 1 ? '; those before them were not looked at' : '';
  return ok(id, 'The audit log is what was written', `${auditFile}: records ${String(first)} to ${String(last?.seq ?? 0)}${older}`);
}

/** What cannot be opened is not what was written. */
async function walked(auditFile: string, options: VerifyOptions): Promise<Pick<Report, 'problems' | 'first' | 'last'>> {
  try {
    return await verifyLog(auditFile, options);
  } catch (error) {
    return { problems: [messageOf(error)], first: 0, last: undefined };
  }
}
