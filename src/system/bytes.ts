/**
 * Bytes from a descriptor, one at a time, with a deadline. Not one byte is taken beyond what the reader wanted:
 * what follows the line belongs to the command that runs afterwards.
 */
import { fstatSync, readSync } from 'node:fs';
import { Socket, type OnReadOpts } from 'node:net';
import { ReadStream } from 'node:tty';

export type Ended = 'done' | 'eof' | 'timeout' | 'interrupted';

/** Takes one byte (0 to 255) and says whether it wants another. */
export type ByteReader = (byte: number) => 'more' | 'done';

export interface Waiting {
  /** Unix time in milliseconds when the answer comes too late. */
  readonly deadlineMs: number;
  /** Aborted when a signal ends the conversation. */
  readonly interrupt: AbortSignal;
}

/** Reads fd 0 (a pipe, a socket or a file) and leaves it as it was: open, blocking, at the next byte. */
export async function readStdin(reader: ByteReader, waiting: Waiting): Promise<Ended> {
  const stats = fstatSync(0);
  if (!stats.isFIFO() && !stats.isSocket()) return readFile(0, reader);
  return await readSocket((onread) => new Socket({ fd: 0, readable: true, writable: false, onread }), reader, waiting);
}

/** Reads the terminal open at `fd`, in raw mode (no echo, no signals from keys), and gives it back as it was. */
export async function readTerminal(fd: number, reader: ByteReader, waiting: Waiting): Promise<Ended> {
  // The types of tty.ReadStream lack the options that it hands on to net.Socket.
  const Terminal = ReadStream as unknown as new (fd: number, options: { onread: OnReadOpts }) => ReadStream;
  return await readSocket((onread) => new Terminal(fd, { onread }).setRawMode(true), reader, waiting);
}

function readSocket(open: (onread: OnReadOpts) => Socket, reader: ByteReader, { deadlineMs, interrupt }: Waiting): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const finish = (ended: Ended): false => {
      clearTimeout(timer);
      interrupt.removeEventListener('abort', onInterrupt);
      release(socket);
      resolve(ended);
      return false;
    };
    const onInterrupt = (): unknown => finish('interrupted');
    const onread: OnReadOpts = {
      buffer: Buffer.alloc(1),
      callback: (_length, buffer) => (reader(buffer[0] ?? 0) === 'more' ? true : finish('done')),
    };
    const socket = open(onread);
    const timer = setTimeout(() => finish('timeout'), Math.max(0, deadlineMs - Date.now()));
    // A terminal that hangs up gives EIO; nobody answers there any more.
    socket.once('end', () => finish('eof')).once('error', () => finish('eof'));
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
    socket.destroy();
    return;
  }
  const { _handle: handle } = socket as unknown as { _handle: { setBlocking?: (on: boolean) => void; unref: () => void } | null };
  handle?.setBlocking?.(true);
  handle?.unref();
}

function readFile(fd: number, reader: ByteReader): Ended {
  const byte = Buffer.alloc(1);
  while (readSync(fd, byte) === 1) if (reader(byte[0] ?? 0) === 'done') return 'done';
  return 'eof';
}
