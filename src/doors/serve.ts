/**
 * `notp serve`: the service behind one user's socket, started by systemd when the socket is used (systemd.socket(5)).
 * Only that user and root can connect, so the socket is the identity. It runs as the system user notp, answers
 * questions with verdicts, and leaves when nobody has asked for a while; the socket stays with systemd.
 */
import { createServer, type Server } from 'node:net';
import { NotpError } from '../error.ts';
import { onEndingSignals } from '../system/signals.ts';
import { answeringFor, type ServeOptions } from './serve-answers.ts';
import { converse, turns } from './serve-connection.ts';

/** sd_listen_fds(3): the first inherited descriptor. */
const LISTEN_FD = 3;
/** Questions of one user at the same time; whoever comes beyond them is turned away. What they may send at the most fits into MemoryMax of the unit. */
const MAX_CONNECTIONS = 128;
/** So many connections end with nonsense in one life: who sends more talks to a new process, with nothing left in its memory of all that. */
const MAX_NONSENSE = 200;
/** How long it stays warm when the last connection is closed. */
const IDLE_MS = 15_000;

/** Serves until it is idle or told to stop. */
export async function serve(options: ServeOptions): Promise<number> {
  const { environment } = options;
  if (environment['LISTEN_FDS'] !== '1' || environment['LISTEN_PID'] !== String(process.pid))
    throw new NotpError('usage', 'notp serve is started by systemd through a socket', 'systemctl enable --now notp@UID.socket');
  const stop = onEndingSignals();
  const answering = answeringFor(options);
  const inTurn = turns();
  const enough = new AbortController();
  let nonsense = 0;
  const server = createServer((socket) => {
    converse(socket, answering, inTurn, () => {
      if (++nonsense === MAX_NONSENSE) enough.abort();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  await untilIdle(server, AbortSignal.any([stop, enough.signal]));
  await answering.leave();
  return 0;
}

/** Listens, and resolves when no connection was open for IDLE_MS, or on a signal. */
function untilIdle(server: Server, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let open = 0;
    let timer = setTimeout(resolve, IDLE_MS);
    server.on('connection', (socket) => {
      open++;
      clearTimeout(timer);
      socket.on('close', () => {
        open--;
        if (open === 0) timer = setTimeout(resolve, IDLE_MS);
      });
    });
    server.on('error', reject);
    stop.addEventListener('abort', () => {
      resolve();
    });
    server.listen({ fd: LISTEN_FD });
  });
}
