/** `notp serve` as systemd starts it: as the system user notp, with a listening socket that belongs to the user as descriptor 3. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { connect, type Socket } from 'node:net';
import * as path from 'node:path';
import type { Reading } from '../../src/otp/proof.ts';
import { parseAnswer, printQuestion, type Question, type SentFile } from '../../src/wire/question.ts';
import type { Outcome } from '../../src/wire/verifier.ts';
import { atEnd } from '../support/cleanup.ts';
import { sleep } from '../support/process.ts';
import {
  installNotp,
  lacks,
  must,
  SBIN_PATH,
  scratchFolder,
  serviceUser,
  writeConfig,
  type Enrolled,
  type TestUser,
} from '../support/world.ts';

export const NEEDS = lacks({ root: true, programs: ['setpriv', 'python3', 'oathtool', 'useradd'] });
export const PASSPHRASE = 'correct horse';

/** A program in Python that binds `listener` as the lines of `bind` do, listens, and becomes the service of `service_uid` and `service_gid` with it. */
export function listening(bind: string): string {
  return `
import os, socket, sys
${bind}
listener.listen(128)
if listener.fileno() != 3: os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.setgroups([]); os.setgid(service_gid); os.setuid(service_uid)
print(flush=True)
os.execvp(words[0], words)
`;
}

/** For the socket of a user. */
const LISTENER =
  listening(`path, uid, service_uid, service_gid, words = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.chmod(path, 0o600)
os.chown(path, uid, -1)`);
import { NOTHING_KNOWN } from '../../src/wire/verifier.ts';

export interface Service {
  readonly socket: string;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly exited: Promise<number | NodeJS.Signals | null>;
}

export interface ServeWorld {
  readonly folder: string;
  readonly notp: string;
  readonly config: string;
  /** Enrols as root, host-sealed where `words` do not say otherwise. */
  enrol(user: TestUser, words?: readonly string[]): Enrolled;
  enrolWithPassphrase(user: TestUser): Enrolled;
  /** Starts the service of `uid` on a new socket. */
  start(uid: number, config?: string): Promise<Service>;
  /** The same on the socket that the configuration names for `uid`, so that notp finds it. */
  startInPlace(uid: number): Promise<Service>;
  /** Starts the judge of the PAM door where the configuration says that it is. */
  startJudge(): Promise<Service>;
  /** Where that socket is. */
  socketOf(uid: number): string;
  records(): Record<string, unknown>[];
}

let sockets = 0;

export function serveWorld(name: string, tables = '', top = ''): ServeWorld {
  const folder = scratchFolder(name);
  const service = serviceUser();
  const notp = installNotp(folder);
  // %U so that every test user has a socket of their own.
  const config = writeConfig(folder, { top: `socket = "${folder}/run/%U.sock"\njudge = "${folder}/run/judge.sock"\n${top}`, tables });
  fs.mkdirSync(path.join(folder, 'run'), { mode: 0o755 });
  const passphraseFile = path.join(folder, 'passphrase');
  fs.writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
  must([notp, 'host-key', 'init', '--config', config]);
  const socketOf = (uid: number): string => path.join(folder, 'run', `${String(uid)}.sock`);
  const enrol: ServeWorld['enrol'] = (user, words = []) =>
    JSON.parse(
      must([notp, 'enroll', '--config', config, '--user', user.name, '--no-confirm', '--json', '--replace', ...words]),
    ) as Enrolled;
  return {
    ...{ folder, notp, config, enrol },
    enrolWithPassphrase: (user) => enrol(user, ['--seal', 'passphrase', '--passphrase-file', passphraseFile]),
    start: (uid, other = config) =>
      startService({
        service,
        uid,
        socket: path.join(folder, 'run', `test-${String(sockets++)}.sock`),
        words: [notp, 'serve', String(uid), '--config', other],
      }),
    startInPlace: (uid) => startService({ service, uid, socket: socketOf(uid), words: [notp, 'serve', String(uid), '--config', config] }),
    startJudge: () =>
      startService({ service, uid: 0, socket: path.join(folder, 'run/judge.sock'), words: [notp, 'serve', 'judge', '--config', config] }),
    socketOf,
    records: () =>
      fs
        .readFileSync(path.join(folder, 'log/audit.log'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

export interface Start {
  readonly socket: string;
  readonly service: TestUser;
  readonly words: readonly string[];
  readonly uid: number;
}

/** Starts `words` as the service, with a new socket of the user's. */
export async function startService({ socket, service, words, uid }: Start): Promise<Service> {
  fs.rmSync(socket, { force: true });
  const identity = [uid, service.uid, service.gid].map(String);
  const child = spawn('python3', ['-c', LISTENER, socket, ...identity, ...words], {
    env: { PATH: SBIN_PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (status, signal) => {
      resolve(status ?? signal);
    });
  });
  atEnd(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return { socket, child, stderr: () => stderr, exited };
}

/** A connection that says raw bytes and hears lines. */
export interface Connection {
  readonly socket: Socket;
  say(bytes: string | Uint8Array): void;
  /** The next line, or undefined where the other side closed. Rejects after a minute: a question may wait its 20 seconds, on a busy host. */
  line(): Promise<string | undefined>;
  /** Whether the other side closed within `ms`. */
  closedWithin(ms: number): Promise<boolean>;
  close(): void;
}

export function connectTo(service: Pick<Service, 'socket'>): Connection {
  const socket = connect(service.socket);
  const state = { text: '', closed: false };
  socket.on('data', (chunk: Buffer) => (state.text += chunk.toString('utf8')));
  socket.on('error', () => undefined);
  socket.on('close', () => (state.closed = true));
  const line = async (): Promise<string | undefined> => {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(10)) {
      const newline = state.text.indexOf('\n');
      if (newline !== -1) {
        const found = state.text.slice(0, newline);
        state.text = state.text.slice(newline + 1);
        return found;
      }
      if (state.closed) return undefined;
    }
    throw new Error('no answer within a minute');
  };
  const closedWithin = async (ms: number): Promise<boolean> => {
    for (const deadline = Date.now() + ms; !state.closed && Date.now() < deadline;) await sleep(20);
    return state.closed;
  };
  return { socket, line, closedWithin, say: (bytes) => void socket.write(bytes), close: () => void socket.destroy() };
}

/** The line of a question to verify `typed` for the sealed file of `enrolled`, as the gate sends it. */
export function questionFor(file: string | undefined, typed: readonly Reading[], other: Partial<Question> = {}): string {
  return printQuestion({
    ask: 'verify',
    origin: { context: 'ssh', door: 'gate', service: 'ssh', rhost: '192.0.2.7' },
    files: sentFile(file === undefined ? '' : fs.readFileSync(file, 'utf8')),
    session: { connection: undefined, keyDigest: undefined },
    circumstances: { ...NOTHING_KNOWN, firstFactor: true },
    readings: typed,
    timedOut: false,
    ...other,
  });
}

/** The line of what the gate asks before its prompt, of a user without a sealed file. */
export function firstQuestion(): string {
  return questionFor(undefined, [], {
    ask: 'before',
    origin: { context: 'ssh', door: 'gate', service: 'ssh' },
    circumstances: NOTHING_KNOWN,
  });
}

/** The one sealed file of a question, or why there is none. */
export function sentFile(sealed: string, wrong = '', context = 'ssh'): SentFile[] {
  return [{ context, sealed, wrong }];
}

export function code(text: string, passphrase?: string): Reading[] {
  return [{ passphrase, proof: { kind: 'code', code: text } }];
}

/** Asks on a connection of its own, and gives the verdict's word: the method or the reason; "ask" where there is none. */
export async function asked(service: Pick<Service, 'socket'>, question: string): Promise<string> {
  const connection = connectTo(service);
  try {
    connection.say(question);
    return word(await connection.line());
  } finally {
    connection.close();
  }
}

/** The method of what was accepted, the reason of what was not; "closed" where nothing came. */
export function word(line: string | undefined): string {
  if (line === undefined) return 'closed';
  const outcome: Outcome | undefined = parseAnswer(line);
  if (outcome === undefined) return 'ask';
  return outcome.verdict.result === 'accepted' ? outcome.verdict.method : outcome.verdict.reason;
}
