/** `notp audit --ref`: everything about one attempt, for the administrator who must explain a refusal. */
import { existsSync } from 'node:fs';
import { isatty } from 'node:tty';
import { shellCommand } from '../../otp/escape.ts';
import { recordsIn, type Filter, type LogRecord } from '../../audit/filter.ts';
import { merged } from '../../audit/merging.ts';
import { parseJson } from '../../json.ts';
import type { Config } from '../../system/config.ts';
import { printResult, sayError } from '../../terminal/printer.ts';
import { outputTraits } from '../../terminal/traits.ts';
import { realUser } from '../../system/users.ts';
import { outagePlace } from '../../outage/outage.ts';
import { statePlace, type StatePlace } from '../../state/place.ts';
import { withLogs } from './logs.ts';
import { storyScreen, type Story } from './story-screen.ts';

const AROUND_MS = 3_600_000;
/** The most records to show on each side. */
const MAX_AROUND = 20;
/** An attempt leaves one or two records, since each attempt has a new random reference. */
const MAX_RECORDS = 20;

export interface StoryOptions {
  /** 8 hex digits. */
  readonly ref: string;
  readonly json: boolean;
  /** Logs to read in place of the own log. */
  readonly files: readonly string[];
}

/** Prints text on a terminal, else one JSON object. The exit code is 1 if no record has the reference. */
export async function auditStory(config: Config, { ref, json, files }: StoryOptions, now: () => number): Promise<number> {
  const story = await withLogs(
    config,
    files,
    async (logs) => (await storyOf(logs, ref)) ?? (await storyOf(unreported(config, files), ref)),
  );
  if (story === undefined) {
    sayError(
      `no record here has the reference ${ref}`,
      `it may be rotated away, or be in the log of another host; a gate that reached no service writes to the journal with the _UID of its user; search the journal: ${journalOf(statePlace(config, realUser()), ref)}`,
    );
    return 1;
  }
  if (json || !isatty(1)) printResult(jsonOf(story));
  else printResult(storyScreen(story, { traits: outputTraits(), context: config.context, hosts: files.length > 0, nowMs: now() }));
  return 0;
}

/** The log of decisions in an outage of a fleet's store, which may not be reported yet. */
function unreported(config: Config, files: readonly string[]): readonly string[] {
  const log = files.length > 0 ? undefined : outagePlace(statePlace(config, realUser()))?.auditFile;
  return log !== undefined && existsSync(log) ? [log] : [];
}

/**
 * Anybody can write lines of "notp" to the journal, but not with the uid of another user, which journald adds itself:
 * systemd.journal-fields(7).
 */
function journalOf({ owner }: StatePlace, ref: string): string {
  return shellCommand`journalctl -t notp _UID=${String(owner.uid)} -g ${ref}`;
}

/** Reads the log twice: for the attempt, and for the records around it. */
async function storyOf(logs: readonly string[], ref: string): Promise<Story | undefined> {
  const records: LogRecord[] = [];
  for await (const record of mergedRecords(logs, { ref })) if (records.length < MAX_RECORDS) records.push(record);
  const [first] = records;
  if (first === undefined) return undefined;
  const { user, timeMs } = first.entry;
  const [before, after] = [
    { kept: [] as LogRecord[], left: 0 },
    { kept: [] as LogRecord[], left: 0 },
  ];
  let gotIn: LogRecord | undefined;
  for await (const record of mergedRecords(logs, { user, sinceMs: timeMs - AROUND_MS })) {
    const { entry } = record;
    if (entry.ref === ref) continue;
    if (entry.timeMs >= timeMs && entry.event === 'login.accepted') gotIn ??= record;
    if (entry.timeMs > timeMs + AROUND_MS) {
      if (gotIn !== undefined) break;
    } else if (entry.timeMs >= timeMs) {
      if (after.kept.length < MAX_AROUND) after.kept.push(record);
      else after.left++;
    } else {
      before.kept.push(record);
      if (before.kept.length > MAX_AROUND) before.left += before.kept.splice(0, 1).length;
    }
  }
  return { ref, records, before: before.kept, after: after.kept, left: { before: before.left, after: after.left }, gotIn };
}

function mergedRecords(logs: readonly string[], filter: Filter): AsyncGenerator<LogRecord> {
  return merged(
    logs.map((log) => recordsIn(log, filter)),
    ({ entry }) => entry.timeMs,
  );
}

/** The records as they are in the log. */
function jsonOf({ ref, records, before, after, left, gotIn }: Story): string {
  const around = [...before, ...after].map(parsed);
  const got = gotIn === undefined ? null : parsed(gotIn);
  return JSON.stringify({ ref, records: records.map(parsed), around, around_left_out: left.before + left.after, got_in: got }) + '\n';
}

function parsed({ line }: LogRecord): unknown {
  return parseJson(line);
}
