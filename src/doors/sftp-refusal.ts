/**
 * Tells an SFTP client why it is refused. sshd drops what a subsystem says on stderr, and a client that is just left says "Connection
 * closed". So its greeting is answered, and each request with the text. See draft-ietf-secsh-filexfer-02, sections 3, 4 and 7.
 */
import { readStdin, type Waiting } from '../system/bytes.ts';
import { printResult } from '../terminal/printer.ts';

/** Before the content of a packet: its length without these four bytes, its type, and the version or the id of the request. */
const HEAD_BYTES = 9;
const LENGTH_BYTES = 4;
/** What OpenSSH's client and server take at the most. */
const MAX_PACKET_BYTES = 256 * 1024;
/** More than any client asks before it gives up. */
const MAX_ANSWERS = 100;
const MAX_TEXT_BYTES = 2000;

const SSH_FXP_INIT = 1;
const SSH_FXP_VERSION = 2;
const SSH_FXP_STATUS = 101;
const SSH_FX_PERMISSION_DENIED = 3;
/** The version that the draft describes, and that every client speaks. */
const VERSION = 3;

/** Answers the client until it leaves, talks nonsense or the deadline passes. Never throws: the refusal stands without it. */
export async function refuseOverSftp(text: string, waiting: Waiting): Promise<void> {
  const answer = sftpRefusal(text);
  try {
    await readStdin((byte) => {
      const said = answer(byte);
      if (said === 'over') return 'done';
      if (said !== undefined) printResult(said);
      return 'more';
    }, waiting);
  } catch {
    // The client is gone.
  }
}

/** Takes what the client sends, byte by byte. Gives a packet where it must be answered, and `over` where it need not be heard any more. */
export function sftpRefusal(text: string): (byte: number) => Uint8Array | 'over' | undefined {
  const message = Buffer.from(text).subarray(0, MAX_TEXT_BYTES);
  let head: number[] = [];
  let contentLeft = 0;
  let answers = 0;
  return (byte) => {
    if (contentLeft > 0) {
      contentLeft--;
      return undefined;
    }
    head.push(byte);
    if (head.length < HEAD_BYTES) return undefined;
    const packet = Buffer.from(head);
    head = [];
    const length = packet.readUInt32BE(0);
    if (length < HEAD_BYTES - LENGTH_BYTES || length > MAX_PACKET_BYTES || ++answers > MAX_ANSWERS) return 'over';
    contentLeft = length - (HEAD_BYTES - LENGTH_BYTES);
    if (packet[LENGTH_BYTES] === SSH_FXP_INIT) return packetOf(SSH_FXP_VERSION, uint32(VERSION));
    const id = packet.subarray(LENGTH_BYTES + 1);
    return packetOf(SSH_FXP_STATUS, id, uint32(SSH_FX_PERMISSION_DENIED), uint32(message.length), message, uint32(0));
  };
}

function packetOf(type: number, ...fields: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat([Uint8Array.of(type), ...fields]);
  return Buffer.concat([uint32(content.length), content]);
}

function uint32(number: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}
