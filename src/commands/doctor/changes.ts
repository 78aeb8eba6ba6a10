/**
 * `notp doctor --changes`: what is new and what is gone since the last time. The checks run in a process of their own, as anybody runs them, so
 * that a crash, a hang or a lack of memory is reported too. A change is recorded before it is kept: after a crash in between it is reported
 * twice, but never lost. What cannot be kept would be recorded at each run, so it is in the journal alone.
 */
import { spawn } from 'node:child_process';
import { isSea } from 'node:sea';
import { isatty } from 'node:tty';
import { append, appendUnlinked, newRef } from '../../audit/audit.ts';
import { MAX_FIELD_CHARACTERS, type AuditRecord } from '../../audit/record.ts';
import type { Priority } from '../../audit/journal-entry.ts';
import { journalSinks } from '../../audit/sinks.ts';
import { changeLine, changeStory, compared, type Difference, type Found } from '../../doctor/answer.ts';
import { couldCheck, NOT_RUN, type Finding, type Severity } from '../../doctor/finding.ts';
import { draftAnswer, keptAnswer, noteRun, prepareFolder } from '../../doctor/kept.ts';
import { watchedNow } from '../../doctor/watched.ts';
import { messageOf } from '../../error.ts';
import { parseJson } from '../../json.ts';
import { withOpenedKey } from '../../state/credentials.ts';
import { statePlace } from '../../state/place.ts';
import { auditLog, withState } from '../../state/state.ts';
import { asUser, requireRoot } from '../../system/privileges.ts';
import { realUser } from '../../system/users.ts';
import { printResult, sayError } from '../../terminal/printer.ts';
import { configOf, type CommonFlags } from '../options.ts';
import { changesScreen, type ScreenOptions } from './screen.ts';

export interface ChangesOptions {
  readonly flags: CommonFlags;
  readonly json: boolean;
  readonly screen: ScreenOptions;
}

/** How often doctor looks again because a watched file was changed while it looked, or while it told what it saw. */
const LOOKS = 3;
/** Below TimeoutStartSec= of systemd/notp-doctor.service, so that a doctor that hangs is told. */
const TIMEOUT_MS = 50 * 60_000;
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
const MAX_STDERR_CHARACTERS = 4096;
const MAX_STORY_CHARACTERS = 2048;
const PRIORITY: Readonly<Record<Severity, Priority>> = { fail: 'err', warn: 'warning', info: 'notice', ok: 'info' };

/** Gives the exit code of `notp doctor`. Throws `not_permitted` without root, `bad_secret_file` or `failed` where the answer cannot be kept. */
export async function doctorChanges({ flags, json, screen }: ChangesOptions, now: () => number): Promise<number> {
  requireRoot('keep the answer of doctor', 'sudo notp doctor --changes');
  prepareFolder();
  for (let left = LOOKS; ; left--) {
    const { found, seen } = await lookUntilStill(flags);
    const exit = await tell(found, { flags, json, screen }, now);
    // To tell takes a moment, too.
    if (left === 1 || watchedNow() === seen) return exit;
  }
}

/** Keeps the answer, and tells what is new in it and what is gone. Gives the exit code for it. */
async function tell(found: readonly Finding[], { flags, json, screen }: ChangesOptions, now: () => number): Promise<number> {
  const before = lastAnswer();
  const difference = compared(before ?? [], found, now());
  if (before === undefined || difference.fresh.length > 0 || difference.gone.length > 0) {
    await tellJournal(difference);
    // As a whole on the disk before the record, since it may be full.
    const drafted = draftAnswer(difference.all);
    await record(flags, difference, now);
    drafted.keep();
  } else noteRun(now());
  printResult(json ? jsonOf(difference) : changesScreen(difference, screen));
  if (found.some(({ id }) => id === NOT_RUN)) return 3;
  if (found.some(({ severity }) => severity === 'fail')) return 1;
  return couldCheck(found) ? 0 : 3;
}

/** A file that was changed meanwhile may have been read before or after, and systemd does not watch while the service runs. */
async function lookUntilStill(flags: CommonFlags): Promise<{ readonly found: readonly Finding[]; readonly seen: string }> {
  for (let left = LOOKS; ; left--) {
    const seen = watchedNow();
    const found = await look(flags);
    if (left === 1 || watchedNow() === seen) return { found, seen };
  }
}

/** An answer that cannot be read is said, and everything is new then. */
function lastAnswer(): readonly Found[] | undefined {
  try {
    return keptAnswer();
  } catch (error) {
    sayError(`the last answer of doctor cannot be read: ${messageOf(error)}`, 'everything that is found counts as new');
    return undefined;
  }
}

/** Never rejects: what cannot be written is said. */
async function tellJournal(difference: Difference): Promise<void> {
  const [worst] = difference.all;
  for (const sink of journalSinks(PRIORITY[worst?.severity ?? 'ok'])) {
    await sink.write(`notp doctor: ${changeStory(difference, MAX_STORY_CHARACTERS)}\n`).catch((error: unknown) => {
      sayError(`${sink.name}: ${messageOf(error)}`);
    });
  }
}

/** Writes one record into the log of this host. Never rejects: the answer is kept without it, too. */
async function record(flags: CommonFlags, difference: Difference, now: () => number): Promise<void> {
  try {
    await appendLine(flags, changeLine(difference, MAX_FIELD_CHARACTERS), now);
  } catch (error) {
    sayError(`no audit record could be written: ${messageOf(error)}`, 'notp doctor finds the cause');
  }
}

/** One record in the log of this host; none where nobody is enrolled yet, as there is no log. */
async function appendLine(flags: CommonFlags, detail: string, now: () => number): Promise<void> {
  const config = configOf(flags);
  const { name: user, uid } = realUser();
  const place = withOpenedKey(statePlace(config, realUser()), config);
  const line: AuditRecord = { user, uid, context: '', door: 'cli', event: 'doctor.changed', result: 'done', detail, ref: newRef() };
  await asUser(place.owner, async () => {
    try {
      await withState(place, now, async (state) => {
        await state?.store.exclusively((transaction) => append(state.log, transaction, line));
      });
    } catch {
      // As for a refusal whose state cannot be used.
      await appendUnlinked(auditLog(place, now), line, { required: true });
    }
  });
}

function jsonOf({ fresh, gone }: Difference): string {
  const all = [...fresh.map((finding) => ({ change: 'new', ...finding })), ...gone.map((finding) => ({ change: 'gone', ...finding }))];
  return all.map((each) => `${JSON.stringify(each)}\n`).join('');
}

/** Runs `notp doctor --json --steady`. Never rejects: why it could not run is a finding. */
async function look({ config }: CommonFlags): Promise<readonly Finding[]> {
  const words = ['doctor', '--json', '--steady', ...(config === undefined ? [] : ['--config', config])];
  const self = isSea() ? words : [...process.execArgv, process.argv[1] ?? '', ...words];
  const { ended, stdout, stderr } = await runToEnd(process.execPath, self);
  try {
    const lines = stdout.split('\n').filter((line) => line !== '');
    const findings = lines.map((line) => parseJson(line) as Finding);
    if (findings.length > 0 && ['0', '1', '3'].includes(ended)) return findings;
  } catch {
    // It was cut off.
  }
  const [said = ''] = stderr.trim().split('\n').slice(-1);
  const detail = `it ended with ${ended}${said === '' ? '' : `: ${said}`}`;
  return [{ id: NOT_RUN, severity: 'fail', title: 'notp doctor could not run', detail, fix: 'notp doctor' }];
}

interface Ran {
  /** The exit code, or the signal. */
  readonly ended: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Never rejects. A person at a terminal sees its progress. */
function runToEnd(program: string, words: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(program, words, {
      stdio: ['ignore', 'pipe', isatty(2) ? 'inherit' : 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let [bytes, stderr] = [0, ''];
    child.stdout?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
      else child.kill('SIGKILL');
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-MAX_STDERR_CHARACTERS)));
    child.on('error', (error) => {
      resolve({ ended: 'no start', stdout: '', stderr: messageOf(error) });
    });
    child.on('close', (code, signal) => {
      resolve({ ended: String(code ?? signal), stdout: Buffer.concat(chunks).toString('utf8'), stderr });
    });
  });
}
