/**
 * The verifier behind a socket. The service that listens there holds key, state and log, and answers with a verdict. If the service is dead,
 * hung, slow, restarted or answers nonsense, the login is refused in bounded time. Nothing else is asked instead.
 */
import { newRef, writeToCopies } from '../audit/audit.ts';
import type { AuditRecord, Origin } from '../audit/record.ts';
import { journalSinks } from '../audit/sinks.ts';
import { messageOf, NotpError } from '../error.ts';
import { uptimeMs } from '../store/clock.ts';
import { connectLines, isUnanswered, type LineLimits, type LineSocket } from './line-socket.ts';
import type { Config } from '../system/config.ts';
import { sealOf, type DeviceFile } from '../system/secrets.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { Attempt, Circumstances, Outcome, SshSession, Verifier } from './verifier.ts';
import {
  HELLO,
  MAX_LINE,
  parseAnswer,
  printQuestion,
  printRefusal,
  type AskedAccount,
  sentFile,
  type Question,
  type ToldRefusal,
} from './question.ts';

/** Longer than the service waits for its turn at the store. */
export const ANSWER_DEADLINE_MS = 30_000;

/** The connection to a service: sends a line and gives the answer. Throws `store_unavailable` without an answer. */
export interface Wire {
  ask(line: string): Promise<string>;
  close(): void;
}

export interface RemoteOptions {
  readonly wire: Wire;
  /** The account that the judge is asked about; undefined at a user's own socket. */
  readonly account?: AskedAccount;
  readonly origin: Origin;
  readonly files: readonly DeviceFile[];
  readonly circumstances: Circumstances;
  /** Refuses, and records in this process what the service did not record. */
  readonly refuse: (reason: Reason, detail: string) => Promise<Outcome>;
}

/**
 * Connects for each question. So a session that waits at a prompt holds no connection, and a thousand prompts with a stolen key delay
 * nobody.
 *
 * Where a service hangs up before the first byte of an answer, the question is asked once more within the same time: that service was of
 * another release, or about to leave. It judges nothing then. One that was killed between a judgement and its answer has committed first, so
 * a code is not accepted twice: asked again, it is one already used. `deadlineMs`: for the connection, and again for the answer.
 */
export function connectForEach(path: string, deadlineMs = ANSWER_DEADLINE_MS): Wire {
  return {
    ask: async (line) => {
      const untilMs = uptimeMs() + deadlineMs;
      try {
        return await askOnce(path, line, deadlineMs);
      } catch (error) {
        const leftMs = Math.floor(untilMs - uptimeMs());
        if (!isUnanswered(error) || leftMs <= 0) throw error;
        return await askOnce(path, line, leftMs);
      }
    },
    close: () => undefined,
  };
}

async function askOnce(path: string, line: string, deadlineMs: number): Promise<string> {
  const connection = await connectLines(path, limits(deadlineMs));
  try {
    return await connection.ask(line);
  } finally {
    connection.close();
  }
}

/** One connection for all questions, made now, for a process that drops its rights before it asks. If it fails, each question fails. */
export async function connectOnce(path: string, deadlineMs = ANSWER_DEADLINE_MS): Promise<Wire> {
  try {
    return await connectLines(path, limits(deadlineMs));
  } catch (error) {
    return deaf(error);
  }
}

/**
 * The same, with a service that speaks the messages of this release. Where it hangs up at the greeting, it is of another release and leaves
 * (one that knows no greeting does not leave): the one further connection is for the next process, and greets nobody. No proof was sent.
 */
export async function connectGreeting(path: string, deadlineMs = ANSWER_DEADLINE_MS): Promise<Wire> {
  const untilMs = uptimeMs() + deadlineMs;
  let connection: LineSocket | undefined;
  try {
    connection = await connectLines(path, limits(deadlineMs));
    const heard = await connection.ask(`${HELLO}\n`);
    if (heard !== HELLO) throw new NotpError('store_unavailable', `${path}: it does not answer the greeting`);
    return connection;
  } catch (error) {
    connection?.close();
    return isUnanswered(error) ? await connectOnce(path, Math.max(1, Math.floor(untilMs - uptimeMs()))) : deaf(error);
  }
}

/** Every question fails. */
function deaf(why: unknown): Wire {
  return { ask: () => Promise.reject(why), close: () => undefined };
}

function limits(deadlineMs: number): LineLimits {
  return { maxBytes: MAX_LINE, deadlineMs };
}

/** Has the service record a refusal by this process. If that fails, `refuseHere` records it, with the reason. Throws as `refuseHere` does. */
export async function refuseOver(wire: Wire, told: ToldRefusal, refuseHere: (detail: string) => Promise<Outcome>): Promise<Outcome> {
  try {
    const answer = parseAnswer(await wire.ask(printRefusal(told)));
    if (answer?.verdict.result === 'refused') return answer;
    throw new Error('the service did not refuse');
  } catch (error) {
    return await refuseHere(`${told.detail}; not recorded by the service: ${messageOf(error)}`);
  }
}

export function remoteVerifier({ wire, account, origin, files, circumstances, refuse }: RemoteOptions): Verifier {
  let failed: unknown;
  const ask = async <T extends Outcome | undefined>(
    what: Pick<Question, 'ask' | 'readings' | 'timedOut' | 'session'>,
  ): Promise<T | Outcome> => {
    try {
      // After a failure the service is not asked again.
      if (failed !== undefined) throw new Error(messageOf(failed));
      const answer = parseAnswer(await wire.ask(printQuestion({ ...what, account, files: files.map(sentFile), origin, circumstances })));
      if (answer !== undefined) return answer;
      if (what.ask !== 'verify') return undefined as T;
      throw new Error('the service gave no verdict');
    } catch (error) {
      failed = error;
      wire.close();
      return await refuse('store_unavailable', messageOf(error));
    }
  };
  return {
    seal: sealOf(files),
    beforeAsking: (session, only) => ask({ ask: only ?? 'before', readings: [], timedOut: false, session: session ?? NO_SESSION }),
    verify: ({ readings, timedOut = false, session }: Attempt) =>
      ask<Outcome>({ ask: 'verify', readings, timedOut, session: session ?? NO_SESSION }),
    close: () => {
      wire.close();
    },
  };
}

const NO_SESSION: SshSession = { connection: undefined, keyDigest: undefined };

/**
 * The judge is the service behind root's own socket (notp-judge.socket) and decides for every account at the PAM door. The caller of sudo
 * controls the process that pam_exec starts (its limits, a cgroup that can be frozen). So that process only asks: it opens no state and no log.
 */
export interface Judge {
  /** The verifier for these sealed files and those in the store. */
  verifier(files: readonly DeviceFile[], circumstances: Circumstances): Verifier;
  /** Has the judge record a refusal by this process; if that fails, records it in the journal. Never throws. */
  refuse(reason: Reason, detail: string): Promise<Outcome>;
  close(): void;
}

/** Connects as root. If nobody listens, each question is refused. */
export async function openJudge({ judge }: Pick<Config, 'judge'>, origin: Origin, now: () => number): Promise<Judge> {
  const wire = await connectGreeting(judge);
  const account = { user: origin.user, ...(origin.uid === undefined ? {} : { uid: origin.uid }) };
  const refuseHere = async (reason: Reason, detail: string): Promise<Outcome> => {
    const record: AuditRecord = { ...origin, event: 'login.refused', result: 'refused', reason, detail, ref: newRef() };
    return { verdict: { result: 'refused', reason, detail }, ref: await writeToCopies(journalSinks(), record, now()) };
  };
  return {
    verifier: (files, circumstances) => remoteVerifier({ wire, account, origin, files, circumstances, refuse: refuseHere }),
    refuse: (reason, detail) => refuseOver(wire, { account, origin, reason, detail }, (why) => refuseHere(reason, why)),
    close: () => {
      wire.close();
    },
  };
}
