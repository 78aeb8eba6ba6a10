/** Lines over a stream socket, with a cap on their length and a deadline on each. */
import { connect, type Socket } from 'node:net';
import { causeOf, NotpError } from '../error.ts';

export interface LineSocket {
  /** Sends `line` (with its newline) and gives the answer. Throws `store_unavailable` after the deadline, at the end of the stream, or if the answer is too long. */
  ask(line: string, deadlineMs?: number): Promise<string>;
  close(): void;
}

export interface LineLimits {
  readonly maxBytes: number;
  readonly deadlineMs: number;
}

const UNANSWERED = Symbol('unanswered');

/** Whether the other side closed the connection before the first byte of an answer. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof NotpError && error.cause === UNANSWERED;
}

/** The end of the message where the other side closed the connection without an answer. */
export const ENDED = 'it ended the conversation';

/** Connects to the socket at `path`. Throws `store_unavailable` if nobody listens. */
export async function connectLines(path: string, limits: LineLimits): Promise<LineSocket> {
  return await openLines(path, connect({ path }), 'connect', limits);
}

/** The same over a socket that is being connected: `ready` is the event that ends this. `path`: its name, for messages. */
export async function openLines(path: string, socket: Socket, ready: 'connect' | 'secureConnect', limits: LineLimits): Promise<LineSocket> {
  await settled<void>(path, socket, limits.deadlineMs, (done) => {
    socket.once(ready, () => {
      done();
    });
  });
  // Data and errors that arrive between two questions are handled by the next question.
  socket.pause();
  socket.on('error', () => undefined);
  return {
    ask: (line, deadlineMs = limits.deadlineMs) =>
      settled<string>(path, socket, deadlineMs, (done, fail) => {
        // Unsolicited data would be taken for the answer to this question.
        if (socket.readableLength > 0) {
          fail('it spoke without being asked');
          return;
        }
        collectLine(socket, limits.maxBytes, done, fail);
        socket.write(line);
        socket.resume();
      }),
    close: () => {
      socket.destroy();
    },
  };
}

/** Passes the first line of `socket`, without its newline, to `done`. An answer is a single line: more data is a failure. */
export function collectLine(socket: Socket, maxBytes: number, done: (line: string) => void, fail: (why: string) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const take = (chunk: Buffer): void => {
    chunks.push(chunk);
    length += chunk.length;
    const newline = chunk.indexOf('\n');
    if (newline === -1 && length <= maxBytes) return;
    socket.off('data', take);
    socket.pause();
    if (newline !== chunk.length - 1 || length > maxBytes) fail('it sent more than one line, or too long a one');
    else done(Buffer.concat(chunks).toString('utf8', 0, length - 1));
  };
  socket.on('data', take);
}

/** The result of `start`. Closes the socket and throws if the socket fails, ends, or passes the deadline before. */
function settled<T>(
  path: string,
  socket: Socket,
  deadlineMs: number,
  start: (done: (value: T) => void, fail: (why: string) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const finish = (action: () => void): void => {
      clearTimeout(timer);
      socket.off('error', onError).off('close', onClose).off('end', onClose);
      action();
    };
    const received = socket.bytesRead;
    const fail = (why: string, isEnd = false): void => {
      finish(() => {
        const cause = isEnd && socket.bytesRead === received ? { cause: UNANSWERED } : {};
        socket.destroy();
        reject(
          new NotpError('store_unavailable', `${path}: ${why}`, 'ask an administrator to check the notp service of your socket', cause),
        );
      });
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      fail(causeOf(error), ['EPIPE', 'ECONNRESET'].includes(error.code ?? ''));
    };
    const onClose = (): void => {
      fail(ENDED, true);
    };
    const timer = setTimeout(() => {
      fail(`it did not answer within ${String(deadlineMs / 1000)} seconds`);
    }, deadlineMs);
    socket.on('error', onError).on('close', onClose).on('end', onClose);
    if (socket.destroyed) fail('it is gone', true);
    else
      start((value) => {
        finish(() => {
          resolve(value);
        });
      }, fail);
  });
}
