/**
 * Reads bytes from a descriptor, one at a time, with a deadline. It reads not one byte more than the reader wants: the input after
 * the line belongs to the command that runs next.
 */
import * as fs from 'node:fs';
import { Socket, type OnReadOpts } from 'node:net';
import { ReadStream } from 'node:tty';
import { errnoOf } from '../error.ts';

export type Ended = 'done' | 'eof' | 'timeout' | 'interrupted';

/** Takes one byte (0 to 255) and says whether it wants another. */
export type ByteReader = (byte: number) => 'more' | 'done';

export interface Waiting {
  /** The deadline, Unix time in milliseconds; Infinity for none. */
  readonly deadlineMs: number;
  /** Aborted when a signal ends the conversation. */
  readonly interrupt: AbortSignal;
}

/** Signals that abort the waiting, so that the refusal is recorded and the terminal restored. */
const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGTSTP'];

/** A signal object that aborts at the first ending signal. */
export function onEndingSignals(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ENDING) {
    process.on(signal, () => {
      controller.abort();
    });
  }
  return controller.signal;
}

/** Reads fd 0 (a pipe, a socket or a file) and leaves it as it was: open, blocking, at the next byte. */
export async function readStdin(reader: ByteReader, waiting: Waiting): Promise<Ended> {
  const stats = fs.fstatSync(0);
  if (!stats.isFIFO() && !stats.isSocket()) return readFile(0, reader);
  const ended = stats.isFIFO() && !waiting.interrupt.aborted ? readPresent(reader) : undefined;
  if (ended !== undefined) return ended;
  return await readSocket((onread) => new Socket({ fd: 0, readable: true, writable: false, onread }), reader, waiting);
}

/**
 * All of stdin, at most one byte over `maxBytes`; undefined where it did not end. It does not block in read(2), so that a deadline
 * and a signal can end the wait.
 */
export async function stdinUpTo(maxBytes: number, waiting: Waiting): Promise<Uint8Array | undefined> {
  const bytes: number[] = [];
  const ended = await readStdin((byte) => (bytes.push(byte) > maxBytes ? 'done' : 'more'), waiting);
  return ended === 'eof' || ended === 'done' ? Uint8Array.from(bytes) : undefined;
}

/** All of `file`, at most one byte over `maxBytes`. Throws the system's error. */
export function fileUpTo(file: string, maxBytes: number): Uint8Array {
  const fd = fs.openSync(file, 'r');
  try {
    return restUpTo(fd, maxBytes);
  } finally {
    fs.closeSync(fd);
  }
}

const FIRST_BYTES = 16 * 1024;

/** The rest of an open file, at most one byte over `maxBytes`. Throws the system's error. */
export function restUpTo(fd: number, maxBytes: number): Uint8Array {
  let buffer = Buffer.alloc(Math.min(FIRST_BYTES, maxBytes + 1));
  for (let length = 0; ;) {
    const read = fs.readSync(fd, buffer, length, buffer.length - length, null);
    length += read;
    if (read === 0 || length > maxBytes) return buffer.subarray(0, length);
    if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(2 * length, maxBytes + 1));
  }
}

/** A terminal that can be read more than once. */
export interface TerminalInput {
  /**
   * Reads in raw mode (no echo, no signals from keys), calls `ready` once that is set, and restores the terminal. Not a byte is read before
   * `isWanted` resolves, and none at all where it resolves to false: then it counts as interrupted.
   */
  read(reader: ByteReader, waiting: Waiting, ready: () => void, isWanted?: Promise<boolean>): Promise<Ended>;
  close(): void;
}

/** The terminal that is open at `fd`. It is opened only once: a process that has since given up root could not open it again. */
export function terminalInput(fd: number): TerminalInput {
  // The types of tty.ReadStream lack the options that it passes on to net.Socket.
  const Terminal = ReadStream as unknown as new (fd: number, options: { onread: OnReadOpts }) => ReadStream;
  let take: OnReadOpts['callback'] | undefined;
  const onread: OnReadOpts = { buffer: Buffer.alloc(1), callback: (length, buffer) => take?.(length, buffer) ?? false };
  const stream = new Terminal(fd, { onread });
  // read() handles errors while it waits. An error in between must not end the process.
  stream.on('error', () => undefined);
  return {
    read: async (reader, waiting, ready, isWanted) => {
      if (stream.destroyed || stream.readableEnded) return 'eof';
      try {
        stream.setRawMode(true);
        ready();
        if ((await isWanted) === false) {
          stream.setRawMode(false);
          return 'interrupted';
        }
        return await readSocket(
          (inner) => {
            take = (length, buffer) => inner.callback(length, buffer);
            return stream;
          },
          reader,
          waiting,
        );
      } catch (error) {
        if (HUNG_UP.includes(errnoOf(error) ?? '')) return 'eof';
        throw error;
      }
    },
    close: () => {
      // libuv closes the descriptor that it reads, but notp must not close stdin.
      if (fd === 0) stream.unref();
      else stream.destroy();
    },
  };
}

/** The errors of a terminal that hung up: nobody types there any more. */
const HUNG_UP = ['EIO', 'ENXIO'];

function readSocket(open: (onread: OnReadOpts) => Socket, reader: ByteReader, { deadlineMs, interrupt }: Waiting): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let over = false;
    const finish = (ended: Ended): false => {
      if (over) return false;
      over = true;
      clearTimeout(timer);
      interrupt.removeEventListener('abort', onInterrupt);
      socket.off('end', onEnd).off('error', onEnd);
      release(socket);
      resolve(ended);
      return false;
    };
    const onInterrupt = (): unknown => finish('interrupted');
    const onEnd = (): unknown => finish('eof');
    const onread: OnReadOpts = {
      buffer: Buffer.alloc(1),
      callback: (_length, buffer) => (reader(buffer[0] ?? 0) === 'more' ? true : finish('done')),
    };
    const socket = open(onread);
    const timer = deadlineMs === Infinity ? undefined : setTimeout(() => finish('timeout'), Math.max(0, deadlineMs - Date.now()));
    // A terminal that hangs up gives EIO, also when its mode is restored afterwards.
    socket.on('end', onEnd).on('error', onEnd);
    interrupt.addEventListener('abort', onInterrupt);
    if (interrupt.aborted) finish('interrupted');
    else if (!socket.destroyed) socket.resume();
    else reject(new Error('stdin is closed'));
  });
}

/** Stops reading without closing fd 0, and makes it blocking again: the shell that runs next shares it. */
function release(socket: Socket): void {
  socket.pause();
  if (socket instanceof ReadStream) {
    socket.setRawMode(false);
    return;
  }
  const handle = handleOf(socket);
  handle?.setBlocking?.(true);
  handle?.unref();
}

/**
 * Makes fd 0, 1 and 2 blocking, as programs expect them. Node.js makes them non-blocking with its streams, even by an import of
 * node:process, and the next program would fail with EAGAIN.
 */
export function makeStdioBlocking(): void {
  for (const stream of [process.stdin, process.stdout, process.stderr]) handleOf(stream)?.setBlocking?.(true);
}

interface Handle {
  setBlocking?: (on: boolean) => void;
  unref(): void;
}

/** The libuv handle of a stream, for calls that Node.js does not offer publicly. A file has none. */
function handleOf(stream: object): Handle | undefined {
  const { _handle: handle } = stream as { readonly _handle?: Handle | null };
  return handle ?? undefined;
}

/**
 * Reads what is in the pipe at fd 0 already, by a descriptor of its own that does not block. Undefined where the reader wants more. PAM
 * has written everything by the time that this runs, and waiting for more takes the modules for sockets, which are slow to load.
 */
function readPresent(reader: ByteReader): Ended | undefined {
  let fd: number | undefined;
  try {
    fd = fs.openSync('/proc/self/fd/0', fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    return readFile(fd, reader);
  } catch (error) {
    // EAGAIN: the rest is not written yet. EACCES: the pipe is another user's.
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

function readFile(fd: number, reader: ByteReader): Ended {
  const byte = Buffer.alloc(1);
  while (fs.readSync(fd, byte) === 1) if (reader(byte[0] ?? 0) === 'done') return 'done';
  return 'eof';
}
