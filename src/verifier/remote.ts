/**
 * The verifier behind the user's own socket: the service holds key, state and log, and answers with a verdict. The question before
 * the prompt starts it while the person types. Each question has a connection of its own, so that somebody who waits at a prompt holds
 * nothing: a thousand prompts of a stolen key are in nobody's way. Whatever is wrong with the service - dead, hung, slow, restarted,
 * not speaking our language - is a refusal, in bounded time, and there is no second way to be asked.
 */
import type { Origin } from '../audit/record.ts';
import { messageOf } from '../error.ts';
import { printSealedFile } from '../seal/file.ts';
import { connectLines, type LineSocket } from '../system/line-socket.ts';
import { sealOf, type DeviceFile } from '../system/secrets.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { Attempt, Outcome, SshSession, Verifier } from './verifier.ts';
import { MAX_LINE, parseAnswer, printQuestion, type Question, type SentFile } from './wire.ts';

/** Longer than the service may wait for its turn at the store. */
export const ANSWER_DEADLINE_MS = 30_000;

export interface RemoteOptions {
  /** The user's socket. */
  readonly path: string;
  readonly origin: Origin;
  readonly files: readonly DeviceFile[];
  /** Refuses and records on this side, where the service has no record of it. */
  readonly refuse: (reason: Reason, detail: string) => Promise<Outcome>;
  /** Whether the caller may connect now and no more when it asks, as it will have become somebody else: one connection for all questions. */
  readonly connectNow?: boolean;
  /** How long to wait for the connection and for each answer. */
  readonly deadlineMs?: number;
}

export async function remoteVerifier(options: RemoteOptions): Promise<Verifier> {
  const { path, origin, files, refuse, connectNow = false, deadlineMs = ANSWER_DEADLINE_MS } = options;
  const connect = (): Promise<LineSocket> => connectLines(path, { maxBytes: MAX_LINE, deadlineMs });
  const kept = connectNow ? await connect().catch((error: unknown) => ({ error })) : undefined;
  let failed: unknown;
  const send = async (question: string): Promise<string> => {
    const broken = failed ?? (kept !== undefined && 'error' in kept ? kept.error : undefined);
    if (broken !== undefined) throw new Error(messageOf(broken));
    const connection = kept === undefined || 'error' in kept ? await connect() : kept;
    try {
      return await connection.ask(question);
    } finally {
      if (connection !== kept) connection.close();
    }
  };
  const ask = async <T extends Outcome | undefined>(
    what: Pick<Question, 'ask' | 'readings' | 'timedOut' | 'session'>,
  ): Promise<T | Outcome> => {
    try {
      const answer = parseAnswer(await send(printQuestion({ ...what, files: files.map(sent), origin })));
      if (answer !== undefined) return answer;
      if (what.ask === 'before') return undefined as T;
      throw new Error(`${path}: it gave no verdict`);
    } catch (error) {
      // What failed once is not asked again.
      failed = error;
      close(kept);
      return await refuse('store_unavailable', messageOf(error));
    }
  };
  return {
    seal: sealOf(files),
    beforeAsking: (session) => ask({ ask: 'before', readings: [], timedOut: false, session: session ?? NO_SESSION }),
    verify: ({ readings, timedOut = false, session }: Attempt) =>
      ask<Outcome>({ ask: 'verify', readings, timedOut, session: session ?? NO_SESSION }),
    close: () => {
      close(kept);
    },
  };
}

const NO_SESSION: SshSession = { connection: undefined, keyDigest: undefined };

function close(kept: LineSocket | { error: unknown } | undefined): void {
  if (kept !== undefined && 'close' in kept) kept.close();
}

/** A sealed file as the service takes it. */
export function sent({ context, found }: DeviceFile): SentFile {
  switch (found.kind) {
    case 'sealed':
      return { context, sealed: Buffer.from(printSealedFile(found.file)).toString('utf8'), wrong: '' };
    case 'absent':
      return { context, sealed: '', wrong: '' };
    case 'bad':
      return { context, sealed: '', wrong: found.why };
  }
}
