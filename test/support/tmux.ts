/** A real terminal emulator (tmux, with a server of its own) with a shell in it: what a person would see on the screen. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { atEnd } from './cleanup.ts';
import { sleep } from './process.ts';
import { must, nodeVariables } from './world.ts';

const POLL_MS = 50;
/** The terminal shows what is typed well before that. */
const ECHO_MS = 10_000;
const PROMPT = 'ready> ';

export interface Screen {
  /** The lines that are seen, without blanks at their ends. */
  readonly lines: () => readonly string[];
  /** The same lines whole, with their colours as sequences of ECMA-48. */
  readonly painted: () => readonly string[];
  /** The same and all that has scrolled away. */
  readonly everything: () => string;
  /** Whether the cursor is seen, and whether the alternate screen is. */
  readonly state: () => { readonly cursor: boolean; readonly alternate: boolean };
  /** Types a command line at the prompt; `more` stands at its end as it is, for redirections. */
  enter(command: readonly string[], more?: string): void;
  /** Presses keys, by their names in tmux(1). */
  press(...keys: readonly string[]): void;
  resize(columns: number, rows?: number): void;
  /** Makes it a terminal that knows no alternate screen. */
  withoutAlternate(): void;
  /** Waits until `seen` gives something for the lines on the screen. Rejects with the screen after the time-out. */
  until<T>(seen: (lines: readonly string[]) => T | undefined, timeoutMs?: number): Promise<T>;
  /** Waits for the prompt, and gives the exit status of the command before it. */
  prompt(): Promise<number>;
  /** The processes that the shell started and that still run. */
  readonly children: () => readonly number[];
  /** The settings of the terminal, as stty(1) tells them. */
  readonly modes: () => string;
  close(): void;
}

/** Opens a screen whose shell has just `environment` besides TERM and PATH. Closed when the test file ends. */
export async function openScreen(columns: number, rows = 24, environment: NodeJS.ProcessEnv = {}): Promise<Screen> {
  const server = ['-u', '-L', `notp-test-${randomBytes(4).toString('hex')}`, '-f', '/dev/null'];
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', LC_ALL: 'C.UTF-8', ...nodeVariables(), ...environment };
  const tmux = (...words: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync('tmux', [...server, ...words], { encoding: 'utf8', env });
    if (status !== 0) throw new Error(`tmux ${words.join(' ')}: ${stderr}`);
    return stdout;
  };
  const [width, height] = [String(columns), String(rows)];
  tmux('new-session', '-d', '-x', width, '-y', height, 'exec sh');
  const close = (): void => {
    spawnSync('tmux', [...server, 'kill-server'], { env });
  };
  atEnd(close);
  const everything = (): string => tmux('capture-pane', '-p', '-S', '-');
  const lines = (): string[] => tmux('capture-pane', '-p').trimEnd().split('\n');
  const until = async <T>(seen: (shown: readonly string[]) => T | undefined, timeoutMs = 20_000): Promise<T> => {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = seen(lines());
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`waited in vain; the screen:\n${lines().join('\n')}`);
      await sleep(POLL_MS);
    }
  };
  const prompt = async (): Promise<number> => await until((shown) => statusAt(shown.at(-1) ?? ''));
  const type = (text: string): void => {
    tmux('send-keys', '-l', text);
    tmux('send-keys', 'Enter');
  };
  const [shell = '', terminal = ''] = tmux('display-message', '-p', '#{pane_pid} #{pane_tty}').trim().split(' ');
  // From the environment a shell of root does not take it.
  type(`PS1='$?${PROMPT}'; clear`);
  await prompt();
  return {
    ...{ lines, until, prompt, close },
    painted: () => tmux('capture-pane', '-p', '-e', '-N').split('\n').slice(0, rows),
    everything,
    state: () => {
      const [cursor, alternate] = tmux('display-message', '-p', '#{cursor_flag} #{alternate_on}').trim().split(' ');
      return { cursor: cursor === '1', alternate: alternate === '1' };
    },
    enter: (command, more = '') => {
      const before = everything();
      type(`${command.map(quotedForShell).join(' ')} ${more}`);
      // Else prompt() takes the prompt before the command for the one after it.
      for (const deadline = Date.now() + ECHO_MS; everything() === before && Date.now() < deadline;) pause(POLL_MS);
    },
    press: (...keys) => void tmux('send-keys', ...keys),
    resize: (toColumns, toRows = rows) => void tmux('resize-window', '-x', String(toColumns), '-y', String(toRows)),
    withoutAlternate: () => void tmux('set-option', '-w', 'alternate-screen', 'off'),
    children: () =>
      readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8')
        .split(' ')
        .filter((pid) => pid !== '')
        .map(Number),
    modes: () => must(['stty', '-a', '-F', terminal]),
  };
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** The exit status that the prompt tells; undefined where the line is no prompt. */
function statusAt(line: string): number | undefined {
  const status = new RegExp(`^(\\d+)${PROMPT.trimEnd()}$`).exec(line)?.[1];
  return status === undefined ? undefined : Number(status);
}

function quotedForShell(word: string): string {
  return /^[\w./=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
