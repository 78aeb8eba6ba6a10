/** Services that do what a service must not do, at a socket in a scratch folder. */
import { randomBytes } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import * as path from 'node:path';
import { atEnd } from '../support/cleanup.ts';

export interface FakeService {
  readonly path: string;
  /** Everything that it was sent. */
  readonly received: () => string;
}

/** Listens in `folder`; `speak` is called for every connection with a way to wait for its next line. */
export async function fakeService(folder: string, speak: (socket: Socket, nextLine: () => Promise<void>) => unknown): Promise<FakeService> {
  const socketPath = path.join(folder, `${randomBytes(4).toString('hex')}.sock`);
  const chunks: Buffer[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    let lines = 0;
    let waiting: (() => void) | undefined;
    const nextLine = (): Promise<void> =>
      new Promise((resolve) => {
        if (lines > 0) resolve();
        else waiting = resolve;
        lines--;
      });
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      lines += chunk.toString('latin1').split('\n').length - 1;
      const resume = lines >= 0 ? waiting : undefined;
      if (resume !== undefined) waiting = undefined;
      resume?.();
    });
    speak(socket, nextLine);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  atEnd(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { path: socketPath, received: () => Buffer.concat(chunks).toString('utf8') };
}
