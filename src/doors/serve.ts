/**
 * `notp serve`: the service behind a socket, which systemd starts at the first connection (systemd.socket(5)).
 * Only a user and root can connect to that user's socket, so the socket is the identity. Only root can connect to the judge's
 * socket (`notp serve judge`), and names the account in each question. The members of a fleet connect to a port (`notp serve fleet`).
 * A message of another release, or a store of a newer one, makes it leave: after an upgrade the program on the disk is not the one that runs.
 * The service runs as the system user notp, answers questions with verdicts, and exits when it has been idle for a while. The
 * socket stays with systemd.
 */
import { spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { NotpError } from '../error.ts';
import { shellCommand } from '../otp/escape.ts';
import { NEWER_MET } from '../store/newer.ts';
import { onEndingSignals } from '../system/bytes.ts';
import { onlyOrNamedFd } from '../system/listen-fds.ts';
import { sayError } from '../terminal/printer.ts';
import { fleetPort } from './fleet-port.ts';
import type { Certificate } from './members.ts';
import { answeringFor, membersFor, type ServeOptions } from './serve-answers.ts';
import { sayOtherRelease } from './serve-health.ts';
import { converse } from './serve-connection.ts';
import { crowd, MAX_ASKING, turns } from './turns.ts';

/** FileDescriptorName= of the socket units. */
const SOCKET_NAME = 'notp';
const SYSTEMD_NOTIFY = '/usr/bin/systemd-notify';
/** Idle connections of one user. Beyond these the oldest is closed. */
const MAX_IDLE = 32;
/** All connections of one user: there is always room for one more question. */
const MAX_CONNECTIONS = MAX_IDLE + MAX_ASKING + 16;
/** The same for the judge, to which only root's processes connect: idle ones wait at a prompt of sudo, the others are being answered. */
const MAX_JUDGE_IDLE = 2_000;
const MAX_JUDGE_CONNECTIONS = 4_000;
/** Exit after this many malformed connections, so that hostile input does not stay in memory. */
const MAX_MALFORMED = 200;
/** How long the process stays after its last connection is closed: for one user, and for the judge. */
const IDLE_MS = 15_000;
const JUDGE_IDLE_MS = 5 * 60_000;

/** Serves until it is idle or gets a signal. */
export async function serve(options: ServeOptions): Promise<number> {
  const { environment, whose } = options;
  const listenFd = onlyOrNamedFd(SOCKET_NAME, environment);
  if (listenFd === undefined)
    throw new NotpError(
      'usage',
      'notp serve is started by systemd through a socket',
      shellCommand`systemctl enable --now ${typeof whose === 'number' ? 'notp@UID.socket' : `notp-${whose}.socket`}`,
    );
  const stop = onEndingSignals();
  const members = membersFor(options);
  const answering = answeringFor(options, members);
  const inTurn = turns();
  const forAll = typeof whose !== 'number';
  const waiting = crowd(forAll ? MAX_JUDGE_IDLE : MAX_IDLE);
  const enough = new AbortController();
  let malformed = 0;
  const take = (socket: Socket, member?: Certificate): void => {
    waiting.enter(socket);
    inTurn.noteArrival();
    converse(socket, { ...answering, understand: (line) => answering.understand(line, member) }, inTurn, {
      onMalformed: (why) => {
        complain(why, member?.host);
        // A member that sends nonsense would have the judge leave, and the others wait for the next one.
        if (member === undefined && ++malformed === MAX_MALFORMED) enough.abort();
      },
      onOtherRelease: () => {
        // A member of another release is hung up on, and no more.
        if (member === undefined) enough.abort();
        else sayOtherRelease(member.host);
      },
      onIdle: (account) => {
        waiting.waits(socket, account);
      },
      onBusy: () => {
        waiting.asks(socket);
      },
    });
  };
  const server = whose === 'fleet' ? fleetPort(options.configuration, members, take) : createServer(take);
  server.maxConnections = forAll ? MAX_JUDGE_CONNECTIONS : MAX_CONNECTIONS;
  await untilIdle(server, listenFd, AbortSignal.any([stop, enough.signal, NEWER_MET]), forAll ? JUDGE_IDLE_MS : IDLE_MS);
  // New connections now wait at systemd's socket, for the next process.
  waiting.close();
  await inTurn.whenIdle();
  // Whoever makes it leave by malformed lines, or by those of another release, would have a record each time: what was counted waits for the next service, or the next login.
  if (!enough.signal.aborted && !NEWER_MET.aborted) await answering.leave();
  return 0;
}

const complained = new Set<string | undefined>();

/** Says it once in the life of the process, of a member once for each, so that malformed questions cannot fill the journal. */
function complain(why: string, member: string | undefined): void {
  const [whose, hint] = member === undefined ? ['', 'the user of this socket'] : [` of the member ${member}`, `the notp of ${member}`];
  if (!complained.has(member))
    sayError(`malformed question${whose}: ${why}`, `only ${hint} and root${member === undefined ? '' : ' there'} can send one`);
  complained.add(member);
}

/** sd_notify(3): reports that the service is ready. systemd kills a service that does not (TimeoutStartSec= in notp@.service). */
function tellReady(): void {
  const socket = process.env['NOTIFY_SOCKET'];
  if (socket !== undefined)
    spawn(SYSTEMD_NOTIFY, ['--ready'], { env: { NOTIFY_SOCKET: socket }, stdio: 'ignore' }).on('error', () => undefined);
}

/** Listens, and resolves when no connection was open for `idleMs`, or on a signal. After that nothing more is accepted. */
function untilIdle(server: Server, listenFd: number, stop: AbortSignal, idleMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      server.close();
      resolve();
    };
    let open = 0;
    let timer = setTimeout(end, idleMs);
    server.on('connection', (socket) => {
      open++;
      clearTimeout(timer);
      socket.on('close', () => {
        open--;
        if (open === 0) timer = setTimeout(end, idleMs);
      });
    });
    server.on('error', reject);
    stop.addEventListener('abort', end);
    server.listen({ fd: listenFd }, tellReady);
  });
}
