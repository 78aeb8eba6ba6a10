/** The family of the audit log: it can be appended to, and its last line is the one that the store knows. Nothing is written. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { headAfter } from '../audit/chain.ts';
import { filesOf, tailOf } from '../audit/reading.ts';
import { MAX_RECORD_BYTES, type Link } from '../audit/record.ts';
import { linkOf } from '../audit/walk.ts';
import { messageOf } from '../error.ts';
import type { ChainHead } from '../store/store.ts';
import type { State, StatePlace } from '../verifier/state.ts';
import { ok, type Finding } from './finding.ts';

const TAIL_BYTES = 16 * MAX_RECORD_BYTES;

/** The caller acts as the owner of the log. */
export function examineLog(state: State, place: StatePlace, head: ChainHead): Finding[] {
  const file = place.auditFile;
  try {
    if (fs.existsSync(file)) appendable(file);
    else fs.accessSync(path.dirname(file), fs.constants.W_OK | fs.constants.X_OK);
  } catch (error) {
    return [
      {
        id: 'audit-log',
        severity: 'fail',
        title: 'The audit log takes no line',
        detail: messageOf(error),
        fix: `chown ${place.owner.name} ${file} && chmod 600 ${file}`,
      },
    ];
  }
  return [ok('audit-log', 'The audit log takes lines', file), examineChain(state, place, head)];
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

/** Whether the last line that the store knows is in the log, unchanged. After it may stand lines of decisions that a crash cut off. */
function examineChain(state: State, { auditFile, hostKeyFile }: StatePlace, head: ChainHead): Finding {
  const id = 'audit-chain';
  if (head.seq === 0) return ok(id, 'The audit log has no line yet', auditFile);
  const detail = `${auditFile}: line ${String(head.seq)}`;
  const fix = 'notp audit verify tells where it begins; find out who changed the log';
  const last = lineOf(auditFile, head.seq);
  if (last === undefined) return { id, severity: 'fail', title: 'The last line that was written is missing in the audit log', detail, fix };
  if (hostKeyFile !== undefined && state.log.key === undefined)
    return { id, severity: 'info', title: 'The last line of the audit log cannot be proven without the host key', detail, fix: '' };
  if (headAfter(last.link, `${last.line}\n`, state.log.key).hash === head.hash)
    return ok(id, 'The last line of the audit log is the one that was written', detail);
  return { id, severity: 'fail', title: 'The last line of the audit log is not the one that was written', detail, fix };
}

/** The last line with the number `seq`, in the log or in what was rotated away and is not packed yet. */
function lineOf(auditFile: string, seq: number): { readonly line: string; readonly link: Link } | undefined {
  const files = filesOf(auditFile).filter((file) => fs.existsSync(file) && !file.endsWith('.gz'));
  for (const line of files.toReversed().flatMap((file) => tailOf(file, TAIL_BYTES).toReversed())) {
    const link = linkOf(line);
    if (link !== undefined && link !== 'none' && link.seq === seq) return { line, link };
  }
  return undefined;
}
