/**
 * The verifier behind a socket. The service that listens there holds key, state and log, and answers with a verdict. If the service is dead,
 * hung, slow, restarted or answers nonsense, the login is refused in bounded time. Nothing else is asked instead.
 */
import type { Origin } from '../audit/record.ts';
import { messageOf } from '../error.ts';
import { connectLines, type LineLimits, type LineSocket } from './line-socket.ts';
import { sealOf, type DeviceFile } from '../system/secrets.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { Attempt, Circumstances, Outcome, SshSession, Verifier } from './verifier.ts';
import { MAX_LINE, parseAnswer, printQuestion, printRefusal, type Account, sentFile, type Question, type ToldRefusal } from './question.ts';

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
  readonly account?: Account;
  readonly origin: Origin;
  readonly files: readonly DeviceFile[];
  readonly circumstances: Circumstances;
  /** Refuses, and records in this process what the service did not record. */
  readonly refuse: (reason: Reason, detail: string) => Promise<Outcome>;
}

/**
 * Connects for each question. So a session that waits at a prompt holds no connection, and a thousand prompts with a stolen key delay
 * nobody. `deadlineMs`: for the connection, and again for the answer.
 */
export function connectForEach(path: string, deadlineMs = ANSWER_DEADLINE_MS): Wire {
  return {
    ask: async (line) => {
      const connection = await connectLines(path, limits(deadlineMs));
      try {
        return await connection.ask(line);
      } finally {
        connection.close();
      }
    },
    close: () => undefined,
  };
}

/** One connection for all questions, made now, for a process that drops its rights before it asks. If it fails, each question fails. */
export async function connectOnce(path: string, deadlineMs = ANSWER_DEADLINE_MS): Promise<Wire> {
  let connection: LineSocket;
  try {
    connection = await connectLines(path, limits(deadlineMs));
  } catch (error) {
    return { ask: () => Promise.reject(error), close: () => undefined };
  }
  return connection;
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
