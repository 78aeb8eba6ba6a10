/** One connection to the service: questions come and answers go, one line each, and nonsense ends it. */
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { messageOf } from '../error.ts';
import { collectLine } from '../system/line-socket.ts';
import { sayError } from '../system/printer.ts';
import { selfEnrolment, type SelfEnrolment } from '../verifier/self-enrolment.ts';
import { MAX_LINE } from '../verifier/wire.ts';

export interface Answering {
  /** Answers one line of a connection with one line. Throws where the line is no question. */
  readonly answer: (line: string, enrolment: SelfEnrolment) => Promise<string>;
  /** How long a connection may wait for the next question. */
  readonly patienceMs: number;
  /** What is to be done before the service leaves. Never throws. */
  readonly leave: () => Promise<void>;
}

/** Runs one piece of work after the other. */
type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** How long a question may take to arrive once its first byte is there. */
export const LINE_MS = 5_000;

/** Answers one question after the other, and closes the connection on the first that is none, of which `onNonsense` hears. */
export function converse(socket: Socket, { answer, patienceMs }: Omit<Answering, 'leave'>, inTurn: InTurn, onNonsense: () => void): void {
  const enrolment = selfEnrolment();
  let timer: NodeJS.Timeout;
  const within = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), ms);
  };
  const next = (): void => {
    // Whoever thinks has time; whoever writes has little.
    within(patienceMs);
    socket.once('data', () => {
      within(LINE_MS);
    });
    collectLine(socket, MAX_LINE, (line) => void reply(line), hangUp);
    socket.resume();
  };
  const isGone = (): boolean => socket.destroyed || socket.readableEnded;
  const tooEarly = (): void => {
    hangUp('it did not wait for the answer');
  };
  const reply = async (line: string): Promise<void> => {
    clearTimeout(timer);
    // Only who reads hears that the other side has left.
    socket.once('data', tooEarly).resume();
    try {
      const answered = await inTurn(async () => (isGone() ? undefined : await answer(line, enrolment)));
      if (answered === undefined || isGone()) return;
      socket.off('data', tooEarly).write(answered);
      next();
    } catch (error) {
      hangUp(messageOf(error));
    }
  };
  const hangUp = (why: string): void => {
    onNonsense();
    complain(why);
    socket.destroy();
  };
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearTimeout(timer);
    enrolment.end();
  });
  next();
}

/**
 * Deriving a key holds the whole process up. In between it hears who has left meanwhile, so that a flood of costly
 * questions ends with those who asked them.
 */
export function turns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(hear).then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** Node reads a socket once in each pass of its event loop: first the question, then the end of the stream. */
async function hear(): Promise<void> {
  for (let pass = 0; pass < 3; pass++) await setImmediate();
}

let complained = false;

/** Says it once in a life: whoever sends nonsense shall not fill the journal with it. */
function complain(why: string): void {
  if (!complained) sayError(`a question was not understood: ${why}`, 'only the user of this socket and root can send one');
  complained = true;
}
