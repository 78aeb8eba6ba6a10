/**
 * Asks questions on a terminal. The terminal is opened by name, not taken from stdio. It is in raw mode during a question, so that
 * no key sends a signal and nothing secret is echoed. It is restored whatever happens.
 */
import * as fs from 'node:fs';
import { isatty } from 'node:tty';
import { errnoOf, NotpError } from '../error.ts';
import { MAX_LINE_BYTES, typedLine } from '../otp/proof.ts';
import { terminalInput, type ByteReader, type Ended, type TerminalInput, type Waiting } from '../system/bytes.ts';
import { KeyReader } from './keys.ts';

export interface Terminal {
  /**
   * Asks `question`, and gives the line or why there is none. With `hidden` nothing typed is shown. A line over `maxBytes` is
   * refused.
   * `wholePaste` also reads the input pasted after the line. A door must not do that: there it belongs to the shell.
   * `isNeeded` resolves once it is known whether the question needs an answer. Before, nothing is read of what is typed, as it may be for
   * the shell. Where none is needed, the question is taken from the terminal, and counts as interrupted.
   */
  ask(question: string, options: Waiting & AskOptions): Promise<Answer>;
  /** Gives each key to `take`, in raw mode without echo, until `take` is done, `interrupt` aborts or the terminal ends. */
  keys(take: (key: string) => 'more' | 'done', interrupt: AbortSignal): Promise<void>;
  write(text: string): void;
  close(): void;
}

export interface AskOptions {
  readonly hidden: boolean;
  readonly maxBytes?: number;
  readonly wholePaste?: boolean;
  readonly isNeeded?: Promise<boolean>;
}

export type Answer = { readonly line: string } | { readonly ended: Exclude<Ended, 'done'> | 'several lines' };

const OWN_TERMINAL = '/dev/tty';
/** The longest pause within a paste, which may come in pieces. A person at the next question is slower. */
const PASTE_PAUSE_MS = 100;
const CTRL_C = 3;
const CTRL_D = 4;
const CTRL_U = 21;
const CTRL_W = 23;
const CTRL_Z = 26;
const CTRL_BACKSLASH = 28;
const BACKSPACE = 8;
const DELETE = 127;
const NEWLINE = 10;
const RETURN = 13;
const ABORTS = [CTRL_C, CTRL_Z, CTRL_BACKSLASH];

/**
 * This process's own terminal: the controlling one or, where `su -c` has left none, the one at stdin. Undefined where stdin is not
 * a terminal.
 */
export function ownTerminal(): Terminal | undefined {
  if (!isatty(0)) return undefined;
  try {
    return openTerminal(OWN_TERMINAL);
  } catch (error) {
    if (errnoOf(error) === 'ENXIO') return terminalOn(0, 0);
    throw error;
  }
}

/**
 * The terminal at `path`. Throws where that is not a terminal, and what `check` throws. `check` gets the opened file, not what the
 * name may lead to later.
 */
export function openTerminal(path: string, check: (terminal: fs.Stats) => void = () => undefined): Terminal {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = fs.constants;
  const open = (file: string): number => fs.openSync(file, O_RDWR | O_NOCTTY | O_NONBLOCK);
  const fd = open(path);
  try {
    if (!isatty(fd)) throw new NotpError('failed', `${path} is no terminal`);
    check(fs.fstatSync(fd));
    // Opens the same terminal again, whatever the name leads to by now.
    return terminalOn(open(`/proc/self/fd/${String(fd)}`), fd);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** The terminal that `readFd` reads and `fd` writes. */
function terminalOn(readFd: number, fd: number): Terminal {
  const input = terminalInput(readFd);
  const write = (text: string | Uint8Array): void => {
    try {
      fs.writeSync(fd, Buffer.from(text));
    } catch {
      // The terminal hung up. The next read reports that, and the decision and its record do not depend on this output.
    }
  };
  return {
    ask: async (question, { hidden, maxBytes = MAX_LINE_BYTES, wholePaste = false, isNeeded, ...waiting }) => {
      const line = new Line(hidden ? () => undefined : write, maxBytes);
      const paste = wholePaste ? pasteInto(line) : undefined;
      // The question is shown once raw mode is set: input typed at once must not be echoed either.
      const ended = await input.read(
        paste?.take ?? ((byte) => line.take(byte)),
        { ...waiting, interrupt: AbortSignal.any([waiting.interrupt, paste?.over].filter((each) => each !== undefined)) },
        () => {
          write(question);
        },
        isNeeded,
      );
      write((await isNeeded) === false ? `\r${' '.repeat(question.length)}\r` : '\n');
      if (line.aborted) return { ended: 'interrupted' };
      if (paste?.hasMore() === true) return { ended: 'several lines' };
      if (ended !== 'done' && paste?.over.aborted !== true) return { ended };
      return line.closed ? { ended: 'eof' } : { line: line.text() };
    },
    keys: (take, interrupt) => readKeys(input, take, interrupt),
    write,
    close: () => {
      input.close();
      if (fd !== 0) fs.closeSync(fd);
    },
  };
}

/** Gives bytes to `line`, and discards the rest of a paste after it: neither the next question nor a shell may get that. */
function pasteInto(line: Line): { readonly take: ByteReader; readonly over: AbortSignal; readonly hasMore: () => boolean } {
  const over = new AbortController();
  let pause: NodeJS.Timeout | undefined;
  let more = false;
  const take: ByteReader = (byte) => {
    if (pause !== undefined) {
      more ||= byte !== RETURN && byte !== NEWLINE;
      pause.refresh();
    } else if (line.take(byte) === 'done') {
      if (line.aborted || line.closed) return 'done';
      pause = setTimeout(() => {
        over.abort();
      }, PASTE_PAUSE_MS);
    }
    return 'more';
  };
  return { take, over: over.signal, hasMore: () => more };
}

async function readKeys(input: TerminalInput, take: (key: string) => 'more' | 'done', interrupt: AbortSignal): Promise<void> {
  const enough = new AbortController();
  const keys = new KeyReader((key) => {
    if (take(key) === 'done') enough.abort();
  });
  const waiting = { deadlineMs: Infinity, interrupt: AbortSignal.any([interrupt, enough.signal]) };
  const reader: ByteReader = (byte) => {
    keys.byte(byte);
    return 'more';
  };
  try {
    await input.read(reader, waiting, () => undefined);
  } finally {
    keys.close();
  }
}

/** The line being typed, with the keys of a cooked terminal: erase, erase a word, erase all. */
class Line {
  aborted = false;
  closed = false;
  private bytes: number[] = [];
  private readonly echo: (text: string | Uint8Array) => void;
  private readonly maxBytes: number;

  constructor(echo: (text: string | Uint8Array) => void, maxBytes: number) {
    this.echo = echo;
    this.maxBytes = maxBytes;
  }

  take(byte: number): 'more' | 'done' {
    if (byte === RETURN || byte === NEWLINE) return 'done';
    if (ABORTS.includes(byte)) this.aborted = true;
    else if (byte === CTRL_D && this.bytes.length === 0) this.closed = true;
    else this.edit(byte);
    return this.aborted || this.closed ? 'done' : 'more';
  }

  /** The text; empty, and so no proof, where it is too long or not text. */
  text(): string {
    return typedLine(Uint8Array.from(this.bytes), this.maxBytes) ?? '';
  }

  private edit(byte: number): void {
    if (byte === BACKSPACE || byte === DELETE) this.erase(1);
    else if (byte === CTRL_U) this.erase(this.bytes.length);
    else if (byte === CTRL_W) this.erase(this.lastWordLength());
    else if (byte >= 0x20 && this.bytes.length <= this.maxBytes) {
      this.bytes.push(byte);
      this.echo(Uint8Array.of(byte));
    }
  }

  /** Erases the last `count` characters (UTF-8). */
  private erase(count: number): void {
    for (let i = 0; i < count && this.bytes.length > 0; i++) {
      let byte = this.bytes.pop();
      while (byte !== undefined && (byte & 0xc0) === 0x80) byte = this.bytes.pop();
      this.echo('\b \b');
    }
  }

  /** The length in characters. */
  private lastWordLength(): number {
    const word = /\S*\s*$/.exec(Buffer.from(this.bytes).toString('utf8'))?.[0];
    return word?.match(/./gsu)?.length ?? 0;
  }
}
