/**
 * The last answer of doctor, kept where only root can read or write:
 *
 *   /var/lib/notp-doctor/answer   see answer.ts; its time is that of the last run
 *   /var/lib/notp-doctor/motd     two lines for root's login; missing where all is well
 *
 * It is not in /var/lib/notp, which belongs to the service's user: what root is told must not be that user's to change.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { checkFolders, draft, readTrusted } from '../system/trusted.ts';
import { MAX_ANSWER_BYTES, motdOf, parseDoctorAnswer, printDoctorAnswer, type Found } from './answer.ts';

const FOLDER = '/var/lib/notp-doctor';
const ANSWER = path.join(FOLDER, 'answer');
const MOTD = path.join(FOLDER, 'motd');
const ROOT_UID = 0;

/** Makes the folder. Throws `bad_secret_file` where somebody else can change it, or what is in it. */
export function prepareFolder(): void {
  fs.mkdirSync(FOLDER, { mode: 0o700, recursive: true });
  checkFolders('/', FOLDER, ROOT_UID);
}

/** The kept answer; undefined where there is none. Throws `bad_secret_file` where it is malformed, or not root's alone. */
export function keptAnswer(): readonly Found[] | undefined {
  const bytes = readTrusted(ANSWER, { owner: ROOT_UID, maxBytes: MAX_ANSWER_BYTES });
  return bytes === undefined ? undefined : parseDoctorAnswer(bytes);
}

/** When doctor last looked, Unix time in milliseconds; undefined before the first time. */
export function lastRunMs(): number | undefined {
  return fs.lstatSync(ANSWER, { throwIfNoEntry: false })?.mtimeMs;
}

/** Notes that doctor has looked, and that the kept answer is still the answer. */
export function noteRun(nowMs: number): void {
  fs.lutimesSync(ANSWER, nowMs / 1000, nowMs / 1000);
}

/** An answer that is on the disk, and not in its place yet. */
export interface DraftedAnswer {
  /** What root's login shows comes first: a crash in between leaves the answer to be told again. */
  keep(): void;
}

/** Writes `answer` beside its place. Throws `failed` where there is no room for it; nothing is left then. */
export function draftAnswer(answer: readonly Found[]): DraftedAnswer {
  const motd = motdOf(answer);
  const drafted = draft(ANSWER, printDoctorAnswer(answer));
  try {
    const drafts = [...(motd === '' ? [] : [draft(MOTD, Buffer.from(motd))]), drafted];
    return {
      keep: () => {
        if (motd === '') fs.rmSync(MOTD, { force: true });
        for (const each of drafts) each.put();
      },
    };
  } catch (error) {
    drafted.drop();
    throw error;
  }
}
