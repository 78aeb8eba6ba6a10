/**
 * Bytes from a descriptor, one at a time, with a deadline. Not one byte is taken beyond what the reader wanted:
 * what follows the line belongs to the command that runs afterwards.
 */
import * as fs from 'node:fs';
import { Socket, type OnReadOpts } from 'node:net';
import { ReadStream } from 'node:tty';
import { errnoOf } from '../error.ts';

export type Ended = 'done' | 'eof' | 'timeout' | 'interrupted';

/** Takes one byte (0 to 255) and says whether it wants another. */
export type ByteReader = (byte: number) => 'more' | 'done';

export interface Waiting {
  /** Unix time in milliseconds when the answer comes too late; Infinity where it never does. */
  readonly deadlineMs: number;
  /** Aborted when a signal ends the conversation. */
  readonly interrupt: AbortSignal;
}

/** Reads fd 0 (a pipe, a socket or a file) and leaves it as it was: open, blocking, at the next byte. */
export async function readStdin(reader: ByteReader, waiting: Waiting): Promise<Ended> {
  const stats = fs.fstatSync(0);
  if (!stats.isFIFO() && !stats.isSocket()) return readFile(0, reader);
  return await readSocket((onread) => new Socket({ fd: 0, readable: true, writable: false, onread }), reader, waiting);
}

/** All of stdin, up to `maxBytes` and a byte more; undefined where it did not end. Not by read(2): what comes slowly may be waited for, and a signal ends that. */
export async function stdinUpTo(maxBytes: number, waiting: Waiting): Promise<Uint8Array | undefined> {
  const bytes: number[] = [];
  const ended = await readStdin((byte) => (bytes.push(byte) > maxBytes ? 'done' : 'more'), waiting);
  return ended === 'eof' || ended === 'done' ? Uint8Array.from(bytes) : undefined;
}

/** All of `file`, up to `maxBytes` and a byte more. Throws what the system says. */
export function fileUpTo(file: string, maxBytes: number): Uint8Array {
  const buffer = Buffer.alloc(maxBytes + 1);
  const fd = fs.openSync(file, 'r');
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      read = fs.readSync(fd, buffer, length, buffer.length - length, null);
    return buffer.subarray(0, length);
  } finally {
    fs.closeSync(fd);
  }
}

/** A terminal to read from, more than once. */
export interface TerminalInput {
  /** Reads in raw mode (no echo, no signals from keys), calls `ready` in it, and gives the terminal back as it was. */
  read(reader: ByteReader, waiting: Waiting, ready: () => void): Promise<Ended>;
  close(): void;
}

/** The terminal that is open at `fd`. It is opened once: whoever has given up root meanwhile could not open it again. */
export function terminalInput(fd: number): TerminalInput {
  // The types of tty.ReadStream lack the options that it hands on to net.Socket.
  const Terminal = ReadStream as unknown as new (fd: number, options: { onread: OnReadOpts }) => ReadStream;
  let take: OnReadOpts['callback'] | undefined;
  const onread: OnReadOpts = { buffer: Buffer.alloc(1), callback: (length, buffer) => take?.(length, buffer) ?? false };
  const stream = new Terminal(fd, { onread });
  // Heard by read() while it waits; what comes in between only must not end the process.
  stream.on('error', () => undefined);
  return {
    read: async (reader, waiting, ready) => {
      if (stream.destroyed || stream.readableEnded) return 'eof';
      try {
        return await readSocket(
          (inner) => {
            take = (length, buffer) => inner.callback(length, buffer);
            stream.setRawMode(true);
            ready();
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
      // libuv closes the descriptor that it reads; stdin is not ours to close.
      if (fd === 0) stream.unref();
      else stream.destroy();
    },
  };
}

/** What a terminal that hung up answers: nobody types there any more. */
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
    // A terminal that hangs up gives EIO, also when it is put back afterwards.
    socket.on('end', onEnd).on('error', onEnd);
    interrupt.addEventListener('abort', onInterrupt);
    if (interrupt.aborted) finish('interrupted');
    else if (!socket.destroyed) socket.resume();
    else reject(new Error('stdin is closed'));
  });
}

/** Stops reading without closing fd 0, and makes it blocking again: the shell that comes next shares it. */
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
 * Makes fd 0, 1 and 2 blocking, as programs expect them. Node.js makes them non-blocking when its streams are made,
 * which importing node:process is enough for, and a program that comes next would fail with EAGAIN.
 */
export function makeStdioBlocking(): void {
  for (const stream of [process.stdin, process.stdout, process.stderr]) handleOf(stream)?.setBlocking?.(true);
}

interface Handle {
  setBlocking?: (on: boolean) => void;
  unref(): void;
}

/** The libuv handle of a stream, for what Node.js has no public call for; a file has none. */
function handleOf(stream: object): Handle | undefined {
  const { _handle: handle } = stream as { readonly _handle?: Handle | null };
  return handle ?? undefined;
}

function readFile(fd: number, reader: ByteReader): Ended {
  const byte = Buffer.alloc(1);
  while (fs.readSync(fd, byte) === 1) if (reader(byte[0] ?? 0) === 'done') return 'done';
  return 'eof';
}
