/** One connection to the service: questions come and answers go, one line each, and nonsense ends it. */
import type { Socket } from 'node:net';
import { messageOf } from '../error.ts';
import { collectLine } from '../wire/line-socket.ts';
import { sayError } from '../terminal/printer.ts';
import { selfEnrolment, type SelfEnrolment } from '../enrolment/self/self-enrolment.ts';
import { MAX_LINE } from '../wire/question.ts';
import type { Asker, Turns } from './turns.ts';

/** A question that was understood. */
export interface Asked extends Asker {
  readonly answer: (enrolment: SelfEnrolment) => Promise<Answered>;
}

export interface Answered {
  readonly line: string;
  /** Whether it lets somebody in, keeps them out, or asks for more codes; undefined: none of it. */
  readonly result?: 'accepted' | 'refused' | 'asks for more' | undefined;
}

export interface Answering {
  /** Understands one line. Throws where it is no question. */
  readonly understand: (line: string) => Asked;
  /** How long a connection may wait for its first question, and for the next one. */
  readonly firstMs: number;
  readonly patienceMs: number;
  /** What is to be done before the service leaves. Never throws. */
  readonly leave: () => Promise<void>;
}

/** What is told of a connection while it lasts. */
export interface Listener {
  onNonsense(): void;
  /** It waits for the next question about this account. */
  onIdle(account: string): void;
  onBusy(): void;
}

/** How long a question may take to arrive once its first byte is there. */
const LINE_MS = 5_000;

/** Answers one question after the other, and closes the connection on the first that is none. */
export function converse(
  socket: Socket,
  { understand, firstMs, patienceMs }: Omit<Answering, 'leave'>,
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
    // Whoever thinks has time; whoever writes has little.
    within(ms);
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
    listener.onBusy();
    // Only who reads hears that the other side has left.
    socket.once('data', tooEarly).resume();
    try {
      const asked = understand(line);
      // Nobody waits behind a queue that is never done; whoever asked is refused on the other side.
      if (turns.isFull(asked)) {
        socket.destroy();
        return;
      }
      const answered = await turns.take(asked, async () => (isGone() ? undefined : await asked.answer(enrolment)));
      if (answered?.result === 'accepted') turns.wasAccepted(asked);
      if (answered?.result === 'refused') turns.wasRefused(asked);
      if (answered?.result === 'asks for more') turns.wasAskedForMore(asked);
      if (answered === undefined || isGone()) return;
      socket.off('data', tooEarly).write(answered.line);
      listener.onIdle(asked.account);
      next(patienceMs);
    } catch (error) {
      hangUp(messageOf(error));
    }
  };
  const hangUp = (why: string): void => {
    listener.onNonsense();
    complain(why);
    socket.destroy();
  };
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearTimeout(timer);
    enrolment.end();
  });
  next(firstMs);
}

let complained = false;

/** Says it once in a life: whoever sends nonsense shall not fill the journal with it. */
function complain(why: string): void {
  if (!complained) sayError(`a question was not understood: ${why}`, 'only the user of this socket and root can send one');
  complained = true;
}
