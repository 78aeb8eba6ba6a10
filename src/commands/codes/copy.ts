/**
 * `notp code --copy`: puts a code into the clipboard of the terminal by OSC 52 (xterm's ctlseqs), which passes through SSH, and takes
 * it out again when its time is over, or the person ends the command.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NotpError } from '../../error.ts';
import { shellCommand } from '../../otp/escape.ts';
import { sayLine } from '../../terminal/printer.ts';
import { ownTerminal, type Terminal } from '../../terminal/terminal.ts';
import { outputTraits } from '../../terminal/traits.ts';

/** How long a code that counts stays there. */
const COUNTED_MS = 30_000;
/** A console without a clipboard. */
const NO_CLIPBOARD = 'linux';

/** Throws `usage` where the terminal has no clipboard: before a code is taken. */
export function refuseWithoutClipboard(context: string): void {
  clipboardTerminal(context).close();
}

/** `validMs`: undefined for a code that has no time. */
export async function copyCode(
  context: string,
  { code, validMs = COUNTED_MS }: { readonly code: string; readonly validMs: number | undefined },
  interrupt: AbortSignal,
): Promise<void> {
  const terminal = clipboardTerminal(context);
  try {
    terminal.write(clipboard(code));
    sayLine(`Copied the code of ${context}. The clipboard is cleared in ${String(Math.ceil(validMs / 1000))} s, or at Ctrl-C.`);
    await sleep(validMs, undefined, { signal: interrupt }).catch(() => undefined);
  } finally {
    // A blank for those that take no empty text, as tmux does.
    terminal.write(clipboard(' ') + clipboard(''));
    terminal.close();
  }
}

function clipboardTerminal(context: string): Terminal {
  const terminal = outputTraits().cursor && process.env['TERM'] !== NO_CLIPBOARD ? ownTerminal() : undefined;
  if (terminal !== undefined) return terminal;
  throw new NotpError(
    'usage',
    'there is no terminal with a clipboard',
    shellCommand`give the code to another program: notp code ${context} | xclip`,
  );
}

function clipboard(text: string): string {
  return `\x1b]52;c;${Buffer.from(text).toString('base64')}\x07`;
}
