/**
 * Keys from the bytes of a terminal in raw mode. A key that has no character sends a sequence that starts like
 * Escape (ECMA-48 5.4, CSI and SS3); only the time that passes tells the Escape key from it.
 */

/** How long the rest of a sequence may take to come, over a slow connection too. */
const SEQUENCE_MS = 100;

const ESCAPE = 0x1b;
const CSI = 0x5b;
const SS3 = 0x4f;

/** Between keys, after Escape, in a sequence of several bytes, before the one byte that follows SS3. */
type State = 'plain' | 'escape' | 'csi' | 'ss3';

/** Hands the characters that are typed to `take`, Escape among them; the sequences of arrow keys and the like are left out. */
export class KeyReader {
  private readonly take: (key: string) => void;
  private state: State = 'plain';
  private timer: NodeJS.Timeout | undefined;

  constructor(take: (key: string) => void) {
    this.take = take;
  }

  /** The next byte (0 to 255). */
  byte(byte: number): void {
    clearTimeout(this.timer);
    const { state } = this;
    this.state = 'plain';
    // A control character never belongs to a sequence: Ctrl-C works whatever came before it.
    if (byte < 0x20) this.control(byte, state);
    else if (state === 'escape') this.state = stateAfterEscape(byte);
    else if (state === 'csi') this.state = endsCsi(byte) ? 'plain' : 'csi';
    else if (state === 'plain') this.take(String.fromCharCode(byte));
  }

  /** No byte will come any more. */
  close(): void {
    clearTimeout(this.timer);
  }

  private control(byte: number, state: State): void {
    if (state === 'escape') this.take('\x1b');
    if (byte !== ESCAPE) {
      this.take(String.fromCharCode(byte));
      return;
    }
    this.state = 'escape';
    this.timer = setTimeout(() => {
      this.state = 'plain';
      this.take('\x1b');
    }, SEQUENCE_MS);
  }
}

function stateAfterEscape(byte: number): State {
  if (byte === CSI) return 'csi';
  return byte === SS3 ? 'ss3' : 'plain';
}

/** Parameters and intermediate bytes go on, any other byte is the last. */
function endsCsi(byte: number): boolean {
  return byte >= 0x40;
}
