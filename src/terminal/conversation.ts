/** Asks the user of a command: on their terminal or, where stdin is not a terminal, by a question on stderr and an answer on stdin. */
import { MAX_LINE_BYTES, typedLine } from '../otp/proof.ts';
import { readStdin, type Waiting } from '../system/bytes.ts';
import { fittingQuestion, say } from './printer.ts';
import { ownTerminal, type Answer, type AskOptions, type Terminal } from './terminal.ts';

export interface Conversation {
  /** Whether a person sits at a terminal. */
  readonly interactive: boolean;
  ask(question: string, options: AskOptions): Promise<Answer | Machine>;
  close(): void;
}

/** The input was bytes that no person types, as of a file transfer or another protocol. */
export interface Machine {
  readonly machine: true;
}

const NEWLINE = 10;
const TAB = 9;
const RETURN = 13;
/** After a bare CR nothing comes for this long: plink sends one for Enter, and who typed it waits for the command. */
const RETURN_PAUSE_MS = 200;

export function openConversation(waiting: Waiting, terminal: Terminal | undefined = ownTerminal()): Conversation {
  if (terminal === undefined) {
    return { interactive: false, ask: (question) => askOnStdin(question, waiting), close: () => undefined };
  }
  return {
    interactive: true,
    ask: (question, options) => terminal.ask(fittingQuestion(question), { ...waiting, ...options }),
    close: () => {
      terminal.close();
    },
  };
}

/** One line of stdin without its newline; nothing after it is read. A CR ends it too where nothing comes after it. */
export async function readStdinLine({
  deadlineMs,
  interrupt,
}: Waiting): Promise<{ readonly bytes: Uint8Array } | Exclude<Answer, { line: string }> | Machine> {
  const bytes: number[] = [];
  const seen = { machine: false };
  const bareReturn = new AbortController();
  let pause: NodeJS.Timeout | undefined;
  const ended = await readStdin(
    (byte) => {
      clearTimeout(pause);
      if (byte === NEWLINE) return 'done';
      bytes.push(byte);
      seen.machine = (byte < 0x20 && byte !== TAB && byte !== RETURN) || bytes.length > MAX_LINE_BYTES;
      if (byte === RETURN) {
        pause = setTimeout(() => {
          bareReturn.abort();
        }, RETURN_PAUSE_MS);
      }
      return seen.machine ? 'done' : 'more';
    },
    { deadlineMs, interrupt: AbortSignal.any([interrupt, bareReturn.signal]) },
  );
  clearTimeout(pause);
  if (seen.machine) return { machine: true };
  // The last line of a pipe may lack its newline.
  const isWhole = ended === 'done' || (ended === 'interrupted' && !interrupt.aborted);
  if (isWhole || (ended === 'eof' && bytes.length > 0)) return { bytes: Uint8Array.from(bytes) };
  return { ended };
}

/** The text of a line from a file or a pipe, which may end as on Windows; undefined where it is not text. */
export function lineFrom(bytes: Uint8Array): string | undefined {
  return typedLine(bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes);
}

async function askOnStdin(question: string, waiting: Waiting): Promise<Answer | Machine> {
  say(question);
  const answer = await readStdinLine(waiting);
  if (!('bytes' in answer)) return answer;
  // Input that is not text is not a proof, and costs no try.
  return { line: lineFrom(answer.bytes) ?? '' };
}
