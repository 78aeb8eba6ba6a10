/**
 * Reads keys from the bytes of a terminal in raw mode. A key without a character sends a sequence that begins with Escape (ECMA-48
 * 5.4, CSI and SS3). Only a pause distinguishes the Escape key from such a sequence.
 */

/** How long the rest of a sequence may take to arrive, also over a slow connection. */
const SEQUENCE_MS = 100;

const ESCAPE = 0x1b;
const CSI = 0x5b;
const SS3 = 0x4f;

/** The state: between keys, after Escape, in a sequence of several bytes, or before the one byte that follows SS3. */
type State = 'plain' | 'escape' | 'csi' | 'ss3';

/** Gives typed characters to `take`, also Escape. The sequences of arrow keys and the like are dropped. */
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

  /** Stops: no more bytes will come. */
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

/** Whether `byte` ends a CSI sequence: parameters and intermediate bytes do not, any other byte does. */
function endsCsi(byte: number): boolean {
  return byte >= 0x40;
}
