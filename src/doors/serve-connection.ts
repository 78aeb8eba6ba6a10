/** One connection to the service: one line for each question and each answer. A malformed line ends it. */
import type { Socket } from 'node:net';
import { messageOf } from '../error.ts';
import { collectLine } from '../wire/line-socket.ts';
import { selfEnrolment, type SelfEnrolment } from '../enrolment/self/self-enrolment.ts';
import { HELLO, isOfAnotherRelease } from '../wire/question.ts';
import type { Certificate } from './members.ts';
import type { Asker, Turns } from './turns.ts';

/** A parsed question. */
export interface Request extends Asker {
  readonly answer: (enrolment: SelfEnrolment) => Promise<Reply>;
  /** It is answered at once, and takes no turn: a greeting. */
  readonly isInstant?: true;
}

export interface Reply {
  readonly line: string;
  /** Instead of this line the connection ends. */
  readonly isEnd?: true;
  /** Whether the answer lets somebody in, keeps them out, or asks for more codes; undefined for any other answer. */
  readonly result?: 'accepted' | 'refused' | 'asks for more' | undefined;
}

export interface Answering {
  /** Parses one line, of the member of a fleet where one asks. Throws where it is not a question. */
  readonly understand: (line: string, member?: Certificate) => Request;
  /** The longest line of a question, in bytes. */
  readonly maxLine: number;
  /** How long a connection may stay open before its first question, and before each further one. */
  readonly firstMs: number;
  readonly patienceMs: number;
  /** The last work before the service exits. Never throws. */
  readonly leave: () => Promise<void>;
}

/** Receives the events of a connection while it lasts. */
export interface Listener {
  onMalformed(why: string): void;
  /** It speaks as another release: this process is of an earlier one than the program on the disk, or the caller is. */
  onOtherRelease(): void;
  /** The connection waits for the next question about this account. */
  onIdle(account: string): void;
  onBusy(): void;
}

/** How long a question may take to arrive once its first byte is there. */
const LINE_MS = 5_000;

/** Answers one question after another, and closes the connection at the first malformed one. */
export function converse(
  socket: Socket,
  { understand, maxLine, firstMs, patienceMs }: Omit<Answering, 'leave'>,
  turns: Turns,
  listener: Listener,
): void {
  const enrolment = selfEnrolment();
  let timer: NodeJS.Timeout;
  const within = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.destroy(), ms);
  };
  const next = (ms: number): void => {
    // A person needs time to think; a program needs little to send a line.
    within(ms);
    socket.once('data', () => {
      within(LINE_MS);
    });
    collectLine(socket, maxLine, (line) => void reply(line), hangUp);
    socket.resume();
  };
  const isGone = (): boolean => socket.destroyed || socket.readableEnded;
  const tooEarly = (): void => {
    hangUp('it did not wait for the answer');
  };
  const reply = async (line: string): Promise<void> => {
    clearTimeout(timer);
    listener.onBusy();
    // Only a socket that is read from reports that the other side has left.
    socket.once('data', tooEarly).resume();
    if (line === HELLO) {
      socket.off('data', tooEarly).write(`${HELLO}\n`);
      listener.onIdle('');
      next(firstMs);
      return;
    }
    // It leaves before the caller can know, so that a connection made after this one is for the next process.
    if (isOfAnotherRelease(line)) {
      listener.onOtherRelease();
      socket.destroy();
      return;
    }
    try {
      const asked = understand(line);
      // No question may wait behind a queue that never ends: the other side then refuses the login.
      if (asked.isInstant !== true && turns.turnsAway(asked)) {
        socket.destroy();
        return;
      }
      const work = async (): Promise<Reply | undefined> => (isGone() ? undefined : await asked.answer(enrolment));
      const answered = await (asked.isInstant === true ? work() : turns.take(asked, work));
      if (answered?.result === 'accepted') turns.noteAccepted(asked);
      if (answered?.result === 'refused') turns.noteRefused(asked);
      if (answered?.result === 'asks for more') turns.noteAskedForMore(asked);
      if (answered === undefined || isGone()) return;
      if (answered.isEnd === true) {
        socket.destroy();
        return;
      }
      socket.off('data', tooEarly).write(answered.line);
      listener.onIdle(asked.account);
      next(patienceMs);
    } catch (error) {
      hangUp(messageOf(error));
    }
  };
  const hangUp = (why: string): void => {
    listener.onMalformed(why);
    socket.destroy();
  };
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearTimeout(timer);
    enrolment.end();
  });
  next(firstMs);
}
