/**
 * The verifier behind the user's own socket: the service holds key, state and log, and answers with a verdict. It is
 * connected before anybody is asked, so that it starts while the person types. Whatever is wrong with it - dead, hung,
 * slow, restarted, not speaking our language - is a refusal, in bounded time, and there is no second way to be asked.
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
  /** The user's socket. The caller may connect to it now, and perhaps no more when it asks. */
  readonly path: string;
  readonly origin: Origin;
  readonly files: readonly DeviceFile[];
  /** Refuses and records on this side, where the service has no record of it. */
  readonly refuse: (reason: Reason, detail: string) => Promise<Outcome>;
  /** How long to wait for the connection and for each answer. */
  readonly deadlineMs?: number;
}

export async function remoteVerifier({ path, origin, files, refuse, deadlineMs = ANSWER_DEADLINE_MS }: RemoteOptions): Promise<Verifier> {
  const limits = { maxBytes: MAX_LINE, deadlineMs };
  const connected = await connectLines(path, limits).catch((error: unknown) => ({ error }));
  const ask = async <T extends Outcome | undefined>(
    what: Pick<Question, 'ask' | 'readings' | 'timedOut' | 'session'>,
  ): Promise<T | Outcome> => {
    try {
      if ('error' in connected) throw connected.error;
      const answer = parseAnswer(await connected.ask(printQuestion({ ...what, files: files.map(sent), origin })));
      if (answer !== undefined) return answer;
      if (what.ask === 'before') return undefined as T;
      throw new Error(`${path}: it gave no verdict`);
    } catch (error) {
      close(connected);
      return await refuse('store_unavailable', messageOf(error));
    }
  };
  return {
    seal: sealOf(files),
    beforeAsking: (session) => ask({ ask: 'before', readings: [], timedOut: false, session: session ?? NO_SESSION }),
    verify: ({ readings, timedOut = false, session }: Attempt) =>
      ask<Outcome>({ ask: 'verify', readings, timedOut, session: session ?? NO_SESSION }),
    close: () => {
      close(connected);
    },
  };
}

const NO_SESSION: SshSession = { connection: undefined, keyDigest: undefined };

function close(connected: LineSocket | { error: unknown }): void {
  if ('close' in connected) connected.close();
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
